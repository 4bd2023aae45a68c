"""Types, casts, collations and functions of users, through the real pipeline, over Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.errors import DatabaseError, GuardError, Refused, Unavailable
from tests.guarding import SHOP, ask, execute, guarding
from tests.support.postgres import fresh_database

if TYPE_CHECKING:
    from pathlib import Path

    from pg_guard_mcp.pipeline import Guard
    from tests.support.postgres import Shop, ShopServer

CALLED = "PLANT"
RAISES = f"LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '' USING ERRCODE = '{CALLED}'; END $$;"
TYPES = f"""
CREATE FUNCTION shop.effects(text) RETURNS bool {RAISES}
CREATE FUNCTION shop.effects(int) RETURNS text {RAISES}
CREATE DOMAIN shop.portion AS int CHECK (VALUE BETWEEN 0 AND 100);
CREATE DOMAIN shop.code AS text CHECK (VALUE ~ '^[A-Z]+$' AND length(VALUE) < 9);
CREATE DOMAIN shop.short_code AS shop.code CHECK (length(VALUE) < 3);
CREATE DOMAIN shop.evil AS text CHECK (shop.effects(VALUE));
CREATE DOMAIN shop.evil_below AS shop.evil;
CREATE DOMAIN shop.sleepy AS text CHECK (pg_sleep(0)::text = '');
CREATE TYPE shop.pair AS (low shop.portion, high int, names text[]);
CREATE TYPE shop.evil_pair AS (name shop.evil);
CREATE TYPE shop.probing_pair AS (relation regclass);
CREATE TYPE shop.span AS RANGE (subtype = int);
CREATE TYPE shop.evil_span;
CREATE FUNCTION shop.canonical(shop.evil_span) RETURNS shop.evil_span LANGUAGE internal
    IMMUTABLE STRICT AS 'int4range_canonical';
CREATE TYPE shop.evil_span AS RANGE (subtype = int, canonical = shop.canonical);
CREATE COLLATION shop.bytes (provider = libc, locale = 'C');
CREATE COLLATION hr.hidden (provider = libc, locale = 'C');
CREATE TABLE shop.readings (id int, share shop.portion, code shop.code);
INSERT INTO shop.readings VALUES (1, 50, 'ABC'), (2, 70, 'B');
CREATE TABLE shop.evils (id int, evil shop.evil);
CREATE TABLE shop.probes (id int, relation regclass);
INSERT INTO shop.probes VALUES (1, NULL);
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO agent_ro;
"""

HARMLESS = {
    "SELECT '5'::shop.portion + 1, CAST('7' AS portion)": [("6", "7")],
    "SELECT 'AB'::shop.short_code || 'x', shop.code 'XY'": [("ABx", "XY")],
    "SELECT ARRAY[1, 2]::shop.portion[]": [("{1,2}",)],
    "SELECT (ROW(1, 2, '{a}')::shop.pair).low, ROW(1, 2, '{a}')::pair": [("1", "(1,2,{a})")],
    "SELECT '[1,5)'::shop.span @> 3": [("t",)],
    "SELECT '{[1,5)}'::shop.span_multirange": [("{[1,5)}",)],
    "SELECT * FROM json_to_record('{\"p\": 5}') AS r(p shop.portion)": [("5",)],
    "SELECT id FROM shop.readings WHERE share > 60 AND code < 'C'": [("2",)],
    "SELECT 'a' < 'B' COLLATE shop.bytes, 'a' > 'B' COLLATE bytes": [("f", "t")],
    'SELECT code COLLATE "C" FROM shop.readings ORDER BY code COLLATE shop.bytes': [
        ("ABC",),
        ("B",),
    ],
    "SELECT (jsonb_populate_record(o, '{\"line\": 5}')).line FROM shop.order_items o LIMIT 1": [
        ("5",)
    ],
}
REFUSED = {
    "SELECT 'x'::shop.evil": "allowed-types",
    "SELECT 'x'::evil": "allowed-types",
    "SELECT 'x'::shop.evil_below": "allowed-types",
    "SELECT '{x}'::shop.evil[]": "allowed-types",
    "SELECT 'x'::shop._evil": "allowed-types",
    "SELECT 'x'::shop.sleepy": "allowed-types",
    "SELECT ROW('x')::shop.evil_pair": "allowed-types",
    "SELECT ROW('hr.salaries')::shop.probing_pair": "allowed-types",
    "SELECT '[1,5)'::shop.evil_span": "allowed-types",
    "SELECT * FROM json_to_record('{}') AS r(p shop.evil)": "allowed-types",
    "SELECT JSON_OBJECT('a': 1 RETURNING shop.evil)": "allowed-types",
    'SELECT jsonb_populate_record(r, \'{"evil": "x"}\') FROM shop.evils r': "allowed-types",
    'SELECT json_populate_record(p, \'{"relation": "hr.salaries"}\') FROM shop.probes p': (
        "allowed-types"
    ),
    "SELECT NULL::shop.readings": "allowed-types",
    "SELECT 'x' COLLATE hr.hidden": "allowed-operators",
    "SELECT 'x' COLLATE shop.nosuch": "allowed-operators",
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


async def test_types_and_collations_that_run_nobodys_code_may_be_named(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    await execute(fresh_shop.admin, TYPES)

    async with guarding(tmp_path, fresh_shop.agent) as (guard, _):
        assert {sql: await ask(guard, sql) for sql in HARMLESS} == HARMLESS


async def test_types_and_collations_that_may_run_code_or_are_hidden_are_refused(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    found: dict[str, str] = {}
    await execute(fresh_shop.admin, TYPES)

    async with guarding(tmp_path, fresh_shop.admin) as (guard, _):
        for sql in REFUSED:
            with pytest.raises(Refused) as raised:
                await ask(guard, sql)
            found[sql] = raised.value.findings[0].rule

    assert found == REFUSED


async def test_a_check_that_was_added_after_the_catalog_was_read_does_not_run(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    sql = "SELECT 'ABC'::shop.code"
    await execute(fresh_shop.admin, TYPES)

    async with guarding(tmp_path, fresh_shop.admin) as (guard, _):
        before = await ended(guard, sql)
        await execute(
            fresh_shop.admin, "ALTER DOMAIN shop.code ADD CHECK (shop.effects(VALUE)) NOT VALID"
        )
        endings = [await ended(guard, sql) for _ in range(2)]

    assert before == "answered"
    assert endings == ["unavailable", "refused"]


async def test_a_collation_that_is_not_deterministic_compares_as_it_says(
    postgres15: ShopServer, tmp_path: Path
) -> None:
    """The wheel's Postgres is built without ICU."""
    collation = """
        CREATE COLLATION shop.nocase
            (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        """

    async with fresh_database(postgres15) as shop:
        await execute(shop.admin, collation)
        async with guarding(tmp_path, shop.agent) as (guard, _):
            assert await ask(guard, "SELECT 'PAID' COLLATE nocase = 'paid'") == [("t",)]


CASTS = f"""
CREATE FUNCTION shop.as_text(shop.order_status) RETURNS text {RAISES}
CREATE FUNCTION shop.plain_text(shop.order_status) RETURNS text LANGUAGE sql IMMUTABLE
    AS $$ SELECT 'status' $$;
CREATE FUNCTION shop.as_int(text) RETURNS int {RAISES}
CREATE FUNCTION shop.plain_int(text) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 7 $$;
"""


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT status::text FROM shop.orders",
        "SELECT status || 'x' FROM shop.orders",
        "SELECT upper(status) FROM shop.orders",
        "SELECT 'paid'::shop.order_status || ''",
        "SELECT CASE WHEN true THEN status ELSE 'x'::text END FROM shop.orders",
    ],
)
async def test_an_implicit_cast_with_effects_closes_its_type_and_the_relations_that_hold_it(
    fresh_shop: Shop, tmp_path: Path, sql: str
) -> None:
    cast = "CREATE CAST (shop.order_status AS text) WITH FUNCTION shop.as_text AS IMPLICIT;"
    await execute(fresh_shop.admin, CASTS + cast)

    async with guarding(tmp_path, fresh_shop.admin) as (guard, _):
        assert await ended(guard, sql) == "refused"
        assert await ended(guard, "SELECT id FROM shop.products LIMIT 1") == "answered"


async def test_a_cast_that_only_computes_is_no_matter(fresh_shop: Shop, tmp_path: Path) -> None:
    cast = "CREATE CAST (shop.order_status AS text) WITH FUNCTION shop.plain_text AS IMPLICIT;"
    await execute(fresh_shop.admin, CASTS + cast)

    async with guarding(tmp_path, fresh_shop.agent) as (guard, _):
        assert await ended(guard, "SELECT status FROM shop.orders LIMIT 1") == "answered"


@pytest.mark.parametrize(
    "sql", ["SELECT 'x'::text::int", "SELECT CAST(name AS integer) FROM shop.products"]
)
async def test_a_written_cast_between_built_in_types_with_effects_is_refused_where_written(
    fresh_shop: Shop, tmp_path: Path, sql: str
) -> None:
    cast = "CREATE CAST (text AS int) WITH FUNCTION shop.as_int AS ASSIGNMENT;"
    await execute(fresh_shop.admin, CASTS + cast)

    async with guarding(tmp_path, fresh_shop.admin) as (guard, _):
        assert await ended(guard, sql) == "refused"
        assert await ended(guard, "SELECT name, 1 + id FROM shop.products LIMIT 1") == "answered"


async def test_an_unwritten_cast_between_built_in_types_with_effects_stops_the_server(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    cast = "CREATE CAST (text AS int) WITH FUNCTION shop.as_int AS IMPLICIT;"
    await execute(fresh_shop.admin, CASTS + cast)

    async with guarding(tmp_path, fresh_shop.admin) as (guard, _):
        with pytest.raises(Unavailable):
            await ask(guard, "SELECT 1")


async def test_an_unwritten_cast_that_only_computes_does_not_stop_it(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    cast = "CREATE CAST (text AS int) WITH FUNCTION shop.plain_int AS IMPLICIT;"
    await execute(fresh_shop.admin, CASTS + cast)

    async with guarding(tmp_path, fresh_shop.agent) as (guard, _):
        assert await ask(guard, "SELECT 'x'::text + 1") == [("8",)]


async def test_a_cast_made_after_the_catalog_was_read_does_not_run(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    sql = "SELECT upper(status) FROM shop.orders"
    cast = "CREATE CAST (shop.order_status AS text) WITH FUNCTION shop.as_text AS IMPLICIT;"

    async with guarding(tmp_path, fresh_shop.admin) as (guard, _):
        before = await ended(guard, sql)
        await execute(fresh_shop.admin, CASTS + cast)
        endings = [await ended(guard, sql) for _ in range(2)]

    assert before == "42883"
    assert endings == ["unavailable", "refused"]


FUNCTIONS = """
CREATE FUNCTION shop.counts() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 41';
CREATE FUNCTION shop.counts(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION shop.top() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
    AS 'SELECT max(annual_salary)::text FROM hr.salaries';
CREATE FUNCTION shop.in_c(float8) RETURNS float8 LANGUAGE internal IMMUTABLE AS 'dsqrt';
CREATE FUNCTION shop.writes() RETURNS int LANGUAGE sql VOLATILE
    AS 'DELETE FROM shop.reviews; SELECT 1';
"""
NAMES = ["shop.counts", "shop.top", "shop.in_c", "shop.writes"]


@pytest.mark.parametrize("name", NAMES)
async def test_a_function_with_effects_needs_a_second_word(
    fresh_shop: Shop, tmp_path: Path, name: str
) -> None:
    await execute(fresh_shop.admin, FUNCTIONS)

    async with guarding(tmp_path, fresh_shop.agent, SHOP + f'allow_functions = ["{name}"]\n') as (
        guard,
        _,
    ):
        with pytest.raises(Unavailable):
            await ask(guard, "SELECT 1")


async def test_with_the_second_word_it_runs_in_the_read_only_transaction(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    both = "".join(
        f"{setting} = {NAMES!r}\n".replace("'", '"')
        for setting in ("allow_functions", "allow_functions_with_effects")
    )
    await execute(fresh_shop.admin, FUNCTIONS)

    async with guarding(tmp_path, fresh_shop.agent, SHOP + both) as (guard, _):
        assert await ask(guard, "SELECT counts(), counts(2), in_c(16)") == [("41", "2", "4")]
        assert len(await ask(guard, "SELECT shop.top()")) == 1
        assert await ended(guard, "SELECT shop.writes()") == "25006"


async def test_the_second_word_alone_is_a_problem(fresh_shop: Shop, tmp_path: Path) -> None:
    alone = SHOP + 'allow_functions_with_effects = ["shop.net_price"]\n'

    async with guarding(tmp_path, fresh_shop.agent, alone) as (guard, _):
        with pytest.raises(Unavailable):
            await ask(guard, "SELECT 1")


BESIDE = f"""
CREATE FUNCTION shop.effects(text) RETURNS bool {RAISES}
CREATE DOMAIN shop.code AS varchar(9);
CREATE DOMAIN shop.code_below AS shop.code;
CREATE DOMAIN shop.needed AS text NOT NULL;
CREATE TYPE shop.pair AS (code shop.code);
CREATE TYPE shop.span AS RANGE (subtype = shop.code);
CREATE TABLE shop.coded (
    id int, code shop.code_below, codes shop.code_below[], pair shop.pair, span shop.span,
    relation regclass, secret shop.code, secrets shop.code[], needed shop.needed);
INSERT INTO shop.coded VALUES
    (1, 'A', '{{A,B}}', '(A)', '[A,B]', 'pg_class', 'S', '{{S}}', 'N');
ALTER DOMAIN shop.code ADD CHECK (shop.effects(VALUE)) NOT VALID;
"""
BESIDE_MASKS = (
    SHOP
    + """
[mask]
"shop.coded.secret" = "redact"
"shop.coded.secrets" = "null"
"shop.coded.needed" = "redact"
"""
)
LITERALS = {
    "SELECT ARRAY[code] = '{x}' FROM shop.coded": "f",
    "SELECT array_agg(code) = '{x}' FROM shop.coded": "f",
    "SELECT lag(code, 1, 'x') OVER () FROM shop.coded": "x",
    "SELECT codes = '{x}' FROM shop.coded": "f",
    "SELECT coalesce(codes, '{x}') FROM shop.coded": "{A,B}",
    "SELECT array_append(codes, 'x') FROM shop.coded": "{A,B,x}",
    "SELECT coalesce(pair, '(x)') FROM shop.coded": "(A)",
    "SELECT span = '[x,y]' FROM shop.coded": "f",
    "SELECT relation = 'hr.salaries' FROM shop.coded": "f",
    "SELECT code || codes[1] || needed::text FROM shop.coded WHERE code = 'A'": "AA[redacted]",
    "SELECT secret FROM shop.coded": "[redacted]",
    "SELECT secrets FROM shop.coded": None,
    "SELECT needed FROM shop.coded": "[redacted]",
}


@pytest.mark.parametrize("sql", LITERALS)
async def test_a_literal_beside_a_column_runs_nobodys_code(
    fresh_shop: Shop, tmp_path: Path, sql: str
) -> None:
    await execute(fresh_shop.admin, BESIDE)

    async with guarding(tmp_path, fresh_shop.admin, BESIDE_MASKS) as (guard, _):
        assert await ask(guard, sql) == [(LITERALS[sql],)]
