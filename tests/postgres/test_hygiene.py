"""After every call the session behind it is as a new one: looked at from inside that very session.

As superuser and with no rule in the way: whatever Postgres lets a read-only transaction do.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from pg_guard_mcp.errors import GuardError
from pg_guard_mcp.model import Limits
from tests.postgres.databases import fetch, opened, settled

if TYPE_CHECKING:
    from pg_guard_mcp.postgres.database import Database
    from tests.support.postgres import ShopServer

CALLS = """
SELECT 1
SELECT * FROM shop.orders
SELECT 1 / 0
SELECT nothing
SELECT * FROM generate_series(1, 100000)
SELECT repeat('x', 3000000)
SELECT repeat('x', 100000000)
SELECT pg_sleep(60)
SELECT set_config('TimeZone', 'Asia/Tokyo', false)
SELECT set_config(name, '1234', false) FROM pg_settings WHERE name LIKE '%work_mem'
SELECT set_config('search_path', 'shop', false), set_config('statement_timeout', '0', false)
SELECT set_config('role', 'agent_ro', false)
SELECT set_config('shop.custom', 'mine', false)
UPDATE pg_settings SET setting = '99' WHERE name = 'lock_timeout'
SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE
SET SESSION AUTHORIZATION agent_ro
SET ROLE agent_ro
SET client_encoding = 'LATIN1'
SET standard_conforming_strings = off
SET default_transaction_read_only = off
SET row_security = off
SET transaction_timeout = 0
RESET ALL
DISCARD PLANS
SELECT pg_advisory_lock(g), pg_advisory_lock_shared(g, g) FROM generate_series(1, 50) AS g
SELECT pg_try_advisory_xact_lock(7), 1 / (random() * 0)::int
LISTEN mine
NOTIFY mine
DECLARE mine CURSOR WITH HOLD FOR SELECT * FROM shop.orders
DECLARE mine SCROLL CURSOR FOR SELECT 1
PREPARE mine AS SELECT * FROM shop.orders WHERE id = $1
SAVEPOINT mine
CREATE TEMP TABLE mine (id int)
CREATE FUNCTION pg_temp.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'
SELECT lo_create(4711)
LOCK TABLE shop.orders
SELECT * FROM shop.orders FOR UPDATE
SELECT cursor_to_xml(query_to_xml('SELECT 1', true, false, '')::text::refcursor, 1, true, false, '')
COMMIT
ROLLBACK
END; BEGIN
SELECT pg_cancel_backend(pg_backend_pid())
"""

STATE = """
SELECT concat_ws(E'\n', session_user, current_user,
    (SELECT string_agg(concat_ws(' ', name, setting, source), E'\n' ORDER BY name)
     FROM pg_settings WHERE name NOT LIKE 'transaction_%' OR name = 'transaction_timeout'),
    nullif(current_setting('shop.custom', true), ''),
    (SELECT string_agg(locktype || mode, ' ') FROM pg_locks
     WHERE pid = pg_backend_pid() AND locktype NOT IN ('virtualxid', 'relation')),
    (SELECT string_agg(name, ' ') FROM pg_prepared_statements WHERE name <> ''),
    (SELECT string_agg(name, ' ') FROM pg_cursors WHERE is_holdable),
    (SELECT string_agg(channel, ' ') FROM pg_listening_channels() AS channel),
    (SELECT string_agg(relname, ' ') FROM pg_class WHERE relnamespace = pg_my_temp_schema()),
    (SELECT string_agg(proname, ' ') FROM pg_proc WHERE pronamespace = pg_my_temp_schema()))
"""


async def states(database: Database) -> set[str]:
    """Look at the sessions of both connections, outside of any call."""
    pool = database._pool
    connections = [await pool.connection() for _ in range(2)]
    try:
        assert not any(connection.is_in_transaction() for connection in connections)
        return {await connection.fetchval(STATE) for connection in connections}
    finally:
        for connection in connections:
            await pool.give_back(connection)


async def test_no_call_leaves_anything_in_its_session(each_postgres: ShopServer) -> None:
    limits = Limits(pool_size=2, statement_timeout_seconds=1)
    async with opened(each_postgres.admin, limits) as database:
        (clean,) = await states(database)
        assert "search_path" in clean
        for sql in CALLS.strip().split("\n"):
            async with anyio.create_task_group() as tasks:
                # Another call is under way beside it, in a session of its own.
                tasks.start_soon(_undisturbed, database)
                with suppress(GuardError):
                    await fetch(database, sql)

            assert (sql, await states(database)) == (sql, {clean})


async def _undisturbed(database: Database) -> None:
    async with database.transaction("honest") as connection:
        before = await connection.fetchval(STATE)
        await anyio.lowlevel.checkpoint()
        assert await connection.fetchval("SELECT count(*) FROM shop.products") == "200"
        assert await connection.fetchval(STATE) == before


@pytest.mark.parametrize("left", ["SET client_encoding = 'LATIN1'", "SET DateStyle = German"])
async def test_a_session_that_somebody_else_left_is_made_new(
    each_postgres: ShopServer, left: str
) -> None:
    """As a pooler may hand one over."""
    sql = "SELECT 'Größe', DATE '2026-07-14'"
    async with opened(each_postgres.admin) as database:
        async with database.transaction("test") as connection:
            behind = connection._con  # type: ignore[attr-defined]  # the pool hides it
        await settled(database)
        await behind.execute(left)

        assert (await fetch(database, sql)).rows == [("Größe", "2026-07-14")]
