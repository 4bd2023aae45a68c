CREATE SCHEMA s;
CREATE TABLE s.people (
    id int PRIMARY KEY, email text, phone text, ssn text, born date, salary int, city text,
    boss int, tags text[]
);
CREATE TABLE s.accounts (id int PRIMARY KEY, person int, iban text, balance int, kind text);
CREATE TABLE s.orders (id int PRIMARY KEY, person int, total int, note text, email text);
CREATE TABLE s.parts (id int, region text, card text) PARTITION BY LIST (region);
CREATE TABLE s.parts_eu PARTITION OF s.parts FOR VALUES IN ('eu');
CREATE TABLE s.pets (name text PRIMARY KEY, ssn text);
CREATE TABLE s.cats (claws int) INHERITS (s.pets);
CREATE DOMAIN s.code AS text CHECK (length(VALUE) < 100);
CREATE TYPE s.pair AS (a text, b text);
CREATE FUNCTION s.own(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION s.rows() RETURNS SETOF s.people STABLE LANGUAGE sql AS 'SELECT * FROM s.people';
CREATE TYPE s.couple AS (c text, d text);
CREATE FUNCTION s.coupled(s.pair) RETURNS s.couple IMMUTABLE LANGUAGE sql
    AS 'SELECT ROW(($1).a, ($1).b)::s.couple';
CREATE CAST (s.pair AS s.couple) WITH FUNCTION s.coupled(s.pair);
CREATE FUNCTION s.joined(text, text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1 || $2';
CREATE OPERATOR s.<+> (LEFTARG = text, RIGHTARG = text, FUNCTION = s.joined);
CREATE VIEW s.plain AS SELECT * FROM s.people;
CREATE VIEW s.renamed AS SELECT p.id AS person, p.email AS address, p.city AS email FROM s.people p;
CREATE VIEW s.cleaned AS SELECT id, lower(email) AS email, city FROM s.people;
CREATE VIEW s.sorted AS SELECT id, city FROM s.people ORDER BY ssn;
CREATE VIEW s.ranked AS SELECT id, city FROM s.people ORDER BY ssn;
CREATE VIEW s.filtered AS SELECT id, city FROM s.people WHERE ssn LIKE '1%';
CREATE MATERIALIZED VIEW s.stored AS SELECT address, person FROM s.renamed WITH NO DATA;
