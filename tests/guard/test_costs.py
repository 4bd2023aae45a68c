"""Short texts that once held a parser or the rewrite for seconds are refused before either."""

from __future__ import annotations

import pytest

from pg_guard_mcp.errors import Refused
from pg_guard_mcp.guard.classify import MAX_RELATIONS, MAX_UNKNOWN_DEPTH, classify


def rules(sql: str) -> set[str]:
    """Return the rules that refuse `sql` by its form alone."""
    try:
        return {finding.rule for finding in classify(sql, max_bytes=50_000).findings}
    except Refused as refusal:
        return {finding.rule for finding in refusal.findings}


def nested(opening: str, depth: int) -> str:
    """Write `depth` calls inside one another."""
    return "SELECT " + opening * depth + "1" + ")" * depth


@pytest.mark.parametrize(
    "sql",
    [
        nested("sort_array(1, ", MAX_UNKNOWN_DEPTH + 1),
        nested('"sort_array"(1, ', 28),
        nested("tan(a.b, ", 21),
        "SELECT a" + "[1].b" * 3_000,
        "SELECT a" + "[1+1].b" * 1_500,
        "SELECT a" + "[1:2].b" * 1_500,
        "SELECT ((a)[1])" + ".b[1]" * 1_500,
        "SELECT 1 FROM " + ", ".join(["users"] * (MAX_RELATIONS + 1)),
    ],
)
def test_what_costs_more_than_it_can_mean_is_out_of_bounds(sql: str) -> None:
    assert rules(sql) == {"bounds"}


@pytest.mark.parametrize(
    "sql",
    [
        nested("sort_array(1, ", MAX_UNKNOWN_DEPTH),
        nested("lower(", 20),
        "SELECT " + ", ".join(["sort_array(sort_array(1))"] * MAX_UNKNOWN_DEPTH),
        "SELECT " + ", ".join(["a[1].b[1]"] * 100),
        "SELECT a" + "[1].b" * 17,
        "SELECT 1 FROM " + ", ".join(["users"] * MAX_RELATIONS),
    ],
)
def test_what_a_person_could_mean_is_not(sql: str) -> None:
    assert rules(sql) == set()
