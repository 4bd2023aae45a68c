"""The catalog is what there is, and of that what the role may read, whatever the role is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.catalog import ForeignKey, Key
from pg_guard_mcp.model import Relation
from pg_guard_mcp.postgres import snapshot
from tests.postgres.databases import opened
from tests.support.postgres import connected

if TYPE_CHECKING:
    from pg_guard_mcp.catalog import Catalog, RelationInfo
    from pg_guard_mcp.demo.cluster import Login
    from tests.support.postgres import Shop, ShopServer

CUSTOMERS = Relation("shop", "customers")
ORDERS = Relation("shop", "orders")
ITEMS = Relation("shop", "order_items")
PAYMENTS = Relation("shop", "payments")


async def catalog(login: Login, sql: str = "", admin: Login | None = None) -> Catalog:
    """Take a snapshot as `login`, after `admin` ran some SQL."""
    if admin is not None:
        async with connected(admin) as connection:
            await connection.execute(sql)
    async with opened(login) as database:
        return await snapshot.take(database, "test")


def columns(info: RelationInfo) -> list[str]:
    """Name the columns the role may read."""
    return [column.name for column in info.readable]


async def test_the_shop_is_all_there_on_every_major(each_postgres: ShopServer) -> None:
    found = await catalog(each_postgres.agent)

    assert found.database == "shop"
    assert found.server_version // 10_000 == each_postgres.major
    names = sorted(relation.name for relation in found.relations if relation.schema == "shop")
    assert ", ".join(names) == (
        "Loyalty Tiers, api_keys, customer_contacts, customer_directory, customers,"
        " monthly_revenue, order_items, orders, payments, payments_2025, payments_2026, products,"
        " reviews, support_tickets"
    )
    assert {relation.schema for relation in found.relations} == {"shop", "hr"}


async def test_a_schema_the_role_may_not_use_is_not_named_and_nothing_in_it_is_readable(
    postgres: ShopServer,
) -> None:
    found = await catalog(postgres.agent)

    assert "hr" not in found.schemas
    assert found.schemas["shop"] == "Customers, catalogue, orders and support of the demo shop"
    assert columns(found.relations[Relation("hr", "salaries")]) == []
    assert "hr" in (await catalog(postgres.admin)).schemas


async def test_columns_the_role_may_not_read_are_known_and_not_readable(fresh_shop: Shop) -> None:
    found = await catalog(
        fresh_shop.agent,
        """
        REVOKE SELECT ON shop.customers FROM agent_ro;
        GRANT SELECT (id, country) ON shop.customers TO agent_ro;
        REVOKE SELECT ON shop.reviews FROM agent_ro;
        """,
        fresh_shop.admin,
    )

    assert columns(found.relations[CUSTOMERS]) == ["id", "country"]
    assert "ssn" in [column.name for column in found.relations[CUSTOMERS].columns]
    assert columns(found.relations[Relation("shop", "reviews")]) == []


async def test_a_role_that_may_only_select_sees_every_key(postgres: ShopServer) -> None:
    found = await catalog(postgres.agent)

    assert found.relations[ITEMS].keys == (Key(primary=True, columns=("order_id", "line")),)
    assert set(found.relations[CUSTOMERS].keys) == {
        Key(primary=True, columns=("id",)),
        Key(primary=False, columns=("email",)),
    }
    to_customers = ForeignKey(
        source=ORDERS, columns=("customer_id",), target=CUSTOMERS, target_columns=("id",)
    )
    assert found.relations[ORDERS].foreign_keys == (to_customers,)
    assert to_customers in found.relations[CUSTOMERS].referenced_by


async def test_keys_of_several_columns_keep_their_order(fresh_shop: Shop) -> None:
    found = await catalog(
        fresh_shop.agent,
        """
        CREATE TABLE shop.parts (c integer, b integer, a integer, PRIMARY KEY (a, b));
        CREATE TABLE shop.bits (x integer, y integer, FOREIGN KEY (y, x) REFERENCES shop.parts);
        CREATE TABLE shop.tree (id integer PRIMARY KEY, parent integer REFERENCES shop.tree);
        """,
        fresh_shop.admin,
    )

    parts, bits, tree = (Relation("shop", name) for name in ("parts", "bits", "tree"))
    assert found.relations[parts].keys == (Key(primary=True, columns=("a", "b")),)
    assert found.relations[bits].foreign_keys == (
        ForeignKey(source=bits, columns=("y", "x"), target=parts, target_columns=("a", "b")),
    )
    assert len(found.relations[tree].foreign_keys) == 1
    assert found.relations[tree].referenced_by == ()


async def test_types_defaults_and_comments_of_columns_are_as_postgres_writes_them(
    postgres: ShopServer,
) -> None:
    found = await catalog(postgres.agent)
    of_orders = {column.name: column for column in found.relations[ORDERS].columns}
    of_tiers = found.relations[Relation("shop", "Loyalty Tiers")].columns
    tiers = {column.name: column for column in of_tiers}

    assert of_orders["status"].type == "shop.order_status"
    assert (of_orders["status"].type_schema, of_orders["status"].type_name) == (
        "shop",
        "order_status",
    )
    assert of_orders["total"].type == "numeric(10,2)"
    assert of_orders["tags"].default == "'{}'::text[]"
    assert of_orders["tags"].category == "A"
    assert not of_orders["tags"].nullable
    assert of_orders["total"].comment == "Gross amount in euro, the sum of its items"
    assert tiers["prämie"].type == "numeric(4,2)"


async def test_views_have_definitions_in_which_every_name_is_qualified(
    postgres: ShopServer,
) -> None:
    found = await catalog(postgres.agent)
    contacts = found.relations[Relation("shop", "customer_contacts")]
    revenue = found.relations[Relation("shop", "monthly_revenue")]

    assert contacts.kind == "view"
    assert contacts.definition is not None
    assert "FROM shop.customers" in contacts.definition
    assert (CUSTOMERS, "email") in contacts.sources
    assert revenue.kind == "materialized view"
    assert revenue.definition is not None
    assert "FROM shop.orders" in revenue.definition
    assert found.relations[CUSTOMERS].definition is None


async def test_a_view_depends_on_what_it_reads_as_whole_rows_too(fresh_shop: Shop) -> None:
    found = await catalog(
        fresh_shop.agent,
        "CREATE VIEW shop.rows AS SELECT to_jsonb(c) AS row FROM shop.customers AS c",
        fresh_shop.admin,
    )

    assert (CUSTOMERS, "ssn") in found.relations[Relation("shop", "rows")].sources


async def test_a_view_over_what_the_role_may_not_read_still_shows_what_it_derives_from(
    fresh_shop: Shop,
) -> None:
    found = await catalog(
        fresh_shop.agent,
        """
        CREATE VIEW shop.pay AS SELECT annual_salary FROM hr.salaries;
        GRANT SELECT ON shop.pay TO agent_ro;
        """,
        fresh_shop.admin,
    )

    pay = found.relations[Relation("shop", "pay")]
    assert columns(pay) == ["annual_salary"]
    assert (Relation("hr", "salaries"), "annual_salary") in pay.sources


async def test_partitions_know_their_parents(fresh_shop: Shop) -> None:
    found = await catalog(
        fresh_shop.agent,
        """
        CREATE TABLE shop.payments_2027 PARTITION OF shop.payments
            FOR VALUES FROM ('2027-01-01') TO ('2028-01-01') PARTITION BY RANGE (paid_at);
        CREATE TABLE shop.payments_2027_01 PARTITION OF shop.payments_2027
            FOR VALUES FROM ('2027-01-01') TO ('2027-02-01');
        CREATE TABLE shop.special_reviews (prize text) INHERITS (shop.reviews);
        """,
        fresh_shop.admin,
    )

    def parents(name: str) -> set[str]:
        return {source.name for source, _ in found.relations[Relation("shop", name)].sources}

    assert found.relations[PAYMENTS].kind == "partitioned table"
    assert parents("payments_2025") == {"payments"}
    assert parents("payments_2027_01") == {"payments_2027"}
    assert parents("special_reviews") == {"reviews"}
    # A partition's keys are its own, and its foreign keys are told once, for the whole.
    assert len(found.relations[ORDERS].referenced_by) == 3


async def test_indexes_name_their_columns_and_hide_their_expressions(fresh_shop: Shop) -> None:
    found = await catalog(
        fresh_shop.agent,
        """
        CREATE INDEX mixed_idx ON shop.customers (country, lower(email)) INCLUDE (ssn)
            WHERE ssn <> '812-45-6789';
        """,
        fresh_shop.admin,
    )

    indexes = {index.name: index for index in found.relations[CUSTOMERS].indexes}
    assert indexes["mixed_idx"].columns == ("country", None)
    assert indexes["mixed_idx"].method == "btree"
    assert not indexes["mixed_idx"].unique
    assert "812-45-6789" not in repr(indexes)
    assert "customers_pkey" not in indexes


async def test_types_of_users_are_known_with_their_kind(fresh_shop: Shop) -> None:
    found = await catalog(
        fresh_shop.agent,
        """
        CREATE DOMAIN shop.mail AS text;
        CREATE TYPE shop.span AS RANGE (subtype = date);
        """,
        fresh_shop.admin,
    )

    assert {kind[:3] for kind in found.types} >= {
        ("shop", "order_status", "e"),
        ("shop", "mail", "d"),
        ("shop", "span", "r"),
    }


async def test_functions_are_those_the_role_may_call_worst_overload_first(
    fresh_shop: Shop,
) -> None:
    found = await catalog(
        fresh_shop.agent,
        """
        CREATE FUNCTION shop.twice(integer) RETURNS integer IMMUTABLE LANGUAGE sql
            AS 'SELECT 2 * $1';
        CREATE FUNCTION shop.twice(text) RETURNS text VOLATILE SECURITY DEFINER
            LANGUAGE sql AS 'SELECT $1 || $1';
        CREATE FUNCTION shop.closed() RETURNS integer LANGUAGE sql AS 'SELECT 1';
        REVOKE EXECUTE ON FUNCTION shop.closed() FROM PUBLIC;
        CREATE AGGREGATE shop.total(integer) (sfunc = int4pl, stype = integer);
        CREATE PROCEDURE shop.act() LANGUAGE sql AS 'SELECT 1';
        """,
        fresh_shop.admin,
    )
    functions = {f"{each.schema}.{each.name}": each for each in found.functions}

    assert functions["shop.twice"].volatile
    assert functions["shop.twice"].security_definer
    assert not functions["shop.net_price"].volatile
    assert "shop.total" in functions
    assert not functions["shop.closed"].callable
    assert "round" in functions["shop.net_price"].source


async def test_names_that_need_quotes_arrive_as_they_are(fresh_shop: Shop) -> None:
    found = await catalog(
        fresh_shop.admin,
        'CREATE SCHEMA "a.b c"; CREATE TABLE "a.b c"."té€" ("x""y" integer)',
        fresh_shop.admin,
    )

    relation = Relation("a.b c", "té€")
    assert columns(found.relations[relation]) == ['x"y']


async def test_row_estimates_are_postgres_own_and_never_negative(fresh_shop: Shop) -> None:
    found = await catalog(
        fresh_shop.agent, "CREATE TABLE shop.never_analyzed (id integer)", fresh_shop.admin
    )

    assert found.relations[ORDERS].estimated_rows == 10_000
    assert found.relations[Relation("shop", "never_analyzed")].estimated_rows == 0


async def test_system_schemas_and_temporary_tables_are_left_out(fresh_shop: Shop) -> None:
    async with connected(fresh_shop.admin) as admin:
        await admin.execute("CREATE TEMPORARY TABLE passing (id integer)")

        found = await catalog(fresh_shop.admin)

    assert all(
        not relation.schema.startswith("pg_") and relation.schema != "information_schema"
        for relation in found.relations
    )


async def test_of_a_comment_of_megabytes_the_beginning_is_kept(fresh_shop: Shop) -> None:
    long = "ä" * 3_000_000
    found = await catalog(
        fresh_shop.agent,
        f"""
        COMMENT ON SCHEMA shop IS '{long}';
        COMMENT ON TABLE shop.orders IS '{long}';
        COMMENT ON COLUMN shop.orders.id IS '{long}';
        """,
        fresh_shop.admin,
    )

    orders = found.relations[Relation("shop", "orders")]
    assert {
        len(comment or "")
        for comment in (found.schemas["shop"], orders.comment, orders.columns[0].comment)
    } == {50_000}
