-- Joins of every kind, by ON, USING and nature, on masked and on open columns.
SELECT v.ssn, l.open FROM shop.links AS l LEFT JOIN shop.vault AS v ON v.id = l.vault_id
SELECT v.ssn, l.open FROM shop.vault AS v RIGHT JOIN shop.links AS l ON v.id = l.vault_id
SELECT ssn, count(*) FROM shop.vault FULL JOIN shop.ledger USING (ssn) GROUP BY ssn ORDER BY 2, 1
SELECT j.ssn FROM shop.vault JOIN shop.ledger USING (ssn) AS j
SELECT count(*) FROM shop.vault NATURAL FULL JOIN shop.ledger
SELECT v.id, k.t FROM shop.vault AS v CROSS JOIN shop.kinds AS k
SELECT v.email, k.t FROM shop.vault v, shop.kinds k WHERE v.id = k.id
SELECT * FROM (shop.vault AS v JOIN shop.links AS l ON l.vault_id = v.id) AS j (a, b, c, d, e, f, g)
SELECT j.d FROM (shop.links AS l CROSS JOIN shop.vault AS v) AS j (a, b, c, i, d, e, f)
SELECT a.ssn, b.ssn, c.ssn FROM shop.vault a, shop.vault b, shop.vault c WHERE a.id = b.id AND b.id = c.id
SELECT v.id FROM shop.vault AS v JOIN shop.referring AS r ON r.email = v.email
SELECT v.id FROM shop.vault AS v WHERE v.email IN (SELECT email FROM shop.referring WHERE id < 4)
-- LATERAL, with and without the word, over functions, VALUES and subqueries.
SELECT x.a FROM shop.vault AS v CROSS JOIN LATERAL (SELECT v.ssn AS a) AS x
SELECT x.a FROM shop.vault AS v, LATERAL (VALUES (v.ssn), (v.email)) AS x (a)
SELECT x FROM shop.vault AS v, unnest(ARRAY[v.ssn, v.card]) AS x
SELECT v.id, w.* FROM shop.vault AS v LEFT JOIN LATERAL (SELECT w.ssn, w.nick FROM shop.vault AS w WHERE w.ssn > v.ssn ORDER BY w.ssn LIMIT 1) AS w ON true
SELECT * FROM ROWS FROM (unnest((SELECT tags FROM shop.vault WHERE id = 1)), generate_series(1, 2)) AS t (a, b)
SELECT p FROM shop.vault AS v, regexp_split_to_table(v.ssn, '') WITH ORDINALITY AS t (p, n) WHERE n < 9
-- Subqueries where one does not look for them.
SELECT (SELECT ssn FROM shop.vault WHERE id = 1) || (SELECT email FROM shop.vault WHERE id = 2)
SELECT id FROM shop.links WHERE open < (SELECT max(ssn) FROM shop.vault)
SELECT count(*) FROM shop.links GROUP BY id % 2 HAVING max(open) > (SELECT min(ssn) FROM shop.vault)
SELECT id FROM shop.links ORDER BY (SELECT ssn FROM shop.vault AS v WHERE v.id = links.id), id
SELECT id FROM shop.links ORDER BY id LIMIT (SELECT length(ssn) FROM shop.vault WHERE id = 1)
SELECT id FROM shop.links ORDER BY id LIMIT (SELECT ascii(substr(ssn, 4, 1)) - 100 FROM shop.vault WHERE id = 1)
SELECT id FROM shop.links ORDER BY id OFFSET (SELECT salary % 7 FROM shop.vault WHERE id = 1)
SELECT id FROM shop.links ORDER BY id FETCH FIRST (SELECT count(*) FROM shop.vault WHERE ssn LIKE '%q%') ROWS ONLY
SELECT CASE WHEN (SELECT ssn FROM shop.vault WHERE id = 1) > 'no m' THEN 'late' ELSE 'early' END
SELECT CASE (SELECT substr(ssn, 4, 1) FROM shop.vault WHERE id = 1) WHEN 'q' THEN 1 WHEN 'i' THEN 2 END
SELECT ARRAY(SELECT ssn FROM shop.vault ORDER BY id)
SELECT ARRAY[(SELECT max(ssn) FROM shop.vault), (SELECT min(email) FROM shop.vault)]
SELECT (ARRAY['a', 'b', 'c', 'd'])[(SELECT salary % 4 FROM shop.vault WHERE id = 1)]
SELECT ROW((SELECT max(ssn) FROM shop.vault), 1)
SELECT COALESCE(NULL, (SELECT ssn FROM shop.vault WHERE id = 2), 'x')
SELECT generate_series(1, (SELECT length(plain) FROM shop.vault WHERE id = 1))
SELECT * FROM generate_series(1, (SELECT salary % 10 FROM shop.vault WHERE id = 1))
SELECT id, count(*) OVER (PARTITION BY (SELECT v.token FROM shop.vault AS v WHERE v.id = l.id)) FROM shop.links AS l
SELECT count(*) FILTER (WHERE l.open > (SELECT min(ssn) FROM shop.vault)) FROM shop.links AS l
SELECT id FROM shop.links WHERE (id, open) IN (SELECT salary - 7391845, ssn FROM shop.vault)
SELECT id FROM shop.links WHERE id = ALL (SELECT salary - 7391845 FROM shop.vault)
SELECT (SELECT (SELECT (SELECT v.ssn FROM shop.vault AS w LIMIT 1) FROM shop.links LIMIT 1)) FROM shop.vault AS v
SELECT id FROM shop.vault AS v WHERE EXISTS (SELECT 1 FROM shop.vault AS w WHERE w.ssn < v.ssn)
-- WITH: shadowing a relation, nested, one after the other, recursive, materialized or not.
WITH links AS (SELECT id, ssn AS open FROM shop.vault) SELECT open FROM links
WITH vault AS (SELECT 1 AS ssn) SELECT vault.ssn, w.ssn FROM vault, shop.vault AS w
WITH vault (ssn) AS (SELECT email FROM vault) SELECT ssn FROM vault
WITH a AS (WITH vault AS (SELECT ssn FROM shop.ledger) SELECT ssn FROM vault) SELECT ssn FROM a UNION ALL SELECT ssn FROM vault
WITH a AS (SELECT ssn FROM shop.vault), b AS NOT MATERIALIZED (SELECT ssn AS t FROM a), c AS MATERIALIZED (SELECT t AS u FROM b) SELECT u FROM c
WITH ssn AS (SELECT 1) SELECT v.ssn AS a FROM shop.vault AS v, ssn
WITH RECURSIVE vault AS (SELECT 1 AS id, 'x'::text AS ssn UNION ALL SELECT vault.id + 1, w.ssn FROM vault JOIN shop.vault AS w ON w.id = vault.id WHERE vault.id < 4) SELECT * FROM vault
WITH RECURSIVE t AS (SELECT id, ssn FROM shop.vault WHERE id = 1 UNION SELECT v.id, v.ssn FROM shop.vault AS v JOIN t ON v.ssn > t.ssn) SELECT count(*) FROM t
WITH RECURSIVE walk (n, rest) AS (SELECT 0, ssn FROM shop.vault WHERE id = 1 UNION ALL SELECT n + 1, substr(rest, 2) FROM walk WHERE rest <> '') SELECT * FROM walk
WITH RECURSIVE t (id, ssn) AS (SELECT id, ssn FROM shop.vault WHERE id < 3 UNION ALL SELECT id + 10, ssn FROM t WHERE id < 10) SEARCH DEPTH FIRST BY ssn SET o SELECT id, o FROM t ORDER BY o
WITH RECURSIVE t (id, ssn) AS (SELECT id, ssn FROM shop.vault WHERE id < 3 UNION ALL SELECT 3 - id, ssn FROM t) CYCLE ssn SET again USING trace SELECT id, again, trace FROM t
SELECT * FROM (WITH x AS (TABLE shop.vault) SELECT ssn FROM x) AS s
-- Set operations, which take their names from the first part and compare with all the others.
SELECT open FROM shop.links UNION ALL SELECT ssn FROM shop.vault ORDER BY 1
SELECT 'no ' || chr(113) || 'uetzal 13 ssn' INTERSECT SELECT ssn FROM shop.vault
SELECT id FROM shop.links EXCEPT SELECT salary - 7391845 FROM shop.vault ORDER BY 1
(SELECT ssn FROM shop.vault ORDER BY ssn LIMIT 2) UNION ALL (SELECT email FROM shop.vault ORDER BY ssn DESC LIMIT 2)
SELECT * FROM (TABLE shop.vault UNION ALL TABLE shop.vault) AS u (a, b, c, d) WHERE d LIKE '%q%'
TABLE shop.vault UNION ALL TABLE shop.vault
VALUES (1, 'x'), (2, (SELECT ssn FROM shop.vault WHERE id = 1)), (3, (SELECT plain FROM shop.vault WHERE id = 1))
-- Names: quoted, mixed case, beyond ASCII, reserved words, three parts, renamed, repeated.
SELECT "Schlüssel", "ssn""x", "select" FROM shop."Tresor Größe"
SELECT t."Schlüssel" FROM "shop"."Tresor Größe" AS t WHERE t."Schlüssel" LIKE '%q%'
SELECT "Tresor Größe"."select" FROM shop."Tresor Größe"
SELECT shop."Tresor Größe"."ssn""x" FROM shop."Tresor Größe"
SELECT "Ä"."Schlüssel" FROM shop."Tresor Größe" AS "Ä"
TABLE shop."Tresor Größe"
SELECT "all" FROM shop."ORDER"
SELECT o."all" FROM "ORDER" o ORDER BY o."all"
SELECT * FROM ONLY shop."ORDER" AS x ("select", "from")
SELECT VAULT.SSN FROM Shop.Vault
SELECT "Vault".ssn FROM shop.vault AS "Vault"
SELECT shop.vault.* FROM shop.vault
SELECT vault.vault.ssn FROM shop.vault
SELECT ssn.ssn FROM shop.vault AS ssn
SELECT shop.ssn FROM shop.vault AS shop
SELECT v.c FROM (SELECT * FROM shop.vault) AS v (a, b, x, c)
SELECT v.ssn FROM shop.vault * AS v
SELECT v.ssn FROM ONLY (shop.vault) AS v
SELECT/**/ssn/**/FROM/**/shop/**/./**/vault
SELECT U&"\0073sn" FROM shop.vault
SELECT ssn ssn, ssn AS "SSN", ssn AS email, email AS ssn FROM shop.vault
SELECT a."ssn" "?" FROM shop.vault a WHERE a."id"=1
