"""A value that is mistyped, unbounded, or protects nothing stops the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.settings.later import NOT_ENFORCED
from tests.settings.loading import SECRET, load, problems

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("toml", "fix"),
    [
        ("[limits]\nmax_rows = '5'", "Write a whole number"),
        ("[limits]\nmax_rows = true", "Write a whole number"),
        ("[limits]\nmax_rows = 5.0", "Write a whole number"),
        ("[limits]\npool_wait_seconds = '5'", "Write a number"),
        ("[access]\nviews_only = 1", "Write true or false"),
        ('[access]\nschemas = "shop"', "Write a list"),
        ("[access]\nschemas = [1]", "Write text"),
        ("limits = 5", "Write a table"),
        ("clients = 5", "Write a table"),
        ("[clients]\ncursor = 5", "Write a table"),
        ("[database]\ndsn = 1979-05-27", "Write text"),
    ],
)
def test_a_wrong_type_is_fatal(tmp_path: Path, toml: str, fix: str) -> None:
    text = problems(tmp_path, toml=toml)

    assert "in pg-guard.toml has the wrong type" in text
    assert fix in text


@pytest.mark.parametrize(
    "variable", ["PG_GUARD_ACCESS__SCHEMAS", "PG_GUARD_LIMITS", "PG_GUARD_LIMITS__MAX_ROWS"]
)
def test_a_variable_that_cannot_be_read_is_fatal(tmp_path: Path, variable: str) -> None:
    text = problems(tmp_path, environment={variable: "shop"})

    assert f"{variable} has the wrong type" in text


@pytest.mark.parametrize("value", ["0", "-1", "inf", "nan", "1e99"])
@pytest.mark.parametrize("name", ["statement_timeout_seconds", "pool_wait_seconds"])
def test_no_timeout_can_be_switched_off(tmp_path: Path, name: str, value: str) -> None:
    assert f"limits.{name} in pg-guard.toml is out of range" in problems(
        tmp_path, toml=f"[limits]\n{name} = {value}"
    )


def test_infinity_is_no_cost(tmp_path: Path) -> None:
    text = problems(tmp_path, toml="[limits]\nmax_cost = inf")

    assert "limits.max_cost in pg-guard.toml is out of range" in text
    assert "a number from 0 up" in text


@pytest.mark.parametrize(
    "name", ["max_rows", "max_result_bytes", "max_cell_bytes", "max_sql_bytes", "pool_size"]
)
@pytest.mark.parametrize("value", [0, -1, 10**9])
def test_no_cap_can_be_switched_off(tmp_path: Path, name: str, value: int) -> None:
    text = problems(tmp_path, flags={f"limits.{name}": value})

    assert f"limits.{name} given as a flag is out of range" in text
    assert "Choose a number from" in text


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ("access", 'schemas = ["*"]'),
        ("access", 'schemas = [""]'),
        ("access", 'schemas = ["pg_catalog"]'),
        ("access", 'relations = ["orders"]'),
        ("access", 'relations = ["shop.*"]'),
        ("access", 'relations = ["pg_catalog.*"]'),
        ("access", 'schemas = ["information_schema"]'),
        ("access", 'deny_relations = ["api_keys"]'),
        ("access", 'deny_relations = ["shop. api_keys"]'),
        ("access", 'allow_functions = ["net_price"]'),
        ("access", 'allow_functions = ["shop.net_price(int)"]'),
        ("mask", '"customers.email" = "email"'),
        ("mask", '"prod.shop.customers.email" = "email"'),
        ("mask", '"shop..email" = "email"'),
        ("mask", '"shop.customers.email" = "emial"'),
        ("mask", '"shop.customers.age" = "bucket:0"'),
        ("mask", '"shop.customers.age" = "bucket"'),
        ("mask.detectors", 'enabled = ["ssn"]'),
        ("database", 'ssl = "off"'),
        ("audit", 'directory = "trail"'),
        ("http", 'host = ""'),
        ("http", 'auth = "none"'),
    ],
)
def test_a_name_that_protects_or_opens_nothing_is_fatal(
    tmp_path: Path, table: str, line: str
) -> None:
    assert f"error: {table}." in problems(tmp_path, toml=f"[{table}]\n{line}")


def test_the_same_mistake_twice_in_a_list_is_one_problem(tmp_path: Path) -> None:
    text = problems(tmp_path, flags={"access.schemas": ["", "*"]})

    assert text.count("error:") == 1


@pytest.mark.parametrize("kind", ["redact", "clean", "bucket:10", "const:", "const:not shown"])
def test_every_mask_kind_is_understood(tmp_path: Path, kind: str) -> None:
    settings = load(tmp_path, toml=f'[mask]\n"*.*.x" = "{kind}"')

    assert settings.mask.columns == {"*.*.x": kind}


@pytest.mark.parametrize("profile", ["", "a b", "a/mask-key", "x" * 64, "é"])
def test_a_profile_must_be_safe_to_use_as_a_name(tmp_path: Path, profile: str) -> None:
    assert "PG_GUARD_PROFILE is not a profile name" in problems(
        tmp_path, environment={"PG_GUARD_PROFILE": profile}
    )


@pytest.mark.parametrize("name", NOT_ENFORCED)
def test_what_this_version_cannot_enforce_is_not_promised(tmp_path: Path, name: str) -> None:
    others: dict[str, object] = {
        "approval.relations": ["shop.orders"],
        "approval.columns": ["shop.orders.note"],
        "approval.cost_above": 5,
        "audit.record_results": True,
        "audit.retention_days": 5,
        "http.auth": "oidc",
    }

    text = problems(tmp_path, flags={name: others[name]})

    assert f"{name} given as a flag asks for something this version does not enforce" in text


@pytest.mark.parametrize("source", ['command:["op", "read"]', "aws-iam", "gcp-iam", "azure-entra"])
def test_a_credential_source_of_a_later_version_is_refused(tmp_path: Path, source: str) -> None:
    assert "does not support yet" in problems(tmp_path, flags={"database.credential": source})


@pytest.mark.parametrize(
    "text", [SECRET, "env:", f"env:{SECRET}", "file:secret", "none:x", "keyring:x", "file:/a\n"]
)
def test_a_password_written_as_the_credential_is_not_repeated(tmp_path: Path, text: str) -> None:
    words = problems(tmp_path, flags={"database.credential": text})

    assert SECRET not in words
    assert "database.credential given as a flag" in words
