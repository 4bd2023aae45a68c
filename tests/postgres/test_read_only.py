"""The second lock alone: nothing is written below the guard, with a superuser's connection."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.errors import DatabaseError
from tests.postgres.databases import digest, fetch, opened, shared_database, value
from tests.support.postgres import connected, fresh_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import Shop, ShopServer

READ_ONLY = "25006"
FROZEN = "25001"
SYNTAX = "42601"

WRITES = [
    "INSERT INTO hr.salaries VALUES (99, 'me', 'x', 1)",
    "UPDATE shop.customers SET loyalty_points = 0",
    "DELETE FROM shop.reviews",
    "TRUNCATE shop.reviews",
    pytest.param(
        "MERGE INTO hr.salaries USING (VALUES (1)) AS v (one) ON id = one WHEN MATCHED THEN DELETE",
        marks=pytest.mark.since(15),
    ),
    "COPY hr.salaries FROM STDIN",
    "CREATE TABLE shop.mine (id integer)",
    "CREATE TEMPORARY TABLE mine (id integer)",
    "CREATE TABLE shop.mine AS SELECT 1",
    "CREATE VIEW shop.mine AS SELECT 1",
    "CREATE FUNCTION shop.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE ROLE mine",
    "CREATE EXTENSION plpgsql",
    "ALTER TABLE shop.orders ADD COLUMN mine integer",
    "DROP TABLE shop.reviews",
    "DROP SCHEMA shop CASCADE",
    "GRANT ALL ON shop.orders TO PUBLIC",
    "COMMENT ON TABLE shop.orders IS 'mine'",
    "REFRESH MATERIALIZED VIEW shop.monthly_revenue",
    "SELECT nextval('shop.counter')",
    "SELECT setval('shop.counter', 7)",
    "SELECT * INTO shop.mine FROM shop.orders",
    "SELECT id FROM shop.orders LIMIT 1 FOR UPDATE",
    "SELECT id FROM shop.orders LIMIT 1 FOR KEY SHARE",
    "WITH gone AS (DELETE FROM shop.reviews RETURNING id) SELECT count(*) FROM gone",
    "WITH new AS (INSERT INTO hr.salaries VALUES (99, 'me', 'x', 1) RETURNING id) TABLE new",
    "DO $$ BEGIN DELETE FROM shop.reviews; END $$",
    pytest.param("SELECT lo_from_bytea(0, 'mine')", marks=pytest.mark.since(16)),
    "SELECT shop.erase()",
    "EXPLAIN ANALYZE DELETE FROM shop.reviews",
]

WAYS_OUT = [
    "SET TRANSACTION READ WRITE",
    "SET transaction_read_only = off",
    "SET LOCAL transaction_read_only = off",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "BEGIN READ WRITE",
    "START TRANSACTION READ WRITE",
]

ENDS_OF_TRANSACTION = [
    "COMMIT",
    "END",
    "ROLLBACK",
    "ABORT",
    "COMMIT AND CHAIN",
    "ROLLBACK AND CHAIN",
]

STATE_FOR_LATER = [
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "SET default_transaction_read_only = off",
    "SELECT set_config('default_transaction_read_only', 'off', false)",
    "PREPARE mine AS DELETE FROM shop.reviews",
]


@pytest.fixture(scope="module")
def shop(postgres: ShopServer) -> Iterator[Shop]:
    """Make one database for these tests, with a sequence and a function that deletes."""
    with shared_database(postgres) as shop:

        async def furnish() -> None:
            async with connected(shop.admin) as connection:
                await connection.execute(
                    """
                    CREATE SEQUENCE shop.counter;
                    CREATE FUNCTION shop.erase() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS
                    'WITH gone AS (DELETE FROM shop.reviews RETURNING id) SELECT count(*) FROM gone'
                    """
                )

        asyncio.run(furnish())
        yield shop


async def failure(shop: Shop, *statements: str) -> DatabaseError:
    """Run statements one call each on one connection; give the failure of the last."""
    async with opened(shop.admin) as database:
        for sql in statements[:-1]:
            await fetch(database, sql)
        with pytest.raises(DatabaseError) as caught:
            await fetch(database, statements[-1])
        assert await value(database, "SELECT current_setting('transaction_read_only')") == "on"
    return caught.value


@pytest.mark.parametrize("sql", WRITES)
async def test_a_write_fails_for_a_superuser_and_changes_nothing(shop: Shop, sql: str) -> None:
    before = await digest(shop.admin)

    error = await failure(shop, sql)

    assert error.sqlstate == READ_ONLY
    assert await digest(shop.admin) == before


async def test_a_large_object_made_before_16_forbade_it_is_rolled_back(
    each_postgres: ShopServer,
) -> None:
    async with fresh_database(each_postgres) as shop:
        before = await digest(shop.admin)
        async with opened(shop.admin) as database:
            with suppress(DatabaseError):
                await fetch(database, "SELECT lo_from_bytea(0, 'mine')")

        assert await digest(shop.admin) == before


async def test_the_digest_sees_a_write(fresh_shop: Shop) -> None:
    before = await digest(fresh_shop.admin)

    async with connected(fresh_shop.admin) as connection:
        await connection.execute("DELETE FROM hr.salaries WHERE id = 1")

    assert await digest(fresh_shop.admin) != before


@pytest.mark.parametrize("sql", WAYS_OUT)
async def test_the_mode_is_frozen_by_the_time_an_agents_text_arrives(shop: Shop, sql: str) -> None:
    error = await failure(shop, sql)

    assert error.sqlstate == FROZEN


@pytest.mark.parametrize(
    "sql",
    ["SELECT 1; SELECT 2", "COMMIT; DELETE FROM hr.salaries", "SELECT 1; COMMIT; DROP TABLE x"],
)
async def test_a_second_statement_does_not_reach_postgres(shop: Shop, sql: str) -> None:
    before = await digest(shop.admin)

    error = await failure(shop, sql)

    assert error.sqlstate == SYNTAX
    assert await digest(shop.admin) == before


@pytest.mark.parametrize("ending", ENDS_OF_TRANSACTION)
async def test_a_call_that_ends_its_transaction_leaves_no_writable_connection(
    shop: Shop, ending: str
) -> None:
    before = await digest(shop.admin)

    error = await failure(shop, ending, "DELETE FROM hr.salaries")

    assert error.sqlstate == READ_ONLY
    assert await digest(shop.admin) == before


async def test_after_a_commit_the_pool_holds_no_connection_in_or_out_of_a_transaction_of_its_own(
    shop: Shop,
) -> None:
    async with opened(shop.admin) as database, connected(shop.admin) as admin:
        await fetch(database, "COMMIT", application="who-commits")

        states = await admin.fetch(
            "SELECT state FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

        assert {row["state"] for row in states} <= {"idle"}


@pytest.mark.parametrize("setting", STATE_FOR_LATER)
@pytest.mark.parametrize("ending", ["SELECT 1", "COMMIT"])
async def test_what_a_call_sets_for_later_does_not_make_a_later_one_writable(
    shop: Shop, setting: str, ending: str
) -> None:
    before = await digest(shop.admin)

    error = await failure(shop, setting, ending, "DELETE FROM hr.salaries")

    assert error.sqlstate == READ_ONLY
    assert await digest(shop.admin) == before


async def test_a_call_cannot_commit_from_within_a_block_or_a_procedure(shop: Shop) -> None:
    before = await digest(shop.admin)

    error = await failure(shop, "DO $$ BEGIN COMMIT; DELETE FROM hr.salaries; END $$")

    assert error.sqlstate == "2D000"
    assert await digest(shop.admin) == before
