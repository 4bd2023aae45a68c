"""The demo shop is what its description says, and its agent can do nothing but read it."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import asyncpg
import pytest

from pg_guard_mcp.demo.shop import policy_toml
from tests.support.postgres import connected

if TYPE_CHECKING:
    from tests.support.postgres import Shop, ShopServer

ROWS = {
    'shop."Loyalty Tiers"': 4,
    "shop.api_keys": 20,
    "shop.customer_contacts": 3200,
    "shop.customer_directory": 3200,
    "shop.customers": 3200,
    "shop.monthly_revenue": 22,
    "shop.orders": 10000,
    "shop.products": 200,
    "shop.reviews": 4000,
    "shop.support_tickets": 600,
    "hr.salaries": 40,
}

WRITES = [
    "DELETE FROM shop.orders",
    "UPDATE shop.customers SET loyalty_points = 0",
    "INSERT INTO shop.api_keys VALUES (99, 'me', 'x', '2026-01-01')",
    "TRUNCATE shop.orders",
    "CREATE TABLE shop.mine (id integer)",
    "CREATE TEMPORARY TABLE mine (id integer)",
    "CREATE SCHEMA mine",
    "DROP TABLE shop.orders",
    "ALTER TABLE shop.orders ADD COLUMN mine integer",
    "REFRESH MATERIALIZED VIEW shop.monthly_revenue",
    "SELECT * INTO shop.mine FROM shop.orders",
]


def is_luhn_valid(number: str) -> bool:
    """Tell whether the last digit checks, the textbook way and not the seed's."""
    doubled = [int(digit) * 2 for digit in number[-2::-2]]
    plain = [int(digit) for digit in number[-1::-2]]
    return (sum(plain) + sum(value // 10 + value % 10 for value in doubled)) % 10 == 0


async def contents(server: ShopServer) -> dict[str, str]:
    """Return a digest of every relation's rows."""
    async with connected(server.admin) as connection:
        return {
            relation: await connection.fetchval(
                f"""
                SELECT md5(string_agg(row::text, ' ' ORDER BY row::text COLLATE "C"))
                FROM {relation} AS row
                """
            )
            for relation in (*ROWS, "shop.order_items", "shop.payments")
        }


@pytest.mark.parametrize(("relation", "rows"), ROWS.items())
async def test_a_relation_has_the_rows_it_should(
    each_postgres: ShopServer, relation: str, rows: int
) -> None:
    async with connected(each_postgres.admin) as connection:
        assert await connection.fetchval(f"SELECT count(*) FROM {relation}") == rows


async def test_the_shop_is_the_same_on_every_major(
    postgres: ShopServer, postgres15: ShopServer
) -> None:
    assert await contents(postgres) == await contents(postgres15)


async def test_totals_are_the_sums_of_their_items_and_payments_agree(postgres: ShopServer) -> None:
    async with connected(postgres.admin) as connection:
        wrong = await connection.fetchval(
            """
            SELECT count(*)
            FROM shop.orders
            LEFT JOIN shop.payments ON payments.order_id = orders.id
            WHERE total <> amount
                OR total <> (SELECT sum(quantity * unit_price) FROM shop.order_items
                             WHERE order_id = orders.id)
            """
        )

    assert wrong == 0


async def test_personal_data_has_the_shape_of_the_real_thing_and_is_nobodys(
    postgres: ShopServer,
) -> None:
    async with connected(postgres.admin) as connection:
        customers = await connection.fetch("SELECT * FROM shop.customers")

    cards = [customer["card_number"] for customer in customers if customer["card_number"]]
    numbers = [customer["ssn"] for customer in customers if customer["ssn"]]
    phones = [customer["phone"] for customer in customers if customer["phone"]]
    assert min(len(cards), len(numbers), len(phones)) > 1000
    assert all(is_luhn_valid(card) for card in cards)
    assert all(card.startswith(("400000", "411111", "555555")) for card in cards)
    assert all(re.fullmatch(r"8\d\d-(?!00)\d\d-(?!0000)\d{4}", number) for number in numbers)
    assert all(re.fullmatch(r"\+1 \d{3} 555-01\d\d", phone) for phone in phones)
    assert all(
        re.fullmatch(r"[a-z.]+\d+@(example\.(com|net|org)|(mail|post)\.example)", row["email"])
        for row in customers
    )


async def test_every_relation_and_column_has_a_comment(postgres: ShopServer) -> None:
    async with connected(postgres.admin) as connection:
        silent = await connection.fetch(
            """
            SELECT relation.oid::regclass::text, attribute.attname
            FROM pg_class AS relation
            LEFT JOIN pg_attribute AS attribute
                ON attribute.attrelid = relation.oid AND attribute.attnum > 0
            WHERE relation.relnamespace IN ('shop'::regnamespace, 'hr'::regnamespace)
                AND relation.relkind IN ('r', 'p', 'v', 'm')
                AND NOT relation.relispartition
                AND (obj_description(relation.oid, 'pg_class') IS NULL
                     OR col_description(relation.oid, attribute.attnum) IS NULL)
            """
        )

    assert not silent


async def test_tickets_hold_what_an_agent_must_survive_reading(postgres: ShopServer) -> None:
    async with connected(postgres.agent) as connection:
        bodies = [
            row["body"] for row in await connection.fetch("SELECT * FROM shop.support_tickets")
        ]

    for bait in ("DROP TABLE", "shop.api_keys", "END UNTRUSTED", "4111 1111", "812-45-6789"):
        assert sum(bait in body for body in bodies) == 1


async def test_the_agent_has_no_more_rights_than_it_needs(postgres: ShopServer) -> None:
    async with connected(postgres.agent) as connection:
        role = await connection.fetchrow("SELECT * FROM pg_roles WHERE rolname = current_user")
        databases = await connection.fetch(
            """
            SELECT datname
            FROM pg_database
            WHERE datallowconn AND has_database_privilege(datname, 'CONNECT')
            """
        )
        read_only = await connection.fetchval("SHOW transaction_read_only")

    assert role is not None
    rights = ("rolsuper", "rolcreatedb", "rolcreaterole", "rolinherit", "rolreplication")
    assert not any(role[right] for right in (*rights, "rolbypassrls"))
    assert role["rolconnlimit"] == 8
    assert [row["datname"] for row in databases] == ["shop"]
    assert read_only == "on"


@pytest.mark.parametrize("sql", WRITES)
async def test_the_agent_cannot_write(each_postgres: ShopServer, sql: str) -> None:
    async with connected(each_postgres.agent) as connection:
        with pytest.raises(
            (asyncpg.ReadOnlySQLTransactionError, asyncpg.InsufficientPrivilegeError)
        ):
            await connection.execute(sql)


@pytest.mark.parametrize("sql", WRITES)
async def test_the_agent_cannot_write_even_after_it_lifts_its_own_read_only_default(
    postgres: ShopServer, sql: str
) -> None:
    async with (
        connected(postgres.agent, default_transaction_read_only="off") as connection,
        connection.transaction(),  # where a write went through, it is undone
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(sql)


async def test_hr_is_closed_to_the_agent_by_its_role(postgres: ShopServer) -> None:
    async with connected(postgres.agent) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT * FROM hr.salaries")


async def test_api_keys_are_open_to_the_role_so_that_only_the_policy_closes_them(
    postgres: ShopServer,
) -> None:
    async with connected(postgres.agent) as connection:
        assert await connection.fetchval("SELECT count(*) FROM shop.api_keys") == 20


async def test_net_price_is_immutable_and_right(postgres: ShopServer) -> None:
    async with connected(postgres.agent) as connection:
        price = await connection.fetchval("SELECT shop.net_price(119.00, 19)::text")
        kind = await connection.fetchval(
            "SELECT provolatile::text FROM pg_proc WHERE oid = 'shop.net_price'::regproc"
        )

    assert (price, kind) == ("100.00", "i")


async def test_the_policy_masks_columns_that_exist_and_names_relations_that_exist(
    postgres: ShopServer,
) -> None:
    policy = tomllib.loads(policy_toml(postgres.agent.dsn(), "env:PASSWORD"))
    columns = [name for name in policy["mask"] if name != "detectors"]

    async with connected(postgres.agent) as connection:
        for column in columns:
            schema, relation, name = column.split(".")
            await connection.execute(f"SELECT {name} FROM {schema}.{relation} LIMIT 0")
        for relation in policy["access"]["deny_relations"]:
            await connection.execute(f"SELECT FROM {relation} LIMIT 0")

    assert len(columns) == 6
    assert policy["database"] == {"dsn": postgres.agent.dsn(), "credential": "env:PASSWORD"}


def test_any_path_can_stand_in_the_policy() -> None:
    odd = 'postgresql://agent_ro@/shop?host=/tmp/"quoted" \\ größe {0}'

    policy = tomllib.loads(policy_toml(odd, f"file:{odd}"))

    assert policy["database"] == {"dsn": odd, "credential": f"file:{odd}"}


async def test_a_fresh_database_is_gone_afterwards_and_the_shared_one_untouched(
    fresh_shop: Shop, postgres: ShopServer
) -> None:
    async with connected(fresh_shop.admin) as connection:
        await connection.execute("DROP TABLE shop.api_keys")

    async with connected(postgres.agent) as connection:
        assert await connection.fetchval("SELECT count(*) FROM shop.api_keys") == 20
