"""The database that mutants run in: the demo shop, what attackers would plant in it, and packs.

Some extensions have a schema of their own, some share `public` with what was planted there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.reads import CORPUS, SHOP_READS
from tests.support import catalogs

from tools.corpora import cases, ours
from tools.mutants import taken_apart

if TYPE_CHECKING:
    from collections.abc import Iterator

EXTENSIONS = {
    "ext": ("hstore", "ltree", "vector", "intarray", "cube", "unaccent", "fuzzystrmatch"),
    "public": ("citext", "pg_trgm"),
}
RULES = replace(
    catalogs.RULES, extensions=tuple(name for names in EXTENSIONS.values() for name in names)
)

FURNITURE = """
CREATE EXTENSION IF NOT EXISTS dblink;
CREATE TABLE shop.sink (n bigint);
CREATE TABLE public.other_sink (n bigint);
CREATE SEQUENCE shop.counter;
CREATE FUNCTION shop.write_sink(bigint) RETURNS bigint LANGUAGE sql AS
    'INSERT INTO shop.sink VALUES ($1) RETURNING n';
CREATE FUNCTION shop.read_salaries() RETURNS SETOF hr.salaries LANGUAGE sql SECURITY DEFINER AS
    'SELECT * FROM hr.salaries';
CREATE FUNCTION shop.row_sink(shop.orders) RETURNS bigint LANGUAGE sql AS
    'INSERT INTO shop.sink VALUES ($1.id) RETURNING n';
CREATE FUNCTION shop.sink_transition(bigint, bigint) RETURNS bigint LANGUAGE sql AS
    'SELECT shop.write_sink($2)';
CREATE AGGREGATE shop.write_all(bigint) (SFUNC = shop.sink_transition, STYPE = bigint);
CREATE FUNCTION shop.writes(bigint) RETURNS boolean LANGUAGE sql AS
    'SELECT shop.write_sink($1) IS NOT NULL';
CREATE DOMAIN shop.checked AS integer CHECK (shop.writes(VALUE));
CREATE DOMAIN shop.harmless AS integer CHECK (VALUE > 0);
CREATE TYPE shop.boxed AS (a integer);
CREATE FUNCTION shop.unboxed(shop.boxed) RETURNS integer LANGUAGE sql AS
    'SELECT shop.write_sink($1.a)::integer';
CREATE CAST (shop.boxed AS integer) WITH FUNCTION shop.unboxed(shop.boxed);
CREATE VIEW shop.effect_view AS SELECT shop.write_sink(1) AS n;
CREATE FUNCTION public.upper(integer) RETURNS bigint LANGUAGE sql AS 'SELECT shop.write_sink(1)';
CREATE FUNCTION public.lower(text) RETURNS bigint LANGUAGE sql AS 'SELECT shop.write_sink(1)';
CREATE FUNCTION public."LOWER"(text) RETURNS bigint LANGUAGE sql AS 'SELECT shop.write_sink(1)';
CREATE FUNCTION public.lower(shop.orders) RETURNS bigint LANGUAGE sql AS
    'SELECT shop.write_sink(1)';
CREATE FUNCTION public.nvl(bigint, bigint) RETURNS bigint LANGUAGE sql AS 'SELECT $2';
CREATE FUNCTION public.run(text, integer) RETURNS bigint LANGUAGE sql AS
    'SELECT shop.write_sink(1)';
CREATE OPERATOR public.@!@ (LEFTARG = text, RIGHTARG = integer, FUNCTION = public.run);
CREATE OPERATOR public.+ (LEFTARG = text, RIGHTARG = integer, FUNCTION = public.run);
SELECT lo_from_bytea(777, 'mine');
CREATE SCHEMA ext;
"""

THINGS = """
CREATE TABLE shop.things (
    id integer, c public.citext, h ext.hstore, v ext.vector(3), l ext.ltree, t text, a integer[]
);
INSERT INTO shop.things VALUES
    (1, 'Ada', 'a=>1', '[1,2,3]', 'a.b', 'word', '{1,2}'), (2, 'BOB', '', '[3,2,1]', 'a', '', '{}');
CREATE FUNCTION public.same(public.citext, integer) RETURNS boolean LANGUAGE sql AS
    'SELECT shop.write_sink(1) = 1';
CREATE OPERATOR public.= (LEFTARG = public.citext, RIGHTARG = integer, FUNCTION = public.same);
CREATE FUNCTION public.similarity(integer, integer) RETURNS bigint LANGUAGE sql AS
    'SELECT shop.write_sink(1)';
"""

PACK_READS = (
    "SELECT id FROM shop.things WHERE c = 'ada'",
    "SELECT c, count(*) FROM shop.things GROUP BY c ORDER BY c",
    "SELECT t.id FROM shop.things t JOIN shop.things u ON t.c = u.c",
    "SELECT lower(c), c LIKE 'a%', c ~ 'a', regexp_replace(c, 'a', 'b') FROM shop.things",
    "SELECT similarity(t, 'wrod'), t % 'word', t <-> 'word' FROM shop.things",
    "SELECT word_similarity('a', t), show_trgm(t) FROM shop.things",
    "SELECT h -> 'a', h ? 'a', h || 'b=>2', akeys(h) FROM shop.things",
    "SELECT key, value FROM shop.things, each(h)",
    "SELECT id FROM shop.things ORDER BY v <-> '[1,2,3]' LIMIT 1",
    "SELECT v <=> '[1,1,1]'::vector, v <#> v, l2_distance(v, v), vector_dims(v) FROM shop.things",
    "SELECT avg(v), sum(v) FROM shop.things",
    "SELECT id FROM shop.things WHERE l <@ 'a' AND l ~ 'a.*'",
    "SELECT nlevel(l), subpath(l, 0, 1), l || 'c' FROM shop.things",
    "SELECT a & '{1}', a @> '{1}', sort(a), idx(a, 1) FROM shop.things",
    "SELECT unaccent('Hotel'), levenshtein('a', t), soundex(t) FROM shop.things",
    "SELECT cube(1, 2) <-> cube(2, 3)",
    "SELECT 'a'::citext = 'A'::citext, 'a=>1'::hstore -> 'a', 'a.b'::ltree <@ 'a'",
    "SELECT '5'::shop.harmless + 1",
)


def statements() -> Iterator[list[str]]:
    """Give what to start from: ours, those of packs, and Postgres's own that read no relation."""
    own = (*(case.sql for case in ours()), *(read.sql for read in SHOP_READS))
    for sql in (*own, *PACK_READS * 10):
        if words := taken_apart(sql):
            yield words
    for case in cases("pg_regress", CORPUS):
        words = taken_apart(case.sql)
        if case.answer == "admit" and words and "FROM" not in map(str.upper, words):
            yield words
