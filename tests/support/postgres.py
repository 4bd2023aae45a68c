"""Real Postgres for the suite: servers with the demo shop in them, and fresh databases on them.

    async def test_...(postgres: ShopServer) -> None:
        async with connected(postgres.agent) as connection: ...

`postgres.agent` may only read, `postgres.admin` is superuser of the same database. A test that
changes anything takes a database of its own: `async with fresh_database(postgres) as shop`.

The server is ours, or, with `pytest --postgres DSN`, any that a superuser lends us for the while.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

import asyncpg

from pg_guard_mcp.demo import shop
from pg_guard_mcp.demo.cluster import EmbeddedServer, Login, throwaway_server
from pg_guard_mcp.demo.embedded import embedded_postgres_server
from pg_guard_mcp.demo.site import Installation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

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
    """A server, and the shop on it that all tests share: read it, do not change it."""

    maintenance: Login
    """A superuser's, to a database that is nobody's."""
    major: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnServer(ShopServer):
    """A server of ours, with its log, its files and its processes."""

    server: EmbeddedServer


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
def postgres_18_with_shop() -> Iterator[OwnServer]:
    """Run PostgreSQL 18 with the shop on it."""
    with embedded_postgres_server() as server:
        yield _own(server)


@contextmanager
def postgres_15_with_shop() -> Iterator[OwnServer]:
    """Run PostgreSQL 15 with the shop on it."""
    with throwaway_server(POSTGRES_15) as server:
        yield _own(server)


@contextmanager
def lent_postgres_with_shop(dsn: str) -> Iterator[ShopServer]:
    """Put the shop on the server at `dsn`, whose role is a superuser, and take it away again.

    Other databases and roles stay as they are; for as long as this takes PUBLIC may not connect to
    `postgres` and `template1`.

    Raises:
        ValueError: it has a database or a role called like ours, which may be somebody's.

    """
    maintenance = login_of(dsn)
    lent = asyncio.run(_lent(maintenance))
    try:
        yield asyncio.run(_furnish(maintenance))
    finally:
        asyncio.run(_give_back(maintenance, lent))


async def major_of(dsn: str) -> int:
    """Ask the server at `dsn` which major it is."""
    async with connected(login_of(dsn)) as connection:
        return connection.get_server_version().major


def login_of(dsn: str) -> Login:
    """Take a connection URI with a password apart; what it leaves out is as libpq has it."""
    url = urlsplit(dsn)
    query = dict(parse_qsl(url.query))
    return Login(
        host=query.get("host") or url.hostname or "127.0.0.1",
        port=int(query.get("port") or url.port or 5432),
        user=unquote(url.username or "postgres"),
        password=unquote(url.password or ""),
        database=url.path.removeprefix("/") or "postgres",
    )


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
    async with connected(server.maintenance) as connection:
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


def _own(server: EmbeddedServer) -> OwnServer:
    found = asyncio.run(_furnish(server.admin))
    known = {each.name: getattr(found, each.name) for each in fields(found)}
    return OwnServer(**known, server=server)


async def _furnish(maintenance: Login) -> ShopServer:
    agent = await shop.seed(maintenance)
    async with connected(maintenance) as connection:
        await connection.execute(f"CREATE DATABASE {SHOP_TEMPLATE} TEMPLATE {shop.DATABASE}")
        await connection.execute(f"ALTER DATABASE {SHOP_TEMPLATE} ALLOW_CONNECTIONS false")
        major = connection.get_server_version().major
    return ShopServer(
        admin=replace(maintenance, database=shop.DATABASE),
        agent=agent,
        maintenance=maintenance,
        major=major,
    )


async def _lent(maintenance: Login) -> list[str]:
    """Make sure that nothing there is called like ours; return what will undo our changes."""
    async with connected(maintenance) as connection:
        taken = await connection.fetch(
            """
            SELECT 'database ' || datname FROM pg_database WHERE datname = ANY ($1)
            UNION ALL SELECT 'role ' || rolname FROM pg_roles WHERE rolname = $2
            """,
            [shop.DATABASE, SHOP_TEMPLATE],
            shop.ROLE,
        )
        if taken:
            raise ValueError(f"it is there already: {', '.join(name for (name,) in taken)}")
        grants = await connection.fetch(
            """
            SELECT format('GRANT %s ON DATABASE %I TO PUBLIC', privilege_type, datname)
            FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba)))
            WHERE datname IN ('postgres', 'template1') AND grantee = 0
            """
        )
    return [grant for (grant,) in grants]


async def _give_back(maintenance: Login, grants: Sequence[str]) -> None:
    async with connected(maintenance) as connection:
        for name in (shop.DATABASE, SHOP_TEMPLATE):
            await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await connection.execute(f"DROP ROLE IF EXISTS {shop.ROLE}")
        for grant in grants:
            await connection.execute(grant)
