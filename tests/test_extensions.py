"""Extensions whose packs are on answer as psql does, through the real pipeline and a real Postgres.

What is compared with is a connection of our own, with the usual `search_path`.
"""

from __future__ import annotations

import asyncio
import io
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp import pipeline
from pg_guard_mcp.errors import ConfigurationError, GuardError
from pg_guard_mcp.guard import policy as policies
from pg_guard_mcp.model import AccessRules
from pg_guard_mcp.postgres import snapshot
from tests.guarding import ask, call, execute, guarding
from tests.postgres.databases import opened, shared_database
from tests.support.answers import cells
from tests.support.postgres import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from pg_guard_mcp.pipeline import Guard
    from tests.support.postgres import Shop, ShopServer

CONTRIB = (
    "btree_gist citext cube earthdistance fuzzystrmatch hstore intarray isn ltree pg_trgm seg"
    " tablefunc unaccent"
).split()
ON_18 = [*CONTRIB, "vector"]
ON_15 = [*CONTRIB, "pgcrypto", "postgis", "uuid-ossp"]

THINGS = """
CREATE TABLE shop.things (
    id int PRIMARY KEY, label citext, tags hstore, place ltree, codes int[], spot cube, span seg,
    book isbn13, name text
);
INSERT INTO shop.things VALUES
    (1, 'Chair', 'legs=>4, colour=>Red', 'home.office', '{1,2,3}', '(1,2)', '1.5',
     '978-0-393-04002-9', 'Crème brûlée'),
    (2, 'chair', 'legs=>3', 'home.garden', '{3,4}', '(3,4)', '2 .. 3', NULL, 'creme brulee'),
    (3, 'TABLE', NULL, 'work', '{}', '(0,0)', NULL, NULL, 'Kaffee');
CREATE VIEW shop.labels AS SELECT id, label FROM shop.things WHERE label <> 'table';
CREATE DOMAIN shop.nick AS citext CHECK (length(VALUE) < 20);
CREATE TABLE shop.people (id int, nick shop.nick, others citext[]);
INSERT INTO shop.people VALUES (1, 'Ada', '{GRACE,Edsger}'), (2, 'grace', '{}');
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO agent_ro;
"""
VECTORS = """
CREATE TABLE shop.embeddings (id int, embedding vector(3), half halfvec(3));
INSERT INTO shop.embeddings VALUES (1, '[1,2,3]', '[1,2,3]'), (2, '[3,1,2]', '[3,1,2]'),
    (3, '[0,0,1]', '[0,0,1]');
CREATE VIEW shop.norms AS
    SELECT id, vector_norm(embedding) > 1 AS long, embedding::vector(3) AS plain,
           embedding <-> '[0,0,0]' AS distance
    FROM shop.embeddings;
GRANT SELECT ON shop.embeddings, shop.norms TO agent_ro;
"""
PLACES = """
CREATE TABLE shop.places (id int, name text, geom geometry(Point, 4326), area geography);
INSERT INTO shop.places VALUES
    (1, 'Berlin', 'SRID=4326;POINT(13.4 52.5)', 'POINT(13.4 52.5)'),
    (2, 'Paris', 'SRID=4326;POINT(2.35 48.86)', 'POINT(2.35 48.86)'),
    (3, 'Nowhere', NULL, NULL);
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO agent_ro;
"""

# Every operator, function and type here is resolved as psql resolves it.
HONEST = """
SELECT id FROM shop.things WHERE label = 'CHAIR' ORDER BY id
SELECT id FROM shop.things WHERE label IN ('CHAIR', 'x') ORDER BY id
SELECT id FROM shop.things WHERE label LIKE 'CH%' ORDER BY id
SELECT id FROM shop.things WHERE label BETWEEN 'D' AND 'zz' ORDER BY id
SELECT id, label IS DISTINCT FROM 'CHAIR', nullif(label, 'TABLE') FROM shop.things ORDER BY id
SELECT id, CASE label WHEN 'CHAIR' THEN 'sit' ELSE 'eat' END FROM shop.things ORDER BY id
SELECT count(*) FROM shop.things a JOIN shop.things b USING (label)
SELECT count(*) FROM shop.things a NATURAL JOIN (SELECT label FROM shop.things) b
SELECT count(*) FROM shop.things WHERE label = ANY (ARRAY['CHAIR'])
SELECT count(*) FROM shop.things WHERE label IN (SELECT 'CHAIR'::citext)
SELECT count(*) FROM shop.things WHERE (label, id) = ('CHAIR', 1)
SELECT count(DISTINCT label), min(label), max(label) FROM shop.things
SELECT label, count(*) FROM shop.things GROUP BY label ORDER BY count(*), min(id)
SELECT replace(label, 'CH', 'x'), strpos(label, 'AIR'), split_part(label, 'A', 1) FROM shop.things
SELECT l.l FROM (SELECT label AS l FROM shop.things) l WHERE l.l = 'CHAIR' ORDER BY l.l::text
WITH t(x) AS (SELECT label FROM shop.things) SELECT count(*) FROM t WHERE x = 'CHAIR'
SELECT count(*) FROM shop.labels WHERE label = 'CHAIR'
SELECT 'abc'::citext = 'ABC', CAST('x' AS public.citext) = 'X', citext 'a' = 'A'
SELECT id FROM shop.people WHERE nick = 'ADA' OR 'ada'::shop.nick = nick
SELECT id FROM shop.people WHERE 'grace' = ANY (others) ORDER BY id
SELECT o FROM shop.people, unnest(others) AS o WHERE o = 'grace'
SELECT id, tags -> 'legs', tags ? 'colour', tags @> 'legs=>4' FROM shop.things ORDER BY id
SELECT key, value FROM shop.things, each(tags) ORDER BY key, value
SELECT hstore('a', 'b') || 'c=>d', akeys('x=>1'::hstore), hstore_to_json('x=>1')
SELECT ('a=>1'::hstore)::json ->> 'a', '{"a": 1}'::json -> 'a'
SELECT id FROM shop.things WHERE place <@ 'home' ORDER BY id
SELECT place ~ '*.office', nlevel(place), subpath(place, 0, 1) FROM shop.things ORDER BY id
SELECT lca('a.b.c'::ltree, 'a.b.d'::ltree), text2ltree('a.b') || 'c'
SELECT id FROM shop.things WHERE codes && ARRAY[4] ORDER BY id
SELECT codes + 9, codes - 3, codes @> '{1}', codes @@ '1&2'::query_int FROM shop.things ORDER BY id
SELECT sort(ARRAY[3,1,2]), uniq(ARRAY[1,1,2]), icount('{1,2}'::int[]), 5 - 3 AS three
SELECT id FROM shop.things ORDER BY spot <-> '(1,1)', id
SELECT cube_distance('(0,0)', '(3,4)'), '(1),(2)'::cube @> '1.5', cube_dim('(1,2,3)'::cube)
SELECT round(earth_distance(ll_to_earth(52.5, 13.4), ll_to_earth(48.86, 2.35)))
SELECT round((point(13.4, 52.5) <@> point(2.35, 48.86))::numeric), earth() > 6e6
SELECT span && '1 .. 2.5', seg_size(span) FROM shop.things ORDER BY id
SELECT book = '9780393040029', isbn(book) FROM shop.things WHERE book IS NOT NULL
SELECT similarity('word', 'words'), 'word' % 'words', 7 % 4, word_similarity('a', 'abc')
SELECT name FROM shop.things WHERE name % 'creme brule' ORDER BY name <-> 'creme brule'
SELECT 'lamp' <% 'a lamp post', show_trgm('ab'), 'a' <->> 'b'
SELECT unaccent(name), unaccent('unaccent', 'é') FROM shop.things ORDER BY id
SELECT levenshtein('kitten', 'sitting'), soundex('Robert'), difference('a', 'b'), metaphone('x', 4)
SELECT count(*) FROM normal_rand(5, 0, 1)
SELECT 3 <-> 5, date '2026-01-01' <-> date '2026-01-05'
SELECT DISTINCT label FROM shop.things WHERE id < 3
"""
HONEST_18 = """
SELECT id FROM shop.embeddings ORDER BY embedding <-> '[1,2,3]' LIMIT 2
SELECT id, round((embedding <=> '[1,2,3]')::numeric, 4) FROM shop.embeddings ORDER BY id
SELECT id, embedding <#> '[1,2,3]', embedding <+> '[1,1,1]' FROM shop.embeddings ORDER BY id
SELECT embedding + '[1,1,1]', embedding * embedding, -1 * 3 FROM shop.embeddings ORDER BY id
SELECT avg(embedding), sum(embedding), avg(id), sum(id) FROM shop.embeddings
SELECT vector_dims(embedding), vector_norm(embedding), l2_normalize(half) FROM shop.embeddings
SELECT l2_distance('[1,2]'::vector, '[3,4]'), cosine_distance(embedding, half) FROM shop.embeddings
SELECT '[1,2,3]'::vector(3)::real[], ARRAY[1,2]::vector, subvector('[1,2,3]'::vector, 1, 2)
SELECT a.id, b.id FROM shop.embeddings a, shop.embeddings b WHERE a.embedding = b.embedding
SELECT point(0, 0) <-> point(3, 4), '[1,2]'::vector <-> '[1,3]'
SELECT binary_quantize(embedding), inner_product(embedding, '[1,1,1]') FROM shop.embeddings
"""
HONEST_15 = """
SELECT name, ST_AsText(geom), ST_X(geom), ST_SRID(geom) FROM shop.places ORDER BY id
SELECT a.name FROM shop.places a JOIN shop.places b ON ST_DWithin(a.geom, b.geom, 1) ORDER BY 1
SELECT name FROM shop.places WHERE geom && ST_MakeEnvelope(0, 40, 10, 50, 4326)
SELECT name FROM shop.places ORDER BY geom <-> ST_SetSRID(ST_MakePoint(13, 52), 4326), id
SELECT name, round(ST_Distance(area, 'POINT(0 0)'::geography)) FROM shop.places ORDER BY id
SELECT ST_AsText(ST_Transform(geom, 3857), 0) FROM shop.places ORDER BY id
SELECT ST_AsText(ST_Transform(geom, CAST('3857' AS integer)), 0) FROM shop.places ORDER BY id
SELECT ST_AsGeoJSON(p.*) FROM shop.places p ORDER BY id
SELECT ST_AsText(ST_Union(geom)), ST_Extent(geom), count(*) FROM shop.places
SELECT ST_Area(ST_Buffer(ST_Point(0, 0), 1)) > 3, ST_Within(geom, geom) FROM shop.places
SELECT (ST_DumpPoints('LINESTRING(0 0, 1 1)'::geometry)).path
SELECT g.path, ST_AsText(g.geom) FROM ST_Dump('MULTIPOINT(0 0, 1 1)'::geometry) g ORDER BY 1
SELECT geom = geom, geom ~= geom, geom ~ geom, geom::text IS NULL FROM shop.places ORDER BY id
SELECT 'POINT(1 2)'::geometry(Point), geometry 'POINT(1 2)' IS NOT NULL, geom::json FROM shop.places
SELECT ST_Area('POLYGON((0 0,1 0,1 1,0 0))'), ST_Intersects('POINT(0 0)', 'POINT(0 0)')
SELECT ST_Azimuth(ST_Point(0, 0), ST_Point(1, 1)), ST_Length('LINESTRING(0 0,3 4)'::geometry)
SELECT name, ST_ClusterKMeans(geom, 2) OVER () IS NULL FROM shop.places ORDER BY id
SELECT postgis_lib_version(), ST_Affine('POINT(1 1)'::geometry, 1, 0, 0, 1, 1, 1)::text
SELECT encode(digest('x', 'sha256'), 'hex'), encode(hmac('x', 'k', 'sha1'), 'hex')
SELECT length(gen_random_bytes(8)), gen_random_uuid() IS NULL
SELECT uuid_generate_v5(uuid_ns_url(), 'https://example.com'), uuid_nil()
"""


def settings(extensions: list[str]) -> str:
    """Write the settings of a shop with these packs on."""
    return f'[access]\nschemas = ["shop"]\nextensions = {extensions!r}\n'.replace("'", '"')


def create(extensions: list[str]) -> str:
    """Install extensions where everybody puts them."""
    return "".join(f'CREATE EXTENSION "{name}" SCHEMA public;' for name in extensions)


@pytest.fixture(scope="module")
def on_18(postgres18: ShopServer) -> Iterator[Shop]:
    """Hold a database with the extensions that come with the wheel, in public."""
    with shared_database(postgres18) as shop:
        asyncio.run(execute(shop.admin, create(ON_18) + THINGS + VECTORS))
        yield shop


@pytest.fixture(scope="module")
def on_15(postgis: ShopServer) -> Iterator[Shop]:
    """Hold a database with PostGIS, pgcrypto and the other extensions of Debian, in public."""
    with shared_database(postgis) as shop:
        asyncio.run(execute(shop.admin, create(ON_15) + THINGS + PLACES))
        yield shop


async def directly(shop: Shop, sql: str) -> list[tuple[str | None, ...]]:
    """Ask Postgres itself, as psql would."""
    text = io.BytesIO()
    async with connected(shop.agent, search_path='"$user", public') as connection:
        await connection.copy_from_query(sql, output=text)
    return [cells(line) for line in text.getvalue().decode().splitlines()]


@asynccontextmanager
async def guarded(shop: Shop, directory: Path, extensions: list[str]) -> AsyncIterator[Guard]:
    """Open a guard over the shop with these packs on."""
    async with guarding(directory, shop.agent, settings(extensions)) as (guard, _):
        yield guard


async def refusal(guard: Guard, sql: str) -> str:
    """Ask for what must be refused, and give what the agent reads."""
    with pytest.raises(GuardError) as raised:
        await ask(guard, sql)
    return raised.value.as_text()


def statements(text: str) -> list[str]:
    """Read one statement a line."""
    return text.strip().splitlines()


async def differences(
    shop: Shop, directory: Path, extensions: list[str], sqls: list[str]
) -> dict[str, object]:
    """Ask both ways, and give what did not come out the same."""
    found: dict[str, object] = {}
    async with guarded(shop, directory, extensions) as guard:
        for sql in sqls:
            expected = await directly(shop, sql)
            try:
                answered: object = await ask(guard, sql)
            except GuardError as error:
                answered = error.as_text()
            if answered != expected:
                found[sql] = answered
    return found


async def test_packs_that_are_on_answer_as_psql_does(on_18: Shop, tmp_path: Path) -> None:
    sqls = [*statements(HONEST), *statements(HONEST_18)]

    assert await differences(on_18, tmp_path, ON_18, sqls) == {}


async def test_postgis_and_pgcrypto_answer_as_psql_does(on_15: Shop, tmp_path: Path) -> None:
    sqls = [*statements(HONEST), *statements(HONEST_15)]

    assert await differences(on_15, tmp_path, ON_15, sqls) == {}


async def test_a_pack_that_is_off_is_refused_with_the_setting_that_opens_it(
    on_18: Shop, tmp_path: Path
) -> None:
    cases = {
        "SELECT id FROM shop.things WHERE label = 'CHAIR'": "citext",
        "SELECT 'a'::citext": "citext",
        "SELECT similarity(name, 'x') FROM shop.things": "pg_trgm",
        "SELECT public.similarity(name, 'x') FROM shop.things": "pg_trgm",
        "SELECT 'x' <<% name FROM shop.things": "pg_trgm",
        "SELECT id FROM shop.embeddings ORDER BY embedding <-> '[1,2,3]'": "vector",
        "SELECT avg(embedding) FROM shop.embeddings": "vector",
        "SELECT id FROM shop.people WHERE nick = 'ADA'": "citext",
    }
    async with guarded(on_18, tmp_path, []) as guard:
        found = {sql: await refusal(guard, sql) for sql in cases}

    hints = {sql: f'switch "{name}" on in access.extensions' for sql, name in cases.items()}
    assert {sql: found[sql] for sql in cases if hints[sql] not in found[sql]} == {}


async def test_what_needs_no_operator_of_a_pack_that_is_off_is_answered(
    on_18: Shop, tmp_path: Path
) -> None:
    sqls = [
        "SELECT id, label, tags, spot FROM shop.things WHERE id < 3 ORDER BY label::text",
        "SELECT * FROM shop.embeddings WHERE id IN (1, 2)",
        "SELECT DISTINCT label FROM shop.things WHERE id < 3",
        "SELECT label, count(*) FROM shop.things GROUP BY label ORDER BY label",
        "SELECT id FROM shop.things WHERE label::text = 'Chair' AND 7 % 4 = 3",
        "SELECT nick, others FROM shop.people WHERE id = 1",
    ]

    assert await differences(on_18, tmp_path, [], sqls) == {}


async def test_what_is_not_in_a_pack_is_refused_for_its_reason(on_18: Shop, tmp_path: Path) -> None:
    cases = {
        "SELECT set_limit(0.5)": "changes a setting",
        "SELECT * FROM crosstab('SELECT 1, 2, 3') AS t(a int, b int)": "gets as text",
        "SELECT isn_weak(true)": "changes how the session reads",
        "SELECT citextsend('a')": "wire format",
    }
    async with guarded(on_18, tmp_path, ON_18) as guard:
        found = {sql: await refusal(guard, sql) for sql in cases}

    assert all(why in found[sql] for sql, why in cases.items())


async def test_of_postgis_and_pgcrypto_only_what_computes_is_in(
    on_15: Shop, tmp_path: Path
) -> None:
    cases = {
        "SELECT st_estimatedextent('shop', 'places', 'geom')": "name of a table",
        "SELECT find_srid('shop', 'places', 'geom')": "name of a table",
        "SELECT postgis_full_version()": "name of a table",
        "SELECT AddGeometryColumn('shop', 'places', 'g', 4326, 'POINT', 2)": "name of a table",
        "SELECT lockrow('shop', 'places', '1')": "locks of its own",
        "SELECT st_geomfromgml('<gml:Point/>')": "parser",
        "SELECT ST_Transform(geom, '+proj=longlat +nadgrids=x') FROM shop.places": "a number",
        "SELECT ST_Transform(geom, name) FROM shop.places": "a number",
        "SELECT ST_Transform(geom, '+proj=longlat', 4326) FROM shop.places": "3 arguments",
        "SELECT crypt('secret', gen_salt('bf'))": "passwords or keys",
        "SELECT pgp_sym_encrypt('a', 'b')": "passwords or keys",
    }
    async with guarded(on_15, tmp_path, ON_15) as guard:
        found = {sql: await refusal(guard, sql) for sql in cases}

    assert {sql for sql, why in cases.items() if why not in found[sql]} == set()


async def test_a_pack_whose_extension_is_not_there_is_a_problem_with_its_fix(
    fresh_shop: Shop,
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        await built(fresh_shop, ["citext"])

    (problem,) = raised.value.problems
    assert "citext" in problem.message
    assert problem.fix.startswith('CREATE EXTENSION "citext"')


async def test_a_pack_in_a_schema_the_role_may_not_use_is_a_problem_with_its_fix(
    fresh_shop: Shop,
) -> None:
    await execute(fresh_shop.admin, "CREATE SCHEMA tools; CREATE EXTENSION citext SCHEMA tools")

    with pytest.raises(ConfigurationError) as raised:
        await built(fresh_shop, ["citext"])

    (problem,) = raised.value.problems
    assert problem.fix.startswith("GRANT USAGE ON SCHEMA tools")


async def test_an_extension_in_a_schema_of_its_own_works_as_well(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    await execute(
        fresh_shop.admin,
        """
        CREATE SCHEMA "the tools";
        CREATE EXTENSION citext SCHEMA "the tools";
        GRANT USAGE ON SCHEMA "the tools" TO agent_ro;
        CREATE TABLE shop.named (name "the tools".citext);
        INSERT INTO shop.named VALUES ('Ada');
        GRANT SELECT ON shop.named TO agent_ro;
        """,
    )

    async with guarded(fresh_shop, tmp_path, ["citext"]) as guard:
        assert await ask(guard, "SELECT name = 'ADA', 'x'::citext = 'X' FROM named") == [("t", "t")]


async def test_a_masked_column_of_an_extensions_type_keeps_its_operators_and_its_mask(
    on_18: Shop, tmp_path: Path
) -> None:
    masks = '[mask]\n"shop.things.label" = "first1"\n"shop.embeddings.embedding" = "redact"\n'

    async with guarding(tmp_path, on_18.agent, settings(ON_18) + masks) as (guard, _):
        rows = await ask(guard, "SELECT label, label = 'c***' FROM shop.things ORDER BY id LIMIT 1")
        hidden = await ask(guard, "SELECT embedding <-> '[1,2,3]' FROM shop.embeddings LIMIT 1")

    assert rows == [("C***", "t")]
    assert hidden == [(None,)]


async def test_a_view_over_an_extension_opens_with_its_schema_when_the_pack_is_on(
    on_18: Shop, tmp_path: Path
) -> None:
    sql = "SELECT id FROM shop.labels ORDER BY id"

    async with guarded(on_18, tmp_path / "on", ["citext"]) as guard:
        assert await ask(guard, sql) == [("1",), ("2",)]
    async with guarded(on_18, tmp_path / "off", []) as guard:
        assert "not readable" in await refusal(guard, sql)


async def test_a_view_that_computes_with_a_pack_keeps_what_no_mask_is_behind(
    on_18: Shop, tmp_path: Path
) -> None:
    sql = "SELECT * FROM shop.norms WHERE id = 3"
    elsewhere = '[mask]\n"shop.customers.email" = "email"\n'
    behind = '[mask]\n"shop.embeddings.embedding" = "null"\n'

    async with guarding(tmp_path / "a", on_18.agent, settings(ON_18) + elsewhere) as (guard, _):
        assert await ask(guard, sql) == [("3", "f", "[0,0,1]", "1")]
    async with guarding(tmp_path / "b", on_18.agent, settings(ON_18) + behind) as (guard, _):
        assert await ask(guard, sql) == [("3", None, None, None)]


async def test_explain_goes_the_same_way(on_18: Shop, tmp_path: Path) -> None:
    sql = "SELECT id FROM shop.things WHERE label = 'CHAIR'"

    async with guarded(on_18, tmp_path / "on", ["citext"]) as guard:
        assert "citext" in await pipeline.explain(call("explain", sql=sql), guard)
    async with guarded(on_18, tmp_path / "off", []) as guard:
        with pytest.raises(GuardError):
            await pipeline.explain(call("explain", sql=sql), guard)


async def built(shop: Shop, extensions: list[str]) -> None:
    """Build the policy, without a server around it."""
    rules = AccessRules(schemas=("shop",), extensions=tuple(extensions))
    async with opened(shop.agent) as database:
        policies.build(rules, await snapshot.take(database, "test"))
