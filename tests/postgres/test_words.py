"""What went wrong in Postgres is told in our words: a code and a hint, and never a value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import asyncpg
import pytest

from pg_guard_mcp.errors import Cancelled, DatabaseError, GuardError, TimedOut, Unavailable
from pg_guard_mcp.model import Limits
from pg_guard_mcp.postgres import words
from tests.postgres.databases import fetch, opened
from tests.support.postgres import connected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import Shop, ShopServer

CANARY = "canary-7f3a"

# Each prints the value in the message, the detail, the hint or the context of Postgres's error.
LEAKS = {
    "a cast to a number": f"SELECT '{CANARY}'::integer",
    "a cast of a column": "SELECT secret::integer FROM shop.vault",
    "a cast to a date": "SELECT secret::date FROM shop.vault",
    "a cast to a uuid": "SELECT secret::uuid FROM shop.vault",
    "a cast to an interval": "SELECT secret::interval FROM shop.vault",
    "a cast to a boolean": "SELECT secret::boolean FROM shop.vault",
    "a cast to bytes": r"SELECT ('\x' || secret)::bytea FROM shop.vault",
    "a cast to an address": "SELECT secret::inet FROM shop.vault",
    "a cast to an enum": "SELECT secret::shop.order_status FROM shop.vault",
    "a cast to json": "SELECT secret::jsonb FROM shop.vault",
    "a cast to an array": "SELECT secret::integer[] FROM shop.vault",
    "a cast to a range": "SELECT secret::int4range FROM shop.vault",
    "a cast to a point": "SELECT secret::point FROM shop.vault",
    "a cast to a table's name": "SELECT secret::regclass FROM shop.vault",
    "a cast to a text search": "SELECT (secret || ' & & ')::tsquery FROM shop.vault",
    "a comparison of a text and a number": "SELECT * FROM shop.vault WHERE secret::numeric > 0",
    "to_date": "SELECT to_date(secret, 'YYYY-MM-DD') FROM shop.vault",
    "a pattern of a regular expression": "SELECT 'x' ~ (secret || '(') FROM shop.vault",
    "a path into json": "SELECT jsonb_path_query('{}', (secret || '[')::jsonpath) FROM shop.vault",
    "strict json": "SELECT jsonb_path_query(to_jsonb(secret), 'strict $.a') FROM shop.vault",
    "json by key": "SELECT jsonb_set('1', ARRAY[secret], '1') FROM shop.vault",
    "a time zone": "SELECT now() AT TIME ZONE secret FROM shop.vault",
    "a unit of time": "SELECT date_trunc(secret, now()) FROM shop.vault",
    "a format": "SELECT format('%' || secret, 1) FROM shop.vault",
    "an encoding": "SELECT encode('x', secret) FROM shop.vault",
    "base64": "SELECT decode(secret, 'base64') FROM shop.vault",
    "a setting": "SELECT current_setting(secret) FROM shop.vault",
    "a text search configuration": "SELECT to_tsvector(secret::regconfig, 'x') FROM shop.vault",
    "a function that raises": "SELECT shop.complain(secret) FROM shop.vault",
    "a domain": "SELECT secret::shop.short FROM shop.vault",
    "a scalar subquery of many rows": "SELECT (SELECT secret FROM shop.vault, shop.orders)",
    "an array's bounds": "SELECT array_fill(secret, ARRAY[2000000000]) FROM shop.vault",
    "division by zero": f"SELECT 1 / (length('{CANARY}') - {len(CANARY)})",
    "an unknown column": f'SELECT "{CANARY}" FROM shop.orders',
    "an unknown relation": f'SELECT * FROM shop."{CANARY}"',
    "an unknown function": f'SELECT "{CANARY}"(1)',
    "an unknown type": f'SELECT 1::"{CANARY}"',
    "an unknown schema": f'SELECT * FROM "{CANARY}".orders',
    "broken grammar": f"SELECT FROM WHERE '{CANARY}'",
    "a broken literal": f"SELECT 1 '{CANARY}' 2",
}


@pytest.fixture
async def vault(fresh_shop: Shop) -> Shop:
    """Put a secret into a table, and things that print it beside it."""
    async with connected(fresh_shop.admin) as admin:
        await admin.execute(
            f"""
            CREATE TABLE shop.vault AS SELECT '{CANARY}'::text AS secret;
            CREATE DOMAIN shop.short AS text CHECK (length(VALUE) < 3);
            CREATE FUNCTION shop.complain(value text) RETURNS text LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'bad value %', value USING DETAIL = value, HINT = value,
                    SCHEMA = value, TABLE = value, COLUMN = value, DATATYPE = value,
                    CONSTRAINT = value;
            END $$;
            """
        )
    return fresh_shop


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Walk everything that hangs on an error."""
    while error is not None:
        yield error
        if error.__cause__ is not None:
            yield from chain(error.__cause__)
        error = error.__context__


async def caught_from(shop: Shop, sql: str) -> GuardError:
    """Run what must fail; give what the caller is told."""
    async with opened(shop.admin) as database:
        with pytest.raises(GuardError) as caught:
            await fetch(database, sql)
    return caught.value


async def test_most_cases_would_tell_the_value_in_postgres_own_words(vault: Shop) -> None:
    telling = []
    async with connected(vault.admin) as admin:
        for name, sql in LEAKS.items():
            with pytest.raises(asyncpg.PostgresError) as caught:
                await admin.fetch(sql)
            if CANARY in repr(caught.value.as_dict()):
                telling.append(name)

    assert len(telling) >= 25


async def test_no_failure_tells_a_value(vault: Shop) -> None:
    told = {}
    for name, sql in LEAKS.items():
        error = await caught_from(vault, sql)
        told[name] = " ".join((error.as_text(), str(error), repr(error), repr(vars(error))))

    assert {name: text for name, text in told.items() if CANARY in text} == {}


async def test_nothing_that_hangs_on_a_failure_tells_a_value(vault: Shop) -> None:
    hanging = {}
    for name, sql in LEAKS.items():
        error = await caught_from(vault, sql)
        hanging[name] = " ".join(f"{link!r} {link}" for link in chain(error))

    assert {name: text for name, text in hanging.items() if CANARY in text} == {}


async def test_a_failure_says_its_sqlstate_what_it_is_and_what_to_do(postgres: ShopServer) -> None:
    async with opened(postgres.agent) as database:
        with pytest.raises(DatabaseError) as caught:
            await fetch(database, "SELECT id, emial FROM shop.customers")

    error = caught.value
    assert error.as_text() == (
        "database-error: [42703] undefined column\nhint: describe_view lists a relation's columns."
    )
    assert error.position == 12


async def test_a_privilege_that_is_missing_is_told_without_the_relation(
    postgres: ShopServer,
) -> None:
    async with opened(postgres.agent) as database:
        with pytest.raises(DatabaseError) as caught:
            await fetch(database, "SELECT * FROM hr.salaries")

    assert caught.value.sqlstate == "42501"
    assert "salaries" not in caught.value.as_text()


@pytest.mark.since(15)
async def test_too_little_memory_is_told_as_asking_for_too_much(postgres: ShopServer) -> None:
    limits = Limits(pool_size=1)
    async with opened(postgres.admin, limits) as database:
        with pytest.raises(DatabaseError) as caught:
            await fetch(database, "SELECT repeat('x', 1100000000)")

    assert caught.value.sqlstate in {"54000", "53200"}


def _kinds(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    for each in kind.__subclasses__():
        yield each
        yield from _kinds(each)


def test_every_condition_postgres_has_is_told_in_words() -> None:
    conditions = {words._condition(kind) for kind in _kinds(asyncpg.PostgresError)}

    # Not `read only s q l transaction`.
    assert {text for text in conditions if re.search(r"\b[b-z] [a-z]\b", text)} == set()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (asyncpg.QueryCanceledError("x"), Cancelled),
        (asyncpg.InvalidPasswordError("x"), Unavailable),
        (asyncpg.InvalidAuthorizationSpecificationError("x"), Unavailable),
        (asyncpg.InvalidCatalogNameError("x"), Unavailable),
        (asyncpg.TooManyConnectionsError("x"), Unavailable),
        (asyncpg.AdminShutdownError("x"), Unavailable),
        (asyncpg.CrashShutdownError("x"), Unavailable),
        (asyncpg.CannotConnectNowError("x"), Unavailable),
        (asyncpg.ConnectionDoesNotExistError("x"), Unavailable),
        (asyncpg.PostgresIOError("x"), Unavailable),
        (asyncpg.InterfaceError("x"), Unavailable),
        (ConnectionResetError("x"), Unavailable),
        (asyncpg.DivisionByZeroError("x"), DatabaseError),
        (asyncpg.InternalServerError("x"), DatabaseError),
        (asyncpg.PostgresError("x"), DatabaseError),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else type(value).__name__,
)
def test_each_kind_of_trouble_has_its_own_code(
    error: BaseException, expected: type[GuardError]
) -> None:
    translated = words.translate(error, timed_out=False)

    assert type(translated) is expected
    assert "x" not in translated.as_text().split()
    assert translated.hint


def test_a_query_cancelled_after_its_time_ran_into_it() -> None:
    translated = words.translate(asyncpg.QueryCanceledError("x"), timed_out=True)

    assert isinstance(translated, TimedOut)


def test_what_postgres_said_before_it_hung_up_is_what_happened() -> None:
    # A replica does so to a session between two messages, which no test can be sure to hit.
    hung_up = asyncpg.ConnectionDoesNotExistError("connection was closed")
    hung_up.__cause__ = asyncpg.SerializationError("terminating connection")

    said = words.translate(hung_up, timed_out=False)

    assert said.as_text().startswith("database-error: [40001] the replica ended the query")
