"""Two parsers, one statement: they agree on what is harmless, and a difference is caught."""

from __future__ import annotations

import csv
from contextlib import suppress
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest
from sqlglot.dialects.postgres import Postgres

from pg_guard_mcp.errors import Refused
from pg_guard_mcp.guard import agreement, grammar, reading, syntax
from pg_guard_mcp.guard.agreement import Disagreement, NotParsed, Sighting, compare
from pg_guard_mcp.guard.classify import classify
from tests.support.postgres import connected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import ShopServer

_CSV = (files("pg_guard_mcp.guard") / "functions.csv").read_text(encoding="utf-8")
ALLOWED = [line["name"] for line in csv.DictReader(_CSV.splitlines()) if line["verdict"] != "deny"]

# The second parser has its own mind about these overloads, which nobody writes as plain calls.
_OTHERWISE_READ = {"char", "convert", "extract", "json_object", "normalize", "overlaps", "position"}

_OVERLOADS = """
SELECT p.proname AS name, p.pronargs AS most, p.pronargs - p.pronargdefaults AS fewest,
       p.provariadic <> 0 AS variadic, p.prokind::text AS kind, a.aggkind::text AS aggregate,
       a.aggnumdirectargs AS direct
FROM pg_proc p
LEFT JOIN pg_aggregate a ON a.aggfnoid = p.oid
WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname::text = ANY ($1)
"""


def not_understood(sql: str) -> bool:
    """Tell whether `sql`, which Postgres's grammar accepts, is refused for a disagreement."""
    try:
        grammar.parse(sql)
    except grammar.NotSql:
        return False
    try:
        classify(sql, max_bytes=50_000)
    except Refused as refusal:
        return {finding.rule for finding in refusal.findings} == {"not-understood"}
    return False


def calls(name: str, arguments: str) -> Iterator[str]:
    """Yield the ways to write a call."""
    yield f"SELECT {name}({arguments}) FROM t"
    yield f"SELECT {name.upper()} ({arguments})::text FROM t"
    yield f"SELECT pg_catalog.{name}({arguments}) FROM t"
    yield f"SELECT * FROM {name}({arguments}) AS x"
    yield f"SELECT a FROM t WHERE {name}({arguments}) IS NULL ORDER BY {name}({arguments})"


@pytest.mark.parametrize("name", sorted(set(ALLOWED) - _OTHERWISE_READ))
def test_each_allowed_function_is_understood_with_some_number_of_columns(name: str) -> None:
    forms = [
        f"SELECT {name}({', '.join(('a', 'b', 'c')[:count])}) FROM t" for count in (1, 2, 3, 0)
    ]
    written = [form for form in forms if is_sql(form)]

    assert not written or not all(not_understood(form) for form in written)


def is_sql(sql: str) -> bool:
    """Tell whether Postgres's grammar accepts `sql`."""
    with suppress(grammar.NotSql):
        return bool(grammar.parse(sql))
    return False


def overload_calls(  # noqa: PLR0913 - the columns of a query, by their names
    *, name: str, fewest: int, most: int, variadic: bool, kind: str, aggregate: str, direct: int
) -> Iterator[tuple[str, str]]:
    """Yield the ways to call an overload with every number of arguments it takes."""
    for count in range(fewest, most + (3 if variadic else 0) + 1):
        arguments = ", ".join("abcdefghijkl"[:count])
        if aggregate in {"o", "h"}:
            inner = ", ".join("abcd"[:direct])
            yield name, f"SELECT {name}({inner}) WITHIN GROUP (ORDER BY e) FROM t"
            continue
        for form in calls(name, arguments):
            yield name, form
        if kind in {"a", "w"}:
            yield name, f"SELECT {name}({arguments}) OVER (PARTITION BY a ORDER BY b) FROM t"
        if aggregate == "n" and count:
            yield name, f"SELECT {name}({arguments}) FILTER (WHERE a > 0) FROM t"
        if aggregate == "n" and count == 1:
            yield name, f"SELECT {name}(DISTINCT {arguments} ORDER BY a) FROM t"


async def test_each_overload_of_each_allowed_function_is_understood(
    each_postgres: ShopServer,
) -> None:
    async with connected(each_postgres.agent) as connection:
        overloads = await connection.fetch(_OVERLOADS, ALLOWED)

    written = {form for overload in overloads for form in overload_calls(**overload)}
    disagreements = {(name, form) for name, form in written if not_understood(form)}

    assert {each for each in disagreements if each[0] not in _OTHERWISE_READ} == set()


@pytest.mark.parametrize("name", sorted(agreement._TYPED_CALLS))
def test_each_line_of_the_alias_table_is_needed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that explains nothing would only explain away a real difference one day."""
    forms = [
        "SELECT a LIKE b ESCAPE 'c', a SIMILAR TO b FROM t",
        *(form for some in ("a", "a, b", "'year', a", "a, b, c") for form in calls(name, some)),
    ]
    understood = [form for form in forms if is_sql(form) and not not_understood(form)]

    others = {line: node for line, node in agreement._TYPED_CALLS.items() if line != name}
    monkeypatch.setattr(agreement, "_TYPED_CALLS", others)

    assert any(not_understood(form) for form in understood)


@pytest.mark.parametrize(
    ("sighting", "relations", "called", "grammatical"),
    [
        (Sighting(relations={("hr", "salaries")}), set(), set(), set()),
        (Sighting(), {("hr", "salaries")}, set(), set()),
        (Sighting(relations={(None, "a")}), {("shop", "a")}, set(), set()),
        (Sighting(relations={("shop", "A")}), {("shop", "a")}, set(), set()),
        (Sighting(spelled={"pg_sleep"}), set(), set(), set()),
        (Sighting(), set(), {"pg_sleep"}, set()),
        (Sighting(spelled={"LOWER"}), set(), {"lower"}, set()),
        (Sighting(spelled={"lower"}), set(), {"lower", "pg_sleep"}, set()),
        (Sighting(nodes={"Extract"}), set(), {"ceil"}, set()),
        (Sighting(spelled={"coalesce", "lower"}), set(), set(), {"coalesce"}),
    ],
)
def test_a_difference_that_no_table_explains_is_caught(
    sighting: Sighting,
    relations: set[tuple[str | None, str]],
    called: set[str],
    grammatical: set[str],
) -> None:
    with pytest.raises(Disagreement):
        compare(sighting, relations, called, grammatical)


@pytest.mark.parametrize(
    ("sighting", "called", "grammatical"),
    [
        (Sighting(spelled={"lower"}), {"lower"}, set()),
        (Sighting(nodes={"Ceil"}), {"ceil"}, set()),
        (Sighting(spelled={"coalesce"}), set(), {"coalesce"}),
        (Sighting(spelled={"current_time", "all"}), set(), set()),
        (Sighting(), set(), {"extract"}),
    ],
)
def test_a_known_difference_is_none(
    sighting: Sighting, called: set[str], grammatical: set[str]
) -> None:
    compare(sighting, set(), called, grammatical)


@pytest.mark.parametrize("forged", ["SELECT 1", "SELECT * FROM shop.orders", "SELECT lower('a')"])
def test_a_statement_that_the_second_parser_misreads_does_not_run(
    forged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second parser is told another text, as if it had misread this one."""
    seen = syntax.read(forged)
    monkeypatch.setattr(syntax, "read", lambda _: seen)

    with pytest.raises(Refused) as refusal:
        classify("SELECT upper(full_name) FROM shop.customers", max_bytes=1_000)

    assert [finding.rule for finding in refusal.value.findings] == ["not-understood"]


def test_a_statement_that_the_first_parser_misreads_does_not_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tree = grammar.parse("SELECT 1")
    monkeypatch.setattr(grammar, "parse", lambda _: tree)

    with pytest.raises(Refused) as refusal:
        classify("SELECT pg_sleep(10) FROM hr.salaries", max_bytes=1_000)

    assert [finding.rule for finding in refusal.value.findings] == ["not-understood"]


@pytest.mark.parametrize(
    "sql",
    [
        "",
        ";",
        "SELECT 1; SELECT 2",
        "DROP TABLE shop.orders",
        "SHOW ALL",
        "SET a = 1",
        "VACUUM",
        "SELECT 1 INTO t",
        "SELECT 1 FOR UPDATE",
        "WITH a AS (DELETE FROM t RETURNING 1) SELECT 1",
        "WITH a AS (UPDATE t SET a = 1) SELECT 1",
        "EXPLAIN SELECT 1",
        "COPY t TO STDOUT",
    ],
)
def test_the_second_parser_alone_lets_no_other_kind_of_statement_pass(sql: str) -> None:
    """It holds without the first one's findings: either parser can refuse."""
    with pytest.raises((Disagreement, NotParsed)):
        syntax.read(sql)


def test_any_error_of_the_second_parser_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RecursionError

    monkeypatch.setattr(Postgres, "parse", broken)

    with pytest.raises(NotParsed, match="RecursionError"):
        syntax.read("SELECT 1")


@pytest.mark.parametrize(
    ("sql", "relations"),
    [
        ("WITH a AS (SELECT * FROM a) SELECT * FROM a", {(None, "a")}),
        ("WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a", {(None, "b")}),
        ("WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a", set()),
        ("SELECT (WITH a AS (SELECT 1) SELECT * FROM a), (SELECT * FROM a)", {(None, "a")}),
        (
            'SELECT * FROM Shop."Orders", f(1), (SELECT * FROM c) d',
            {("shop", "Orders"), (None, "c")},
        ),
        ("SELECT * FROM a TABLESAMPLE system (1)", {(None, "a")}),
        ("TABLE a", {(None, "a")}),
    ],
)
def test_both_parsers_find_the_same_relations(
    sql: str, relations: set[tuple[str | None, str]]
) -> None:
    first = reading.read(grammar.parse(sql)).relations

    assert {(relation.schema, relation.name) for relation in first} == relations
    with suppress(Disagreement):
        assert syntax.read(sql).relations == relations


@pytest.mark.parametrize(
    ("name", "quoted", "folded"),
    [
        ("Orders", False, "orders"),
        ("Orders", True, "Orders"),
        ("ÄPFEL", False, "Äpfel"),
        ("x" * 70, False, "x" * 63),
        ("x" * 62 + "ä", True, "x" * 62),
    ],
)
def test_names_are_folded_and_cut_as_postgres_does(name: str, quoted: bool, folded: str) -> None:
    assert syntax.fold(name, quoted=quoted) == folded
