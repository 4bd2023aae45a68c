"""A function that the policy allows reads nothing masked, by whatever way it would."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.errors import ConfigurationError
from pg_guard_mcp.guard import policy as policies
from pg_guard_mcp.model import AccessRules
from pg_guard_mcp.postgres import snapshot
from tests.lineage.test_views import MASKS, SCHEMA
from tests.postgres.databases import opened
from tests.support.postgres import connected, fresh_database

if TYPE_CHECKING:
    from pg_guard_mcp.catalog import Catalog
    from tests.support.postgres import ShopServer

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


@pytest.mark.parametrize("number", range(len(REFUSED)), ids=list(REFUSED))
def test_a_function_that_reads_what_is_masked_is_refused(number: int, catalog: Catalog) -> None:
    found = problem_of(number, catalog)

    assert "which runs SQL" in found or "whose source names" in found


@pytest.mark.parametrize(
    "number", range(len(REFUSED), len(REFUSED) + len(ALLOWED)), ids=list(ALLOWED)
)
def test_a_function_that_reads_nothing_masked_is_allowed(number: int, catalog: Catalog) -> None:
    assert problem_of(number, catalog) == ""
