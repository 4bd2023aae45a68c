"""Whatever an administrator has set for the role, answers are right and the server serves."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp import pipeline
from pg_guard_mcp.errors import TimedOut
from pg_guard_mcp.model import Limits
from tests.guarding import ENDLESS, SHOP, ask, call, execute, guarding, outcome
from tests.postgres.databases import fetch, opened
from tests.support.postgres import connected, fresh_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.postgres import Shop, ShopServer

POLICY = (
    SHOP
    + """
[mask]
"shop.*.email" = "hash"
[limits]
max_cost = 100000
"""
)
QUERIES = [
    "SELECT contact_address, full_name FROM shop.customer_contacts ORDER BY id LIMIT 2",
    "SELECT id, status::shop.order_status, total FROM shop.orders ORDER BY id LIMIT 2",
    "SELECT count(DISTINCT email) FROM shop.customers WHERE email LIKE '%a%'",
    r"SELECT 'a\b', E'a\'b', '\x41'::bytea, 1.1::float8, interval '1 day 2 hours'",
    "SELECT '31.12.2026'::text::date, timestamp '2026-02-03 04:05', 'Größe'",
]
FAILING = ["SELECT 1 / 0", "SELECT nothing FROM shop.orders", "DELETE FROM shop.orders"]
# What shows in no answer, whatever it is.
UNSEEN = """
default_transaction_isolation = serializable
default_transaction_deferrable = on
default_transaction_read_only = off
search_path = shop
statement_timeout = 0
client_encoding = 'LATIN1'
standard_conforming_strings = off
row_security = off
plan_cache_mode = force_generic_plan
backslash_quote = on
transform_null_equals = on
array_nulls = off
xmlbinary = hex
quote_all_identifiers = on
DateStyle = 'SQL, DMY'
bytea_output = escape
extra_float_digits = -10
IntervalStyle = iso_8601
client_min_messages = debug5
idle_in_transaction_session_timeout = 1
jit = on
work_mem = 64
exit_on_error = on
session_preload_libraries = 'auto_explain'
"""


@asynccontextmanager
async def role_with(shop: Shop, *settings: str) -> AsyncIterator[None]:
    """Set something for the agent's role in this database."""
    role = f"ALTER ROLE {shop.agent.user} IN DATABASE {shop.agent.database}"
    await execute(shop.admin, "; ".join(f"{role} SET {setting}" for setting in settings))
    try:
        yield
    finally:
        await execute(shop.admin, f"{role} RESET ALL")


async def test_no_setting_of_the_role_changes_an_answer_or_keeps_the_server_from_it(
    each_postgres: ShopServer, tmp_path: Path
) -> None:
    async def answers(name: str, shop: Shop) -> list[object]:
        async with guarding(tmp_path / name, shop.agent, POLICY) as (guard, _):
            # Each twice: on a new connection, and on one that was used.
            return [await ask(guard, sql) for sql in QUERIES * 2] + [
                await outcome(guard, sql) for sql in FAILING
            ]

    async with fresh_database(each_postgres) as shop:
        async with role_with(shop, "DateStyle = 'SQL, DMY'"):
            plain = await answers("plain", shop)
        for number, setting in enumerate(UNSEEN.strip().split("\n")):
            async with role_with(shop, "DateStyle = 'SQL, DMY'", setting):
                assert (setting, await answers(f"{number}", shop)) == (setting, plain)


async def test_what_a_role_is_set_to_see_it_sees(fresh_shop: Shop) -> None:
    sql = "SELECT timestamptz '2026-01-01 00:00+00', 12.5::text::money"
    async with role_with(fresh_shop, "TimeZone = 'Asia/Tokyo'", "lc_monetary = 'C'"):
        async with opened(fresh_shop.agent) as database:
            result = await fetch(database, sql)
        async with connected(fresh_shop.agent) as connection:
            zone = await connection.fetchval("SHOW TimeZone")

    assert zone == "Asia/Tokyo"
    assert result.rows == [("2026-01-01 09:00:00+09", "$12.50")]


async def test_who_writes_keeps_no_reader_waiting_whatever_the_role_is_set_to(
    each_postgres: ShopServer,
) -> None:
    """READ ONLY DEFERRABLE waits until no serializable transaction is under way."""
    async with (
        fresh_database(each_postgres) as shop,
        role_with(
            shop,
            "default_transaction_isolation = serializable",
            "default_transaction_deferrable = on",
            "default_transaction_read_only = on",
        ),
        opened(shop.agent) as database,
        connected(shop.admin) as writer,
        writer.transaction(isolation="serializable"),
    ):
        await writer.execute("UPDATE shop.orders SET total = total WHERE id = 1")

        for _ in range(2):
            assert (await fetch(database, "SELECT count(*) FROM shop.orders")).rows == [("10000",)]


async def test_a_role_that_becomes_another_one_reads_with_that_ones_rights(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    """As credentials do that are made for a day."""
    role = f"lent_{fresh_shop.agent.database}"
    await execute(
        fresh_shop.admin,
        f"""
        CREATE ROLE {role};
        GRANT {role} TO {fresh_shop.agent.user};
        GRANT USAGE ON SCHEMA shop TO {role};
        GRANT SELECT ON shop.orders TO {role};
        """,
    )
    try:
        async with (
            role_with(fresh_shop, f"role = {role}"),
            guarding(tmp_path, fresh_shop.agent) as (guard, _),
        ):
            for _ in range(2):
                assert await ask(guard, "SELECT current_user") == [(role,)]
                assert await ask(guard, "SELECT count(*) FROM shop.orders") == [("10000",)]
                assert await outcome(guard, "SELECT 1 FROM shop.reviews") == "refused"
    finally:
        await execute(fresh_shop.admin, f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.since(17)
async def test_a_limit_of_the_role_on_transactions_is_a_timeout_too(fresh_shop: Shop) -> None:
    """It ends the session."""
    limits = Limits(pool_size=1, statement_timeout_seconds=30)
    async with (
        role_with(fresh_shop, "transaction_timeout = 300"),
        opened(fresh_shop.agent, limits) as database,
    ):
        with pytest.raises(TimedOut):
            await fetch(database, ENDLESS)

        assert (await fetch(database, "SELECT 1")).rows == [("1",)]


async def test_nothing_is_planned_for_workers_that_a_portal_does_not_get(
    each_postgres: ShopServer, tmp_path: Path
) -> None:
    """Rows are fetched so many at a time, and Postgres starts no worker for that."""
    eager = ("parallel_setup_cost = 0", "parallel_tuple_cost = 0", "min_parallel_table_scan_size=0")
    sql = "SELECT count(*) FROM shop.orders WHERE total > 10"
    async with fresh_database(each_postgres) as shop, role_with(shop, *eager):
        async with connected(shop.agent) as connection:
            assert "Gather" in str(await connection.fetch(f"EXPLAIN {sql}"))
        async with guarding(tmp_path, shop.agent) as (guard, _):
            plan = await pipeline.explain(call("explain", sql=sql), guard)

    assert "Aggregate" in plan
    assert "Gather" not in plan
