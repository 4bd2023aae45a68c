"""What constants make is what Postgres makes of them, or not known; sizes are never too large."""

from __future__ import annotations

import sys
from decimal import Decimal
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg_guard_mcp.guard import functions, grammar, named
from pg_guard_mcp.guard.amounts import amounts
from pg_guard_mcp.guard.classify import classify
from pg_guard_mcp.guard.constants import HUGE, Interval, Moment, fold, interval, moment, number
from pg_guard_mcp.guard.facts import Reading
from pg_guard_mcp.guard.row_counts import RowCounts, series
from pg_guard_mcp.guard.rules.bounded_work import MAX_AMOUNTS, bounded_work
from pg_guard_mcp.guard.sizes import Sizes, elements
from tests.support.catalogs import policy
from tests.support.postgres import connected

if TYPE_CHECKING:
    from tests.support.postgres import ShopServer

NUMBERS = """
1|-5|+7|1.5|1e3|'12'::int|' 7 '::int8|1e3::int|'1e3'::numeric|2 + 3 * 4|7 / 2|7 % 4|-7 / 2|7.5 / 2
10^3|2^0.5|1 << 10|power(10, 3)|pow(2, 8)|abs(-4)|@ -4|ceil(2)|floor(7)|(SELECT 12)|x'ff'::int
b'101'::int|int4(5)|float8('12.5')|1000 * 1000 * 1000::int8|2.5::int8 + 1|(5)|- (2 + 3)
""".replace("\n", "|").split("|")

LENGTHS = """
'abc' ; 'a' || 'bc' ; repeat('ab', 10) ; repeat('', 10) ; repeat(repeat('x', 5), 7) ; lpad('abc', 2)
lpad('x', 9) ; rpad('x', 9, 'ab') ; rpad('x', 9, '') ; format('%5s|%-7s', 'a', 'b')
format('%2$9s', 1, 2) ; format('%*s|%-3s', 9, 'a', 'b') ; format('%2$*1$s', 9, 'x')
format('%*s', -9, 'x') ; format('%%9s %--7s %s', 'x', 1) ; format('%1$s %*s', 'x', 9, 'y')
 concat('a', 'bc', repeat('d', 5)) ; concat_ws(', ', 'a', 'b')
upper(repeat('x', 8)) ; 'x'::char(5) ; 'x'::char(5)::text ; 'abcdef'::char(2) ; 'abcdef'::varchar(3)
replace(repeat('ab', 3), 'a', 'xyz') ; replace('aaa', 'b', 'xyz') ; quote_literal('a') ; 12::text
regexp_replace('aaa', 'a', 'xy', 'g') ; regexp_replace('aaa', 'a', 'xy') ; repeat('x', -5)
regexp_replace('abc', '.', 'x', 'g') ; reverse('abc') ; repeat('x', '3') ; chr(65) || 'x'
""".replace("\n", ";").split(";")

SERIES = """
1, 10|10, 1|10, 1, -3|1, 10, 4|0, 1, 0.25|1, 10, -1|'1'::int, 10|2.5, 9
'2024-01-01'::date, '2024-12-31', '1 day'|'2024-01-01'::timestamp, '2024-01-02', '1 hour'
timestamp '2024-01-01', timestamp '2024-01-02', interval '90 minutes'
now() - interval '1 day', now(), '1 hour'|now(), now() + interval '3 hours', interval '1 hour' * 2
'2024-01-01'::date, '2024-03-31', '1 month'|'2024-01-01'::date, '2026-03-31', '1 year'
now() - make_interval(days => 2), now(), make_interval(hours => 5)
current_date, current_date + interval '5 days', '1 day'
'2024-01-01 00:00:00+02'::timestamptz, '2024-01-01 06:00:00+02', '00:30:00'
""".replace("\n", "|").split("|")


def expression(text: str) -> dict[str, Any]:
    """Parse an expression."""
    (statement,) = grammar.parse(f"SELECT {text}")
    target: dict[str, Any] = statement["stmt"]["SelectStmt"]["targetList"][0]["ResTarget"]["val"]  # type: ignore[index]  # a tree is untyped
    return target


def refused(sql: str) -> list[str]:
    """Tell what speaks against the work a statement asks for."""
    statement = classify(sql, max_bytes=50_000)
    return [finding.message for finding in bounded_work(statement, policy())]


@pytest.mark.parametrize("text", [text for text in NUMBERS if text])
async def test_a_number_is_folded_to_what_postgres_makes_of_it(
    postgres: ShopServer, text: str
) -> None:
    async with connected(postgres.agent) as connection:
        theirs = await connection.fetchval(f"SELECT ({text})::numeric")

    ours = number(expression(text))

    assert ours is not None
    assert abs(ours - theirs) < Decimal("0.001")


@pytest.mark.parametrize("text", [text for text in LENGTHS if text.strip()])
async def test_a_text_is_never_shorter_than_its_least_length(
    postgres: ShopServer, text: str
) -> None:
    async with connected(postgres.agent) as connection:
        theirs = await connection.fetchval(f"SELECT length(({text})::text)")

    assert Sizes().length(expression(text)) <= theirs


@pytest.mark.parametrize("text", [text for text in SERIES if text])
async def test_a_series_never_has_fewer_rows_than_its_least_and_hardly_more(
    postgres: ShopServer, text: str
) -> None:
    async with connected(postgres.agent) as connection:
        theirs = await connection.fetchval(f"SELECT count(*) FROM generate_series({text})")

    assert theirs * 0.9 - 1 <= series(expression(f"generate_series({text})")) <= theirs


@pytest.mark.parametrize(
    "text",
    [
        *("a", "a + 1", "1 / 0", "'x'::int", "'nan'::float8", "'infinity'::float8", "random()"),
        *("NULL", "(SELECT a FROM t)", "(SELECT 1 LIMIT 0)", "CASE WHEN true THEN 1 END", "1 = 1"),
        *("-'x'", "power('x', 2)", "interval '1 fortnight'", "'2024-13-01'::date", "'x' ^ 2"),
        *("make_interval(1)", "make_interval(days => a)", "current_user", "10 % 0", "now() + 1"),
        "abs('x')",
    ],
)
def test_what_constants_do_not_make_is_not_known(text: str) -> None:
    assert number(expression(text)) is None


@pytest.mark.parametrize(
    "text", ["9^9^9^9", "1e999999999", "10^400", "1e30 * 1e30", "1 << 1000", "power(10, 1000)"]
)
def test_a_huge_number_costs_nothing(text: str) -> None:
    assert number(expression(text)) == HUGE
    assert refused(f"SELECT repeat('x', ({text})::int)")


@pytest.mark.parametrize(
    ("sql", "is_refused"),
    [
        ("SELECT generate_series(0, 1e30, 1e-999990)", True),
        ("SELECT generate_series(0, 1, 1e-9999990)", True),
        ("SELECT generate_series(1, 0, 1e-9999990)", False),
        (f"SELECT format('%{'9' * 5_000}s', 'x')", False),  # Postgres says so itself
        (f"SELECT format('%---{'0' * 5_000}100000000s', 'x')", True),
        ("WITH RECURSIVE t AS (SELECT UNION ALL SELECT FROM t) SELECT count(*) FROM t", True),
    ],
)
def test_no_constant_is_too_much_for_the_folding_itself(sql: str, *, is_refused: bool) -> None:
    assert bool(refused(sql)) is is_refused


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT format('%*s', 500000000, 'x')",
        "SELECT format('%2$*1$s', -500000000, 'x')",
        "SELECT format('%s %*s', 'x', 500000000, 'x')",
        "SELECT string_agg(repeat('x', 9999999), '') FROM generate_series(1, 100)",
        "SELECT cardinality(array_fill(repeat('x', 1000), ARRAY[999999]))",
    ],
)
def test_what_is_small_by_itself_and_large_together_is_refused(sql: str) -> None:
    assert len(refused(sql)) == 1


@pytest.mark.parametrize(
    "text", ["1" * 49_000, " " * 49_000, "1." * 24_000, "1 day " * 8_000 + "1"]
)
def test_a_long_text_that_is_no_interval_is_looked_through_once(text: str) -> None:
    assert interval(text) is None  # quadratic, this takes minutes, and nobody else is served


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT jsonb_path_query(target => a, path => '$.**.**') FROM t",
        "SELECT jsonb_path_exists(path => '$.**.**', target => a) FROM t",
        "SELECT jsonb_path_query(a, '$. **. **') FROM t",
        "SELECT jsonb_path_query(a, '$./**/**.**') FROM t",
        "SELECT a @? E'$.\\x2a*.\\x2a*' FROM t",
        "SELECT a OPERATOR(pg_catalog.@@) E'$.\\x2a*.\\x2a*' FROM t",
        "SELECT E'$.\\x2a*.\\x2a*'::jsonpath",
        "SELECT a @? ('$.**' || '.**') FROM t",
    ],
)
def test_two_descents_are_two_however_they_are_written(sql: str) -> None:
    assert len(refused(sql)) == 1


def test_expressions_too_deep_to_look_into_are_not_known() -> None:
    assert number(expression("1" + " + 1" * 100)) is None
    assert Sizes().length(expression("'x'" + " || 'x'" * 100)) < 101
    assert RowCounts().combined([], {}) == 1


def test_times_are_read_as_people_write_them() -> None:
    assert moment("2024-01-01") == Moment(Decimal(1_704_067_200))
    assert moment("2024-01-01 02:00:00+02") == moment("2024-01-01")
    assert moment("yesterday") is None
    assert interval("2 days 3 hours") == Interval(Decimal(183_600))
    assert interval("00:00:01.5") == Interval(Decimal("1.5"))
    assert interval("") is None
    assert interval("1 day ago") is None
    assert fold(expression("2 * interval '1 s'")) == Interval(Decimal(2))
    assert fold(expression("interval '1 s' - interval '2 s'")) == Interval(Decimal(-1))


def test_an_array_has_as_many_elements_as_its_bounds_say() -> None:
    assert elements(expression("array_fill(0, ARRAY[3, 4])")) == 12
    assert elements(expression("array_fill(0, ARRAY[3, 4]::int[])")) == 12
    assert elements(expression("array_fill(0, '{5}')")) == 5
    assert elements(expression("array_fill(0, a)")) == 0
    assert elements(expression("ARRAY[1, 2]")) == 0
    assert series(expression("unnest(array_fill(0, ARRAY[7]))")) == 7


@pytest.mark.parametrize("what", sorted(MAX_AMOUNTS))
def test_each_limit_is_told_with_what_is_asked_and_what_may_be(what: str) -> None:
    examples = {
        "characters": "SELECT repeat('x', 10000001)",
        "combinations": "SELECT 1 FROM generate_series(1, 9999999) a, generate_series(1, 101) b",
        "descents": "SELECT '$.**.**'::jsonpath",
        "elements": "SELECT array_fill(0, ARRAY[10000001])",
        "endless": "WITH RECURSIVE t AS (SELECT 1 UNION ALL SELECT 1 FROM t) SELECT * FROM t",
        "needle": "SELECT strpos('x', repeat('x', 10001))",
        "points": "SELECT polygon(1001, circle '((0,0),1)')",
        "rows": "SELECT generate_series(1, 10000001)",
        "set": "SELECT translate('x', repeat('x', 1001), '')",
    }
    just_enough = {
        "SELECT repeat('x', 10000000)",
        "SELECT 1 FROM generate_series(1, 10000000) a, generate_series(1, 100) b",
        "SELECT '$.**'::jsonpath",
        "SELECT array_fill(0, ARRAY[10000000])",
        "SELECT strpos('x', repeat('x', 10000))",
        "SELECT polygon(1000, circle '((0,0),1)')",
        "SELECT generate_series(1, 10000000)",
        "SELECT translate('x', repeat('x', 1000), '')",
    }

    assert len(refused(examples[what])) == 1
    assert [sql for sql in just_enough if refused(sql)] == []


@pytest.mark.parametrize(
    "sql",
    [
        "WITH RECURSIVE t AS (SELECT 1 UNION SELECT 1 FROM t) SELECT * FROM t",
        "WITH RECURSIVE t AS (SELECT 1 WHERE false UNION ALL SELECT 1 FROM t) SELECT * FROM t",
        "WITH RECURSIVE t AS (SELECT unnest(a) UNION ALL SELECT 1 FROM t) SELECT * FROM t",
        "WITH RECURSIVE t AS (SELECT 1 UNION ALL SELECT unnest(a) FROM t) SELECT * FROM t",
        "WITH RECURSIVE t AS (SELECT 1 UNION ALL SELECT 1 FROM t, u) SELECT * FROM t",
        "WITH RECURSIVE t AS (SELECT 1 UNION ALL SELECT 1 FROM t) SELECT EXISTS (SELECT FROM t)",
        "WITH RECURSIVE t AS (SELECT 1), u AS (SELECT 2) SELECT * FROM t, u",
        "WITH RECURSIVE t AS (SELECT 1 UNION ALL SELECT 1 FROM u) SELECT * FROM t",
    ],
)
def test_a_recursion_that_may_end_is_let_through(sql: str) -> None:
    assert refused(sql) == []


@pytest.mark.parametrize(
    ("sql", "is_refused"),
    [
        ("FROM g, g AS b, g AS c", True),
        ("FROM g LEFT JOIN x ON a = b, g AS b, g AS c", True),
        ("FROM (g CROSS JOIN g AS b) CROSS JOIN g AS c", True),
        ("FROM (VALUES (1), (2)) AS v, (SELECT i FROM g) AS a, g AS b, g AS c", True),
        ("FROM ROWS FROM (generate_series(1, 10000), unnest(x)) AS a, g AS b, g AS c", True),
        ("FROM g, g AS b, x", False),
        ("FROM g NATURAL JOIN g AS b, g AS c", False),
        ("FROM g JOIN g AS b USING (i), g AS c", False),
        ("FROM g RIGHT JOIN x ON a = b, g AS b, g AS c", False),
        ("FROM s.g AS a, s.g AS b, s.g AS c", False),
        ("FROM (SELECT count(*) FROM g) AS a, g AS b, g AS c", False),
        ("FROM (SELECT i FROM g LIMIT 1) AS a, g AS b, g AS c", False),
        ("FROM (SELECT i FROM g UNION SELECT 1) AS a, g AS b, g AS c", False),
        ("FROM g, g AS b, g AS c WHERE true", False),
    ],
)
def test_combinations_are_counted_where_nothing_else_decides(sql: str, *, is_refused: bool) -> None:
    query = f"WITH g AS (SELECT i FROM generate_series(1, 10000) AS i) SELECT 1 {sql}"

    assert bool(refused(query)) is is_refused


def test_queries_of_with_that_double_each_other_are_counted_once_each() -> None:
    doubled = ", ".join(f"q{n} AS (SELECT 1 FROM q{n - 1} a, q{n - 1} b)" for n in range(1, 10))

    assert refused(f"WITH q0 AS (SELECT generate_series(1, 2)), {doubled} SELECT 1 FROM q9 a, q9 b")


@given(st.recursive(
    st.sampled_from(["1", "'x'", "1e9", "a", "NULL", "now()", "'1 day'", "ARRAY[9, 9]"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+ - * / % ^ || << =".split()), inner).map(
            lambda parts: f"({' '.join(parts)})"  # 1 = 1 = 1 is no SQL
        ),
        st.tuples(
            st.sampled_from("repeat lpad format concat array_fill translate strpos".split()),
            inner,
            inner,
        ).map(lambda parts: f"{parts[0]}({parts[1]}, {parts[2]})"),
        inner.map(lambda text: f"({text})::numeric"),
        inner.map(lambda text: f"({text})::timestamptz"),
        inner.map(lambda text: f"(SELECT {text} FROM generate_series(1, {text}, {text}))"),
        inner.map(lambda text: f"replace({text}, 'x', {text})"),
    ),
    max_leaves=12,
))  # fmt: skip
def test_any_expression_has_a_size_or_none(text: str) -> None:
    node = expression(f"({text})")

    assert 0 <= Sizes().length(node) <= HUGE
    value = number(node)
    assert value is None or abs(value) <= HUGE


async def test_all_names_that_may_be_given_are_postgres_s_own(each_postgres: ShopServer) -> None:
    async with connected(each_postgres.agent) as connection:
        configurations = await connection.fetch("SELECT cfgname::text FROM pg_ts_config")
        dictionaries = await connection.fetch("SELECT dictname::text FROM pg_ts_dict")

    assert {name for (name,) in configurations} <= named.CONFIGURATIONS
    assert {name for (name,) in dictionaries} <= named.DICTIONARIES


def test_the_functions_whose_names_are_judged_are_allowed_ones() -> None:
    assert all(functions.judge_builtin(name, count).allowed for name, count in named._NAMED)
    lines = (files("pg_guard_mcp.guard") / "functions.csv").read_text(encoding="utf-8")
    assert all(f"\n{name}," in lines for name, _ in named._NAMED)


def test_many_recursions_cost_one_look_at_the_whole_statement() -> None:
    queries = ", ".join(f"a{n} AS (SELECT 1 UNION ALL SELECT 1 FROM a{n})" for n in range(300))
    (statement,) = grammar.parse(f"WITH RECURSIVE {queries} SELECT 1")
    events = 0

    def note(_frame: object, _event: str, _argument: object) -> None:
        nonlocal events
        events += 1

    sys.setprofile(note)
    try:
        amounts(statement, "recursive", Reading())
    finally:
        sys.setprofile(None)

    assert events < 500_000  # a look for each of them takes a hundred times as many
