"""A `Database` of our own over a throw-away Postgres, and what to look at from outside."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.from_thread

from pg_guard_mcp.model import GuardedQuery, Limits
from pg_guard_mcp.postgres.database import ANY_SERVER, Database
from pg_guard_mcp.settings import PLAIN
from tests.support.postgres import SHOP_TEMPLATE, connected, fresh_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    import asyncpg

    from pg_guard_mcp.demo.cluster import Login
    from pg_guard_mcp.model import ResultSet
    from pg_guard_mcp.postgres.replicas import Replication
    from pg_guard_mcp.settings import Tls
    from tests.support.postgres import Shop, ShopServer

_DEADLINE_SECONDS = 20

_RELATIONS = """
SELECT format('%I.%I', nspname, relname), CASE relkind WHEN 'S' THEN 'last_value' ELSE 'row' END
FROM pg_class
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind IN ('r', 'm', 'S') AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY 1
"""
_OBJECTS = """
SELECT 'relation', relnamespace::regnamespace::text, relname, relfilenode::text FROM pg_class
UNION ALL SELECT 'function', pronamespace::regnamespace::text, proname, prosrc FROM pg_proc
UNION ALL SELECT 'type', typnamespace::regnamespace::text, typname, typtype::text FROM pg_type
UNION ALL SELECT 'schema', '', nspname, '' FROM pg_namespace
UNION ALL SELECT 'extension', '', extname, extversion FROM pg_extension
UNION ALL SELECT 'role', '', rolname, rolsuper::text FROM pg_roles
UNION ALL SELECT 'large object', '', oid::text, '' FROM pg_largeobject_metadata
UNION ALL SELECT 'setting', '', setdatabase::text || setrole::text, setconfig::text
          FROM pg_db_role_setting
ORDER BY 1, 2, 3, 4
"""


async def without_tls() -> Tls:
    """Speak no TLS."""
    return PLAIN


@asynccontextmanager
async def opened(
    login: Login,
    limits: Limits | None = None,
    *others: Login,
    password: str | None = None,
    replication: Replication = ANY_SERVER,
) -> AsyncIterator[Database]:
    """Open a `Database` as `login`, of one connection unless `limits` say more; close it after.

    `others` are where else the same role and database are.
    """

    async def secret() -> str:
        return login.password if password is None else password

    database = Database(
        hosts=[place.host for place in (login, *others)],
        ports=[place.port for place in (login, *others)],
        user=login.user,
        database=login.database,
        password=secret,
        tls=without_tls,
        limits=limits or Limits(pool_size=1),
        replication=replication,
    )
    try:
        yield database
    finally:
        await database.close()


async def fetch(
    database: Database, sql: str, *, max_rows: int = 1_000, application: str = "test"
) -> ResultSet:
    """Run SQL through `Database.fetch`, with no policy in the way."""
    return await database.fetch(
        GuardedQuery(sql=sql), max_rows=max_rows, application=application, comment="pg-guard test"
    )


async def value(database: Database, sql: str) -> str | None:
    """Fetch a single cell."""
    (row,) = (await fetch(database, sql)).rows
    (cell,) = row
    return cell


async def settled(database: Database) -> None:
    """Wait until every session is clean again, which answers do not wait for."""
    if endings := database._pool._endings:
        await asyncio.wait(endings)


async def digest(login: Login) -> str:
    """Digest everything in the database: every row, every object, every setting."""
    found = hashlib.sha256()
    async with connected(login) as connection:
        found.update(repr(await connection.fetch(_OBJECTS)).encode())
        for relation, row in await connection.fetch(_RELATIONS):
            rows = await connection.fetchval(
                f"""
                SELECT md5(string_agg({row}::text, ' ' ORDER BY {row}::text COLLATE "C"))
                FROM {relation} AS row
                """
            )
            found.update(f"{relation}={rows}".encode())
    return found.hexdigest()


@contextmanager
def shared_database(server: ShopServer, template: str = SHOP_TEMPLATE) -> Iterator[Shop]:
    """Hold a database of one's own for several tests, each with an event loop of its own."""
    with (
        anyio.from_thread.start_blocking_portal() as portal,
        portal.wrap_async_context_manager(fresh_database(server, template)) as shop,
    ):
        yield shop


async def backends(admin: asyncpg.Connection[asyncpg.Record], sql: str) -> list[int]:
    """Find the backends that run a statement with `sql` in it, waiting until there is one.

    One that has only just begun may still be parsing it, where a cancel finds nothing to end.
    """
    async with asyncio.timeout(_DEADLINE_SECONDS):
        # Postgres tells nobody when a query starts or ends: it must be asked.
        while not (found := await active(admin, sql, seconds=0.05)):  # noqa: ASYNC110 - see above
            await anyio.sleep(0.01)
    return found


async def logged(log: Path, sql: str) -> None:
    """Wait until Postgres has written a statement with `sql` in it to its log."""
    async with asyncio.timeout(_DEADLINE_SECONDS):
        path = anyio.Path(log)
        while sql not in await path.read_text(encoding="utf-8"):  # noqa: ASYNC110 - see `backends`
            await anyio.sleep(0.01)


async def terminate(
    admin: asyncpg.Connection[asyncpg.Record], condition: str, *arguments: object
) -> None:
    """End backends, and wait until they are gone, as Postgres itself can since 14."""
    rows = await admin.fetch(
        "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE pid <> pg_backend_pid() AND {condition}",
        *arguments,
    )
    ended = [row["pid"] for row in rows]
    async with asyncio.timeout(_DEADLINE_SECONDS):
        while await admin.fetch("SELECT FROM pg_stat_activity WHERE pid = ANY ($1)", ended):  # noqa: ASYNC110 - see `backends`
            await anyio.sleep(0.01)


async def active(
    admin: asyncpg.Connection[asyncpg.Record], sql: str = "", *, seconds: float = 0
) -> list[int]:
    """Find the other backends of this database at work on a statement with `sql` in it.

    `seconds`: for how long at least they have been parsing or executing it.
    """
    rows = await admin.fetch(
        """
        SELECT pid
        FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'
          AND backend_type = 'client backend' AND strpos(query, $1) > 0
          AND clock_timestamp() - query_start >= make_interval(secs => $2)
        """,
        sql,
        seconds,
    )
    return [row["pid"] for row in rows]


async def until_idle(admin: asyncpg.Connection[asyncpg.Record]) -> None:
    """Wait until nobody else is at work in this database; fail if that never comes."""
    async with asyncio.timeout(_DEADLINE_SECONDS):
        while await active(admin):  # noqa: ASYNC110 - see `backends`
            await anyio.sleep(0.01)


one_connection = partial(Limits, pool_size=1)
