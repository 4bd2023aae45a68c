-- A cast that fails prints its value in Postgres's message; ours names the condition.
SELECT t::integer FROM shop.kinds
SELECT v::bigint, c::numeric FROM shop.kinds
SELECT ci::float8 FROM shop.kinds
SELECT t::date FROM shop.kinds
SELECT t::timestamptz FROM shop.kinds
SELECT t::time, t::interval FROM shop.kinds
SELECT t::uuid FROM shop.kinds
SELECT t::inet FROM shop.kinds
SELECT t::macaddr FROM shop.kinds
SELECT t::json FROM shop.kinds
SELECT t::jsonb FROM shop.kinds
SELECT t::xml FROM shop.kinds
SELECT ('<a>' || t)::xml FROM shop.kinds
SELECT ('\x' || t)::bytea FROM shop.kinds
SELECT t::boolean FROM shop.kinds
SELECT t::money FROM shop.kinds
SELECT t::bit(8) FROM shop.kinds
SELECT t::point FROM shop.kinds
SELECT t::int4range FROM shop.kinds
SELECT ('[' || t || ',]')::int4range FROM shop.kinds
SELECT t::integer[] FROM shop.kinds
SELECT ('{' || t)::text[] FROM shop.kinds
SELECT t::shop.mood FROM shop.kinds
SELECT t::shop.wage FROM shop.kinds
SELECT left(t, 2)::shop.passport FROM shop.kinds
SELECT t::shop.pair FROM shop.kinds
SELECT ('(' || t || ',x)')::shop.pair FROM shop.kinds
SELECT t::jsonpath FROM shop.kinds
SELECT t::tsquery FROM shop.kinds
SELECT (t || '&')::tsquery FROM shop.kinds
SELECT t::hstore, t::ltree FROM shop.kinds
SELECT t::oid, t::xid8, t::pg_lsn, t::txid_snapshot FROM shop.kinds
SELECT t::regclass FROM shop.kinds
SELECT t::"char", t::name, t::varchar(3), t::char(2) FROM shop.kinds
SELECT jb::integer FROM shop.kinds
SELECT (jb -> 'k')::integer FROM shop.kinds
SELECT i8::smallint, n::smallint FROM shop.kinds
SELECT f::integer, m::numeric::smallint FROM shop.kinds
SELECT d::text::integer FROM shop.kinds
SELECT convert_from(b || '\xff', 'UTF8') FROM shop.kinds
-- The same, where no column of the answer gives the place away.
SELECT id FROM shop.kinds WHERE t::integer = 1
SELECT id FROM shop.kinds ORDER BY t::integer
SELECT count(*) FROM shop.kinds GROUP BY t::integer
SELECT count(*) FROM shop.kinds HAVING max(t)::integer > 0
SELECT count(*) FILTER (WHERE v::integer > 0) FROM shop.kinds
SELECT id FROM shop.kinds LIMIT (SELECT t::integer FROM shop.kinds LIMIT 1)
SELECT 1 FROM shop.kinds AS a JOIN shop.kinds AS b ON a.t::integer = b.id
SELECT CASE WHEN t LIKE 'txt q%' THEN t::integer ELSE 0 END FROM shop.kinds
SELECT max(t)::uuid FROM shop.kinds
SELECT (SELECT t::integer FROM shop.kinds WHERE id = 1)
SELECT COALESCE(NULLIF(t, '')::integer, 0) FROM shop.kinds
SELECT sum(t::integer) OVER () FROM shop.kinds
-- Division, overflow, roots and logarithms, as oracles of one bit or as text.
SELECT 1 / (i8 - 7391845000011 - 1000000) FROM shop.kinds
SELECT 1 / (CASE WHEN t LIKE '%q%' THEN 0 ELSE 1 END) FROM shop.kinds
SELECT 1 / (ascii(substr(t, 5, 1)) - 113) FROM shop.kinds
SELECT i8 * 9223372036854775807 FROM shop.kinds
SELECT i4 * 1000 FROM shop.kinds
SELECT sqrt(7391500 - n2), ln(7391500 - n) FROM shop.kinds
SELECT power(10, n), exp(f) FROM shop.kinds
SELECT factorial(i4), d + i4, make_date(i4, 1, 1), make_interval(years => i4) FROM shop.kinds
SELECT chr(i4), repeat('x', i4), lpad('x', i4) FROM shop.kinds
-- Bounds, formats, patterns, keys and paths that are named in messages.
SELECT substring('abc' FROM i4 - 7391999) FROM shop.kinds
SELECT left(t, -i4), overlay(t PLACING 'x' FROM -i2) FROM shop.kinds
SELECT (ARRAY[1, 2])[i4], ta[i4], split_part(t, ' ', i2 - i2) FROM shop.kinds
SELECT get_byte(b, i4), set_byte(b, i4, 1) FROM shop.kinds
SELECT to_date(t, 'YYYY-MM-DD'), to_timestamp(v, 'HH24') FROM shop.kinds
SELECT to_char(now(), t), to_char(1, t), to_number(t, v) FROM shop.kinds
SELECT to_date('2026', t) FROM shop.kinds
SELECT extract(year FROM t::timestamp), date_part(t, now()), date_trunc(v, d) FROM shop.kinds
SELECT now() AT TIME ZONE t, make_timestamptz(2026, 1, 1, 1, 1, 1, t) FROM shop.kinds
SELECT 'x' ~ (t || '['), regexp_replace('x', t || '(', ''), 'x' LIKE t || '\' FROM shop.kinds
SELECT regexp_match('x', 'x', t), regexp_split_to_array('x', 'x', v) FROM shop.kinds
SELECT 'x' SIMILAR TO (t || '('), 'x' LIKE 'y' ESCAPE t FROM shop.kinds
SELECT encode(b, t), decode(t, 'base64'), decode('aa', t), convert_to('x', t), convert_from(b, t) FROM shop.kinds
SELECT decode(t, 'hex') FROM shop.kinds
SELECT jsonb_path_query(jb, '$.nothing.' || t) FROM shop.kinds
SELECT jsonb_path_query(jb, 'strict $.nothing') FROM shop.kinds
SELECT jsonb_path_query(jb, '$.k.double()'), jsonb_path_query(jb, '$.k.datetime()') FROM shop.kinds
SELECT jsonb_set(jb, ARRAY[t, t], '1'), jb #- ARRAY[t], jsonb_insert(jb, ARRAY['deep', t], '1') FROM shop.kinds
SELECT jsonb_object(ta), json_object(ARRAY[t, t, t]), hstore(ta) FROM shop.kinds
SELECT jsonb_array_length(jb), json_array_elements(j), jsonb_each(jb -> 'k') FROM shop.kinds
SELECT format(t || '%'), format('%' || v, 1), format('%1$' || t, 1) FROM shop.kinds
SELECT int4range(i4, 1), daterange(d, '1900-01-01'), tstzrange(tz, 'epoch') FROM shop.kinds
SELECT array_fill(1, ia), ta2[1] || ta, array_cat(ta2, ARRAY[ARRAY[t]]) FROM shop.kinds
SELECT (SELECT t FROM shop.kinds)
SELECT t = ANY (SELECT ta FROM shop.kinds) FROM shop.kinds
SELECT generate_series(1, 10, i4 - i4), width_bucket(n, 1, 1, 3), percentile_cont(f) WITHIN GROUP (ORDER BY id) FROM shop.kinds GROUP BY i4, n, f
SELECT percentile_disc(f) WITHIN GROUP (ORDER BY t) FROM shop.kinds GROUP BY f
SELECT subpath(l, 9), l || t, lquery(t) FROM shop.kinds
SELECT to_tsquery('simple', t || ' !'), phraseto_tsquery(t, 'x'), setweight(tv, left(t, 1)::"char") FROM shop.kinds
SELECT xpath('/' || t, '<a/>'), xmlparse(DOCUMENT t), xmlpi(NAME php, t || '?>') FROM shop.kinds
SELECT set_masklen(ip, i2), bt >> i4, bt & vb, B'1'::bit(3) | bt FROM shop.kinds
SELECT uuid_in(t::cstring), int4in(t::cstring), array_in(t::cstring, 25, -1) FROM shop.kinds
SELECT shop.complain(t), shop.complain(k::text) FROM shop.kinds AS k
SELECT shop.hint(ssn), shop.hint(email) FROM shop.vault
-- Faults of the statement itself: what is near them is the agent's own text.
SELECT t + 1 FROM shop.kinds
SELECT ssn, count(*) FROM shop.vault
SELECT v.ssn FROM shop.vault AS v WHERE v.nothing = 1
SELECT max(ssn OVER ()) FROM shop.vault
SELECT ssn FROM shop.vault UNION SELECT id FROM shop.vault
SELECT ssn = 1 FROM shop.vault
SELECT CASE WHEN ssn THEN 1 END FROM shop.vault
SELECT COALESCE(ssn, 1), GREATEST(salary, 'x') FROM shop.vault
