"""Nothing is written: not through the guard, and not below it, even as a superuser.

The first lock is the guard: each attack is refused before Postgres hears of it. The second is the
transaction: the same texts are sent through `Database.fetch`, where no policy stands in the way.
What else the second lock must hold against (writes of every kind, ways out of READ ONLY) is in
`tests/postgres/test_read_only.py`. What reaches beyond a transaction, such as a second connection
to the same server, no transaction can hold: there the second lock is the role.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.errors import DatabaseError, GuardError
from pg_guard_mcp.model import Limits
from tests.postgres.databases import digest, fetch, opened, shared_database, value
from tests.support.postgres import connected
from tests.support.server import check_accounted, configure, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres import Shop, ShopServer
    from tests.support.server import Server

POLICY = """
[access]
schemas = ["shop"]
"""

FURNITURE = """
CREATE EXTENSION dblink;
CREATE SEQUENCE shop.counter;
CREATE FUNCTION shop.erase() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS
'WITH gone AS (DELETE FROM shop.reviews RETURNING id) SELECT count(*) FROM gone';
"""

HELD_BY_THE_TRANSACTION = {
    "DELETE FROM shop.reviews": ["read-only"],
    "UPDATE shop.customers SET loyalty_points = 0": ["read-only"],
    "INSERT INTO shop.reviews TABLE shop.reviews": ["read-only"],
    "CREATE TABLE shop.mine (id integer)": ["no-ddl"],
    "CREATE TABLE shop.mine AS SELECT 1": ["no-ddl"],
    "DROP TABLE shop.reviews": ["no-ddl"],
    "DROP SCHEMA shop CASCADE": ["no-ddl"],
    "ALTER TABLE shop.orders ADD COLUMN mine integer": ["no-ddl"],
    "GRANT ALL ON shop.orders TO PUBLIC": ["no-ddl"],
    "REFRESH MATERIALIZED VIEW shop.monthly_revenue": ["no-ddl"],
    "TRUNCATE shop.reviews": ["no-truncate"],
    "COPY shop.reviews FROM STDIN": ["no-copy"],
    "SELECT 1; SELECT 2": ["one-statement"],
    "SELECT 1; COMMIT; DROP TABLE shop.reviews": [
        "one-statement",
        "no-transaction-control",
        "no-ddl",
    ],
    "COMMIT": ["no-transaction-control"],
    "WITH gone AS (DELETE FROM shop.reviews RETURNING id) SELECT count(*) FROM gone": [
        "no-data-modifying-cte"
    ],
    "SELECT * INTO shop.mine FROM shop.orders": ["no-select-into"],
    "SELECT id FROM shop.orders LIMIT 1 FOR UPDATE": ["no-row-locks"],
    "LOCK TABLE shop.orders IN ACCESS EXCLUSIVE MODE": ["no-row-locks"],
    "SELECT pg_sleep(600)": ["no-delay"],
    "SELECT pg_catalog.pg_sleep(600)": ["no-delay"],
    "SELECT * FROM pg_read_file('PG_VERSION')": ["no-server-files"],
    "SELECT set_config('transaction_read_only', 'off', false)": ["no-session-state"],
    "SET transaction_read_only = off": ["no-session-state"],
    "PREPARE mine AS DELETE FROM shop.reviews": ["no-session-state"],
    "SELECT pg_advisory_lock(1)": ["no-session-state"],
    "SELECT query_to_xml('DELETE FROM shop.reviews', true, true, '')": ["no-sql-text"],
    "SELECT nextval('shop.counter')": ["no-sequences"],
    "SELECT setval('shop.counter', 7)": ["no-sequences"],
    "SELECT lo_from_bytea(0, 'mine')": ["no-large-objects"],
    "SELECT shop.erase()": ["allowed-functions"],
    "DO $$ BEGIN DELETE FROM shop.reviews; END $$": ["no-procedures"],
    "EXPLAIN ANALYZE DELETE FROM shop.reviews": ["no-explain"],
}

_DELETING = "'host={host} dbname={database} user={user}', 'DELETE FROM shop.reviews RETURNING id'"
HELD_BY_THE_ROLE = {
    f"SELECT * FROM dblink({_DELETING}) AS gone (id integer)": ["no-remote-access"],
    f"SELECT public.dblink_exec({_DELETING})": ["no-remote-access"],
    "SELECT lo_export(1, '{file}')": ["no-server-files"],
    "COPY shop.orders TO '{file}'": ["no-copy"],
    "COPY (SELECT 1) TO PROGRAM 'touch {file}'": ["no-copy"],
    "SELECT pg_reload_conf()": ["no-server-administration"],
    "SELECT pg_create_restore_point('mine')": ["no-server-administration"],
    "ALTER SYSTEM SET work_mem = '1GB'": ["no-ddl"],
}

ATTACKS = HELD_BY_THE_TRANSACTION | HELD_BY_THE_ROLE


@pytest.fixture(scope="module")
def shop(postgres: ShopServer) -> Iterator[Shop]:
    """Make one database for these tests, with what attackers would like to find in it."""
    with shared_database(postgres) as shop:

        async def furnish() -> None:
            async with connected(shop.admin) as connection:
                await connection.execute(FURNITURE)

        asyncio.run(furnish())
        yield shop


@pytest.fixture(scope="module")
def untouched(shop: Shop) -> str:
    """Digest the database before anybody tries anything."""
    return asyncio.run(digest(shop.admin))


@pytest.fixture(scope="module")
def server(
    shop: Shop, untouched: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Run the real server with a superuser's connection; account for every call at the end."""
    assert untouched
    place = configure(tmp_path_factory.mktemp("two-locks"), shop.admin, POLICY)
    with serving(place, "modern") as server:
        yield server
    check_accounted(place)


@pytest.mark.parametrize("sql", ATTACKS)
def test_the_guard_alone_refuses_it_by_name_and_says_what_to_do(
    server: Server, shop: Shop, untouched: str, sql: str
) -> None:
    answer = server.query(sql)

    assert answer.code == "refused"
    assert answer.rules == ATTACKS[sql]
    assert answer.hint
    assert asyncio.run(digest(shop.admin)) == untouched


def test_explain_refuses_it_all_too_and_none_of_it_is_ever_sent(
    server: Server, shop: Shop, untouched: str
) -> None:
    rules = {sql: server.call("explain", sql=sql).rules for sql in ATTACKS}

    assert rules == ATTACKS
    verdicts = {event["event"] for event in server.place.events if event["sql_sha256"]}
    assert verdicts == {"refused", "finished"}
    assert asyncio.run(digest(shop.admin)) == untouched


@pytest.mark.parametrize("sql", HELD_BY_THE_TRANSACTION)
async def test_the_transaction_alone_lets_a_superuser_change_nothing(
    shop: Shop, untouched: str, sql: str
) -> None:
    limits = Limits(pool_size=1, statement_timeout_seconds=0.5)
    async with opened(shop.admin, limits) as database:
        # Reading a file or taking a lock changes nothing, and need not fail.
        with suppress(GuardError):
            await fetch(database, sql)

        assert await value(database, "SELECT current_setting('transaction_read_only')") == "on"
    assert await digest(shop.admin) == untouched


@pytest.mark.parametrize("template", HELD_BY_THE_ROLE)
async def test_the_role_alone_may_not_do_what_no_transaction_can_hold(
    shop: Shop, untouched: str, tmp_path: Path, template: str
) -> None:
    file = tmp_path / "mine"
    agent = shop.agent
    sql = template.format(file=file, host=agent.host, database=agent.database, user=agent.user)
    async with opened(agent) as database:
        with pytest.raises(DatabaseError):
            await fetch(database, sql)

    assert not file.exists()
    assert await digest(shop.admin) == untouched


async def test_without_the_role_a_second_connection_would_have_written(fresh_shop: Shop) -> None:
    """The limit of the second lock, on record: why a superuser's connection is not for agents."""
    admin = fresh_shop.admin
    login = (
        f"host={admin.host} port={admin.port} dbname={admin.database} user={admin.user}"
        f" password={admin.password}"
    )
    async with connected(admin) as connection:
        await connection.execute("CREATE EXTENSION dblink")
    before = await digest(admin)

    async with opened(admin) as database:
        sql = f"SELECT public.dblink_exec('{login}', 'DELETE FROM hr.salaries')"
        await fetch(database, sql)

    assert await digest(admin) != before
