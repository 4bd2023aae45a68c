"""Columns that are not open, and names that are none: answered alike, with the open ones named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp import pipeline
from pg_guard_mcp.errors import DatabaseError, GuardError, Refused
from tests.guarding import ask, call, execute, guarding

if TYPE_CHECKING:
    from pathlib import Path

    from pg_guard_mcp.pipeline import Guard
    from tests.support.postgres import Shop

# A table of which the role may read two columns of three, and a function of a user beside it.
_STAFF = """
CREATE TABLE shop.staff (id integer PRIMARY KEY, name text, wage integer);
INSERT INTO shop.staff VALUES (1, 'Ada', 4711);
REVOKE ALL ON shop.staff FROM agent_ro, PUBLIC;
GRANT SELECT (id, name) ON shop.staff TO agent_ro;
CREATE FUNCTION shop.dossier(shop.staff) RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'secret' $$;
"""


_STATEMENTS = (
    "SELECT {} FROM shop.staff",
    "SELECT s.{} FROM shop.staff AS s",
    "SELECT (s).{} FROM shop.staff AS s",
    "SELECT id FROM shop.staff WHERE {} > 0",
    "SELECT id FROM shop.staff ORDER BY {}",
    "SELECT x.{} FROM (SELECT * FROM shop.staff) AS x",
    "SELECT a.id FROM shop.staff a JOIN shop.staff b USING ({})",
)


async def refusal(guard: Guard, sql: str, tool: str = "query") -> GuardError:
    """Return how a statement is refused."""
    run = {"query": pipeline.query, "explain": pipeline.explain}[tool]
    with pytest.raises(GuardError) as caught:
        await run(call("query", sql=sql), guard)
    return caught.value


@pytest.mark.parametrize("tool", ["query", "explain"])
async def test_a_column_that_is_not_open_is_answered_like_one_that_is_not_there(
    fresh_shop: Shop, tmp_path: Path, tool: str
) -> None:
    await execute(fresh_shop.admin, _STAFF)

    async with guarding(tmp_path, fresh_shop.agent) as (guard, _):
        for sql in _STATEMENTS:
            closed = (await refusal(guard, sql.format("wage"), tool)).as_text()
            missing = (await refusal(guard, sql.format("waga"), tool)).as_text()

            assert closed.replace("wage", "waga") == missing
            assert "42501" not in closed


async def test_of_a_relation_that_is_open_in_part_the_open_part_is_all_there_is(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    await execute(fresh_shop.admin, _STAFF)

    async with guarding(tmp_path, fresh_shop.agent) as (guard, _):
        assert await ask(guard, "SELECT * FROM shop.staff") == [("1", "Ada")]
        assert await ask(guard, "SELECT to_jsonb(s)::text, s FROM ONLY staff AS s") == [
            ('{"id": 1, "name": "Ada"}', "(1,Ada)")
        ]
        assert await ask(guard, "TABLE shop.staff") == [("1", "Ada")]
        assert await ask(guard, "SELECT shop.staff.name FROM shop.staff") == [("Ada",)]
        with pytest.raises(Refused, match="a subselect stands for"):
            await ask(guard, "SELECT id FROM shop.staff TABLESAMPLE system (100)")


async def test_a_function_of_a_user_is_not_called_in_the_notation_of_a_column(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    await execute(fresh_shop.admin, _STAFF)

    async with guarding(tmp_path, fresh_shop.agent) as (guard, _):
        for column in ("s.dossier", "(s).dossier", "(s.*).dossier", "s.dosier"):
            refused = await refusal(guard, f"SELECT {column} FROM shop.staff AS s")

            assert isinstance(refused, Refused)
            assert [finding.rule for finding in refused.findings] == ["allowed-columns"]
            assert refused.hint == "The columns of shop.staff are id, name."


_COLUMNS = "The columns of shop.staff are id, name."
_NO_COLUMNS = "describe_view lists a relation's columns."


async def test_a_column_that_postgres_does_not_find_is_told_with_the_open_ones(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    await execute(fresh_shop.admin, _STAFF)

    async with guarding(tmp_path, fresh_shop.agent) as (guard, _):
        for sql, near, hint in (
            ("SELECT nmae FROM shop.staff", "nmae", f"Did you mean name? {_COLUMNS}"),
            ('SELECT "Naem" FROM shop.staff', '"Naem"', f"Did you mean name? {_COLUMNS}"),
            ("SELECT zzz FROM shop.staff", "zzz", _COLUMNS),
            ("SELECT wage FROM shop.staff", "wage", _COLUMNS),
            (
                "SELECT x.nmae FROM (SELECT * FROM shop.staff) AS x",
                "x.nmae",
                f"Did you mean name? {_COLUMNS}",
            ),
            ("SELECT zzz FROM shop.staff, shop.orders", "zzz", _NO_COLUMNS),
            ("SELECT zzz", "zzz", _NO_COLUMNS),
        ):
            said = await refusal(guard, sql)

            assert isinstance(said, DatabaseError)
            assert (said.sqlstate, said.near, said.hint) == ("42703", near, hint)


_HIDDEN_TYPES = """
CREATE EXTENSION citext SCHEMA public;
CREATE TYPE shop.coin AS (worth int);
CREATE FUNCTION shop.worth(shop.coin) RETURNS int LANGUAGE plpgsql VOLATILE
    AS 'BEGIN RETURN 1; END';
CREATE CAST (shop.coin AS int) WITH FUNCTION shop.worth(shop.coin) AS IMPLICIT;
CREATE TABLE shop.safes (id int, combination citext, holding shop.coin);
INSERT INTO shop.safes VALUES (1, 'abc', NULL);
REVOKE ALL ON shop.safes FROM agent_ro, PUBLIC;
GRANT SELECT (id) ON shop.safes TO agent_ro;
"""


async def test_the_type_of_a_column_that_is_not_open_speaks_against_nothing(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    """A refusal for it would name it, or tell that it is there."""
    await execute(fresh_shop.admin, _HIDDEN_TYPES)

    async with guarding(tmp_path, fresh_shop.agent) as (guard, _):
        for sql in (
            "SELECT * FROM shop.safes",
            "SELECT a.* FROM shop.safes AS a NATURAL JOIN shop.safes AS b WHERE a = b",
        ):
            assert await ask(guard, sql) == [("1",)]
        sql = "SELECT id FROM shop.safes WHERE {} = 'x'"
        closed = (await refusal(guard, sql.format("combination"))).as_text()
        missing = (await refusal(guard, sql.format("combinatiom"))).as_text()
        assert closed.replace("combination", "combinatiom") == missing


_NAMESAKES = {
    "WITH orders AS (SELECT id, 1 AS up FROM orders) SELECT orders.up FROM orders LIMIT 1": "1",
    "WITH orders AS (SELECT id, 2 AS ctid FROM orders) SELECT orders.ctid FROM orders LIMIT 1": "2",
    "WITH o AS (SELECT 3 AS up FROM orders), orders AS (TABLE o)"
    " SELECT (orders).up, (SELECT orders.up) FROM orders LIMIT 1": "3",
}


@pytest.mark.parametrize("sql", _NAMESAKES)
async def test_a_with_query_may_go_by_the_name_of_the_relation_it_reads(
    postgres: Shop, tmp_path: Path, sql: str
) -> None:
    async with guarding(tmp_path, postgres.agent) as (guard, _):
        (row,) = await ask(guard, sql)

    assert set(row) == {_NAMESAKES[sql]}


@pytest.mark.parametrize(
    "sql",
    [
        "WITH orders AS (SELECT orders.up FROM orders) SELECT 1 FROM orders",
        "WITH orders AS (SELECT 1 AS ctid FROM orders WHERE orders.ctid IS NULL) TABLE orders",
        "WITH orders AS (SELECT 1 AS ctid) SELECT orders.ctid FROM ONLY (shop.orders), orders o",
        "SELECT 'é', x.ctid FROM /* é */ ONLY orders AS x",
    ],
)
async def test_inside_of_it_the_relation_is_judged_as_ever(
    postgres: Shop, tmp_path: Path, sql: str
) -> None:
    async with guarding(tmp_path, postgres.agent) as (guard, _):
        assert isinstance(await refusal(guard, sql), Refused)
