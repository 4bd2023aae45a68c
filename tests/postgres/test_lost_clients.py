"""A query ends when the server that asked it is gone without a word."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests.guarding import ENDLESS
from tests.postgres.databases import backends, until_idle
from tests.support.postgres import connected, fresh_database

if TYPE_CHECKING:
    from tests.support.postgres import ShopServer

CLIENT = """
import asyncio, json, sys
from pg_guard_mcp.model import Limits
from tests.postgres.databases import fetch, opened
from pg_guard_mcp.demo.cluster import Login

async def main() -> None:
    login, sql = json.loads(sys.argv[1])
    async with opened(Login(**login), Limits(statement_timeout_seconds=600)) as database:
        await fetch(database, sql)

asyncio.run(main())
"""


@pytest.mark.since(14)
async def test_the_query_of_a_server_that_was_killed_is_ended(each_postgres: ShopServer) -> None:
    async with fresh_database(each_postgres) as shop, connected(shop.admin) as admin:
        agent = shop.agent
        login = {
            "host": agent.host,
            "port": agent.port,
            "user": agent.user,
            "password": agent.password,
            "database": agent.database,
        }
        # The password is that of a database which lives as long as this test.
        arguments = [sys.executable, "-c", CLIENT, json.dumps([login, ENDLESS])]
        client = await asyncio.create_subprocess_exec(*arguments)
        await backends(admin, ENDLESS)
        client.kill()
        await client.wait()

        await until_idle(admin)
