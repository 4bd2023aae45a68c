"""What somebody planted where an extension lives is never called, superuser or not.

Every planted thing raises an error of its own, so that a call shows whatever it returns.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest
from anyio.to_thread import run_sync

from pg_guard_mcp.errors import DatabaseError, GuardError, Refused
from tests.guarding import ask, execute, guarding
from tests.support.postgres import connected, fresh_database
from tests.support.proxies import PARSE, proxied

if TYPE_CHECKING:
    from pathlib import Path

    from pg_guard_mcp.pipeline import Guard
    from tests.support.postgres import Shop, ShopServer

SETTINGS = """
[access]
schemas = ["shop"]
allow_functions = ["shop.net_price", "shop.calls_helper"]
extensions = ["citext", "cube", "earthdistance", "fuzzystrmatch", "pg_trgm"]
"""
FURNITURE = """
CREATE SCHEMA tools;
CREATE EXTENSION citext SCHEMA public;
CREATE EXTENSION pg_trgm SCHEMA public;
CREATE EXTENSION fuzzystrmatch SCHEMA public;
CREATE EXTENSION cube SCHEMA tools;
CREATE EXTENSION earthdistance SCHEMA tools;
CREATE TABLE shop.things (id int, name text, label citext);
INSERT INTO shop.things VALUES (1, 'chair', 'Chair'), (2, 'table', 'Table');
CREATE FUNCTION shop.calls_helper(int) RETURNS int LANGUAGE plpgsql STABLE
    AS 'BEGIN RETURN helper($1); END';
CREATE VIEW shop.by_helper AS SELECT id, label, shop.calls_helper(id) AS helped FROM shop.things;
"""
CITEXT = '[access]\nschemas = ["shop"]\nextensions = ["citext"]\n'
ALLOWING = '[access]\nschemas = ["shop"]\nallow_functions = ["shop.net_price"]\n'
CALLED = "PLANT"
BODY = (
    f"LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE EXCEPTION '' USING ERRCODE = '{CALLED}'; END $$"
)


def function(signature: str, returns: str = "text") -> str:
    """Plant a function."""
    return f"CREATE FUNCTION {signature} RETURNS {returns} {BODY};"


def operator(symbol: str, left: str, right: str, returns: str = "text") -> str:
    """Plant an operator."""
    return (
        function(f"public.planted({left}, {right})", returns)
        + f"CREATE OPERATOR public.{symbol} (LEFTARG = {left}, RIGHTARG = {right},"
        " FUNCTION = public.planted);"
    )


PLANTED = {
    "an overload of a built-in function": (
        function("public.upper(int)"),
        "SELECT upper(id) FROM shop.things WHERE label = 'CHAIR'",
    ),
    "a function in capitals": (
        function('public."LOWER"(text)'),
        """SELECT "LOWER"(name) FROM shop.things WHERE label = 'CHAIR'""",
    ),
    "an overload for the extension's type": (
        function("public.upper(citext)"),
        "SELECT upper(label) FROM shop.things WHERE label = 'CHAIR'",
    ),
    "an operator that Postgres has not": (
        operator("+", "text", "int"),
        "SELECT name + id FROM shop.things WHERE label = 'CHAIR'",
    ),
    "an operator behind IN": (
        operator("=", "text", "int", "bool"),
        "SELECT id FROM shop.things WHERE label = 'CHAIR' AND name IN (SELECT id)",
    ),
    "an operator behind CASE": (
        operator("=", "int", "text", "bool"),
        "SELECT CASE id WHEN name THEN 1 END FROM shop.things WHERE label = 'CHAIR'",
    ),
    "an operator behind USING": (
        operator("=", "citext", "varchar", "bool"),
        "SELECT 1 FROM shop.things JOIN (SELECT 'a'::varchar AS label) l USING (label)",
    ),
    "an operator behind LIKE": (
        operator("~~", "int", "text", "bool"),
        "SELECT id FROM shop.things WHERE label = 'CHAIR' AND id LIKE name",
    ),
    "an operator for the extension's type": (
        operator("+", "citext", "int"),
        "SELECT label + 1 FROM shop.things",
    ),
    "a function as a column of a row": (
        function("public.dossier(shop.things)"),
        "SELECT t.dossier FROM shop.things t WHERE label = 'CHAIR'",
    ),
    "a function as a field": (
        function("public.dossier(shop.things)"),
        "SELECT (t).dossier FROM shop.things t WHERE label = 'CHAIR'",
    ),
    "a function as a field of a value": (
        function("public.secret(citext)"),
        "SELECT (label).secret FROM shop.things WHERE label = 'CHAIR'",
    ),
    "a domain as a field of a value": (
        function("public.checks(citext)", "bool")
        + "CREATE DOMAIN public.checked AS citext CHECK (public.checks(VALUE));",
        "SELECT (label).checked FROM shop.things WHERE label = 'CHAIR'",
    ),
    "a domain as a call": (
        function("public.checks(text)", "bool")
        + "CREATE DOMAIN public.checked AS text CHECK (public.checks(VALUE));",
        "SELECT checked(name) FROM shop.things WHERE label = 'CHAIR'",
    ),
    "a domain as a type": (
        function("public.checks(text)", "bool")
        + "CREATE DOMAIN public.checked AS text CHECK (public.checks(VALUE));",
        "SELECT name::checked FROM shop.things WHERE label = 'CHAIR'",
    ),
    "an overload of the extension's function": (
        function("public.similarity(int, int)"),
        "SELECT similarity(1, 2)",
    ),
    "an overload of a function that is named with its schema": (
        function("public.levenshtein(int, int)"),
        "SELECT public.levenshtein(1, 2)",
    ),
    "an overload of an operator of built-in types": (
        operator("%", "int", "text"),
        "SELECT 1 % name FROM shop.things",
    ),
    "a function that a body of a user's calls": (
        function("public.helper(int)", "int"),
        "SELECT shop.calls_helper(id) FROM shop.things WHERE label = 'CHAIR'",
    ),
    "the same behind a view": (
        function("public.helper(int)", "int"),
        "SELECT helped FROM shop.by_helper WHERE label = 'CHAIR'",
    ),
}


async def ended(guard: Guard, sql: str) -> str:
    """Ask, and tell how it ended; an error of Postgres's by its SQLSTATE."""
    try:
        await ask(guard, sql)
    except DatabaseError as error:
        return error.sqlstate
    except GuardError as error:
        return error.code
    return "answered"


@pytest.mark.parametrize("name", PLANTED)
async def test_what_is_planted_is_never_called(fresh_shop: Shop, tmp_path: Path, name: str) -> None:
    plant, sql = PLANTED[name]
    await execute(fresh_shop.admin, FURNITURE + plant)

    async with guarding(tmp_path, fresh_shop.admin, SETTINGS) as (guard, _):
        assert await ended(guard, sql) in {"refused", "42883", "42703"}
    async with connected(fresh_shop.admin, search_path="public, tools") as connection:
        with pytest.raises(asyncpg.PostgresError) as raised:  # without a guard it is
            await connection.fetch(sql)
    assert raised.value.sqlstate == CALLED


async def test_what_a_body_of_an_extension_names_without_a_schema_is_never_planted(
    postgres15: ShopServer, tmp_path: Path
) -> None:
    """Bodies of earthdistance 1.1 call cube_distance by its bare name."""
    plant = function("public.cube_distance(tools.cube, tools.cube)", "float8")
    sql = "SELECT earth_distance(ll_to_earth(1.5, 2.5), ll_to_earth(3.5, 4.5)), 'a'::citext = 'A'"

    async with fresh_database(postgres15) as shop:
        await execute(shop.admin, FURNITURE + plant)
        async with guarding(tmp_path, shop.admin, SETTINGS) as (guard, _):
            assert await ended(guard, sql) == "refused"
        async with connected(shop.admin, search_path="public, tools") as connection:
            with pytest.raises(asyncpg.PostgresError) as raised:
                await connection.fetch(sql)
        assert raised.value.sqlstate == CALLED


async def test_a_statement_that_needs_no_extension_is_not_kept_from_its_relations(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    plant = operator("+", "text", "int") + function("public.upper(int)")
    await execute(fresh_shop.admin, FURNITURE + plant)

    async with guarding(tmp_path, fresh_shop.admin, SETTINGS) as (guard, _):
        assert await ask(guard, "SELECT upper(name), label FROM shop.things WHERE id = 1") == [
            ("CHAIR", "Chair")
        ]
        assert await ask(guard, "SELECT similarity(name, name), id % 2 FROM shop.things") == [
            ("1", "1"),
            ("1", "0"),
        ]


async def test_what_is_in_the_way_is_said_with_the_way_out(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    await execute(fresh_shop.admin, FURNITURE + operator("+", "text", "int"))

    async with guarding(tmp_path, fresh_shop.admin, SETTINGS) as (guard, _):
        with pytest.raises(Refused) as raised:
            await ask(guard, "SELECT id FROM shop.things WHERE label = 'CHAIR'")

    (finding,) = raised.value.findings
    assert finding.rule == "allowed-extensions"
    assert "public" in finding.message
    assert "SET SCHEMA" in finding.hint


@pytest.mark.parametrize(
    ("plant", "member", "sql"),
    [
        (
            function("public.upper(citext)"),
            "FUNCTION public.upper(citext)",
            "SELECT upper(label) FROM shop.things WHERE label = 'CHAIR'",
        ),
        (
            function("public.replace(citext, int, int)"),  # its name is in the pack
            "FUNCTION public.replace(citext, int, int)",
            "SELECT replace(label, 1, 2) FROM shop.things",
        ),
        (
            operator("+", "citext", "int"),
            "OPERATOR public.+ (citext, int)",
            "SELECT label + 1 FROM shop.things",
        ),
    ],
)
async def test_what_was_put_into_an_extension_is_not_the_extensions_own(
    fresh_shop: Shop, tmp_path: Path, plant: str, member: str, sql: str
) -> None:
    """Whoever owns an extension can add members to it, and needs not be an administrator."""
    database = fresh_shop.admin.database
    role = f"insider_{database}"
    furnish = f"""
        CREATE ROLE {role};
        GRANT CREATE, USAGE ON SCHEMA public TO {role};
        GRANT CREATE ON DATABASE {database} TO {role};
        SET ROLE {role};
        CREATE EXTENSION citext SCHEMA public;
        {plant}
        ALTER EXTENSION citext ADD {member};
        RESET ROLE;
        CREATE TABLE shop.things AS SELECT 'Chair'::citext AS label;
        """
    await execute(fresh_shop.admin, furnish)

    try:
        async with guarding(tmp_path, fresh_shop.admin, CITEXT) as (guard, _):
            assert await ended(guard, sql) == "refused"
    finally:
        await execute(fresh_shop.admin, f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


@pytest.mark.parametrize(
    ("plant", "sql"),
    [
        (operator("+", "text", "int"), "SELECT name + 1 FROM shop.things WHERE label = 'CHAIR'"),
        (function("public.upper(int)"), "SELECT upper(id) FROM shop.things WHERE label = 'CHAIR'"),
        (function("public.similarity(int, int)"), "SELECT similarity(1, 2) FROM shop.things"),
    ],
)
async def test_what_is_planted_after_the_catalog_was_read_is_found_before_it_runs(
    fresh_shop: Shop, tmp_path: Path, plant: str, sql: str
) -> None:
    await execute(fresh_shop.admin, FURNITURE)

    async with guarding(tmp_path, fresh_shop.admin, SETTINGS) as (guard, _):
        before = await ended(guard, sql)
        await execute(fresh_shop.admin, plant)
        endings = [await ended(guard, sql) for _ in range(2)]

    assert before == "42883"
    assert endings == ["unavailable", "refused"]


@pytest.mark.parametrize("limits", ["", "[limits]\nmax_cost = 1e9\n"], ids=["query", "its price"])
@pytest.mark.parametrize(
    ("plant", "sql"),
    [
        (operator("+", "text", "int"), "SELECT name + 1 FROM shop.things WHERE label = 'CHAIR'"),
        # Of constants, so that Postgres calls it when it plans.
        (function("public.similarity(int, int)"), "SELECT similarity(1, 2) FROM shop.things"),
    ],
)
async def test_what_is_planted_on_the_way_to_postgres_is_found_before_it_runs(
    fresh_shop: Shop, tmp_path: Path, plant: str, sql: str, limits: str
) -> None:
    """The transaction is open already, and nothing in it was resolved."""
    await execute(fresh_shop.admin, FURNITURE)
    with proxied(fresh_shop.admin) as proxy:
        async with guarding(tmp_path, proxy.login, SETTINGS + limits) as (guard, _):
            await ended(guard, sql)
            proxy.hold(PARSE)
            asked = asyncio.ensure_future(ended(guard, sql))
            assert await run_sync(proxy.held.wait, 10)
            await execute(fresh_shop.admin, plant)
            proxy.let_go()

            assert await asked == "unavailable"


async def test_an_overload_of_an_allowed_function_is_found_before_it_runs(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    sql = "SELECT shop.net_price(1, 'x'::text)"
    plant = function("shop.net_price(int, text)")

    async with guarding(tmp_path, fresh_shop.admin, ALLOWING) as (guard, _):
        before = await ended(guard, sql)
        await execute(fresh_shop.admin, plant)
        ending = await ended(guard, sql)

    assert before == "42883"
    assert ending == "unavailable"


async def test_a_mask_uses_the_operators_of_postgres_alone(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    """An extension without a pack may bring an operator that no statement writes, but a mask."""
    plant = operator("/", "int", "numeric", "numeric")
    insert = "CREATE EXTENSION pg_visibility; ALTER EXTENSION pg_visibility ADD {};"
    members = ("FUNCTION public.planted(int, numeric)", "OPERATOR public./ (int, numeric)")
    await execute(fresh_shop.admin, FURNITURE + plant)
    await execute(fresh_shop.admin, insert.format(members[0]))
    await execute(fresh_shop.admin, f"ALTER EXTENSION pg_visibility ADD {members[1]}")
    masked = CITEXT + '[mask]\n"shop.things.id" = "bucket:10"\n'

    async with guarding(tmp_path, fresh_shop.admin, masked) as (guard, _):
        assert await ask(guard, "SELECT id FROM shop.things WHERE label = 'CHAIR'") == [("0",)]
