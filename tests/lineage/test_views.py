"""Every column of every view has the mask that it must have, and no other."""

from __future__ import annotations

import asyncio
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from pg_guard_mcp.guard import lineage
from pg_guard_mcp.guard.functions import judge_builtin
from pg_guard_mcp.guard.lineage.known import AGGREGATES, SETS
from pg_guard_mcp.model import Relation
from pg_guard_mcp.postgres import snapshot
from tests.postgres.databases import opened
from tests.support.postgres import connected, fresh_database

if TYPE_CHECKING:
    from asyncpg import Record

    from pg_guard_mcp.guard.masking import Mask
    from tests.support.postgres import ShopServer

_HERE = Path(__file__).parent
SCHEMA = (_HERE / "schema.sql").read_text(encoding="utf-8")
MASKS = {
    "s.people.email": "email",
    "s.people.phone": "last4",
    "s.people.ssn": "redact",
    "s.people.born": "year",
    "s.people.salary": "bucket:1000",
    "s.accounts.iban": "last4",
    "s.accounts.balance": "redact",
    "s.parts.card": "last4",
    "s.pets.ssn": "redact",
    "s.cleaned.email": "clean",
    "s.ranked.*": "clean",
}


@cache
def cases() -> list[dict[str, Any]]:
    """Read the views."""
    text = (_HERE / "views.toml").read_text(encoding="utf-8")
    return cast("list[dict[str, Any]]", tomllib.loads(text)["view"])  # the file is ours


async def masks_of_all(server: ShopServer) -> dict[str, dict[str, Mask]]:
    """Make all views in one database, and find their masks by the names of the cases."""
    known = [case for case in cases() if case.get("since", 0) <= server.major]
    async with fresh_database(server, "template0") as shop:
        async with connected(shop.admin) as connection:
            await connection.execute(SCHEMA)
            for number, case in enumerate(known):
                kind = "MATERIALIZED VIEW" if case.get("materialized") else "VIEW"
                await connection.execute(f"CREATE {kind} s.case_{number} AS {case['sql']}")
        async with opened(shop.admin) as database:
            catalog = await snapshot.take(database, "test")
    masks, problems = lineage.resolve(MASKS, catalog)
    assert not problems
    return {
        case["name"]: dict(masks.get(Relation("s", f"case_{number}"), {}))
        for number, case in enumerate(known)
    }


@pytest.fixture(scope="module")
def found(postgres: ShopServer) -> dict[str, dict[str, Mask]]:
    """Find the masks of all views on PostgreSQL 18."""
    return asyncio.run(masks_of_all(postgres))


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case["name"], marks=pytest.mark.since(case.get("since", 0)))
        for case in cases()
    ],
)
def test_each_column_of_a_view_inherits_exactly_the_mask_it_must(
    case: dict[str, Any], found: dict[str, dict[str, Mask]]
) -> None:
    assert {name: mask.kind for name, mask in found[case["name"]].items()} == case["masks"]


def test_postgres_15_writes_its_views_so_that_they_are_followed_as_well(
    postgres15: ShopServer,
) -> None:
    found = asyncio.run(masks_of_all(postgres15))

    assert {
        name: {column: mask.kind for column, mask in masks.items()} for name, masks in found.items()
    } == {case["name"]: case["masks"] for case in cases() if case.get("since", 0) <= 15}


_REVIEWED = """
SELECT DISTINCT proname::text
FROM pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace AND prorettype <> 'trigger'::regtype AND
"""


async def test_every_reviewed_function_over_many_rows_or_for_many_is_known_as_one(
    each_postgres: ShopServer,
) -> None:
    async with connected(each_postgres.admin) as connection:
        aggregates = await connection.fetch(f"{_REVIEWED} prokind = 'a'")
        sets = await connection.fetch(f"{_REVIEWED} proretset")

    def reviewed(names: list[Record]) -> set[str]:
        return {name for (name,) in names if judge_builtin(name, None).allowed}

    assert reviewed(aggregates) <= AGGREGATES
    assert reviewed(sets) <= SETS
