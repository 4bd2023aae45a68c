-- Is it this? Equality, patterns, order, membership and guesses joined in; no guess is spelled out.
SELECT id FROM shop.kinds WHERE t = 'txt ' || chr(113) || 'uetzal 11'
SELECT id FROM shop.kinds WHERE t >= 'txt m'
SELECT id FROM shop.kinds WHERE t COLLATE "C" < 'txt j'
SELECT id FROM shop.kinds WHERE t ILIKE 'TXT Q%' OR t NOT LIKE 'txt i%'
SELECT id FROM shop.kinds WHERE t ~* '^txt [n-z]' OR t !~ '^txt [a-m]'
SELECT id FROM shop.kinds WHERE t LIKE ANY (ARRAY['txt a%', 'txt i%', 'txt o%'])
SELECT id FROM shop.kinds WHERE t BETWEEN SYMMETRIC 'txt z' AND 'txt n'
SELECT id FROM shop.kinds WHERE (t, v) > ('txt m', 'x')
SELECT id FROM shop.kinds WHERE i8 BETWEEN 7391500000000 AND 7391999000000
SELECT id FROM shop.kinds WHERE n2 - 7391500 > 0 OR r > 19376 OR f < 7391500
SELECT id FROM shop.kinds WHERE d BETWEEN '1977-01-01' AND '1977-06-30' OR ti < '13:50'
SELECT id FROM shop.kinds WHERE extract(month FROM ts) < 6 OR tz < '1977-07-01'
SELECT id FROM shop.kinds WHERE iv > '19376 days' OR u < '60000000-0000-0000-0000-000000000000'
SELECT id FROM shop.kinds WHERE ip << '203.0.113.128/26' OR net >>= '198.51.100.70' OR mac < '50:00:00:00:00:00'
SELECT id FROM shop.kinds WHERE jb @> jsonb_build_object('n', 7391840 + 6) OR jb @@ '$.n > 7391500' OR jb ->> 'k' > 'm'
SELECT id FROM shop.kinds WHERE jb @? '$.k ? (@ starts with "q")' OR jb @? '$.k ? (@ like_regex "^qu")'
SELECT id FROM shop.kinds WHERE b > '\x6d' OR get_bit(b, 4) = 1
SELECT id FROM shop.kinds WHERE ta && ARRAY['quet' || 'zal'] OR ia[1] > 7391500 OR da[1] < '1977-06-01'
SELECT id FROM shop.kinds WHERE e = 'stormy' OR e > 'calm' OR 'gloomy' = ANY (ea)
SELECT id FROM shop.kinds WHERE ra @> 7391840 + 10 OR dr && '[1977-03-20,1977-03-21]' OR mr @> 7391840 + 10 OR ur @> 7391840 + 10
SELECT id FROM shop.kinds WHERE (co).a > 'm' OR (co).n > 7391500 OR co > ROW('m', 0)::shop.pair
SELECT id FROM shop.kinds WHERE h @> 'k=>x' OR h -> 'k' > 'm' OR l ~ '*.q*.*' OR tv @@ 'q:*'::tsquery
SELECT id FROM shop.kinds WHERE bt > B'011100001100100000000000' OR pt[0] > 7391500 OR bx && box(point(0, 0), point(7391500, 9))
SELECT id FROM shop.kinds WHERE similarity(t, 'txt quetz') > 0.3 OR levenshtein(t, 'txt quetz') < 6 OR soundex(t) = 'T323'
SELECT id FROM shop.kinds WHERE hashtext(t) % 2 = 0 OR md5(t) < '8' OR substr(encode(sha256(t::bytea), 'hex'), 1, 1) < '8'
SELECT id FROM shop.kinds WHERE left(md5(t), 8) IN (SELECT left(md5('txt quet' || 'zal ' || n), 8) FROM generate_series(1, 40) AS n)
SELECT g.word FROM (VALUES ('quet' || 'zal'), ('ibis' || 'fox'), ('crow')) AS g (word) JOIN shop.kinds AS k ON k.t LIKE '%' || g.word || '%'
SELECT g FROM generate_series(7391000, 7392000) AS g JOIN shop.kinds AS k ON k.i4 = g
SELECT g.day::date FROM generate_series(TIMESTAMP '1977-01-01', '1977-12-31', '1 day') AS g (day) JOIN shop.kinds AS k ON k.d = g.day::date
SELECT chr(c) FROM generate_series(97, 122) AS c WHERE EXISTS (SELECT 1 FROM shop.kinds WHERE substr(t, 5, 1) = chr(c))
SELECT n, (SELECT count(*) FROM shop.kinds WHERE ascii(substr(t, n, 1)) > 108) FROM generate_series(1, 12) AS n
SELECT g, bool_or(ascii(substr(t, g, 1)) & 1 = 1) FROM shop.kinds, generate_series(1, 12) AS g GROUP BY g ORDER BY g
SELECT count(*) FROM generate_series(1, (SELECT i4 % 1000 FROM shop.kinds WHERE id = 1))
SELECT id FROM shop.vault AS v WHERE (SELECT count(*) FROM shop.vault AS w WHERE w.ssn < v.ssn) = 3
SELECT id, (SELECT count(*) FROM shop.vault AS w WHERE w.salary <= v.salary) FROM shop.vault AS v ORDER BY id
SELECT a.id, b.id FROM shop.kinds AS a JOIN shop.vault AS b ON left(a.t, 2) < left(b.ssn, 2)
SELECT l.id FROM shop.ledger AS l WHERE EXISTS (SELECT 1 FROM shop.vault AS v WHERE v.ssn = l.ssn || ' ssn')
SELECT id FROM shop.vault WHERE ssn IS DISTINCT FROM (SELECT ssn FROM shop.vault WHERE id = 3)
SELECT id FROM shop.vault WHERE salary > ALL (SELECT salary FROM shop.vault WHERE id > 10)
SELECT id FROM shop.vault WHERE ssn = SOME (SELECT 'no ' || w || ' ' || n || ' ssn' FROM (VALUES ('quet' || 'zal')) AS g (w), generate_series(11, 40) AS n)
SELECT id FROM shop.vault WHERE mod(length(ssn), 3) = 0 OR length(plain) > 14 OR octet_length(email) < 20
SELECT id FROM shop.vault WHERE ssn IS NULL OR email IS NOT NULL
SELECT count(*), count(ssn), count(salary) FROM shop.vault
-- Order: rank, place, neighbours, ties, first of a group, a limit after a sort.
SELECT id FROM shop.kinds ORDER BY t, i8, d, u, id
SELECT id FROM shop.kinds ORDER BY t USING >, id
SELECT id FROM shop.kinds ORDER BY t COLLATE "C" DESC NULLS LAST, id
SELECT id FROM shop.kinds ORDER BY jb, ta, co, ra, ip, id
SELECT id FROM shop.kinds ORDER BY md5(t), id
SELECT id FROM shop.kinds ORDER BY CASE WHEN t > 'txt m' THEN id ELSE -id END
SELECT id FROM shop.kinds ORDER BY id * (i4 % 2 - 1), id
SELECT id FROM shop.kinds ORDER BY abs(i4 - 7391840 + 10), id LIMIT 1
SELECT id FROM shop.kinds ORDER BY pt <-> point(7391840 + 10, 1), id LIMIT 1
SELECT id FROM shop.vault ORDER BY ssn DESC, id LIMIT 3 OFFSET 2
SELECT DISTINCT ON (t) id FROM shop.kinds ORDER BY t, id
SELECT DISTINCT ON (e, bo) id, e FROM shop.kinds ORDER BY e, bo, id
SELECT array_agg(id ORDER BY t, id), string_agg(id::text, ',' ORDER BY i8 DESC, id) FROM shop.kinds
SELECT json_agg(id ORDER BY d, id), (array_agg(id ORDER BY u, id))[1] FROM shop.kinds
SELECT id, row_number() OVER w, rank() OVER w, dense_rank() OVER w, cume_dist() OVER w, percent_rank() OVER w FROM shop.kinds WINDOW w AS (ORDER BY i8)
SELECT id, first_value(id) OVER w, last_value(id) OVER w, nth_value(id, 2) OVER w FROM shop.kinds WINDOW w AS (ORDER BY t, id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
SELECT id, count(*) OVER (PARTITION BY bo), sum(id) OVER (PARTITION BY e ORDER BY id) FROM shop.kinds
SELECT id, count(*) OVER (ORDER BY i4 RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM shop.kinds
SELECT id, count(*) OVER (ORDER BY d RANGE BETWEEN '1 day' PRECEDING AND CURRENT ROW) FROM shop.kinds
SELECT id, count(*) OVER (ORDER BY t GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES) FROM shop.kinds
SELECT id, lead(t) OVER (ORDER BY id), lag(i8, 1, 0::bigint) OVER (ORDER BY i8), ntile(2) OVER (ORDER BY t, id) FROM shop.kinds
-- Groups and sets: how many, how big, which ones fall together.
SELECT count(*) FROM shop.kinds GROUP BY bo ORDER BY 1
SELECT min(id), count(*) FROM shop.vault GROUP BY token ORDER BY 1
SELECT min(id) FROM shop.vault GROUP BY salary HAVING count(*) > 6 ORDER BY 1
SELECT count(*) FROM shop.vault GROUP BY left(ssn, 4), length(email) ORDER BY 1
SELECT grouping(ssn, token), count(*) FROM shop.vault GROUP BY CUBE (ssn, token) ORDER BY 1, 2
SELECT token, salary, count(*) FROM shop.vault GROUP BY ROLLUP (token, salary) ORDER BY 3, 1, 2
SELECT count(DISTINCT token), count(DISTINCT (token, salary)), count(DISTINCT salary) FROM shop.vault
SELECT count(*) FROM (SELECT DISTINCT token, salary FROM shop.vault) AS s
SELECT count(*) FROM (SELECT ssn FROM shop.vault EXCEPT ALL SELECT ssn FROM shop.vault WHERE id > 3) AS s
SELECT count(*) FROM (SELECT salary FROM shop.vault INTERSECT ALL SELECT n FROM generate_series(7391800, 7391900) AS n) AS s
SELECT count(*) FROM (SELECT token FROM shop.vault UNION SELECT token FROM shop.vault) AS s
-- Aggregates that are the value, or tell of it.
SELECT min(t), max(v), min(i8), max(n), sum(m), avg(f), min(d), max(ts), max(ti), min(ip) FROM shop.kinds
SELECT sum(i4), avg(iv), sum(n2), sum(r), bit_or(i8), bit_and(i4), bit_xor(i2), bool_and(bo), every(bo) FROM shop.kinds
SELECT stddev_pop(i8), variance(n), corr(f, id), covar_pop(f, id), covar_samp(r, id), regr_slope(f, id), regr_intercept(i4, id), regr_r2(f, id), regr_avgx(id, f), regr_sxx(f, f) FROM shop.kinds
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY f), percentile_disc(ARRAY[0, 1]) WITHIN GROUP (ORDER BY t), mode() WITHIN GROUP (ORDER BY v) FROM shop.kinds
SELECT rank('txt m') WITHIN GROUP (ORDER BY t), dense_rank(7391500) WITHIN GROUP (ORDER BY i4), cume_dist(7391500::numeric) WITHIN GROUP (ORDER BY n), percent_rank(DATE '1977-06-01') WITHIN GROUP (ORDER BY d) FROM shop.kinds
SELECT max(id) FILTER (WHERE t LIKE '%q%'), sum(id) FILTER (WHERE bo), count(*) FILTER (WHERE i4 > 7391500) FROM shop.kinds
SELECT sum((t LIKE 'txt q%')::int), avg(CASE WHEN d < '1977-06-01' THEN 1 ELSE 0 END), count(NULLIF(bo, true)) FROM shop.kinds
SELECT string_agg(t, ','), string_agg(b, '\x00'), array_agg(i8), array_agg(ta), jsonb_agg(jb), json_object_agg(id, t), xmlagg(x), range_agg(ra) FROM shop.kinds
SELECT max(id) FROM shop.kinds WHERE id > (SELECT avg(id) FROM shop.kinds WHERE t > 'txt m')
SELECT string_agg(substr(t, 5, 1), '' ORDER BY t) FROM shop.kinds WHERE id = 1
SELECT sum(ascii(substr(t, g, 1)) * 256 ^ g) FROM shop.kinds, generate_series(5, 7) AS g WHERE id = 1
