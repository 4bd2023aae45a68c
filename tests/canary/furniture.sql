CREATE TABLE shop.vault (
    id integer PRIMARY KEY,
    open text NOT NULL,
    email text UNIQUE,
    ssn character varying(60),
    card text,
    nick text,
    token text,
    plain text DEFAULT 'default {word}',
    salary integer,
    balance numeric(12, 2),
    born date,
    seen timestamp with time zone,
    profile jsonb,
    raw json,
    tags text[],
    blob bytea,
    code uuid,
    address inet
);
INSERT INTO shop.vault
SELECT
    id,
    'open ' || id,
    'x.{word}' || {turn} || '@{word}.example',
    'no {word} ' || {turn} || ' ssn',
    'card {word} 0000 ' || {turn} || '-end',
    'A{word}' || {turn},
    'token {word}' || {turn} % {groups},
    'plain {word}' || {turn},
    {number} + {turn} % 3,
    {number}.25,
    DATE '{date}',
    TIMESTAMPTZ '{date} 12:00:00+00',
    jsonb_build_object('k', '{word}' || {turn}, 'deep', jsonb_build_array({number}, '{word}')),
    json_build_object('k', '{word}'),
    ARRAY['{word}', ({turn})::text],
    convert_to('{word}', 'UTF8'),
    '{uuid}',
    '{address}'
FROM generate_series(1, 20) AS id;
CREATE TABLE shop.ledger (
    id integer PRIMARY KEY,
    ssn text,
    loud text GENERATED ALWAYS AS (upper(ssn)) STORED
);
INSERT INTO shop.ledger SELECT id, 'no {word}' || {turn} FROM generate_series(1, 20) AS id;
CREATE TABLE shop.links (id integer PRIMARY KEY, vault_id integer REFERENCES shop.vault, open text);
INSERT INTO shop.links SELECT id, id, 'open ' || id FROM generate_series(1, 20) AS id;
CREATE INDEX vault_secret_idx ON shop.vault (id) WHERE ssn <> 'no {word} 13 ssn';
CREATE INDEX vault_lower_idx ON shop.vault (lower(ssn));
CREATE TABLE shop.vault_child (extra text) INHERITS (shop.vault);
INSERT INTO shop.vault_child (id, open, ssn, extra) VALUES (99, 'open 99', '{word} child', 'extra');
CREATE VIEW shop.vault_view AS
SELECT id, open, ssn AS renamed, upper(email) AS computed, salary * 2 AS doubled,
       profile ->> 'k' AS inside, ssn = 'no {word} 11 ssn' AS guessed, v AS whole
FROM shop.vault AS v
WHERE plain <> 'plain {word}7';
CREATE VIEW shop.vault_view_of_view AS
SELECT id, renamed AS again, length(computed) AS size, to_jsonb(w) AS everything
FROM shop.vault_view AS w;
CREATE MATERIALIZED VIEW shop.vault_sums AS
SELECT salary % 2 AS odd, max(ssn) AS most, array_agg(token) AS tokens FROM shop.vault GROUP BY 1;
CREATE FUNCTION shop.peek() RETURNS SETOF text STABLE LANGUAGE sql
    AS 'SELECT ssn::text FROM shop.vault';
CREATE FUNCTION shop.peek_blindly() RETURNS text STABLE LANGUAGE plpgsql AS $$
DECLARE found text;
BEGIN
    EXECUTE 'SELECT max(ssn) FROM shop.va' || 'ult' INTO found;
    RETURN found;
END $$;
CREATE VIEW shop.peeking AS SELECT * FROM shop.peek() AS peeked;
CREATE VIEW shop.peeking_blindly AS SELECT id, shop.peek_blindly() AS peeked FROM shop.links;
CREATE FUNCTION shop.complain(value text) RETURNS text IMMUTABLE LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'bad value %', value USING DETAIL = value; END $$;
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO agent_ro;
