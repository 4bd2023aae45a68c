SELECT * FROM shop.vault WHERE ssn = 'x'
SELECT id FROM shop.vault WHERE id = 3 AND ssn LIKE 'no q%' ORDER BY email
SELECT * FROM shop.vault_view WHERE guessed
SELECT * FROM shop.vault_view_of_view ORDER BY again
SELECT * FROM shop.vault_sums
SELECT * FROM shop.peeking
SELECT token, count(*) FROM shop.vault GROUP BY token
SELECT id FROM shop.vault WHERE id < 5 AND shop.complain('constant') = 'x'
EXPLAIN ANALYZE SELECT ssn FROM shop.vault
EXPLAIN SELECT ssn::integer FROM shop.vault
-- Plans: estimates, conditions, indexes and partitions must not follow what is behind the masks.
SELECT * FROM shop.vault WHERE ssn < 'no m'
SELECT * FROM shop.vault WHERE ssn = 'no ' || chr(113) || 'uetzal 13 ssn'
SELECT * FROM shop.vault WHERE salary > 7391500
SELECT salary, count(*) FROM shop.vault GROUP BY salary
SELECT DISTINCT token FROM shop.vault
SELECT DISTINCT token, nick FROM shop.vault ORDER BY 1
SELECT a.id FROM shop.vault AS a JOIN shop.vault AS b ON a.token = b.token
SELECT a.id FROM shop.vault AS a JOIN shop.vault AS b USING (card)
SELECT id FROM shop.vault WHERE token IN (SELECT token FROM shop.vault WHERE id = 1)
SELECT token FROM shop.vault UNION SELECT nick FROM shop.vault
SELECT * FROM shop.kinds WHERE t LIKE 'txt q%' AND i8 > 0
SELECT bo, e, count(*) FROM shop.kinds GROUP BY bo, e
SELECT id FROM shop.kinds WHERE t = 'txt ' || chr(113) || 'uetzal 11'
SELECT unnest(ta) FROM shop.kinds
SELECT jb ->> 'k', count(*) FROM shop.kinds GROUP BY 1
SELECT * FROM shop.sealed WHERE ssn = 'quet' || 'zal a'
SELECT * FROM shop.sealed
SELECT * FROM shop.parted WHERE region = 'us' AND ssn > 'no m'
SELECT * FROM shop.v_deep_4 WHERE d LIKE '%Q%'
SELECT * FROM shop.v_exists WHERE found
SELECT * FROM shop.v_aggregate
SELECT * FROM shop.v_union WHERE said LIKE '%q%'
SELECT * FROM shop.m_copy WHERE q = 'no m'
SELECT * FROM shop.heir_of_heir WHERE ssn > 'a'
SELECT * FROM shop.far WHERE ssn LIKE '%q%'
SELECT * FROM shop.guarded WHERE ssn > 'a'
SELECT v FROM shop.vault AS v ORDER BY v.ssn LIMIT 2
WITH x AS MATERIALIZED (SELECT ssn FROM shop.vault) SELECT * FROM x WHERE ssn > 'no m'
SELECT id FROM shop.links WHERE id IN (SELECT salary - 7391845 FROM shop.vault)
SELECT max(ssn) FROM shop.vault
SELECT 'x'::integer FROM shop.vault WHERE ssn > 'a'
SELECT shop.complain('constant'), ssn FROM shop.vault
EXPLAIN (COSTS OFF, VERBOSE) SELECT ssn FROM shop.vault
EXPLAIN (ANALYZE, BUFFERS) SELECT * FROM shop.vault WHERE ssn > 'no m'
