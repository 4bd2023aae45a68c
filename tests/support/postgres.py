"""Real Postgres for the suite: servers with the demo shop in them, and fresh databases on them.

    async def test_...(postgres: ShopServer) -> None:
        async with connected(postgres.agent) as connection: ...

`postgres.agent` may only read, `postgres.admin` is superuser of the same database. A test that
changes anything takes a database of its own: `async with fresh_database(postgres) as shop`.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from pg_guard_mcp.demo import shop
from pg_guard_mcp.demo.cluster import EmbeddedServer, Login, throwaway_server
from pg_guard_mcp.demo.embedded import embedded_postgres_server
from pg_guard_mcp.demo.site import Installation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

POSTGRES_15 = Installation(
    prefix=Path("/usr/lib/postgresql/15"),
    binaries="bin",
    parts=(),  # every account can reach it
    initdb_options=("--locale=C.UTF-8",),
)

# Nobody connects to it, so that it can be copied while tests hold connections to the shop.
SHOP_TEMPLATE = "shop_template"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A database with the demo shop in it: `admin` is superuser, `agent` may read."""

    admin: Login
    agent: Login


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopServer(Shop):
    """A server of our own, and the shop on it that all tests share: read it, do not change it."""

    server: EmbeddedServer
    major: int


def has_postgres_15() -> bool:
    """Tell whether this machine has the binaries of PostgreSQL 15."""
    return (POSTGRES_15.prefix / POSTGRES_15.binaries / "initdb").exists()


def has_postgis() -> bool:
    """Tell whether PostgreSQL 15 here has PostGIS beside it."""
    return Path("/usr/share/postgresql/15/extension/postgis.control").exists()


def must_have_everything() -> bool:
    """Tell whether a missing Postgres is a failure, as in CI, rather than one test less."""
    return bool(os.environ.get("CI"))


@contextmanager
def postgres_18_with_shop() -> Iterator[ShopServer]:
    """Run PostgreSQL 18 with the shop on it."""
    with embedded_postgres_server() as server:
        yield asyncio.run(_furnish(server, major=18))


@contextmanager
def postgres_15_with_shop() -> Iterator[ShopServer]:
    """Run PostgreSQL 15 with the shop on it."""
    with throwaway_server(POSTGRES_15) as server:
        yield asyncio.run(_furnish(server, major=15))


async def connect(login: Login, **settings: str) -> asyncpg.Connection[asyncpg.Record]:
    """Connect as `login`, with `settings` for the session; whoever calls it closes it."""
    return await asyncpg.connect(
        host=login.host,
        port=login.port,
        user=login.user,
        password=login.password,
        database=login.database,
        server_settings=settings,
    )


@asynccontextmanager
async def connected(
    login: Login, **settings: str
) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Hold a connection as `login`, and close it afterwards."""
    connection = await connect(login, **settings)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def fresh_database(server: ShopServer, template: str = SHOP_TEMPLATE) -> AsyncIterator[Shop]:
    """Hold a database of one's own, with the shop in it unless `template` is `template0`."""
    name = f"test_{secrets.token_hex(6)}"
    async with connected(server.server.admin) as connection:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        # A copy has its template's rows and grants, but not the grants on the database itself.
        await connection.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
        await connection.execute(f"GRANT CONNECT ON DATABASE {name} TO {server.agent.user}")
        try:
            yield Shop(
                admin=replace(server.admin, database=name),
                agent=replace(server.agent, database=name),
            )
        finally:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def _furnish(server: EmbeddedServer, *, major: int) -> ShopServer:
    agent = await shop.seed(server.admin)
    async with connected(server.admin) as connection:
        await connection.execute(f"CREATE DATABASE {SHOP_TEMPLATE} TEMPLATE {shop.DATABASE}")
        await connection.execute(f"ALTER DATABASE {SHOP_TEMPLATE} ALLOW_CONNECTIONS false")
    return ShopServer(
        admin=replace(server.admin, database=shop.DATABASE),
        agent=agent,
        server=server,
        major=major,
    )
