"""Every kind of mask on every type of column: it serves, or it is a problem before anybody asks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.errors import Unavailable
from pg_guard_mcp.guard.masking import KINDS, Mask, column_problem, expression, hmac_pads
from pg_guard_mcp.model import Relation
from pg_guard_mcp.postgres import snapshot
from tests.guarding import KEY, SHOP, ask, execute, guarding
from tests.postgres.databases import opened
from tests.support.postgres import connected, fresh_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from pg_guard_mcp.catalog import Column
    from tests.support.postgres import Shop, ShopServer

PREPARATION = """
CREATE EXTENSION citext SCHEMA public;
CREATE TYPE shop.mood AS ENUM ('quetzal', 'other');
CREATE TYPE shop.pair AS (a text, b integer);
CREATE DOMAIN shop.code AS varchar(12) CHECK (VALUE ~ 'q');
CREATE DOMAIN shop.filled AS text NOT NULL;
CREATE DOMAIN shop.age AS smallint CHECK (VALUE < 0);
CREATE DOMAIN shop.day AS date;
CREATE DOMAIN shop.key AS uuid;
CREATE DOMAIN shop.list AS integer[];
"""

# A column a line: its name and type, a value, and the kinds that serve it besides redact, null and
# const. Values are as near to the ends of their types as masks might take them.
TEXT = "email last4 first1 hash"
COLUMNS = f"""
a_text | text | 'quetzal@example.com' | {TEXT}
a_varchar | varchar(9) | 'quetzal12' | {TEXT}
a_char | char(12) | 'quetzal' | {TEXT}
a_citext | public.citext | 'Quetzal' | {TEXT}
a_code | shop.code | 'quetzal12345' | {TEXT}
a_filled | shop.filled | 'quetzal' | {TEXT}
a_smallint | smallint | -32767 | bucket
a_integer | integer | -2147483647 | bucket
a_bigint | bigint | -9223372036854775807 | bucket hash
an_age | shop.age | -32766 | bucket
a_numeric | numeric(5,2) | -999.99 | bucket
a_wide_numeric | numeric | 7391846.5 | bucket
not_a_number | numeric | 'NaN' | bucket
a_real | real | 7391846 | bucket
a_double | double precision | '-Infinity' | bucket
a_date | date | '1977-03-19' | year
a_late_date | date | 'infinity' | year
a_day | shop.day | '0044-03-15 BC' | year
a_timestamp | timestamp(0) | '1977-03-19 11:12:13' | year
a_timestamptz | timestamptz | '1977-12-31 23:59:59+00' | year
a_time | time | '11:12:13' |
an_interval | interval | '19 days' |
a_uuid | uuid | '5ca1ab1e-0dd5-4bad-8bad-c0ffee254bad' | hash
a_key | shop.key | '5ca1ab1e-0dd5-4bad-8bad-c0ffee254bad' | hash
a_bytea | bytea | '\\xdeadbeef' | hash
a_boolean | boolean | true |
an_inet | inet | '203.0.113.177' |
a_cidr | cidr | '203.0.113.0/24' |
a_macaddr | macaddr | '08:00:2b:01:02:03' |
a_money | money | '7391846' |
a_json | json | '{{"a": "quetzal"}}' |
a_jsonb | jsonb | '{{"a": "quetzal"}}' |
an_xml | xml | NULL |
texts | text[] | '{{quetzal}}' |
numbers | shop.list | '{{7391846}}' |
a_mood | shop.mood | 'quetzal' |
moods | shop.mood[] | '{{quetzal}}' |
a_pair | shop.pair | '(quetzal,1)' |
a_range | int4range | '[7391846,7391847)' |
days | datemultirange | '{{[1977-03-19,1977-03-20)}}' |
words | tsvector | 'quetzal' |
a_point | point | '(7391846,1)' |
bits | bit(8) | '10101010' |
more_bits | varbit | '1010' |
a_name | name | 'quetzal' |
one_byte | "char" | 'q' |
an_address | oid | 7391846 |
"""
ALWAYS = frozenset({"redact", "null", "const", "clean"})
KINDS_TO_TRY = {
    **{kind: kind for kind in KINDS if kind not in {"clean", "const"}},
    "bucket": "bucket:1000000",
}


class Line:
    """One line of the table above."""

    def __init__(self, line: str) -> None:
        """Take a line apart."""
        self.name, self.type, self.value, served = (part.strip() for part in line.split(" | ", 3))
        self.served = ALWAYS | set(served.split())


LINES = [Line(f"{line} ") for line in COLUMNS.strip().splitlines()]


@pytest.fixture
async def shop(each_postgres: ShopServer) -> AsyncIterator[Shop]:
    """Make a table with a column of each type: a row of values, and one of NULLs."""
    async with fresh_database(each_postgres) as made:
        columns = ", ".join(f"{line.name} {line.type}" for line in LINES)
        values = ", ".join(line.value for line in LINES)
        await execute(
            made.admin,
            f"""
            {PREPARATION}
            CREATE TABLE shop.zoo (id integer PRIMARY KEY, {columns});
            INSERT INTO shop.zoo VALUES (1, {values});
            INSERT INTO shop.zoo (id, a_filled) VALUES (2, 'quetzal');
            GRANT SELECT ON shop.zoo TO {made.agent.user};
            """,
        )
        yield made


async def zoo(shop: Shop) -> Mapping[str, Column]:
    """Return the table's columns as the server sees them."""
    async with opened(shop.agent) as database:
        catalog = await snapshot.take(database, "test")
    return {column.name: column for column in catalog.relations[Relation("shop", "zoo")].columns}


async def test_each_kind_serves_the_types_it_can_and_no_others(shop: Shop) -> None:
    columns = await zoo(shop)

    served = {
        line.name: {
            kind
            for kind in KINDS
            if column_problem(Mask(kind=kind), columns[line.name], line.name) is None
        }
        for line in LINES
    }

    assert served == {line.name: line.served for line in LINES}


async def test_each_mask_keeps_its_type_and_null_and_shows_another_value(shop: Shop) -> None:
    columns = await zoo(shop)
    tried = 0
    async with connected(shop.admin) as admin:
        await admin.execute("SET search_path = pg_catalog")
        for line in LINES:
            column = columns[line.name]
            for name in sorted(line.served & KINDS_TO_TRY.keys()):
                mask = Mask(kind=KINDS_TO_TRY[name])
                keys = ", ".join(f"'{pad}'" for pad in hmac_pads(KEY))
                masked = expression(mask, column)
                masked = masked.replace("$1", keys.split(", ")[0]).replace(
                    "$2", keys.split(", ")[1]
                )
                value, null = await admin.fetch(
                    f"""
                    SELECT ({masked})::text AS masked, {line.name}::text AS plain,
                           format_type(pg_typeof({masked}), NULL) AS masked_type,
                           format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL) AS type
                    FROM shop.zoo JOIN pg_type t ON t.oid = pg_typeof({line.name})
                    ORDER BY id
                    """
                )
                assert value["masked_type"] == value["type"], (line.name, name)
                assert null["masked"] is None or line.name == "a_filled", (line.name, name)
                unchanged = value["plain"] in {None, "infinity", "NaN", "-Infinity"}
                assert value["masked"] != value["plain"] or unchanged, (line.name, name)
                tried += 1

    assert tried > len(LINES) * 2


async def test_every_column_is_read_through_its_mask(shop: Shop, tmp_path: Path) -> None:
    masks = "".join(
        f'"shop.zoo.{line.name}" = "{KINDS_TO_TRY.get(kind, kind)}"\n'
        for line in LINES
        for kind in sorted(line.served - {"clean", "const", "null"})[:1]
    )

    async with guarding(tmp_path, shop.agent, f"{SHOP}[mask]\n{masks}") as (guard, _):
        rows = await ask(guard, "SELECT * FROM shop.zoo ORDER BY id")
        again = await ask(guard, "SELECT (z).* FROM shop.zoo AS z ORDER BY z.id")

    assert [row[0] for row in rows] == ["1", "2"]
    assert rows == again
    for secret in ("quetzal", "7391846", "5ca1ab1e", "deadbeef", "1977-03", "203.0.113"):
        assert secret not in str(rows).lower()


async def test_equal_values_have_one_hash_whatever_the_type_of_their_column(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    await execute(
        fresh_shop.admin,
        f"""
        CREATE EXTENSION citext SCHEMA public;
        CREATE DOMAIN shop.code AS varchar(20);
        CREATE TABLE shop.one (a text, b varchar(8), c char(20), d shop.code, e public.citext,
                               f uuid, g text, h bigint, i bytea);
        INSERT INTO shop.one VALUES
            ('quetzal', 'quetzal', 'quetzal', 'quetzal', 'quetzal',
             '5ca1ab1e-0dd5-4bad-8bad-c0ffee254bad', '5ca1ab1e-0dd5-4bad-8bad-c0ffee254bad',
             7391846, '\\x01'),
            ('ibis', 'ibis', 'ibis', 'ibis', 'QUETZAL',
             'deadbea7-feed-4ace-9ace-baff1edfaced', 'deadbea7-feed-4ace-9ace-baff1edfaced',
             7391847, '\\x02');
        GRANT SELECT ON shop.one TO {fresh_shop.agent.user};
        """,
    )

    tables = SHOP + '[mask]\n"shop.one.*" = "hash"\n'
    async with guarding(tmp_path, fresh_shop.agent, tables) as (guard, _):
        rows = await ask(
            guard,
            """
            SELECT a = b, b = c, c = d, d = e::text, f = g::uuid FROM shop.one ORDER BY a = e::text
            """,
        )
        distinct = await ask(
            guard,
            """
            SELECT count(DISTINCT a), count(DISTINCT e), count(DISTINCT f), count(DISTINCT h),
                   count(DISTINCT i), min(length(b)), bool_and(h >= 0), min(length(i))
            FROM shop.one
            """,
        )

    assert rows == [("t", "t", "t", "f", "t"), ("t", "t", "t", "t", "t")]
    assert distinct == [("2", "1", "2", "2", "2", "32", "t", "16")]


@pytest.mark.parametrize(
    ("column", "constant"),
    [
        ("shop.customers.id", "const:none"),
        ("shop.customers.date_of_birth", "const:2026-13-01"),
        ("shop.orders.status", "const:no such label"),
        ("shop.orders.total", "const:1e999999"),
    ],
)
async def test_a_constant_that_is_no_value_of_its_type_is_a_problem_before_anything_is_read(
    fresh_shop: Shop,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    column: str,
    constant: str,
) -> None:
    tables = f'{SHOP}[mask]\n"{column}" = "{constant}"\n'

    async with guarding(tmp_path, fresh_shop.agent, tables) as (guard, _):
        with caplog.at_level(logging.ERROR), pytest.raises(Unavailable):
            await ask(guard, "SELECT 1")

    assert f"the constant that masks {column} is no value of its type" in caplog.text


async def test_a_constant_of_any_other_type_stands_for_the_value(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    tables = f"""{SHOP}[mask]
    "shop.customers.date_of_birth" = "const:1970-01-01"
    "shop.orders.total" = "const:0"
    "shop.orders.status" = "const:paid"
    "shop.customers.phone" = "const:ask the operator"
    """

    async with guarding(tmp_path, fresh_shop.agent, tables) as (guard, _):
        rows = await ask(
            guard,
            """
            SELECT DISTINCT date_of_birth, total, status, phone
            FROM shop.customers AS c JOIN shop.orders AS o ON o.customer_id = c.id
            """,
        )

    assert rows == [("1970-01-01", "0", "paid", "ask the operator")]
