"""A function that the policy allows reads nothing masked, by whatever way it would."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.errors import ConfigurationError, Unavailable
from pg_guard_mcp.guard import policy as policies
from pg_guard_mcp.model import AccessRules
from pg_guard_mcp.postgres import snapshot
from tests.guarding import SHOP, ask, execute, guarding
from tests.lineage.test_views import MASKS, SCHEMA
from tests.postgres.databases import opened
from tests.support.postgres import connected, fresh_database

if TYPE_CHECKING:
    from pathlib import Path

    from pg_guard_mcp.catalog import Catalog
    from tests.support.postgres import Shop, ShopServer

_SQL = "RETURNS text STABLE LANGUAGE sql"
_PLPGSQL = "RETURNS text STABLE LANGUAGE plpgsql"

REFUSED = {
    "a table": f"s.f() {_SQL} AS 'SELECT max(ssn) FROM s.people'",
    "a view": f"s.f() {_SQL} AS 'SELECT max(address) FROM s.renamed'",
    "a materialized view": f"s.f() {_SQL} AS 'SELECT max(address) FROM s.stored'",
    "a partition": f"s.f() {_SQL} AS 'SELECT max(card) FROM s.parts_eu'",
    "a child": f"s.f() {_SQL} AS 'SELECT max(ssn) FROM s.cats'",
    "a name without its schema": (
        f"s.f() {_SQL} SET search_path = s AS 'SELECT max(ssn) FROM people'"
    ),
    "a name in capitals": f"s.f() {_SQL} AS 'SELECT max(SSN) FROM S.PEOPLE'",
    "a name in quotes": f"""s.f() {_SQL} AS 'SELECT max(ssn) FROM "s"."people"'""",
    "a body that Postgres parsed": f"s.f() {_SQL} BEGIN ATOMIC SELECT max(ssn) FROM s.people; END",
    "a body that returns": f"s.f() {_SQL} RETURN (SELECT max(ssn) FROM s.people)",
    "a default": f"s.f(x text DEFAULT s.inner_one()) {_SQL} AS 'SELECT x'",
    "another function": f"s.f() {_SQL} AS 'SELECT s.inner_one()'",
    "rows of its type": (
        "s.f() RETURNS SETOF s.people STABLE LANGUAGE sql AS 'SELECT * FROM s.people'"
    ),
    "SQL put together": f"s.f(q text) {_PLPGSQL} AS 'BEGIN EXECUTE q INTO q; RETURN q; END'",
    "rows of SQL put together": (
        "s.f(q text) RETURNS SETOF text STABLE LANGUAGE plpgsql"
        " AS 'BEGIN RETURN QUERY EXECUTE q; END'"
    ),
    "a cursor over SQL put together": (
        f"s.f(q text) {_PLPGSQL} AS 'DECLARE c refcursor; BEGIN OPEN c FOR EXECUTE q;"
        " FETCH c INTO q; RETURN q; END'"
    ),
    "SQL that a function of Postgres runs": (
        f"s.f(q text) {_SQL} AS 'SELECT query_to_xml(q, true, true, '''')::text'"
    ),
    "a relation that a function of Postgres reads": (
        f"s.f(q regclass) {_SQL} AS 'SELECT table_to_xml(q, true, true, '''')::text'"
    ),
    "words that a function of Postgres counts": (
        f"s.f(q text) {_SQL} AS 'SELECT max(word) FROM ts_stat(q)'"
    ),
    "statistics": (f"s.f() {_SQL} AS 'SELECT max(most_common_vals::text) FROM pg_stats'"),
    "one of two by its name": (
        f"s.f() {_SQL} AS 'SELECT ''x'''; CREATE FUNCTION s.f(int) {_SQL}"
        " AS 'SELECT max(ssn) FROM s.people'"
    ),
}
ALLOWED = {
    "an open table": f"s.f() {_SQL} AS 'SELECT max(note) FROM s.orders'",
    "an open table, put into variables": (
        f"s.f() {_PLPGSQL} AS 'DECLARE n text; BEGIN SELECT max(note) INTO n FROM s.orders;"
        " RETURN n; END'"
    ),
    "a view declared clean": f"s.f() {_SQL} AS 'SELECT max(email) FROM s.cleaned'",
    "arguments": f"s.f(salary int) {_SQL} AS 'SELECT (salary / 12)::text'",
}


def since(function: str) -> int:
    """Give the first major that can have the function: bodies that Postgres parsed are young."""
    return 14 if re.search("BEGIN ATOMIC| RETURN [(]", function) else 0


def named(number: int, function: str) -> str:
    """Return the function under a name of its own."""
    return function.replace("s.f(", f"s.f{number}(")


async def catalog_of_all(server: ShopServer) -> Catalog:
    """Make all functions, beside the tables and views that are masked."""
    async with fresh_database(server, "template0") as shop:
        async with connected(shop.admin) as connection:
            await connection.execute(SCHEMA)
            await connection.execute(
                f"CREATE FUNCTION s.inner_one() {_SQL} AS 'SELECT max(ssn) FROM s.people'"
            )
            for number, function in enumerate((*REFUSED.values(), *ALLOWED.values())):
                if server.major < since(function):
                    continue
                await connection.execute(f"CREATE FUNCTION {named(number, function)}")
        async with opened(shop.admin) as database:
            return await snapshot.take(database, "test")


@pytest.fixture(scope="module")
def catalog(postgres: ShopServer) -> Catalog:
    """Take a snapshot of them all."""
    return asyncio.run(catalog_of_all(postgres))


def problem_of(number: int, catalog: Catalog) -> str:
    """Say why a policy cannot allow a function, or nothing."""
    rules = AccessRules(schemas=("s",), allow_functions=(f"s.f{number}",), masks=MASKS)
    try:
        policies.build(rules, catalog)
    except ConfigurationError as error:
        return " ".join(problem.message for problem in error.problems)
    return ""


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(number, id=name, marks=pytest.mark.since(since(function)))
        for number, (name, function) in enumerate(REFUSED.items())
    ],
)
def test_a_function_that_reads_what_is_masked_is_refused(number: int, catalog: Catalog) -> None:
    found = problem_of(number, catalog)

    assert "which runs SQL" in found or "whose source names" in found


@pytest.mark.parametrize(
    "number", range(len(REFUSED), len(REFUSED) + len(ALLOWED)), ids=list(ALLOWED)
)
def test_a_function_that_reads_nothing_masked_is_allowed(number: int, catalog: Catalog) -> None:
    assert problem_of(number, catalog) == ""


async def test_a_function_cannot_read_through_one_that_the_role_may_not_call(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    await execute(
        fresh_shop.admin,
        f"""
        CREATE SCHEMA vault;
        CREATE FUNCTION vault.first_address() {_SQL} AS 'SELECT min(email) FROM shop.customers';
        CREATE FUNCTION shop.peek() {_SQL} SECURITY DEFINER AS 'SELECT vault.first_address()';
        CREATE FUNCTION shop.hidden() {_SQL} AS 'SELECT 1::text';
        REVOKE EXECUTE ON FUNCTION shop.hidden() FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION shop.peek() TO {fresh_shop.agent.user};
        """,
    )
    allowing = f"""{SHOP}allow_functions = ["shop.peek"]
    allow_functions_with_effects = ["shop.peek"]
    """

    async with guarding(tmp_path / "unmasked", fresh_shop.agent, allowing) as (guard, _):
        assert len(await ask(guard, "SELECT shop.peek()")) == 1
    masked = allowing + '[mask]\n"shop.customers.email" = "redact"\n'
    async with guarding(tmp_path / "masked", fresh_shop.agent, masked) as (guard, _):
        with pytest.raises(Unavailable):
            await ask(guard, "SELECT shop.peek()")
    hidden = SHOP + 'allow_functions = ["shop.hidden"]\n'
    async with guarding(tmp_path / "hidden", fresh_shop.agent, hidden) as (guard, _):
        with pytest.raises(Unavailable):
            await ask(guard, "SELECT shop.hidden()")
