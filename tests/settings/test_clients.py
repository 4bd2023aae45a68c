"""A client's own tables take away and add masks; nothing in them gives it more than everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.model import AccessRules, Limits, Relation
from pg_guard_mcp.settings import client_limits, client_rules
from tests.settings.loading import load, problems

if TYPE_CHECKING:
    from pathlib import Path

EVERYBODY = """
[access]
schemas = ["shop", "reporting"]
relations = ["hr.people"]
deny_relations = ["*.api_keys"]
allow_functions = ["shop.net_price", "shop.vat"]
[mask]
"*.*.email" = "email"
[mask.detectors]
enabled = ["jwt"]
[limits]
max_rows = 500
"""


def rules(directory: Path, table: str) -> AccessRules:
    """Return the rules of a client with these tables of its own."""
    return client_rules(load(directory, toml=EVERYBODY + table))["cursor"]


def test_a_client_without_anything_of_its_own_has_everybodys_rules_and_no_mask_more(
    tmp_path: Path,
) -> None:
    assert rules(tmp_path, "[clients.cursor]") == AccessRules(
        schemas=("shop", "reporting"),
        relations=(Relation("hr", "people"),),
        deny_relations=("*.api_keys",),
        allow_functions=("shop.net_price", "shop.vat"),
        detectors=("jwt",),
    )


def test_what_a_client_names_stands_for_everybodys_lists_and_denials_add_up(
    tmp_path: Path,
) -> None:
    table = """
        [clients.cursor.access]
        relations = ["shop.orders"]
        deny_relations = ["shop.staff"]
        allow_functions = ["shop.vat"]
        views_only = true
        [clients.cursor.mask]
        "shop.orders.total" = "null"
        [clients.cursor.mask.detectors]
        enabled = ["iban", "jwt"]
    """

    assert rules(tmp_path, table) == AccessRules(
        relations=(Relation("shop", "orders"),),
        deny_relations=("*.api_keys", "shop.staff"),
        allow_functions=("shop.vat",),
        views_only=True,
        masks={"shop.orders.total": "null"},
        detectors=("jwt", "iban"),
    )


def test_a_client_cannot_switch_views_only_off(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        toml="[access]\nviews_only = true\n[clients.cursor.access]\nviews_only = false",
    )

    assert client_rules(settings)["cursor"].views_only


def test_an_empty_list_opens_nothing(tmp_path: Path) -> None:
    found = rules(tmp_path, "[clients.cursor.access]\nschemas = []")

    assert (found.schemas, found.relations) == ((), ())


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("schemas", '["shop", "hr"]'),
        ("relations", '["hr.salaries"]'),
        ("relations", '["pg_catalog.pg_class"]'),
        ("allow_functions", '["shop.salary_of"]'),
    ],
)
def test_what_everybody_may_not_read_no_client_may(
    tmp_path: Path, setting: str, value: str
) -> None:
    text = problems(tmp_path, toml=f"{EVERYBODY}[clients.cursor.access]\n{setting} = {value}")

    assert text.startswith(
        f"error: clients.cursor.access.{setting} names what access does not open"
    )
    assert text.count("error:") == 1


def test_limits_of_a_client_are_everybodys_but_for_its_own(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        toml=f"{EVERYBODY}[clients.cursor.limits]\nmax_rows = 500\nmax_cell_bytes = 100",
    )

    assert client_limits(settings) == {"cursor": Limits(max_rows=500, max_cell_bytes=100)}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("max_rows = 501", "clients.cursor.limits.max_rows is above limits.max_rows"),
        ("statement_timeout_seconds = 31", "is above limits.statement_timeout_seconds"),
        ("pool_size = 1", "clients.cursor.limits.pool_size is the server's"),
        ("pool_wait_seconds = 1", "is the server's, not a client's"),
        ("max_rows = 0", "clients.cursor.limits.max_rows in pg-guard.toml is out of range"),
        ("max_rows = true", "clients.cursor.limits.max_rows in pg-guard.toml has the wrong type"),
        ("max_row = 1", "Did you mean limits.max_rows?"),
    ],
)
def test_limits_of_a_client_are_checked_like_everybodys_and_never_wider(
    tmp_path: Path, line: str, said: str
) -> None:
    text = problems(tmp_path, toml=f"{EVERYBODY}[clients.cursor.limits]\n{line}")

    assert said in text
    assert text.count("error:") == 1


@pytest.mark.parametrize("table", ["database", "audit", "http", "approvals"])
def test_a_client_has_no_other_tables(tmp_path: Path, table: str) -> None:
    text = problems(tmp_path, toml=f"[clients.cursor.{table}]\nx = 1")

    assert f"clients.cursor.{table} in pg-guard.toml is not a setting" in text


@pytest.mark.parametrize("name", ['""', '"a\\nb"', f'"{"x" * 257}"'])
def test_a_name_that_no_client_has_is_refused(tmp_path: Path, name: str) -> None:
    assert "error:" in problems(tmp_path, toml=f"[clients.{name}.limits]\nmax_rows = 1")


def test_a_client_can_be_named_in_the_environment(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        environment={
            "PG_GUARD_ACCESS__SCHEMAS": '["shop", "hr"]',
            "PG_GUARD_CLIENTS__CURSOR__LIMITS__MAX_ROWS": "5",
            "PG_GUARD_CLIENTS": '{"cursor": {"access": {"schemas": ["shop"]}}}',
        },
    )

    assert client_limits(settings)["cursor"].max_rows == 5
    assert client_rules(settings)["cursor"].schemas == ("shop",)
