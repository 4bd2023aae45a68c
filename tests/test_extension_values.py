"""Values of an extension's types, however they reach an operator, over Postgres.

Without the extension's operators a citext compares as text: no error, and another answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.errors import Refused
from tests.guarding import ask, execute, guarding

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import Shop

FURNITURE = """
CREATE EXTENSION citext SCHEMA public;
CREATE TABLE shop.things (id int, label citext, tags citext[]);
INSERT INTO shop.things VALUES (1, 'Chair', '{Chair}'), (2, 'Table', '{}');
CREATE TABLE shop.rooms (room int);
INSERT INTO shop.rooms VALUES (1);
CREATE FUNCTION shop.label_of(int) RETURNS citext LANGUAGE sql STABLE
    AS 'SELECT label FROM shop.things WHERE id = $1';
CREATE FUNCTION shop.labels() RETURNS TABLE (found citext) LANGUAGE sql STABLE
    AS 'SELECT label FROM shop.things';
CREATE FUNCTION shop.all_things() RETURNS SETOF shop.things LANGUAGE sql STABLE
    AS 'SELECT * FROM shop.things';
"""
OFF = """
[access]
schemas = ["shop"]
allow_functions = ["shop.label_of", "shop.labels", "shop.all_things"]
"""
ON = OFF + 'extensions = ["citext"]\n'
COMPARING = (
    "SELECT count(*) FROM shop.things, unnest(tags) WHERE unnest = 'CHAIR'",
    "SELECT count(*) FROM shop.things, unnest(tags) WHERE unnest.unnest = 'CHAIR'",
    "SELECT count(*) FROM shop.things, ROWS FROM (unnest(tags), now()) u WHERE u.unnest = 'CHAIR'",
    "SELECT count(*) FROM (shop.things CROSS JOIN shop.rooms) AS j (a, b) WHERE b = 'CHAIR'",
    "SELECT count(*) FROM shop.things WHERE shop.label_of(id) = 'CHAIR'",
    "SELECT count(*) FROM (SELECT shop.label_of(id) AS l FROM shop.things) AS s WHERE l = 'CHAIR'",
    "SELECT count(*) FROM shop.labels() WHERE found = 'CHAIR'",
    "SELECT count(*) FROM shop.labels() AS l (name) WHERE name = 'CHAIR'",
    "SELECT count(*) FROM shop.all_things() WHERE label = 'CHAIR'",
)


@pytest.mark.parametrize("sql", COMPARING)
async def test_a_value_is_compared_by_its_extensions_operators(
    fresh_shop: Shop, tmp_path: Path, sql: str
) -> None:
    await execute(fresh_shop.admin, FURNITURE)

    async with guarding(tmp_path / "on", fresh_shop.admin, ON) as (guard, _):
        assert await ask(guard, sql) == [("1",)]
    async with guarding(tmp_path / "off", fresh_shop.admin, OFF) as (guard, _):
        with pytest.raises(Refused):
            await ask(guard, sql)


async def test_what_meets_no_operator_needs_none(fresh_shop: Shop, tmp_path: Path) -> None:
    await execute(fresh_shop.admin, FURNITURE)

    async with guarding(tmp_path, fresh_shop.admin, OFF) as (guard, _):
        assert await ask(guard, "SELECT shop.label_of(id) FROM shop.things WHERE id = 1") == [
            ("Chair",)
        ]
        assert await ask(guard, "SELECT * FROM shop.labels()") == [("Chair",), ("Table",)]
        assert await ask(
            guard, "SELECT id FROM shop.things WHERE CAST(shop.label_of(id) AS text) = 'Chair'"
        ) == [("1",)]
