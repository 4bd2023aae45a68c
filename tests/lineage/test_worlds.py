"""What is judged clean is the same in two worlds that differ in their secrets only."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

import asyncpg
import pytest

from pg_guard_mcp.guard import lineage
from pg_guard_mcp.model import Relation
from pg_guard_mcp.postgres import snapshot
from tests.lineage import worlds
from tests.postgres.databases import opened
from tests.support.postgres import connected, fresh_database

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.postgres import Shop, ShopServer

    Rows = Mapping[str, Counter[tuple[object, ...]] | None]

_MOST_ROWS = 5_000


async def make(shop: Shop, random: Random, count: int) -> dict[str, str]:
    """Make so many views, some of them materialized, and return their queries."""
    maker, made = worlds.Maker(random), dict[str, str]()
    async with connected(shop.admin) as connection:
        await connection.execute(worlds.SCHEMA)
        for number in range(count):
            name = f"s.v{number}"
            sql = maker.view(name)
            kind = "MATERIALIZED VIEW" if random.random() < 0.15 else "VIEW"
            await connection.execute(f"CREATE {kind} {name} AS {sql}")
            made[name] = sql
    return made


async def clean_columns(shop: Shop, names: list[str]) -> dict[str, list[str]]:
    """Return the columns of each view that no mask is on."""
    async with opened(shop.admin) as database:
        catalog = await snapshot.take(database, "test")
    masks, problems = lineage.resolve(worlds.MASKS, catalog)
    assert not problems
    relations = {name: Relation("s", name.removeprefix("s.")) for name in names}
    return {
        name: [
            column.name
            for column in catalog.relations[relation].columns
            if column.name not in masks.get(relation, {})
        ]
        for name, relation in relations.items()
    }


async def read(shop: Shop, clean: Mapping[str, list[str]]) -> Rows:
    """Read the clean columns of every view, without regard to order; None if there is too much."""
    found: dict[str, Counter[tuple[object, ...]] | None] = {}
    async with connected(shop.admin, statement_timeout="5s", jit="off") as connection:
        views = await connection.fetch(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'm' ORDER BY oid"
        )
        for (name,) in views:
            with suppress(asyncpg.QueryCanceledError):  # it keeps what it had
                await connection.execute(f"REFRESH MATERIALIZED VIEW {name}")
        for name, columns in clean.items():
            listed = ", ".join(columns)
            try:
                rows = await connection.fetch(f"SELECT {listed} FROM {name} LIMIT {_MOST_ROWS}")
            except asyncpg.QueryCanceledError:
                found[name] = None
                continue
            found[name] = Counter(map(tuple, rows)) if len(rows) < _MOST_ROWS else None
    return found


async def differing(postgres: ShopServer, seed: int, count: int) -> tuple[dict[str, str], float]:
    """Return the views with a clean column that differs between the worlds, and how many are clean.

    The latter is the share of all columns: a judge that masks everything would find no difference.
    """
    random = Random(seed)  # noqa: S311 - the seed makes a failure come again
    async with fresh_database(postgres, "template0") as shop:
        made = await make(shop, random, count)
        clean = await clean_columns(shop, list(made))
        before = await read(shop, clean)
        async with connected(shop.admin) as connection:
            await connection.execute(worlds.OTHER_WORLD)
        after = await read(shop, clean)
        async with connected(shop.admin) as connection:
            total = await connection.fetchval(
                "SELECT count(*) FROM pg_attribute WHERE attnum > 0 AND attrelid IN"
                " (SELECT oid FROM pg_class WHERE relkind IN ('v', 'm')"
                " AND relnamespace = 's'::regnamespace)"
            )
    different = {
        name: f"{made[name]} -- {clean[name]}"
        for name, rows in before.items()
        if rows is not None and after[name] is not None and rows != after[name]
    }
    return different, sum(map(len, clean.values())) / total


@pytest.mark.parametrize("seed", range(3))
async def test_no_clean_column_of_a_random_view_tells_of_a_secret(
    postgres: ShopServer, seed: int
) -> None:
    different, share = await differing(postgres, seed, 60)

    assert different == {}
    assert share > 0.2


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 200))
async def test_no_clean_column_of_thousands_of_random_views_tells_of_a_secret(
    each_postgres: ShopServer, seed: int
) -> None:
    different, _ = await differing(each_postgres, seed, 100)

    assert different == {}
