"""Calling what is allowed does nothing but answer, whatever it is given, superuser or not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import asyncpg
import pytest
from tools.function_attack import attack, chosen

if TYPE_CHECKING:
    from tools.function_attack import Attack

    from tests.support.postgres import ShopServer

# These run the code of a type: a rule has it be a built-in one.
BY_NAME = {"pg_input_error_info", "pg_input_is_valid"}

GUILTY = {
    "pg_advisory_lock": "locks",
    "pg_read_file": "a line of a file",
    "pg_terminate_backend": "bystanders",
    "set_config": "settings",
    "ts_stat": "a row of the table",
    "txid_current": "transaction",
}


async def attacked(server: ShopServer, *names: str) -> Attack:
    """Call allowed functions, or those named, with bait."""

    async def connect(database: str) -> asyncpg.Connection[asyncpg.Record]:
        login = replace(server.admin, database=database)
        return await asyncpg.connect(
            host=login.host,
            port=login.port,
            user=login.user,
            password=login.password,
            database=login.database,
            statement_cache_size=0,
        )

    return await attack(connect, chosen(server.major, names))


async def test_no_allowed_function_does_more_than_answer(each_postgres: ShopServer) -> None:
    done = await attacked(each_postgres)

    assert {effect.call.partition("(")[0] for effect in done.effects} <= BY_NAME
    assert done.calls > 10_000


@pytest.mark.parametrize(("name", "effect"), GUILTY.items())
async def test_the_attack_sees_what_a_guilty_function_does(
    postgres: ShopServer, name: str, effect: str
) -> None:
    done = await attacked(postgres, name)

    assert effect in {found.what for found in done.effects}
