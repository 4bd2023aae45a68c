"""Grouping by a primary key works over a relation that a subselect stands for, as without one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.errors import DatabaseError
from tests.guarding import SHOP, ask, execute, guarding
from tests.support.postgres import connected, fresh_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.postgres import Shop, ShopServer

FURNITURE = """
CREATE TABLE shop.guests (
    id integer PRIMARY KEY, name text, secret text, papers json, place point, "Odd ""Name" text,
    f integer GENERATED ALWAYS AS (id % 3) STORED);
CREATE TABLE shop.stays (
    guest integer, night date, price numeric, secret text, PRIMARY KEY (guest, night));
CREATE TABLE shop.twice AS SELECT * FROM (VALUES (1), (2)) v (g);
CREATE TABLE shop.ask (id integer, f integer, word text);
CREATE TABLE shop.rooms (id integer PRIMARY KEY, name text, secret text);
CREATE TABLE shop.suites () INHERITS (shop.rooms);
INSERT INTO shop.ask SELECT i % 4, i % 3, 'c' FROM generate_series(1, 20) i;
INSERT INTO shop.rooms SELECT i, 'room', 's' FROM generate_series(1, 3) i;
INSERT INTO shop.suites SELECT i, 'suite', 's' FROM generate_series(1, 3) i;
INSERT INTO shop.guests
SELECT i, 'n' || i % 3, 's' || i, '{}', '(1,2)', 'o' || i % 2 FROM generate_series(1, 7) i;
INSERT INTO shop.stays
SELECT i % 7 + 1, date '2026-01-01' + i / 7, i, 's' FROM generate_series(1, 40) i;
"""
TABLES = SHOP + '[mask]\n"shop.*.secret" = "redact"\n'

# Each is a query that Postgres takes over the tables themselves and that shows no secret.
QUERIES = """
SELECT g.id, g.name, count(*) FROM shop.guests g JOIN shop.stays s ON s.guest = g.id GROUP BY g.id
SELECT id, name, sum(price) FROM shop.guests JOIN shop.stays ON guest = id GROUP BY id
SELECT name, count(*) FROM shop.guests GROUP BY shop.guests.id HAVING name > 'n0'
SELECT guests.name, count(*) FROM shop.guests GROUP BY guests . /* here */ id
SELECT id, name FROM shop.guests GROUP BY (id)
SELECT id, name, g."Odd ""Name" FROM shop.guests g GROUP BY ((g.id))
SELECT id, name FROM shop.guests GROUP BY 1
SELECT g.id AS key, name FROM shop.guests g GROUP BY key
SELECT name, max(price) FROM shop.guests, shop.stays GROUP BY price, id, night
SELECT name FROM shop.guests GROUP BY id ORDER BY "Odd ""Name", id
SELECT s.price, s.night FROM shop.stays s GROUP BY s.night, s.guest
SELECT s.price, s.night FROM shop.stays s GROUP BY (guest, night)
SELECT DISTINCT name FROM shop.guests GROUP BY id
SELECT id, name, rank() OVER (ORDER BY name) FROM shop.guests GROUP BY id
SELECT id, upper(name) || coalesce("Odd ""Name", '') FROM shop.guests GROUP BY id
SELECT name, (SELECT count(*) FROM shop.stays WHERE guest = g.id) FROM shop.guests g GROUP BY id
SELECT id, (SELECT max(price) FROM shop.stays WHERE g.name > 'n1') FROM shop.guests g GROUP BY id
WITH g AS (SELECT id, name FROM shop.guests GROUP BY id) SELECT name, count(*) FROM g GROUP BY name
SELECT * FROM (SELECT id, name, count(*) FROM shop.guests GROUP BY id) g
SELECT name FROM shop.guests GROUP BY id UNION ALL SELECT name FROM shop.guests GROUP BY id, name
SELECT g.name, h.name FROM shop.guests g JOIN shop.guests h ON g.id = h.id + 1 GROUP BY h.id, g.id
SELECT name, price FROM shop.guests g LEFT JOIN shop.stays ON guest = g.id GROUP BY id, guest, night
SELECT x.name, y FROM shop.guests x CROSS JOIN generate_series(1, 2) AS y GROUP BY x.id, y
SELECT "g.x".name FROM shop.guests "g.x" GROUP BY "g.x".id
SELECT name, id FROM shop.guests AS g group by g.id having count(*) > 0 order by name, id limit 3
SELECT id, name, count(*) FROM shop.guests GROUP BY id, name
SELECT name, count(*) FROM shop.guests GROUP BY name
SELECT count(g) FROM shop.guests g
SELECT guest, price FROM shop.stays NATURAL JOIN (SELECT 1 AS guest) o GROUP BY guest, night
SELECT guest, price FROM shop.stays JOIN (SELECT 1 AS guest) o USING (guest) GROUP BY guest, night
SELECT g.guest, night, (SELECT g FROM (VALUES (1)) y(g)) FROM shop.stays g, shop.twice GROUP BY 1, 2
SELECT id, sum(1) name FROM shop.ask LEFT JOIN shop.guests USING (id, f) GROUP BY id ORDER BY name
SELECT id, sum(1) name FROM shop.guests RIGHT JOIN shop.ask USING (id, f) GROUP BY id ORDER BY name
SELECT id, sum(1) name FROM shop.guests FULL JOIN shop.ask USING (id, f) GROUP BY id ORDER BY name
SELECT id, count(*) AS name FROM shop.ask NATURAL LEFT JOIN shop.guests GROUP BY id ORDER BY name
SELECT id, name, count(word) FROM shop.guests LEFT JOIN shop.ask USING (id) GROUP BY id
SELECT id, count(*), min(name) FROM shop.rooms GROUP BY id
SELECT id, name, count(*) FROM ONLY shop.rooms GROUP BY id
SELECT id, json_agg(papers)::text, count(place) FROM shop.guests GROUP BY id
SELECT id, count(g), count(g.*) FROM shop.guests g GROUP BY id
SELECT id, (SELECT max(price + length(g.name)) FROM shop.stays) FROM shop.guests g GROUP BY id
SELECT name AS id, id, g.f FROM shop.guests g GROUP BY id
SELECT (g).name, (g.*).f FROM shop.guests g GROUP BY id
"""


@pytest.fixture
async def shop(each_postgres: ShopServer) -> AsyncIterator[Shop]:
    """Add guests and their stays, each with a secret."""
    async with fresh_database(each_postgres) as made:
        grant = f"GRANT SELECT ON ALL TABLES IN SCHEMA shop TO {made.agent.user};"
        await execute(made.admin, FURNITURE + grant)
        yield made


async def test_each_query_answers_as_it_does_without_masks(shop: Shop, tmp_path: Path) -> None:
    async with (
        guarding(tmp_path, shop.agent, TABLES) as (guard, _),
        connected(shop.admin) as admin,
    ):
        for sql in QUERIES.strip().splitlines():
            plain = [
                tuple(None if cell is None else str(cell) for cell in row.values())
                for row in await admin.fetch(sql)
            ]
            assert Counter(await ask(guard, sql)) == Counter(plain), sql


async def test_masked_columns_beside_the_key_show_their_mask(shop: Shop, tmp_path: Path) -> None:
    async with guarding(tmp_path, shop.agent, TABLES) as (guard, _):
        named = await ask(guard, "SELECT id, secret FROM shop.guests GROUP BY id ORDER BY id")
        starred = await ask(
            guard, "SELECT s.*, count(*) FROM shop.stays s GROUP BY guest, night ORDER BY 1, 2"
        )

    assert named == [(str(number), "[redacted]") for number in range(1, 8)]
    assert {row[3] for row in starred} == {"[redacted]"}
    assert len(starred) == 40


async def test_a_whole_row_beside_the_key_is_grouped_by_as_well(shop: Shop, tmp_path: Path) -> None:
    async with guarding(tmp_path, shop.agent, TABLES) as (guard, _):
        rows = await ask(
            guard, "SELECT row_to_json(s)->>'secret' FROM shop.stays s GROUP BY s.guest, s.night"
        )

    assert rows == [("[redacted]",)] * 40


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name FROM shop.guests GROUP BY ROLLUP (id)",
        "SELECT price FROM shop.stays GROUP BY guest",
        "SELECT price FROM shop.stays GROUP BY night",
        "SELECT name, secret FROM shop.guests GROUP BY secret",
        "SELECT id, papers FROM shop.guests GROUP BY id",
        "SELECT id, name, count(*) FROM shop.rooms GROUP BY id",
        "SELECT id, name FROM shop.ask LEFT JOIN shop.guests USING (id, f) GROUP BY id",
        "SELECT g.price FROM shop.guests h JOIN shop.stays g ON true GROUP BY h.id",
    ],
)
async def test_what_the_key_does_not_say_is_refused_with_a_hint(
    shop: Shop, tmp_path: Path, sql: str
) -> None:
    async with guarding(tmp_path, shop.agent, TABLES) as (guard, _):
        with pytest.raises(DatabaseError) as caught:
            await ask(guard, sql)

    assert caught.value.sqlstate == "42803"
    assert "GROUP BY" in caught.value.hint


async def test_a_key_that_is_masked_says_nothing(shop: Shop, tmp_path: Path) -> None:
    tables = SHOP + '[mask]\n"shop.guests.id" = "bucket:10"\n'
    async with guarding(tmp_path, shop.agent, tables) as (guard, _):
        with pytest.raises(DatabaseError) as caught:
            await ask(guard, "SELECT name FROM shop.guests GROUP BY id")

    assert caught.value.sqlstate == "42803"
