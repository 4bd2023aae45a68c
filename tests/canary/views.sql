-- Views in every shape through which a masked column can come out under another name.
CREATE VIEW shop.v_renamed (number, label) AS SELECT id, ssn FROM shop.vault;
CREATE VIEW shop.v_star AS SELECT * FROM shop.vault;
CREATE VIEW shop.v_join AS
SELECT v.id, l.open AS link, v.ssn AS mine FROM shop.links AS l JOIN shop.vault AS v ON v.id = l.vault_id;
CREATE VIEW shop.v_using AS SELECT id, ssn, loud FROM shop.ledger JOIN shop.vault USING (id, ssn);
CREATE VIEW shop.v_natural AS SELECT * FROM shop.links NATURAL JOIN (SELECT id, open, ssn FROM shop.vault) AS v;
CREATE VIEW shop.v_union AS
SELECT id, open AS said FROM shop.links UNION ALL SELECT id, ssn FROM shop.vault;
CREATE VIEW shop.v_except AS SELECT ssn AS said FROM shop.vault EXCEPT SELECT 'none';
CREATE VIEW shop.v_with AS WITH x AS (SELECT id, ssn AS y FROM shop.vault) SELECT id, y AS z FROM x;
CREATE RECURSIVE VIEW shop.v_recursive (n, said) AS
SELECT 1, max(ssn) FROM shop.vault UNION ALL SELECT n + 1, said FROM v_recursive WHERE n < 3;
CREATE VIEW shop.v_derived AS SELECT s.q FROM (SELECT ssn AS q FROM shop.vault) AS s;
CREATE VIEW shop.v_lateral AS
SELECT l.id, s.q FROM shop.links AS l, LATERAL (SELECT ssn AS q FROM shop.vault AS v WHERE v.id = l.id) AS s;
CREATE VIEW shop.v_scalar AS
SELECT l.id, (SELECT v.ssn FROM shop.vault AS v WHERE v.id = l.id) AS q FROM shop.links AS l;
CREATE VIEW shop.v_exists AS
SELECT l.id, EXISTS (SELECT FROM shop.vault AS v WHERE v.ssn = 'no {word} 13 ssn' AND l.id < 9) AS found FROM shop.links AS l;
CREATE VIEW shop.v_case AS
SELECT id, CASE WHEN ssn LIKE '%{word} 1%' THEN 'one' ELSE 'other' END AS which FROM shop.vault;
CREATE VIEW shop.v_bool AS SELECT id, ssn > 'no {word} 2' AS bigger, ssn IS NULL AS missing FROM shop.vault;
CREATE VIEW shop.v_aggregate AS
SELECT id % 2 AS odd, string_agg(ssn, ',' ORDER BY id) AS everything, count(DISTINCT token) AS tokens,
       count(*) FILTER (WHERE ssn LIKE '% 1%') AS some
FROM shop.vault GROUP BY 1;
CREATE VIEW shop.v_window AS
SELECT id, rank() OVER (ORDER BY ssn) AS place, lag(ssn) OVER w AS before FROM shop.vault WINDOW w AS (ORDER BY id);
CREATE VIEW shop.v_values AS SELECT * FROM (VALUES (1, (SELECT max(ssn) FROM shop.vault))) AS t (a, b);
CREATE VIEW shop.v_row AS SELECT id, ROW(ssn, id)::shop.pair AS pair, to_jsonb(v) AS doc, v AS whole FROM shop.vault AS v;
CREATE VIEW shop.v_array AS SELECT id, ARRAY[ssn, email] AS both, ARRAY(SELECT ssn FROM shop.vault) AS every FROM shop.vault;
CREATE VIEW shop.v_cast AS SELECT id, salary::text AS paid, born::timestamp AS at FROM shop.vault;
CREATE VIEW shop.v_generated AS SELECT id, loud FROM shop.ledger;
CREATE VIEW shop.v_only AS SELECT ssn AS q FROM ONLY shop.ledger;
CREATE VIEW shop.v_partition AS SELECT ssn AS q FROM shop.parted_us_low;
CREATE VIEW shop.v_coalesce AS SELECT id, COALESCE(ssn, open) AS q, NULLIF(ssn, open) AS p FROM shop.vault;
CREATE VIEW shop.v_srf AS SELECT id, unnest(tags) AS q, regexp_split_to_table(ssn, ' ') AS p FROM shop.vault;
CREATE VIEW shop.v_srf_from AS SELECT v.id, t.q FROM shop.vault AS v, unnest(v.tags) AS t (q);
CREATE VIEW shop.v_record AS
SELECT v.id, r.ssn AS q FROM shop.vault AS v, jsonb_to_record(to_jsonb(v)) AS r (ssn text);
CREATE VIEW shop.v_deep_1 AS SELECT id, ssn AS a FROM shop.vault;
CREATE VIEW shop.v_deep_2 AS SELECT id, a AS b FROM shop.v_deep_1;
CREATE VIEW shop.v_deep_3 AS SELECT id, upper(b) AS c FROM shop.v_deep_2;
CREATE VIEW shop.v_deep_4 AS SELECT id, c AS d, length(c) AS e FROM shop.v_deep_3;
CREATE VIEW shop.v_swapped AS SELECT ssn AS open, open AS ssn, id FROM shop.vault;
CREATE VIEW shop.v_barrier WITH (security_barrier) AS SELECT id, ssn AS q FROM shop.vault;
CREATE VIEW shop.v_invoker WITH (security_invoker) AS SELECT id, ssn AS q FROM shop.vault; -- since 15
CREATE VIEW shop.v_kinds AS
SELECT id, t || 'x' AS text, i8 + 1 AS number, jb ->> 'k' AS inside, (co).a AS field, ta[1] AS first, e::text AS how,
       lower(ra) AS low, host(ip) AS at, encode(b, 'hex') AS bytes
FROM shop.kinds;
CREATE MATERIALIZED VIEW shop.m_copy AS SELECT id, ssn AS q, open FROM shop.vault;
CREATE MATERIALIZED VIEW shop.m_of_view AS SELECT * FROM shop.v_deep_4;
CREATE MATERIALIZED VIEW shop.m_union AS SELECT ssn AS q FROM shop.vault UNION SELECT loud FROM shop.ledger;
CREATE INDEX m_copy_secret_idx ON shop.m_copy (open) WHERE q = 'no {word} 11 ssn';
CREATE VIEW shop.v_of_m AS SELECT id AS number, q AS r FROM shop.m_copy;
CREATE TABLE shop.m_log (id integer, q text GENERATED ALWAYS AS ('g' || id) STORED);

-- Functions over masked relations: one that reads, one with a body that Postgres has parsed, one
-- in the agent's reach by mistake, one that says what it is given.
CREATE FUNCTION shop.parsed(number integer) RETURNS text STABLE LANGUAGE sql
    RETURN (SELECT ssn FROM shop.vault WHERE id = number);
CREATE FUNCTION shop.dossier(v shop.vault) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1.ssn';
CREATE FUNCTION shop.hint(value text) RETURNS text STABLE LANGUAGE plpgsql
    AS $$ BEGIN RAISE NOTICE 'seen %', value; RAISE WARNING 'seen %', value; RETURN value; END $$;
CREATE VIEW shop.v_parsed AS SELECT id, shop.parsed(id) AS q FROM shop.links;
CREATE VIEW shop.v_dossier AS SELECT v.id, shop.dossier(v) AS q FROM shop.vault AS v;

-- The same rows through another server's eyes.
CREATE EXTENSION postgres_fdw;
CREATE SERVER mirror FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{host}', port '{port}', dbname '{database}');
CREATE USER MAPPING FOR agent_ro SERVER mirror OPTIONS (user '{admin}', password '{password}');
CREATE USER MAPPING FOR CURRENT_USER SERVER mirror OPTIONS (user '{admin}', password '{password}');
CREATE FOREIGN TABLE shop.far (id integer, open text, ssn text, salary integer)
    SERVER mirror OPTIONS (schema_name 'shop', table_name 'vault');
CREATE FOREIGN TABLE shop.far_wrong (id integer, ssn integer)
    SERVER mirror OPTIONS (schema_name 'shop', table_name 'vault');
CREATE VIEW shop.v_far AS SELECT id, ssn AS q FROM shop.far;
CREATE TABLE shop.near_and_far (id integer, ssn text) PARTITION BY LIST (id);
CREATE FOREIGN TABLE shop.near_and_far_1 PARTITION OF shop.near_and_far FOR VALUES IN (1)
    SERVER mirror OPTIONS (schema_name 'shop', table_name 'vault');

-- What the planner knows of values; of foreign tables it would ask the mirror.
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT oid::regclass FROM pg_class
                WHERE relkind IN ('r', 'm') AND relnamespace = 'shop'::regnamespace
    LOOP
        EXECUTE format('ANALYZE %s', name);
    END LOOP;
END $$;
