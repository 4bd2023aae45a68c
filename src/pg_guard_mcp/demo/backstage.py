"""What only the superuser sees: the true values, who is running what, and what a login may do."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import asyncpg

from pg_guard_mcp.demo.shop import DATABASE, ROLE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pg_guard_mcp.demo.cluster import Login
    from pg_guard_mcp.demo.stage import Stage

_SECRETS = """
SELECT unnest(ARRAY[email, phone, ssn, card_number, notes])
FROM shop.customers
UNION
SELECT secret
FROM shop.api_keys
UNION
SELECT unnest(ARRAY['4111 1111 1111 1111', '812-45-6789', 'AKIA' || 'IOSFODNN7EXAMPLE'])
"""
_RUNNING = """
SELECT application_name, query
FROM pg_stat_activity
WHERE usename = $1 AND backend_type = 'client backend' AND state = 'active'
"""


class Running(NamedTuple):
    """A query that is running now, as `pg_stat_activity` shows it."""

    application_name: str
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Backstage:
    """The superuser's connection to the shop, and the login of the agent's role."""

    connection: asyncpg.Connection[asyncpg.Record]
    agent: Login

    async def secrets(self) -> frozenset[str]:
        """Fetch every value that must not reach the agent, its role's password included."""
        rows = await self.connection.fetch(_SECRETS)
        return frozenset({self.agent.password, *(row[0] for row in rows if row[0])})

    async def value(self, sql: str) -> object:
        """Fetch one value without any guard."""
        return await self.connection.fetchval(sql)

    async def running(self) -> list[Running]:
        """List what the agent's role is running."""
        return [Running(*row) for row in await self.connection.fetch(_RUNNING, ROLE)]

    async def sqlstate_without_guard(self, sql: str) -> str:
        """Run a statement with the agent's own login and no guard; give Postgres's answer."""
        connection = await _connect(self.agent)
        try:
            await connection.execute(sql)
        except asyncpg.PostgresError as error:
            return str(error.sqlstate)
        finally:
            await connection.close()
        return "00000"


@asynccontextmanager
async def backstage_of(stage: Stage) -> AsyncIterator[Backstage]:
    """Connect as the superuser of the stage's server."""
    connection = await _connect(replace(stage.server.admin, database=DATABASE))
    try:
        yield Backstage(connection=connection, agent=stage.agent)
    finally:
        await connection.close()


async def _connect(login: Login) -> asyncpg.Connection[asyncpg.Record]:
    return await asyncpg.connect(
        host=login.host,
        port=login.port,
        user=login.user,
        password=login.password,
        database=login.database,
    )
