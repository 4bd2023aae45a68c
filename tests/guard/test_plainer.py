"""What only Postgres reads is made plainer for the second parser, and nothing else is."""

from __future__ import annotations

import pytest

from pg_guard_mcp.errors import Refused
from pg_guard_mcp.guard import bounds, grammar, reading
from pg_guard_mcp.guard.classify import classify
from pg_guard_mcp.guard.plainer import plainer


def made_plain(sql: str) -> str:
    """Return what the second parser would get."""
    text, _ = bounds.encode(sql, 50_000)
    tokens, _ = bounds.check(text)
    facts = reading.read(grammar.parse(sql))
    return plainer(text, tokens, (kind.start for kind in facts.types)).decode()


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT a <<| b", "SELECT a -   b"),
        ("SELECT |/ 16, @ -5", "SELECT -  16, - -5"),
        ("SELECT a OPERATOR(pg_catalog.+) b", "SELECT a -                      b"),
        ("SELECT box '(0,0)'", "SELECT     '(0,0)'"),
        ("SELECT pg_catalog.box '(0,0)'", "SELECT                '(0,0)'"),
        ("SELECT 1 FROM ONLY (s.t)", "SELECT 1 FROM ONLY  s.t "),
        ("SELECT COLLATION FOR (a)", "SELECT               (a)"),
        ("SELECT a AT LOCAL FROM t", "SELECT a          FROM t"),
        ("SELECT 1 FROM t ORDER BY a USING ~<~", "SELECT 1 FROM t ORDER BY a          "),
        ("SELECT 1 FROM a JOIN b USING (i) AS x", "SELECT 1 FROM a JOIN b USING (i)     "),
    ],
)
def test_each_spelling_is_made_plainer_in_place(sql: str, expected: str) -> None:
    assert made_plain(sql) == expected


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a - b, a || b, count(*), t.* FROM t",
        "SELECT box(a), ' <<| ', \" <<| \" FROM t -- <<|",
        "SELECT a FROM t JOIN u USING (id)",
        'SELECT a FROM only_t AS "only"',
    ],
)
def test_what_both_parsers_read_is_left_alone(sql: str) -> None:
    assert made_plain(sql) == sql


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a <<| pg_sleep(1) FROM hr.salaries",
        "SELECT box '(0,0)' @> (SELECT p FROM hr.salaries), |/ pg_sleep(1)",
        "SELECT 1 FROM ONLY (hr.salaries), pg_sleep(1) WHERE a ~<~ b ORDER BY c USING ~<~",
    ],
)
def test_relations_and_calls_are_still_found_in_plainer_grammar(sql: str) -> None:
    statement = classify(sql, max_bytes=50_000)

    assert [(use.schema, use.name) for use in statement.relations] == [("hr", "salaries")]
    assert "pg_sleep" in {use.name for use in statement.functions}


def test_what_stays_unreadable_stays_refused() -> None:
    with pytest.raises(Refused) as refusal:
        classify("SELECT json_object('{a,b}')", max_bytes=50_000)

    assert [finding.rule for finding in refusal.value.findings] == ["not-understood"]
