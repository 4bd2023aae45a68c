"""Rows, bytes, time and connections are bounded; what runs into a bound leaves nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from pg_guard_mcp.errors import Busy, Cancelled, DatabaseError, GuardError, TimedOut, Unavailable
from pg_guard_mcp.model import Limits
from pg_guard_mcp.postgres import database as module
from tests.guarding import SHOP, ask, guarding
from tests.postgres.databases import active, backends, fetch, opened, terminate, until_idle, value
from tests.support.postgres import connected

if TYPE_CHECKING:
    from pathlib import Path

    from pg_guard_mcp.postgres.database import Database
    from tests.support.postgres import Shop, ShopServer

SLOW = "SELECT pg_sleep(600)"
TURNED_OFF = "SELECT set_config('statement_timeout', '0', true)"


@pytest.mark.parametrize(
    ("available", "rows", "cap"),
    [(0, 0, None), (1, 1, None), (249, 249, None), (250, 250, None), (251, 250, "rows")],
)
async def test_rows_stop_at_the_cap_and_the_cut_is_told(
    postgres: ShopServer, available: int, rows: int, cap: str | None
) -> None:
    async with opened(postgres.agent) as database:
        result = await fetch(
            database, f"SELECT * FROM generate_series(1, {available})", max_rows=250
        )

    assert len(result.rows) == rows
    assert result.cap == cap


async def test_a_billion_rows_cost_no_more_than_the_cap(postgres: ShopServer) -> None:
    async with opened(postgres.agent) as database:
        result = await fetch(database, "SELECT generate_series(1, 1000000000)", max_rows=3)

    assert result.rows == [("1",), ("2",), ("3",)]
    assert result.cap == "rows"


async def test_bytes_stop_at_the_cap(postgres: ShopServer) -> None:
    limits = Limits(pool_size=1, max_result_bytes=1_000)
    async with opened(postgres.agent, limits) as database:
        result = await fetch(
            database, "SELECT repeat('x', 99) FROM generate_series(1, 1000000)", max_rows=100_000
        )

        assert result.cap == "bytes"
        assert len(result.rows) == 11
        assert await value(database, "SELECT 1") == "1"


async def test_a_query_that_runs_into_its_time_ends_on_the_server_too(fresh_shop: Shop) -> None:
    limits = Limits(pool_size=1, statement_timeout_seconds=0.2)
    async with opened(fresh_shop.admin, limits) as database, connected(fresh_shop.admin) as admin:
        with pytest.raises(TimedOut, match="time limit"):
            await fetch(database, SLOW)

        await until_idle(admin)
        assert await value(database, "SELECT 1") == "1"


async def test_rows_that_trickle_run_into_the_same_limit(fresh_shop: Shop) -> None:
    limits = Limits(pool_size=1, statement_timeout_seconds=0.2)
    sql = "SELECT g, pg_sleep(0.01) FROM generate_series(1, 100000) AS g"
    async with opened(fresh_shop.admin, limits) as database, connected(fresh_shop.admin) as admin:
        with pytest.raises(TimedOut):
            await fetch(database, sql, max_rows=100_000)

        await until_idle(admin)
        assert await value(database, "SELECT 1") == "1"


async def fetch_in_vain(database: Database) -> None:
    """Run a slow query for which Postgres keeps no time limit."""
    async with database.transaction("test") as connection:
        await connection.execute(TURNED_OFF)
        await connection.execute(SLOW)


async def test_where_postgres_does_not_keep_the_limit_we_do(
    fresh_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GRACE_SECONDS", 0.1)
    limits = Limits(pool_size=1, statement_timeout_seconds=0.2)
    async with opened(fresh_shop.admin, limits) as database, connected(fresh_shop.admin) as admin:
        with pytest.raises(TimedOut):
            await fetch_in_vain(database)

        await until_idle(admin)
        assert await value(database, "SELECT 1") == "1"


async def test_a_lock_is_not_waited_for_longer_than_its_limit(fresh_shop: Shop) -> None:
    limits = Limits(pool_size=1, lock_timeout_seconds=0.1)
    async with (
        opened(fresh_shop.agent, limits) as database,
        connected(fresh_shop.admin) as admin,
        admin.transaction(),
    ):
        await admin.execute("LOCK TABLE shop.orders")

        with pytest.raises(GuardError, match="lock not available") as caught:
            await fetch(database, "SELECT count(*) FROM shop.orders")

        assert caught.value.hint == "Another session holds the relation; try again later."


async def test_a_server_that_waits_for_a_lock_is_not_taken_for_silent(
    fresh_shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a query reads is locked in the round trip that opens its transaction."""
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.1)
    limits = "[limits]\nlock_timeout_seconds = 0.3\n"
    async with (
        guarding(tmp_path, fresh_shop.agent, SHOP + limits) as (guard, _),
        connected(fresh_shop.admin) as admin,
        admin.transaction(),
    ):
        await ask(guard, "SELECT 1 FROM shop.orders LIMIT 1")
        await admin.execute("LOCK TABLE shop.orders")

        with pytest.raises(DatabaseError, match="lock not available"):
            await ask(guard, "SELECT 1 FROM shop.orders LIMIT 1")


async def test_cancelling_a_call_ends_its_query_and_keeps_the_connection_usable(
    fresh_shop: Shop,
) -> None:
    async with opened(fresh_shop.admin) as database, connected(fresh_shop.admin) as admin:
        process_id = await value(database, "SELECT pg_backend_pid()")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fetch, database, SLOW)
            await backends(admin, SLOW)
            tasks.cancel_scope.cancel()

        assert await active(admin) == []
        assert await value(database, "SELECT pg_backend_pid()") == process_id


async def test_a_call_cancelled_while_it_waits_for_a_connection_takes_none(
    fresh_shop: Shop,
) -> None:
    async with opened(fresh_shop.admin) as database:
        async with database.transaction("holds-the-only-one"):
            with anyio.move_on_after(0.05) as scope:
                await fetch(database, "SELECT 1")

        assert scope.cancelled_caught
        assert await value(database, "SELECT 1") == "1"


async def test_a_call_for_which_no_connection_is_left_is_told_so(fresh_shop: Shop) -> None:
    limits = Limits(pool_size=2, pool_wait_seconds=0.1)
    async with opened(fresh_shop.admin, limits) as database:
        async with database.transaction("one"), database.transaction("two"):
            with pytest.raises(Busy, match="every connection is in use"):
                await fetch(database, "SELECT 1")

        assert await value(database, "SELECT 1") == "1"


async def test_many_callers_share_few_connections(fresh_shop: Shop) -> None:
    async with opened(fresh_shop.agent, Limits(pool_size=2)) as database:
        answers: list[str | None] = []

        async def ask(number: int) -> None:
            answers.append(await value(database, f"SELECT {number}"))

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(ask, number)

    assert sorted(map(int, filter(None, answers))) == list(range(20))


async def killed(database: Database, shop: Shop, how: str) -> GuardError:
    """Run a slow query, strike its backend in the middle, and give what the caller is told."""
    caught: list[GuardError] = []

    async def run() -> None:
        try:
            await fetch(database, SLOW)
        except GuardError as error:
            caught.append(error)

    async with connected(shop.admin) as admin, anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        (process_id,) = await backends(admin, SLOW)
        await admin.execute(f"SELECT {how}({process_id})")
    (error,) = caught
    return error


async def test_a_backend_killed_in_a_call_is_an_unavailable_postgres_and_the_next_call_works(
    fresh_shop: Shop,
) -> None:
    async with opened(fresh_shop.admin) as database:
        error = await killed(database, fresh_shop, "pg_terminate_backend")

        assert isinstance(error, Unavailable)
        assert error.message == "the connection to Postgres was lost"
        assert await value(database, "SELECT 1") == "1"


async def test_a_query_cancelled_by_an_administrator_is_not_a_timeout(fresh_shop: Shop) -> None:
    async with opened(fresh_shop.admin) as database:
        error = await killed(database, fresh_shop, "pg_cancel_backend")

        assert isinstance(error, Cancelled)
        assert await value(database, "SELECT 1") == "1"


async def test_a_call_that_ends_its_own_backend_is_an_unavailable_postgres(
    fresh_shop: Shop,
) -> None:
    async with opened(fresh_shop.admin) as database:
        with pytest.raises(Unavailable):
            await fetch(database, "SELECT pg_terminate_backend(pg_backend_pid())")

        assert await value(database, "SELECT 1") == "1"


async def test_connections_that_died_while_idle_are_replaced(fresh_shop: Shop) -> None:
    async with opened(fresh_shop.agent) as database, connected(fresh_shop.admin) as admin:
        await value(database, "SELECT 1")
        await terminate(admin, "datname = current_database()")

        assert await value(database, "SELECT 1") == "1"
