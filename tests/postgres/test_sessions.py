"""What a call does to its session is gone when the next one comes, and none beside it sees it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.errors import GuardError
from pg_guard_mcp.model import GuardedQuery, Limits
from tests.postgres.databases import fetch, logged, opened, value
from tests.support.postgres import connected

if TYPE_CHECKING:
    from tests.support.postgres import OwnServer, Shop, ShopServer

STATE = """
SELECT concat_ws(', ', current_setting('TimeZone'), current_setting('work_mem'),
    current_setting('search_path'), current_setting('DateStyle'), current_user, session_user,
    current_setting('statement_timeout'), current_setting('standard_conforming_strings'),
    nullif(current_setting('shop.custom', true), ''),
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
    (SELECT count(*) FROM pg_listening_channels()),
    (SELECT count(*) FROM pg_cursors WHERE name = 'mine'),
    (SELECT count(*) FROM pg_prepared_statements WHERE name = 'mine'),
    pg_is_in_recovery())
"""

LITTER = [
    "SELECT set_config('TimeZone', 'Asia/Tokyo', false)",
    "SELECT set_config('work_mem', '100GB', false)",
    "SELECT set_config('search_path', 'shop', false), set_config('statement_timeout', '0', false)",
    "SELECT set_config('shop.custom', 'mine', false)",
    "SET standard_conforming_strings = off",
    "SET DateStyle = German",
    "SET ROLE agent_ro",
    "SET SESSION AUTHORIZATION agent_ro",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_advisory_lock_shared(g) FROM generate_series(1, 50) AS g",
    "LISTEN mine",
    "DECLARE mine CURSOR WITH HOLD FOR SELECT 1",
    "PREPARE mine AS SELECT 1",
]


@pytest.mark.parametrize("litter", LITTER)
@pytest.mark.parametrize("ending", ["SELECT 1", "SELECT 1/0", "COMMIT"])
async def test_nothing_of_a_session_outlives_its_call(
    postgres: ShopServer, litter: str, ending: str
) -> None:
    async with opened(postgres.admin) as database:
        before = await value(database, STATE)
        process_id = await value(database, "SELECT pg_backend_pid()")

        await fetch(database, litter)
        with suppress(GuardError):
            await fetch(database, ending)

        assert await value(database, STATE) == before
        # A session whose transaction ended behind our back is not used again.
        kept = await value(database, "SELECT pg_backend_pid()") == process_id
        assert kept is (ending != "COMMIT")


async def test_two_callers_at_once_see_their_own_settings_only(postgres: ShopServer) -> None:
    limits = Limits(pool_size=2)
    own = "SELECT current_setting('application_name') || ' ' || current_setting('TimeZone')"
    async with (
        opened(postgres.admin, limits) as database,
        database.transaction("one") as one,
        database.transaction("two") as two,
    ):
        await one.execute("SELECT set_config('TimeZone', 'Asia/Tokyo', false)")
        await two.execute("SELECT set_config('TimeZone', 'Europe/Oslo', false)")

        assert await one.fetchval(own) == "one Asia/Tokyo"
        assert await two.fetchval(own) == "two Europe/Oslo"


async def test_after_two_callers_left_their_connections_are_as_new(postgres: ShopServer) -> None:
    limits = Limits(pool_size=2)
    async with opened(postgres.admin, limits) as database:
        async with database.transaction("one") as one, database.transaction("two") as two:
            await one.execute("SELECT set_config('TimeZone', 'Asia/Tokyo', false)")
            await two.execute("SELECT set_config('TimeZone', 'Europe/Oslo', false)")

        async with database.transaction("three") as one, database.transaction("four") as two:
            zones = {await each.fetchval("SHOW TimeZone") for each in (one, two)}

        assert zones == {"UTC"}


async def test_postgres_is_told_who_asks_and_whatever_a_client_calls_itself_stays_a_name(
    postgres: ShopServer,
) -> None:
    name = "pg-guard/p/x'; DROP TABLE shop.orders; --\n\\ */ \x00é"
    async with opened(postgres.admin) as database:
        result = await fetch(
            database, "SELECT current_setting('application_name')", application=name
        )

    assert result.rows == [("pg-guard/p/x?? DROP TABLE shop.orders? --?? ?/ ??",)]


async def test_the_comment_of_a_call_cannot_be_closed_from_inside(fresh_shop: Shop) -> None:
    async with opened(fresh_shop.admin) as database, connected(fresh_shop.admin) as admin:
        result = await database.fetch(
            GuardedQuery(sql="SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()"),
            max_rows=1,
            application="test",
            comment="*/; SELECT 2 /* $$ ' \n --",
        )

        assert result.rows[0][0] is not None
        assert result.rows[0][0].endswith("\n/* ?/? SELECT 2 /? ?? ? ? -- */")
        assert await admin.fetchval("SELECT count(*) FROM shop.orders") == 10_000


async def test_names_are_looked_up_in_pg_catalog_alone(fresh_shop: Shop) -> None:
    async with connected(fresh_shop.admin) as admin:
        await admin.execute(
            """
            CREATE TABLE public.pg_database (trap integer);
            CREATE FUNCTION public.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT 'trap' $$;
            """
        )
    async with opened(fresh_shop.admin) as database:
        assert await value(database, "SELECT lower('A')") == "a"
        assert await value(database, "SELECT count(*) > 0 FROM pg_database WHERE datname <> ''")
        with pytest.raises(GuardError, match="undefined table"):
            await fetch(database, "SELECT * FROM orders")


async def test_nothing_is_compiled_whatever_the_database_says(fresh_shop: Shop) -> None:
    """Compiling looks at no timeout."""
    async with opened(fresh_shop.admin) as database, connected(fresh_shop.admin) as admin:
        await admin.execute(f"ALTER DATABASE {fresh_shop.admin.database} SET jit = on")

        assert await value(database, "SELECT current_setting('jit')") == "off"


async def test_a_statement_sees_what_is_there_when_it_begins_whatever_the_role_prefers(
    fresh_shop: Shop,
) -> None:
    """And a standby refuses to be serializable at all."""
    name = fresh_shop.admin.database
    async with opened(fresh_shop.admin) as database, connected(fresh_shop.admin) as admin:
        await admin.execute(
            f"ALTER DATABASE {name} SET default_transaction_isolation = serializable"
        )

        assert await value(database, "SHOW transaction_isolation") == "read committed"


async def test_a_statement_is_parsed_once(own_postgres: OwnServer, fresh_shop: Shop) -> None:
    """What its names mean is looked at afterwards, and must be what runs."""
    sql = "SELECT 'parsed', count(*) FROM shop.products"
    async with opened(fresh_shop.admin) as database, connected(fresh_shop.admin) as admin:
        name = fresh_shop.admin.database
        await admin.execute(f"ALTER DATABASE {name} SET log_min_duration_statement = 0")
        await fetch(database, sql)
        await logged(own_postgres.server.log, f"__: {sql}")

    assert own_postgres.server.log.read_text(encoding="utf-8").count(f"parse <unnamed>: {sql}") == 1
