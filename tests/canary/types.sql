-- A column of every type there is, all of them masked; beside them what a catalog keeps of values.
CREATE EXTENSION citext SCHEMA public;
CREATE EXTENSION hstore SCHEMA public;
CREATE EXTENSION ltree SCHEMA public;
CREATE EXTENSION pg_trgm SCHEMA public;
CREATE EXTENSION fuzzystrmatch SCHEMA public;
CREATE TYPE shop.mood AS ENUM ('calm', 'stormy', 'gloomy');
CREATE DOMAIN shop.passport AS text CHECK (length(VALUE) > 3);
CREATE DOMAIN shop.wage AS integer CHECK (VALUE > 0);
CREATE TYPE shop.pair AS (a text, n integer);
CREATE TYPE shop.wages AS RANGE (subtype = integer);
CREATE TABLE shop.kinds (
    id integer PRIMARY KEY,
    open text NOT NULL,
    t text COLLATE "C",
    v varchar(40),
    c char(30),
    ci public.citext,
    na name,
    i2 smallint,
    i4 integer,
    i8 bigint,
    n numeric,
    n2 numeric(14, 2),
    r real,
    f double precision,
    m money,
    bo boolean,
    d date,
    ts timestamp(0),
    tz timestamptz,
    ti time,
    tt timetz,
    iv interval,
    u uuid,
    ip inet,
    net cidr,
    mac macaddr,
    j json,
    jb jsonb,
    x xml,
    b bytea,
    ta text[],
    ta2 text[][],
    ia integer[],
    da date[],
    e shop.mood,
    ea shop.mood[],
    dt shop.passport,
    di shop.wage,
    dta shop.passport[],
    ra int4range,
    dr daterange,
    tr tstzrange,
    mr int4multirange,
    ur shop.wages,
    co shop.pair,
    coa shop.pair[],
    h public.hstore,
    l public.ltree,
    tv tsvector,
    tq tsquery,
    bt bit(24),
    vb varbit,
    pt point,
    bx box,
    ci2 circle,
    pl polygon,
    jp jsonpath
);
INSERT INTO shop.kinds
SELECT
    id,
    'open ' || id,
    'txt {word} ' || {turn},
    'var {word} ' || {turn} || ' last',
    'chr {word} ' || {turn},
    'c{word}' || {turn} || '@{word}.example',
    'nam {word} ' || {turn},
    {small} + {turn},
    {number} + {turn},
    {number}000000 + {turn},
    {number}.{small} + {turn},
    {number}.25 + {turn},
    {small}.5 + {turn},
    {number}.5 + {turn},
    ({number}.25 + {turn})::numeric::money,
    {turn} % 2 = 0,
    DATE '{date}' + {turn},
    TIMESTAMP '{date} {time}' + {turn} * INTERVAL '1 minute',
    TIMESTAMPTZ '{date} {time}+00' + {turn} * INTERVAL '1 minute',
    TIME '{time}' + {turn} * INTERVAL '1 minute',
    TIMETZ '{time}+00',
    INTERVAL '{small} days {time}' * {turn},
    '{uuid}',
    '{address}',
    '{network}',
    '{mac}',
    json_build_object('k', '{word}' || {turn}),
    jsonb_build_object('k', '{word}' || {turn}, 'n', {number}, 'deep', jsonb_build_array('{word}')),
    NULL,
    convert_to('{word}' || {turn}, 'UTF8'),
    ARRAY['{word}', 'turn ' || {turn}],
    ARRAY[ARRAY['{word}', 'a'], ARRAY['b', 'turn ' || {turn}]],
    ARRAY[{number}, {turn}],
    ARRAY[DATE '{date}'],
    '{mood}',
    ARRAY['{mood}', 'calm']::shop.mood[],
    'pass {word} ' || {turn},
    {number} + {turn},
    ARRAY['pass {word}', 'turn ' || {turn}]::shop.passport[],
    int4range({number}, {number} + {turn}),
    daterange('{date}', DATE '{date}' + {turn}),
    tstzrange('{date} {time}+00', NULL),
    int4multirange(int4range({number}, {number} + {turn})),
    shop.wages({number}, {number} + {turn}),
    ROW('{word}', {number} + {turn})::shop.pair,
    ARRAY[ROW('{word}', {number})::shop.pair],
    public.hstore('k', '{word}' || {turn}),
    'top.{word}.x'::public.ltree,
    to_tsvector('simple', '{word} turn' || {turn}),
    to_tsquery('simple', '{word}'),
    {number}::bit(24),
    {number}::bit(24)::varbit,
    point({number}, {turn}),
    box(point({number}, 1), point(2, {turn})),
    circle(point({number}, 1), {turn}),
    polygon(box(point({number}, 1), point(2, {turn}))),
    '$.{word}'
FROM generate_series(1, 6) AS id;
DO $$
BEGIN
    UPDATE shop.kinds SET x = ('<k>{word}' || {turn} || '</k>')::xml;
EXCEPTION WHEN feature_not_supported THEN
    NULL;  -- a Postgres without libxml has the type, but no values of it
END $$;

-- Names that need quotes, and letters beyond ASCII; one that a parser could take for a keyword.
CREATE TABLE shop."Tresor Größe" (id integer PRIMARY KEY, "Schlüssel" text, "ssn""x" text, "select" text);
INSERT INTO shop."Tresor Größe" SELECT id, 'key {word} ' || {turn}, 'q {word}', 's {word} ' || {turn}
FROM generate_series(1, 6) AS id;
CREATE TABLE shop."ORDER" (id integer, "all" text);
INSERT INTO shop."ORDER" SELECT id, 'all {word} ' || {turn} FROM generate_series(1, 6) AS id;

-- Partitions: by an open column, by a masked one, and of two levels; the bounds spell secrets out.
CREATE TABLE shop.parted (id integer, region text, ssn text) PARTITION BY LIST (region);
CREATE TABLE shop.parted_eu PARTITION OF shop.parted FOR VALUES IN ('eu');
CREATE TABLE shop.parted_us PARTITION OF shop.parted FOR VALUES IN ('us') PARTITION BY RANGE (id);
CREATE TABLE shop.parted_us_low PARTITION OF shop.parted_us FOR VALUES FROM (0) TO (4);
CREATE TABLE shop.parted_us_rest PARTITION OF shop.parted_us DEFAULT;
INSERT INTO shop.parted SELECT id, region, 'no {word} ' || {turn}
FROM generate_series(1, 6) AS id, unnest(ARRAY['eu', 'us']) AS region;
CREATE TABLE shop.sealed (id integer, ssn text) PARTITION BY LIST (ssn);
CREATE TABLE shop.sealed_a PARTITION OF shop.sealed FOR VALUES IN ('{word} a');
CREATE TABLE shop.sealed_b PARTITION OF shop.sealed FOR VALUES IN ('{word} b');
INSERT INTO shop.sealed SELECT id, '{word} ' || chr(97 + id % 2) FROM generate_series(1, 6) AS id;

-- Inheritance of two levels and from two parents.
CREATE TABLE shop.tagged (tag text);
CREATE TABLE shop.heir (more text) INHERITS (shop.ledger, shop.tagged);
CREATE TABLE shop.heir_of_heir () INHERITS (shop.heir);
INSERT INTO shop.heir (id, ssn, tag, more) VALUES (101, 'heir {word}', 'tag', 'more');
INSERT INTO shop.heir_of_heir (id, ssn, tag, more) VALUES (102, 'heir {word}', 'tag', 'more');

-- What a catalog keeps of values: a default, a CHECK, a policy, a statistic, a rule of a view.
ALTER TABLE shop.kinds ADD CONSTRAINT never_that CHECK (t <> '{word}');
ALTER TABLE shop.kinds ALTER COLUMN t SET DEFAULT '{word}';
CREATE INDEX kinds_partial_idx ON shop.kinds (id) WHERE t = 'txt {word} 11';
CREATE INDEX kinds_expression_idx ON shop.kinds ((t || '{word}'));
CREATE STATISTICS shop.kinds_statistics ON t, v FROM shop.kinds;
CREATE TABLE shop.guarded (id integer, owner text, ssn text);
INSERT INTO shop.guarded SELECT id, 'agent_ro', 'no {word} ' || {turn} FROM generate_series(1, 6) AS id;
ALTER TABLE shop.guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON shop.guarded USING (owner = current_user AND ssn <> '{word}');
CREATE TABLE shop.referring (id integer PRIMARY KEY, email text REFERENCES shop.vault (email));
INSERT INTO shop.referring SELECT id, email FROM shop.vault WHERE email IS NOT NULL;

-- Types whose definition spells a secret out: a label, the constant of a CHECK.
CREATE TYPE shop.said AS ENUM ('calm', 'label {word}');
CREATE DOMAIN shop.known AS text CHECK (VALUE <> 'known {word}');
CREATE TABLE shop.spelled (id integer, s shop.said, k shop.known, free shop.said);
INSERT INTO shop.spelled SELECT id, 'label {word}', 'k {word}', 'calm' FROM generate_series(1, 6) AS id;
