"""A long cell is cut before the detectors look through it, and what is shown of it is masked."""

from __future__ import annotations

import json

import pytest

from pg_guard_mcp.guard.detectors import DEFAULT_DETECTORS, mask
from pg_guard_mcp.guard.render import render, shortened
from pg_guard_mcp.model import Limits, ResultColumn, ResultSet

LIMITS = Limits(max_cell_bytes=1_000)
CARD = "4111 1111 1111 1111"
TOKEN = f"eyJhbGciOiJIUzI1NiJ9.eyJ{'a' * 15_000}.{'b' * 40}"
KEY = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQ" * 6_000 + "\n-----END PRIVATE KEY-----"


def result(value: str, kind: str = "text") -> ResultSet:
    """Make a result of one cell, beside a short one."""
    columns = (ResultColumn("short", "text"), ResultColumn("value", kind))
    return ResultSet(columns=columns, rows=[("x", value)])


def shown(value: str, kind: str = "text") -> str:
    """Take a value the way a query's answer takes."""
    masked, _ = mask(shortened(result(value, kind), LIMITS), DEFAULT_DETECTORS)
    return render(masked, LIMITS, 10, "tag").text


def test_a_short_cell_is_left_as_it_is() -> None:
    short = result("x" * 1_000)

    assert shortened(short, LIMITS) is short


def test_the_number_of_bytes_that_were_cut_counts_all_of_them() -> None:
    assert "...[99000 bytes cut]" in shown("ä" * 50_000)


@pytest.mark.parametrize(
    ("secret", "mark"),
    [(CARD, "[payment-card]"), (TOKEN, "[jwt]"), (KEY, "[private-key]")],
    ids=["card", "token", "key"],
)
@pytest.mark.parametrize("kind", ["text", "json", "jsonb", "_json", "shop.thing"])
@pytest.mark.parametrize("before", [0, 500, 980])
def test_a_value_that_begins_where_it_is_shown_is_masked_wherever_it_ends(
    secret: str, mark: str, kind: str, before: int
) -> None:
    inside = "- " * (before // 2) + secret + " -" * 30_000
    value = json.dumps([inside]) if "json" in kind else inside

    text = shown(value, kind)

    assert mark[:8] in text
    assert secret[:14] not in text.replace("\\\\n", "\n")
    assert "bytes cut]" in text


def test_a_long_value_of_bytes_is_masked_as_well() -> None:
    text = shown("\\x" + (f"- {CARD} -" + " -" * 30_000).encode().hex(), "bytea")

    assert CARD.encode().hex() not in text
    assert b"[payment-card]".hex() in text
