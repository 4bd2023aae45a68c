"""Behind PgBouncer everything is as it is without, whoever else is on the same connection.

`pgbouncer` is each of its modes. Where there is a choice, PgBouncer has one connection to Postgres
and every client of it is on that one, in turn.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import pytest

from pg_guard_mcp import pipeline
from pg_guard_mcp.errors import DatabaseError, Unavailable
from pg_guard_mcp.model import Limits
from tests.guarding import ENDLESS, FAILS_WHEN_RUN, KEY, ask, call, execute, guarding, outcome
from tests.postgres.databases import (
    active,
    backends,
    fetch,
    opened,
    until_idle,
    value,
)
from tests.support.pgbouncer import kinds
from tests.support.pgbouncer import pgbouncer as running
from tests.support.postgres import connected, fresh_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pg_guard_mcp.postgres.database import Database
    from tests.support.pgbouncer import PgBouncer
    from tests.support.postgres import OwnServer

pytestmark = pytest.mark.pgbouncer

MASKED = """
[access]
schemas = ["shop"]
extensions = ["citext"]
[mask]
"shop.customers.email" = "hash"
[limits]
statement_timeout_seconds = 1
max_rows = 5
pool_size = 2
"""
FOUND = "SELECT count(*) FROM shop.customers a JOIN shop.customers b USING (email)"
# What would be seen of another call: its settings, its locks, what it left.
LEFT = """
SELECT concat_ws(', ', current_setting('TimeZone'), current_setting('work_mem'), current_user,
    nullif(current_setting('shop.custom', true), ''),
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
    (SELECT count(*) FROM pg_listening_channels()),
    (SELECT count(*) FROM pg_cursors WHERE is_holdable),
    (SELECT count(*) FROM pg_prepared_statements))
"""
SEEN = """
SELECT concat_ws(', ', current_setting('work_mem'), current_user, session_user,
    current_setting('lc_monetary'))
"""
LITTER = [
    "SELECT set_config('TimeZone', 'Asia/Tokyo', false)",
    "SET work_mem = '100GB'",
    "SET ROLE agent_ro",
    "SELECT set_config('shop.custom', 'mine', false)",
    "SELECT pg_advisory_lock(1)",
    "LISTEN mine",
    "DECLARE mine CURSOR WITH HOLD FOR SELECT 1",
    "PREPARE mine AS SELECT 1",
    "SELECT 1 / 0",
    "SELECT nothing",
]


async def test_the_whole_way_of_a_call_leads_through_pgbouncer(
    pgbouncer: PgBouncer, tmp_path: Path
) -> None:
    async with fresh_database(pgbouncer.server) as shop:
        await execute(
            shop.admin,
            """
            CREATE EXTENSION citext SCHEMA public;
            CREATE TABLE shop.things AS SELECT 'Chair'::citext AS label;
            """,
        )
        login = pgbouncer.login(shop.admin)
        async with guarding(tmp_path, login, MASKED) as (guard, _), connected(shop.admin) as admin:
            for _ in range(3):
                assert await ask(guard, "SELECT count(*) FROM shop.orders") == [("10000",)]
                assert await ask(guard, FOUND) == [("3200",)]
                # The definition of an operator is looked up between preparing and running.
                assert await ask(guard, "SELECT 1 FROM shop.things WHERE label = 'CHAIR'") == [
                    ("1",)
                ]
                assert await outcome(guard, FAILS_WHEN_RUN) == "database-error"
                assert await outcome(guard, "DELETE FROM shop.orders") == "refused"
                assert await outcome(guard, ENDLESS) == "timeout"
                assert len(await ask(guard, "SELECT id FROM shop.reviews")) == 5
            plan = await pipeline.explain(call("explain", sql=FOUND), guard)
            assert "Join" in plan
            assert KEY.hex() not in plan
            listed = await pipeline.list_schemas(call("list_schemas"), guard)
            assert "shop" in listed
            described = await pipeline.describe_view(
                call("describe_view", name="shop.customers"), guard
            )
            assert "hash" in described
            await until_idle(admin)


async def test_a_call_cancelled_behind_pgbouncer_ends_on_the_server(pgbouncer: PgBouncer) -> None:
    async with fresh_database(pgbouncer.server) as shop:
        login = pgbouncer.login(shop.admin)
        async with opened(login) as database, connected(shop.admin) as admin:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(fetch, database, ENDLESS)
                await backends(admin, ENDLESS)
                tasks.cancel_scope.cancel()

            assert await active(admin) == []
            assert await value(database, "SELECT 1") == "1"


@pytest.fixture(
    params=[kind for kind in kinds() if kind["pool_mode"] == "transaction"],
    ids=lambda kind: "-".join(kind.values()),
)
def one_for_all(request: pytest.FixtureRequest, own_postgres: OwnServer) -> Iterator[PgBouncer]:
    """Run a PgBouncer that has one connection to Postgres for all of its clients."""
    with running(own_postgres, connections=1, **request.param) as bouncer:
        yield bouncer


async def test_servers_that_share_one_connection_see_nothing_of_each_other(
    one_for_all: PgBouncer,
) -> None:
    login = one_for_all.login(one_for_all.server.admin)
    async with opened(login) as one, opened(login) as two:
        clean = await value(one, LEFT)
        process_id = await value(one, "SELECT pg_backend_pid()")

        async def litter(sql: str) -> None:
            with suppress(DatabaseError):
                await fetch(one, sql)

        async def look() -> None:
            assert await value(two, LEFT) == clean
            assert await value(two, "SELECT pg_backend_pid()") == process_id

        for sql in LITTER:
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(litter, sql)
                    tasks.start_soon(look)


async def test_servers_that_share_one_connection_each_get_their_own_answers(
    one_for_all: PgBouncer,
) -> None:
    login = one_for_all.login(one_for_all.server.agent)

    async def ask_for(database: Database, number: int) -> None:
        for each in range(number, number + 20):
            found = await fetch(database, f"SELECT {each} FROM generate_series(1, 30)")
            assert found.rows == [(str(each),)] * 30

    async with (
        opened(login, Limits()) as one,
        opened(login, Limits()) as two,
        anyio.create_task_group() as tasks,
    ):
        for number in range(0, 800, 200):
            tasks.start_soon(ask_for, one, number)
            tasks.start_soon(ask_for, two, number + 100)


async def test_a_server_that_connects_while_another_is_at_work_is_not_disturbed(
    one_for_all: PgBouncer,
) -> None:
    """A statement and its execution are two messages, and others are waiting in between."""
    login = one_for_all.login(one_for_all.server.agent)
    async with opened(login, Limits()) as busy, anyio.create_task_group() as tasks:

        async def work() -> None:
            while True:
                assert await value(busy, "SELECT 2") == "2"

        for _ in range(4):
            tasks.start_soon(work)
        for _ in range(10):
            async with opened(login) as young:
                assert await value(young, "SELECT 1") == "1"
        tasks.cancel_scope.cancel()


async def test_what_a_call_kept_in_spite_of_everything_is_cleared_away(
    one_for_all: PgBouncer,
) -> None:
    """A COMMIT, which no rule lets through, would keep settings, channels and cursors."""
    login = one_for_all.login(one_for_all.server.admin)
    async with opened(login) as one, connected(login) as bystander:

        async def look() -> str:
            async with bystander.transaction():
                return str(await (await bystander.prepare(LEFT, name="")).fetchval())

        clean = await look()
        for litter in LITTER[:-2]:
            async with one.transaction("test") as connection:
                await connection.execute(litter)
                await connection.execute("COMMIT")

            assert (litter, await look()) == (litter, clean)


async def test_texts_are_right_whatever_encoding_the_database_prefers(
    pgbouncer: PgBouncer,
) -> None:
    """PgBouncer's own connections begin without one."""
    async with fresh_database(pgbouncer.server) as shop:
        await execute(
            shop.admin, f"ALTER DATABASE {shop.admin.database} SET client_encoding = 'LATIN1'"
        )
        async with opened(pgbouncer.login(shop.agent)) as database:
            for _ in range(3):
                assert await value(database, "SELECT 'Größe ' || chr(8364)") == "Größe €"


async def test_what_somebody_else_left_in_the_session_reaches_no_call(
    one_for_all: PgBouncer,
) -> None:
    """Somebody with the same role who treats a pooled session as his own."""
    login = one_for_all.login(one_for_all.server.admin)
    async with opened(login) as database:
        clean = await value(database, SEEN)
        async with connected(login) as somebody:
            for setting in ("work_mem = '1GB'", "role = agent_ro", "lc_monetary = 'C.UTF-8'"):
                await somebody.execute(f"SET {setting}")

            assert await value(database, SEEN) == clean


async def test_pgbouncer_restarted_between_calls_is_found_again(pgbouncer: PgBouncer) -> None:
    async with opened(pgbouncer.login(pgbouncer.server.agent), Limits()) as database:
        async with database.transaction("one"), database.transaction("two"):
            pass
        pgbouncer.stop()
        with pytest.raises(Unavailable):
            await fetch(database, "SELECT 1")
        pgbouncer.start()

        for _ in range(3):
            assert await value(database, "SELECT 1") == "1"


async def test_pgbouncer_ended_in_the_middle_of_calls_is_told_and_found_again(
    pgbouncer: PgBouncer,
) -> None:
    async with fresh_database(pgbouncer.server) as shop:
        login = pgbouncer.login(shop.agent)
        async with opened(login, Limits()) as database, connected(shop.admin) as admin:
            told: list[str] = []

            async def call_endlessly() -> None:
                with pytest.raises(Unavailable) as caught:
                    await fetch(database, ENDLESS)
                told.append(caught.value.message)

            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(call_endlessly)
                while len(await active(admin, ENDLESS)) < 3:  # noqa: ASYNC110 - it tells nobody
                    await anyio.sleep(0.01)
                pgbouncer.stop()
            pgbouncer.start()

            assert told == ["the connection to Postgres was lost"] * 3
            assert await value(database, "SELECT 1") == "1"
            await until_idle(admin)


async def test_a_pgbouncer_without_a_connection_left_is_not_waited_for_long(
    own_postgres: OwnServer,
) -> None:
    with running(own_postgres, connections=1, pool_mode="transaction") as bouncer:
        login = bouncer.login(own_postgres.agent)
        async with opened(login) as one, opened(login) as two:
            await value(two, "SELECT 1")
            async with one.transaction("holds-the-only-one"):
                with pytest.raises(Unavailable, match="does not answer"):
                    await fetch(two, "SELECT 1")

            assert await value(two, "SELECT 1") == "1"
