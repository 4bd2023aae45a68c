"""Plainer grammar for the second parser: never a byte longer, never a name or a call less."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg_guard_mcp.errors import Refused
from pg_guard_mcp.guard import bounds, grammar, reading
from pg_guard_mcp.guard.classify import classify
from pg_guard_mcp.guard.plainer import plainer
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
    ],
)
def test_what_only_postgres_reads_becomes_plainer(sql: str, expected: str) -> None:
    assert squeezed(plain(sql)) == expected


@pytest.mark.parametrize(
    "case",
    [case for case in load_cases() if not case.refused_by],
    ids=lambda case: f"{case.rule}: {case.name}",
)
def test_every_offset_and_every_relation_and_call_is_kept(case: Case) -> None:
    text = plain(case.sql)

    before = reading.read(grammar.parse(case.sql))
    assert len(text.encode()) == len(case.sql.encode())
    for relation in before.relations:
        assert text.encode()[relation.start :].split(b" ")[0].strip()
    for function in before.functions:
        if function.name in case.sql:
            assert function.name in text


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60))
def test_any_text_keeps_its_length(sql: str) -> None:
    text = sql.encode()
    tokens, _ = bounds.check(text)

    assert len(plainer(text, tokens, range(0, 60, 7))) == len(text)


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
