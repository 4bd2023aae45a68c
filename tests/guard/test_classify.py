"""One statement in, everything it is and names out, with places that a splice can trust."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.errors import Refused
from pg_guard_mcp.guard import grammar, reading
from pg_guard_mcp.guard.classify import classify, without_explain
from pg_guard_mcp.uses import RelationUse, Span

if TYPE_CHECKING:
    from pg_guard_mcp.model import Statement


def statement(sql: str) -> Statement:
    """Classify `sql` within the default limit."""
    return classify(sql, max_bytes=50_000)


def references(sql: str) -> list[str]:
    """Return the text each relation's span covers, in order."""
    text = sql.encode()
    spans = sorted(use.span for use in statement(sql).relations)
    return [text[span.start : span.end].decode() for span in spans]


def refusal(sql: str, max_bytes: int = 50_000) -> tuple[str, str, str]:
    """Return rule, message and hint of the one finding that ends the reading of `sql`."""
    with pytest.raises(Refused) as refused:
        classify(sql, max_bytes=max_bytes)
    (finding,) = refused.value.findings
    return finding.rule, finding.message, finding.hint


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1 FROM orders", ["orders"]),
        ("SELECT 1 FROM orders o", ["orders"]),
        ("SELECT 1 FROM shop.orders AS o", ["shop.orders"]),
        ("SELECT 1 FROM shop . orders", ["shop . orders"]),
        ("SELECT 1 FROM shop/* */./* */orders /* */", ["shop/* */./* */orders"]),
        ('SELECT 1 FROM "shop"."Loyalty Tiers" t', ['"shop"."Loyalty Tiers"']),
        ("SELECT 1 FROM orders *", ["orders *"]),
        ("SELECT 1 FROM orders * o", ["orders *"]),
        ("SELECT 1 FROM shop.orders* WHERE 2 * 3 = 6", ["shop.orders*"]),
        ("SELECT 1 FROM ONLY orders", ["ONLY orders"]),
        ("SELECT 1 FROM only (shop.orders) o", ["only (shop.orders)"]),
        (
            "SELECT 1 FROM ONLY /* x */ ( shop.orders /* y */ ) o",
            ["ONLY /* x */ ( shop.orders /* y */ )"],
        ),
        ("TABLE orders", ["TABLE orders"]),
        ("TABLE ONLY shop.orders", ["TABLE ONLY shop.orders"]),
        ("table only (orders)", ["table only (orders)"]),
        ("TABLE orders *", ["TABLE orders *"]),
        ("SELECT 1 FROM (TABLE orders) t", ["TABLE orders"]),
        ("SELECT 'äöü' FROM orders", ["orders"]),
        ("SELECT 1 FROM a, b, c x, s.d", ["a", "b", "c", "s.d"]),
        ("SELECT 1 FROM a JOIN (b JOIN ONLY (c) ON true) ON true", ["a", "b", "ONLY (c)"]),
        ("SELECT 1 FROM orders TABLESAMPLE system (1)", ["orders"]),
        ('SELECT 1 FROM "table"', ['"table"']),
        ('SELECT 1 FROM orders AS "only", "only".b', ["orders", '"only".b']),
    ],
)
def test_the_span_of_a_relation_covers_the_whole_reference(sql: str, expected: list[str]) -> None:
    assert references(sql) == expected


def test_a_relation_is_told_with_all_that_is_written_about_it() -> None:
    assert statement("SELECT 1 FROM ONLY (shop.customers) AS c").relations == (
        RelationUse(
            schema="shop",
            name="customers",
            span=Span(14, 35),
            name_start=20,
            aliased=True,
            only=True,
            sampled=False,
            table_command=False,
            alias="c",
        ),
    )
    (use,) = statement("TABLE customers").relations
    assert (use.table_command, use.aliased, use.name_start, use.span) == (
        True,
        False,
        6,
        Span(0, 15),
    )


@pytest.mark.parametrize(
    ("reference", "second"),
    [
        ("id", "id"),
        ("o.id", "id"),
        ("shop.orders.id", "orders.id"),
        ("shop . orders . id", "orders . id"),
        ('"s.h""op".orders.id', "orders.id"),
        ("shop/* . */./* . */orders.id", "orders.id"),
        ("shop --.\n.orders.id", "orders.id"),
        ("o.*", "*"),
        ("ä.ö.ü", "ö.ü"),
    ],
)
def test_the_second_part_of_a_column_is_found_past_comments_and_quotes(
    reference: str, second: str
) -> None:
    sql = f"SELECT {reference} FROM orders o"

    (use,) = statement(sql).columns

    assert sql.encode()[use.start :].decode().startswith(reference)
    assert sql.encode()[use.second_start :].decode().startswith(second + " FROM")


def test_the_text_is_kept_as_it_came() -> None:
    sql = "  SELECT\t1 -- ä\n;"

    assert statement(sql).sql == sql


@pytest.mark.parametrize(
    ("sql", "rule", "message"),
    [
        ("SELECT id FROM", "syntax", "Postgres cannot parse this: syntax error at end of input"),
        ("SELECT 'a", "syntax", "a quote or a comment is never closed"),
        ("SELECT merge_action()", "not-understood", "its grammar holds MergeSupportFunc"),
        ("SELECT set('t')", "not-understood", "the second parser cannot"),
        ("SELECT '\x00'", "bounds", "NUL"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(sql: str, rule: str, message: str) -> None:
    found = refusal(sql)

    assert found[0] == rule
    assert message in found[1]
    assert found[2]


def test_a_tree_too_deep_to_follow_is_out_of_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_deep(_: str) -> None:
        raise grammar.TooDeep

    monkeypatch.setattr(grammar, "parse", too_deep)

    assert refusal("SELECT 1")[0] == "bounds"


def test_a_chain_of_thousands_of_operators_is_read_or_refused() -> None:
    for count in (50, 500, 5_000):
        try:
            statement("SELECT " + "1 + " * count + "1")
        except Refused as refused:
            rules = {finding.rule for finding in refused.findings}
        else:
            rules = set()
        assert rules <= {"bounds", "not-understood"}


def test_the_limit_on_bytes_is_the_callers() -> None:
    assert refusal("SELECT 1", max_bytes=7)[0] == "bounds"
    assert classify("SELECT 1", max_bytes=8).sql == "SELECT 1"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM {name}",
        "SELECT 1 FROM {name}.orders",
        'SELECT 1 FROM "{name}"',
        "SELECT {name} FROM orders",
        "SELECT o.{name} FROM orders o",
        "SELECT {name}.id FROM orders o",
        "SELECT {name}(1)",
        "SELECT 1::{name}",
        "SELECT (id).{name} FROM orders",
        'SELECT "{name}" FROM orders',
    ],
)
def test_a_name_that_postgres_would_cut_to_another_is_refused(sql: str) -> None:
    """Postgres cuts at 63 bytes: what is written and what is meant would be two names."""
    kept = sql.format(name="x" * 63)
    cut = sql.format(name="x" * 64)

    assert rules(kept).isdisjoint({"bounds"})
    assert rules(cut) == {"bounds"}


def rules(sql: str) -> set[str]:
    """Return every rule that the form of `sql` breaks."""
    try:
        return {finding.rule for finding in statement(sql).findings}
    except Refused as refused:
        return {finding.rule for finding in refused.findings}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 AS {name}",
        "SELECT 1 FROM orders AS {name}",
        "SELECT '{name}'",
        "SELECT 1 -- {name}",
    ],
)
def test_a_long_alias_names_nothing_and_passes(sql: str) -> None:
    assert rules(sql.format(name="x" * 64)) == set()


def test_a_long_name_is_cut_at_a_character() -> None:
    name = "x" * 62 + "ä"

    assert rules(f"SELECT 1 FROM {name}") == {"bounds"}


def test_a_finding_of_the_form_is_not_hidden_by_the_second_parser() -> None:
    """It cannot read most of these, and would only call them not understood."""
    assert rules("SELECT 1 FROM t FOR NO KEY UPDATE OF t SKIP LOCKED") == {"no-row-locks"}
    assert rules("GRANT SELECT ON t TO PUBLIC") == {"no-ddl"}


def test_a_walk_that_fails_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: object) -> None:
        raise reading.NotUnderstood("FutureNode")

    monkeypatch.setattr(reading, "read", unknown)

    assert refusal("SELECT 1")[0] == "not-understood"


@pytest.mark.parametrize(
    ("sql", "left"),
    [
        ("EXPLAIN SELECT 1", "SELECT 1"),
        ("  explain\n  with a AS (SELECT 1) SELECT 1", "with a AS (SELECT 1) SELECT 1"),
        ("EXPLAIN VALUES (1)", "VALUES (1)"),
        ("EXPLAIN TABLE orders", "TABLE orders"),
        ("SELECT 1", "SELECT 1"),
        ("EXPLAIN ANALYZE SELECT 1", "EXPLAIN ANALYZE SELECT 1"),
        ("EXPLAIN (ANALYZE) SELECT 1", "EXPLAIN (ANALYZE) SELECT 1"),
        ("EXPLAIN DELETE FROM orders", "EXPLAIN DELETE FROM orders"),
        ("EXPLAIN EXPLAIN SELECT 1", "EXPLAIN EXPLAIN SELECT 1"),
        ("SELECT 1; EXPLAIN SELECT 1", "SELECT 1; EXPLAIN SELECT 1"),
        ("EXPLAIN SELECT 1; DROP TABLE a", "SELECT 1; DROP TABLE a"),
    ],
)
def test_only_a_bare_explain_before_a_read_is_taken_off(sql: str, left: str) -> None:
    assert without_explain(sql) == left
