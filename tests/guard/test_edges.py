"""The last thing inside a limit and the first outside of it, and the rarely said words."""

from __future__ import annotations

import pytest

from pg_guard_mcp.errors import Refused
from pg_guard_mcp.guard import kinds, masking
from pg_guard_mcp.guard.classify import MAX_UNKNOWN_DEPTH, gate, read_here
from pg_guard_mcp.guard.masking import Mask
from tests.support.catalogs import column


def is_plain(sql: str) -> bool:
    """Tell whether the server reads a text without help."""
    return gate(sql, max_bytes=50_000).is_plain


def rules(sql: str) -> set[str]:
    """Return the rules that refuse `sql` by its form alone."""
    try:
        return {finding.rule for finding in read_here(gate(sql, max_bytes=50_000)).findings}
    except Refused as refusal:
        return {finding.rule for finding in refusal.findings}


@pytest.mark.parametrize(
    "character",
    ["\u00a0", "\u2028", "\u2029", "\u200b", "\u0085", "\ue000", "\u0378"],
    ids=["Zs", "Zl", "Zp", "Cf", "Cc", "Co", "Cn"],
)
def test_a_character_of_each_invisible_kind_is_refused_outside_literals(character: str) -> None:
    assert rules(f"SELECT{character}1") == {"bounds"}
    assert rules(f"SELECT '{character}'") == set()


def test_a_plain_text_has_so_many_joins_and_no_more() -> None:
    assert is_plain("SELECT 1 FROM t" + " JOIN t ON true" * 6)
    assert not is_plain("SELECT 1 FROM t" + " JOIN t ON true" * (7))


def test_a_plain_text_is_so_deep_and_no_deeper() -> None:
    assert is_plain("SELECT " + "(" * 4 + "1" + ")" * 4)
    assert not is_plain("SELECT " + "(" * (5) + "1" + ")" * (5))


def test_brackets_that_are_closed_are_not_deep() -> None:
    assert is_plain("SELECT " + ", ".join(["(1)", "CASE WHEN a THEN b END", "c[1]"] * 8))


def test_a_plain_text_has_so_many_tokens_and_no_more() -> None:
    assert is_plain("SELECT 1" + ", 1" * 99)
    assert not is_plain("SELECT 1" + ", 1" * 99 + " a")


def test_calls_of_unknown_functions_beside_each_other_are_not_inside_each_other() -> None:
    assert rules("SELECT " + ", ".join(["f(1)"] * 20)) == set()
    nested = "SELECT " + "f(" * (MAX_UNKNOWN_DEPTH + 1) + "1" + ")" * (MAX_UNKNOWN_DEPTH + 1)
    assert rules(nested) == {"bounds"}


@pytest.mark.parametrize(
    ("statements", "said"), [(0, "there is no statement"), (2, "there are 2 statements")]
)
def test_no_statement_and_two_are_told_apart(statements: int, said: str) -> None:
    assert kinds.count(statements).message == said


@pytest.mark.parametrize(
    ("mask", "type_", "part"),
    [
        (Mask(kind="email"), "text", "***@***."),
        (Mask(kind="last4"), "text", "pg_catalog.right"),
        (Mask(kind="first1"), "text", "pg_catalog.left"),
        (Mask(kind="hash"), "text", "$1"),
        (Mask(kind="year"), "date", "pg_catalog.date_trunc('year'"),
        (Mask(kind="year"), "timestamp with time zone", "pg_catalog.date_trunc('year'"),
        (Mask(kind="null"), "text", "NULL"),
        (Mask(kind="redact"), "text", "[redacted]"),
    ],
)
def test_each_mask_is_an_expression_of_its_own(mask: Mask, type_: str, part: str) -> None:
    assert part in masking.expression(mask, column("c", type_))
