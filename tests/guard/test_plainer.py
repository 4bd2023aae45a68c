"""Plainer grammar for the second parser: never a name of a relation or a call less."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg_guard_mcp.errors import Refused
from pg_guard_mcp.guard import bounds, grammar, reading
from pg_guard_mcp.guard.classify import classify
from pg_guard_mcp.guard.plainer import _WORDS, plainer
from tests.support.corpus import Case, load_cases


def plain(sql: str) -> str:
    """Make `sql` plainer."""
    text = sql.encode()
    tokens, finding = bounds.check(text)
    assert finding is None
    facts = reading.read(grammar.parse(sql))
    return plainer(text, tokens, (use.start for use in facts.types)).decode()


def squeezed(sql: str) -> str:
    """Return `sql` with every run of blanks made one."""
    return " ".join(sql.split())


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT a <<| b", "SELECT a - b"),
        ("SELECT a = b AND c <> d", "SELECT a = b AND c <> d"),
        ("SELECT a OPERATOR(pg_catalog.+) b", "SELECT a - b"),
        ("SELECT box '(0,0)'", "SELECT '(0,0)'"),
        ("SELECT pg_catalog.box '(0,0)'", "SELECT '(0,0)'"),
        ("SELECT 'x'::box", "SELECT 'x'::box"),
        ("SELECT '(1)'::cube, x::CUBE", "SELECT '(1)' , x"),
        ("SELECT 1 GROUP BY CUBE (a)", "SELECT 1 GROUP BY CUBE (a)"),
        ("SELECT 1 FROM ONLY (a.b) c", "SELECT 1 FROM ONLY a.b c"),
        ("SELECT COLLATION FOR (a)", "SELECT (a)"),
        ("SELECT a AT LOCAL", "SELECT a"),
        ("SELECT 1 FROM t ORDER BY a USING >", "SELECT 1 FROM t ORDER BY a"),
        ("SELECT 1 FROM a JOIN b USING (c) AS d", "SELECT 1 FROM a JOIN b USING (c)"),
        ("SELECT 1 FROM a JOIN b USING (c)", "SELECT 1 FROM a JOIN b USING (c)"),
        ("SELECT a ORDER BY a USING OPERATOR(pg_catalog.<), b", "SELECT a ORDER BY a , b"),
        ("SELECT 1_000, 0x1F, 1.5e3, 1e1_0", "SELECT 1, 1, 1.5e3, 1"),
        ("SELECT 'x'::national character varying(2)", "SELECT 'x':: character varying"),
        (
            "SELECT 'x'::bit varying(5), y::interval day to second(3)",
            "SELECT 'x'::bit , y::interval",
        ),
        (
            "SELECT x::int array[3], y::time with time zone array",
            "SELECT x::int , y::time with time zone",
        ),
        ("SELECT x::oid[], y::pg_catalog.oid[3][]", "SELECT x::oid , y::pg_catalog.oid"),
        ("SELECT corr(DISTINCT a, b)", "SELECT corr( a, b)"),
        ("SELECT substring(a SIMILAR b ESCAPE c)", "SELECT substring(a , b , c)"),
        ("SELECT trim(BOTH FROM a, b)", "SELECT trim( a, b)"),
        ('SELECT a COLLATE pg_catalog."C" < b', "SELECT a < b"),
        ("SELECT 1 FROM current_date AS d", "SELECT 1 FROM (SELECT current_date) AS d"),
        ("SELECT t.left, t.a FROM s.order", 'SELECT t."left", t.a FROM s."order"'),
        ("SELECT EXISTS (TABLE t)", "SELECT (TABLE t)"),
        ("VALUES (1), (2)", "SELECT (1), (2)"),
        ("SELECT a IS NOT JSON ARRAY WITH UNIQUE KEYS", "SELECT a IS NOT NULL"),
        ("SELECT a IS NFC NORMALIZED", "SELECT a IS NULL"),
        ("SELECT JSON_ARRAY(a, b NULL ON NULL RETURNING jsonb)", "SELECT ROW(a, b )"),
        ("SELECT json_object(a)", "SELECT ROW(json_object(), a)"),
        ("SELECT JSON_OBJECT(a : b FORMAT JSON)", "SELECT JSON_OBJECT(a : b )"),
        (
            "SELECT JSON_VALUE(a, '$' PASSING b AS c RETURNING int DEFAULT 1 ON EMPTY)",
            "SELECT ROW(a, '$' , b , 1 )",
        ),
        (
            "SELECT 1 FROM JSON_TABLE(a, '$' AS p COLUMNS (x int DEFAULT f(1) ON EMPTY, y text)) t",
            "SELECT 1 FROM (SELECT a, '$' ,( f(1) ) ) t",
        ),
        ("SELECT XMLROOT(a, VERSION NO VALUE, STANDALONE YES)", "SELECT ROW(a, NULL, NULL)"),
        ("SELECT XMLSERIALIZE(DOCUMENT a AS text INDENT)", "SELECT ROW( a )"),
        ("SELECT XMLPI(NAME php, a)", "SELECT ROW(NULL, a)"),
    ],
)
def test_what_only_postgres_reads_becomes_plainer(sql: str, expected: str) -> None:
    assert squeezed(plain(sql)) == expected


@pytest.mark.parametrize(
    "case",
    [case for case in load_cases() if not case.refused_by],
    ids=lambda case: f"{case.rule}: {case.name}",
)
def test_every_relation_and_every_call_is_kept(case: Case) -> None:
    text = plain(case.sql).lower()

    before = reading.read(grammar.parse(case.sql))
    for relation in before.relations:
        assert relation.name.lower() in text
    for function in before.functions:
        if function.name in case.sql and function.notation == "call":
            assert function.name in text


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60))
def test_any_text_can_be_made_plainer(sql: str) -> None:
    text = sql.encode()
    tokens, _ = bounds.check(text)

    assert isinstance(plainer(text, tokens, range(0, 60, 7)), bytes)


@given(
    st.lists(st.sampled_from(sorted([*_WORDS, *b"( ) , . a 'x' 1 AS ON NO".split()])), max_size=20)
)
def test_any_keywords_in_any_order_can_be_made_plainer(words: list[bytes]) -> None:
    """However little of a construct is there: no place behind the end is looked at."""
    text = b" ".join(words)
    tokens, _ = bounds.check(text)

    assert isinstance(plainer(text, tokens, range(0, 60, 3)), bytes)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a <<| pg_sleep(1)",
        "SELECT box '(0,0)' ~= box '(1,1)', pg_sleep(1)",
        "SELECT 1 FROM ONLY (hr.salaries)",
        "SELECT 1 FROM shop.orders JOIN hr.salaries USING (id) AS j",
        "SELECT COLLATION FOR (pg_sleep(1))",
        "SELECT 1 FROM hr.salaries ORDER BY pg_sleep(1) USING ~<~",
        "SELECT operator(pg_sleep(1))",
        "SELECT JSON_VALUE('{}', '$' RETURNING numeric(pg_sleep(1)))",
        "SELECT JSON_VALUE('{}', '$' RETURNING text DEFAULT pg_sleep(1) ON EMPTY)",
        "SELECT JSON_VALUE('{}', '$' PASSING pg_sleep(1) AS x)",
        "SELECT JSON_ARRAY((SELECT x FROM hr.salaries) FORMAT JSON)",
        "SELECT JSON_ARRAY(SELECT x FROM hr.salaries RETURNING jsonb)",
        "SELECT JSON_ARRAY(SELECT x FROM hr.salaries error ON error IS NULL)",
        "SELECT json_object(ARRAY[pg_sleep(1)::text])",
        "SELECT * FROM JSON_TABLE(pg_sleep(1)::text::jsonb, '$' COLUMNS (x int)) t",
        "SELECT * FROM JSON_TABLE(a, '$' COLUMNS (x int DEFAULT pg_sleep(1)::int ON EMPTY)) t",
        "SELECT * FROM JSON_TABLE('{}', '$' COLUMNS (x numeric(pg_sleep(1)))) t",
        "SELECT * FROM JSON_TABLE(a, '$' PASSING (TABLE hr.salaries) AS y COLUMNS (x int)) t",
        "SELECT XMLSERIALIZE(DOCUMENT pg_sleep(1)::text::xml AS text INDENT)",
        "SELECT XMLROOT('<a/>', VERSION pg_sleep(1)::text)",
        "SELECT XMLPI(NAME php, pg_sleep(1)::text)",
        "SELECT '1'::numeric(pg_sleep(1))",
        "SELECT 1 FROM shop.orders TABLESAMPLE system (1) REPEATABLE (pg_sleep(1))",
        "SELECT a.id FROM (TABLE hr.salaries) AS a",
        "SELECT EXISTS (TABLE hr.salaries)",
        "SELECT EXISTS ((SELECT pg_sleep(1)))",
        "WITH a AS (SELECT 1) VALUES (pg_sleep(1))",
    ],
)
def test_nothing_that_is_judged_can_hide_in_what_is_made_plainer(sql: str) -> None:
    """It is refused, or every call and relation is still in the statement's facts."""
    try:
        statement = classify(sql, max_bytes=1_000)
    except Refused:
        return
    names = {use.name for use in statement.functions} | {use.name for use in statement.relations}

    assert names & {"pg_sleep", "salaries"}
