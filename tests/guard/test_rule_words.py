"""A finding repeats a name as the agent wrote it, and shows as much as helps."""

from __future__ import annotations

import pytest

from pg_guard_mcp.errors import Refused
from pg_guard_mcp.guard import policy as policies
from pg_guard_mcp.guard.classify import classify
from pg_guard_mcp.guard.rules import RULES
from tests.support.catalogs import bare_policy, columns, policy, table

TWO_SCHEMAS = bare_policy(
    table("shop.people", columns("id: integer", "email")),
    table("crm.people", columns("id: integer", "email")),
    masks={"shop.people.email": "email"},
    schemas=("shop", "crm"),
)


def findings(sql: str, against: policies.Policy | None = None) -> list[tuple[str, str]]:
    """Judge, and give each finding's message and hint."""
    try:
        statement = classify(sql, max_bytes=50_000)
    except Refused as refusal:
        found = refusal.findings
    else:
        found = policies.judge(statement, against or policy(), RULES).findings
    return [(finding.message, finding.hint) for finding in found]


def messages(sql: str, against: policies.Policy | None = None) -> list[str]:
    """Judge, and give each finding's message."""
    return [message for message, _ in findings(sql, against)]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT 1 FROM salaries", "salaries is not readable here"),
        ("SELECT 1 FROM hr.salaries", "hr.salaries is not readable here"),
        ("SELECT 1 FROM pg_class", "pg_class is a system catalog, which query does not read"),
        (
            "SELECT 1 FROM pg_catalog.pg_class",
            "pg_catalog.pg_class is a system catalog, which query does not read",
        ),
    ],
)
def test_a_name_is_repeated_as_it_was_written(sql: str, said: str) -> None:
    assert messages(sql) == [said]


@pytest.mark.parametrize(("count", "end"), [(12, "c11."), (13, "c11, ....")])
def test_a_hint_names_a_dozen_columns_and_says_if_there_are_more(count: int, end: str) -> None:
    wide = table("shop.orders", columns(*(f"c{number}" for number in range(count))))

    ((_, hint),) = findings("SELECT 1 FROM shop.order", bare_policy(wide, masks={}))

    assert hint.startswith("Did you mean shop.orders? Its columns are c0, c1, ")
    assert hint.endswith(end)


def test_a_column_in_three_parts_must_mean_one_relation_alone() -> None:
    both = "shop.people, crm.people"

    assert messages(f"SELECT shop.people.email FROM {both}", TWO_SCHEMAS) == [
        "shop.people.email could mean another people"
    ]
    assert messages(f"SELECT crm.people.email FROM {both}", TWO_SCHEMAS) == []
    assert messages("SELECT shop.people.email FROM shop.people, crm.people c", TWO_SCHEMAS) == [
        "shop.people.email could mean another people"
    ]
    assert messages("SELECT shop.people.email FROM shop.people", TWO_SCHEMAS) == []


def test_every_use_of_a_system_column_is_named_with_its_relation() -> None:
    assert messages("SELECT c.xmin FROM shop.customers c") == [
        "the system column xmin is not available over shop.customers"
    ]


def test_a_parameter_is_named_once_by_its_number() -> None:
    assert messages("SELECT $2, $1, $2") == ["$1 has no value", "$2 has no value"]
