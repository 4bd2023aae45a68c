"""A query whose plan costs too much does not run, and what it would have told does not leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp import pipeline
from pg_guard_mcp.errors import TooExpensive
from tests.guarding import SHOP, ask, call, execute, guarding
from tests.support.postgres import connected

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import Shop

GATED = SHOP + "[limits]\nmax_cost = 500\n"
CHEAP = "SELECT full_name FROM shop.customers WHERE id = 7"
EXPENSIVE = "SELECT count(*) FROM shop.reviews a, shop.reviews b"


async def test_a_cheap_query_runs_and_an_expensive_one_does_not(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    async with guarding(tmp_path, fresh_shop.agent, GATED) as (guard, place):
        assert len(await ask(guard, CHEAP)) == 1
        with pytest.raises(TooExpensive) as caught:
            await ask(guard, EXPENSIVE)
        plan = await pipeline.explain(call("explain", sql=EXPENSIVE), guard)

    text = caught.value.as_text()
    assert text.startswith("too-expensive: the plan costs about ")
    assert "500 is the limit" in text
    assert "Nested Loop" in text
    assert "hint: " in text
    assert "Nested Loop" in plan
    assert b'"outcome":"too-expensive"' in place.trail


async def test_a_query_that_does_not_run_costs_no_connection(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    sql = "SELECT array_agg(pid) FROM pg_stat_activity WHERE usename = $1"
    async with (
        guarding(tmp_path, fresh_shop.agent, GATED) as (guard, _),
        connected(fresh_shop.admin) as admin,
    ):
        await ask(guard, CHEAP)
        before = await admin.fetchval(sql, fresh_shop.agent.user)
        for _ in range(3):
            with pytest.raises(TooExpensive):
                await ask(guard, EXPENSIVE)

        assert await admin.fetchval(sql, fresh_shop.agent.user) == before
        assert len(await ask(guard, CHEAP)) == 1


async def test_without_a_limit_every_plan_may_run(fresh_shop: Shop, tmp_path: Path) -> None:
    async with guarding(tmp_path, fresh_shop.agent) as (guard, _):
        assert await ask(guard, "SELECT count(*) FROM shop.products a, shop.products b")


async def test_a_table_of_many_partitions_and_columns_is_planned_all_the_same(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    """With the columns of each partition the plan would be of more than a megabyte."""
    columns = ", ".join(f"{'n' * 50}{number} int" for number in range(200))
    partitions = ";".join(
        f"CREATE TABLE shop.part_{number} PARTITION OF shop.many FOR VALUES IN ({number})"
        for number in range(120)
    )
    await execute(
        fresh_shop.admin,
        f"""
        CREATE TABLE shop.many (id int, {columns}) PARTITION BY LIST (id);
        {partitions};
        GRANT SELECT ON shop.many TO {fresh_shop.agent.user};
        """,
    )
    sql = "SELECT * FROM shop.many"

    generous = SHOP + "[limits]\nmax_cost = 100000\n"
    async with guarding(tmp_path / "generous", fresh_shop.agent, generous) as (guard, _):
        assert await ask(guard, sql) == []
        plan = await pipeline.explain(call("explain", sql=sql), guard)
    async with guarding(tmp_path / "gated", fresh_shop.agent, GATED) as (guard, place):
        with pytest.raises(TooExpensive, match="too large to be received"):
            await ask(guard, sql)

    assert plan.startswith("Planned, not run: about ")
    assert plan.count("Seq Scan on a hidden relation") == 120
    assert "It is too large to say what it reads." in plan
    assert b'"outcome":"too-expensive"' in place.trail


async def test_the_costliest_step_names_no_relation_the_statement_does_not(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    await execute(
        fresh_shop.admin,
        f"""
        CREATE SCHEMA closed;
        CREATE TABLE closed.ledger AS SELECT generate_series(1, 100000) AS n;
        ANALYZE closed.ledger;
        CREATE VIEW shop.sums AS SELECT n FROM closed.ledger;
        GRANT SELECT ON shop.sums TO {fresh_shop.agent.user};
        """,
    )

    async with guarding(tmp_path, fresh_shop.agent, GATED) as (guard, _):
        with pytest.raises(TooExpensive) as caught:
            await ask(guard, "SELECT max(n) FROM shop.sums")

    assert "a hidden relation" in caught.value.as_text()
    assert "ledger" not in caught.value.as_text()


async def test_nobody_feels_for_masked_values_along_the_limit(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    """From how many groups Postgres expects, one could tell how many values there are."""
    messages = []
    for world, value in enumerate(("7", "i")):
        await execute(
            fresh_shop.admin,
            f"""
            CREATE TABLE shop.vault_{world} AS
            SELECT i AS id, 's' || ({value} + 1000000) AS ssn FROM generate_series(1, 20000) i;
            ANALYZE shop.vault_{world};
            GRANT SELECT ON shop.vault_{world} TO {fresh_shop.agent.user};
            """,
        )
        tables = f'{SHOP}[mask]\n"shop.vault_{world}.ssn" = "hash"\n[limits]\nmax_cost = 1\n'
        async with guarding(tmp_path / str(world), fresh_shop.agent, tables) as (guard, _):
            with pytest.raises(TooExpensive) as caught:
                await ask(guard, f"SELECT ssn, count(*) FROM shop.vault_{world} v GROUP BY ssn")
        messages.append(caught.value.as_text().replace(f"vault_{world}", "vault"))

    assert messages[0] == messages[1]
