"""A configuration that cannot be used stops the start: exit 2, every problem, each with its fix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.raw import start_in_vain
from tests.support.server import configure

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import ShopServer

TYPOS = """
[acess]
schemas = ["shop"]
[access]
schema = ["shop"]
deny_relations = "shop.api_keys"
[mask]
"shop.customers.email" = "emial"
[limits]
max_rows = "many"
statement_timeout_seconds = 0
pool_size = 4
"""


def test_every_typo_in_a_policy_is_listed_with_its_fix(
    postgres: ShopServer, tmp_path: Path
) -> None:
    finished = start_in_vain(configure(tmp_path, postgres.agent, TYPOS))

    errors = [line for line in finished.stderr.splitlines() if line.startswith("error: ")]
    fixes = [line for line in finished.stderr.splitlines() if line.startswith("  fix: ")]
    assert finished.returncode == 2
    assert finished.stdout == ""
    assert len(finished.stderr.splitlines()) == len(errors) + len(fixes)
    assert len(errors) == len(fixes) == 6
    for name in (
        "acess",
        "access.schema ",
        "access.deny_relations",
        "shop.customers.email",
        "limits.max_rows",
        "limits.statement_timeout_seconds",
    ):
        assert sum(name in line for line in errors) == 1, name


@pytest.mark.parametrize(
    ("tables", "telling"),
    [
        ("[access", "pg-guard.toml"),
        ('[access]\nschemas = ["shop"]\n[access]\nschemas = []', "pg-guard.toml"),
        ('password = "hunter2"', "password"),
        ("\udcff", "pg-guard.toml"),
    ],
    ids=["half a table", "a table twice", "a password", "no UTF-8"],
)
def test_a_policy_that_cannot_be_read_stops_the_start(
    postgres: ShopServer, tmp_path: Path, tables: str, telling: str
) -> None:
    place = configure(tmp_path, postgres.agent)
    with place.policy.open("ab") as file:
        file.write(tables.encode(errors="surrogateescape"))

    finished = start_in_vain(place)

    assert finished.returncode == 2
    assert telling in finished.stderr
    assert "  fix: " in finished.stderr
    assert "Traceback" not in finished.stderr
    assert "hunter2" not in finished.stderr


@pytest.mark.parametrize("place_of_file", [".", ".."])
def test_a_file_where_the_trail_should_be_stops_the_start(
    postgres: ShopServer, tmp_path: Path, place_of_file: str
) -> None:
    trail = 'schemas = ["shop"]\n'
    place = configure(tmp_path, postgres.agent, f"[access]\n{trail}")
    if place_of_file == "..":
        nested = str(place.audit / "deep")
        place.policy.write_text(place.policy.read_text().replace(str(place.audit), nested))
    place.audit.write_bytes(b"")

    finished = start_in_vain(place)

    assert finished.returncode == 2
    assert finished.stderr.startswith("error: the audit directory ")
    assert "  fix: " in finished.stderr
