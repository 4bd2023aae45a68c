SELECT * FROM shop.vault
SELECT * FROM vault
TABLE shop.vault
SELECT v.* FROM shop.vault AS v
SELECT ssn AS open FROM shop.vault
SELECT shop.vault.ssn FROM shop.vault
SELECT "vault"."ssn" FROM "shop"."vault"
SELECT b FROM shop.vault AS v (a, o, e, b)
SELECT * FROM ONLY shop.vault
SELECT * FROM shop.vault *
SELECT * FROM shop.vault_child
SELECT v FROM shop.vault AS v
SELECT v::text FROM shop.vault AS v
SELECT (v).ssn FROM shop.vault AS v
SELECT (v).* FROM shop.vault AS v
SELECT ROW(v.*) FROM shop.vault AS v
SELECT row_to_json(v) FROM shop.vault AS v
SELECT to_jsonb(vault) FROM shop.vault
SELECT json_agg(v) FROM shop.vault AS v
SELECT jsonb_object_agg(id, v) FROM shop.vault AS v
SELECT md5(v::text) FROM shop.vault AS v
SELECT count(DISTINCT v) FROM shop.vault AS v
WITH x AS (SELECT * FROM shop.vault) SELECT ssn, email FROM x
WITH x AS MATERIALIZED (SELECT ssn AS y FROM shop.vault) SELECT y FROM x
WITH vault AS (SELECT * FROM shop.vault) SELECT ssn FROM vault
WITH RECURSIVE r AS (SELECT 1 AS n, ssn FROM shop.vault UNION ALL SELECT n + 1, ssn FROM r WHERE n < 3) SELECT * FROM r
SELECT * FROM (SELECT (SELECT max(ssn) FROM shop.vault) AS m) AS s
SELECT * FROM shop.links AS l JOIN shop.vault AS v ON v.id = l.vault_id
SELECT * FROM shop.links NATURAL JOIN shop.vault
SELECT * FROM shop.links JOIN shop.vault USING (id, open)
SELECT * FROM shop.links AS l, LATERAL (SELECT ssn FROM shop.vault WHERE id = l.id) AS v
SELECT a.id, b.id FROM shop.vault AS a JOIN shop.vault AS b ON a.ssn < b.ssn
SELECT a.id, b.id FROM shop.vault AS a JOIN shop.vault AS b ON a.token = b.token
SELECT id FROM shop.vault WHERE ssn LIKE 'no q%'
SELECT id FROM shop.vault WHERE ssn > 'no m'
SELECT id FROM shop.vault WHERE ssn ~ 'qu[e]t'
SELECT id FROM shop.vault WHERE ssn SIMILAR TO '%tz%'
SELECT id FROM shop.vault WHERE ssn BETWEEN 'no a' AND 'no p'
SELECT id FROM shop.vault WHERE ssn IN (SELECT 'no ' || chr(105) || 'bisfox 3 ssn')
SELECT id FROM shop.vault WHERE ssn = ANY (ARRAY['x', 'no ' || chr(105) || 'bisfox 3 ssn'])
SELECT id FROM shop.vault WHERE position('tza' IN ssn) > 0
SELECT id FROM shop.vault WHERE starts_with(plain, 'plain q')
SELECT id FROM shop.vault WHERE salary BETWEEN 7391800 AND 7391900
SELECT id FROM shop.vault WHERE balance > 7391500
SELECT id FROM shop.vault WHERE born > DATE '1977-06-01'
SELECT id FROM shop.vault WHERE extract(doy FROM born) > 180
SELECT id FROM shop.vault WHERE profile ->> 'k' LIKE 'q%'
SELECT id FROM shop.vault WHERE profile -> 'deep' ->> 0 = '739' || '1846'
SELECT id FROM shop.vault WHERE tags @> ARRAY['quet' || 'zal']
SELECT id FROM shop.vault WHERE get_byte(blob, 0) > 110
SELECT id FROM shop.vault WHERE code > '80000000-0000-0000-0000-000000000000'
SELECT id FROM shop.vault WHERE address << '203.0.113.128/26'
SELECT count(*) FROM shop.vault WHERE ssn IS DISTINCT FROM 'no quet' || 'zal 1 ssn'
SELECT EXISTS (SELECT 1 FROM shop.vault WHERE email LIKE '_.q%')
SELECT CASE WHEN max(salary) > 7391500 THEN 'high' ELSE 'low' END FROM shop.vault
SELECT 1 / (CASE WHEN bool_or(ssn LIKE '%qu%') THEN 0 ELSE 1 END) FROM shop.vault
SELECT NULLIF(nick, 'Aquet' || 'zal1'), COALESCE(nick, 'x'), GREATEST(nick, 'M') FROM shop.vault
SELECT substr(ssn, n, 1), ascii(substr(ssn, n, 1)) FROM shop.vault, generate_series(1, 12) AS n
SELECT length(ssn), octet_length(email), char_length(card), pg_column_size(plain) FROM shop.vault
SELECT upper(ssn), reverse(email), initcap(card), translate(nick, 'aeiou', '12345') FROM shop.vault
SELECT encode(convert_to(ssn, 'UTF8'), 'base64'), encode(blob, 'hex'), md5(token) FROM shop.vault
SELECT regexp_split_to_table(ssn, ' '), string_to_array(plain, ' ') FROM shop.vault
SELECT concat(ssn, email), concat_ws('-', card, nick), format('%s', token), ssn || '' FROM shop.vault
SELECT to_tsvector('simple', plain), similarity FROM shop.vault, (SELECT 1 AS similarity) AS s
SELECT jsonb_each_text(profile), jsonb_path_query(profile, '$.deep[*]'), raw ->> 'k' FROM shop.vault
SELECT unnest(tags), tags[1], array_to_string(tags, ','), cardinality(tags) FROM shop.vault
SELECT extract(epoch FROM born), age(DATE '2026-01-01', born), to_char(seen, 'MM-DD'), seen::date FROM shop.vault
SELECT code::text, host(address), text(address), family(address) FROM shop.vault
SELECT salary + 0, salary::text, balance * 1.0, width_bucket(balance, 0, 9999999, 1000) FROM shop.vault
SELECT min(ssn), max(email), count(DISTINCT nick), string_agg(card, ',') FROM shop.vault
SELECT sum(salary), avg(balance), stddev(salary), percentile_disc(0.5) WITHIN GROUP (ORDER BY salary) FROM shop.vault
SELECT array_agg(id ORDER BY ssn), mode() WITHIN GROUP (ORDER BY token) FROM shop.vault
SELECT token, count(*) FROM shop.vault GROUP BY token ORDER BY token
SELECT token, count(*) FROM shop.vault GROUP BY 1 HAVING count(*) > 6
SELECT ssn, token, count(*) FROM shop.vault GROUP BY GROUPING SETS ((ssn), (token), ())
SELECT DISTINCT token FROM shop.vault
SELECT DISTINCT ON (salary) id FROM shop.vault ORDER BY salary, id
SELECT id FROM shop.vault ORDER BY ssn, id
SELECT id FROM shop.vault ORDER BY salary DESC, id FETCH FIRST 1 ROW WITH TIES
SELECT id, row_number() OVER (ORDER BY nick, id), rank() OVER (ORDER BY salary), lag(ssn) OVER (ORDER BY id), ntile(3) OVER (ORDER BY salary, id) FROM shop.vault
SELECT ssn FROM shop.vault UNION SELECT email FROM shop.vault
SELECT count(*) FROM (SELECT ssn FROM shop.vault INTERSECT SELECT 'no quet' || 'zal 1 ssn') AS s
SELECT count(*) FROM (SELECT 'no quet' || 'zal 1 ssn' EXCEPT SELECT ssn FROM shop.vault) AS s
VALUES ((SELECT max(ssn) FROM shop.vault))
SELECT (SELECT ssn FROM shop.vault)
SELECT ssn::integer FROM shop.vault
SELECT email::date FROM shop.vault
SELECT nick::uuid FROM shop.vault
SELECT token::jsonb FROM shop.vault
SELECT card::shop.order_status FROM shop.vault
SELECT plain::integer[] FROM shop.vault
SELECT profile::text::integer, tags::text::integer FROM shop.vault
SELECT ssn::numeric FROM shop.vault WHERE ssn::numeric > 0
SELECT 'x' ~ (ssn || '(') FROM shop.vault
SELECT to_date(nick, 'YYYY'), to_number(card, '999') FROM shop.vault
SELECT date_trunc(token, now()) FROM shop.vault
SELECT decode(nick, 'hex') FROM shop.vault
SELECT format('%' || ssn, 1) FROM shop.vault
SELECT now() AT TIME ZONE plain FROM shop.vault
SELECT shop.complain(ssn) FROM shop.vault
SELECT complain(email) FROM shop.vault
SELECT shop.complain(v::text) FROM shop.vault AS v
SELECT shop.peek()
SELECT * FROM shop.peek()
SELECT * FROM shop.peeking
SELECT * FROM shop.peeking_blindly
SELECT * FROM shop.vault_view
SELECT id FROM shop.vault_view WHERE renamed LIKE '%q%' OR guessed OR doubled > 14783000
SELECT id, guessed FROM shop.vault_view ORDER BY guessed, computed, id
SELECT (whole).ssn FROM shop.vault_view
SELECT * FROM shop.vault_view_of_view
SELECT everything -> 'whole' ->> 'ssn' FROM shop.vault_view_of_view
SELECT * FROM shop.vault_sums
SELECT * FROM shop.ledger
SELECT id FROM shop.ledger WHERE loud LIKE '%Q%'
SELECT * FROM shop.vault TABLESAMPLE SYSTEM (100)
SELECT ctid, xmin, ssn FROM shop.vault
SELECT tableoid::regclass, * FROM shop.vault
SELECT most_common_vals FROM pg_stats WHERE tablename = 'vault'
SELECT pg_get_viewdef('shop.vault_view'::regclass)
SELECT column_default FROM information_schema.columns WHERE table_name = 'vault'
SELECT query_to_xml('SELECT ssn FROM shop.vault', true, true, '')
SELECT * FROM shop.vault FOR UPDATE
SELECT ssn, FROM shop.vault
SELECT ssn FROM shop.vault WHERE
SELECT sssn FROM shop.vault
