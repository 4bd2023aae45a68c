-- A whole row as a value: printed, compared, counted, sorted, grouped, put into documents.
SELECT vault FROM shop.vault
SELECT vault.* FROM shop.vault
SELECT k FROM shop.kinds AS k
SELECT k::text FROM shop.kinds AS k
SELECT CAST(k AS varchar) FROM shop.kinds AS k
SELECT row_to_json(k, true) FROM shop.kinds AS k
SELECT to_json(k) -> 't' FROM shop.kinds AS k
SELECT to_jsonb(k) ->> 'i8' FROM shop.kinds AS k
SELECT jsonb_pretty(to_jsonb(k)) FROM shop.kinds AS k
SELECT json_build_object('row', k) FROM shop.kinds AS k
SELECT json_build_array(v, 1) FROM shop.vault AS v
SELECT jsonb_agg(v ORDER BY v.ssn) FROM shop.vault AS v
SELECT array_agg(v)::text FROM shop.vault AS v
SELECT array_to_json(array_agg(v)) FROM shop.vault AS v
SELECT string_agg(v::text, '|') FROM shop.vault AS v
SELECT v IS NULL, v IS NOT NULL, (v.ssn, v.email) IS NOT NULL FROM shop.vault AS v
SELECT count(v), count(v.*), count(DISTINCT v::text) FROM shop.vault AS v
SELECT count(*) FROM shop.vault AS a, shop.vault AS b WHERE a = b
SELECT a.id, b.id FROM shop.ledger AS a, shop.ledger AS b WHERE a < b
SELECT a.id FROM shop.ledger AS a WHERE a > ROW(0, 'no ' || 'm', 'x')
SELECT id FROM shop.ledger AS a WHERE a IN (SELECT b FROM shop.ledger AS b)
SELECT id FROM shop.ledger AS a ORDER BY a
SELECT a, count(*) FROM shop.ledger AS a GROUP BY a
SELECT DISTINCT a FROM shop.ledger AS a
SELECT COALESCE(a, NULL) FROM shop.ledger AS a
SELECT NULLIF(a, ROW(1, 'x', 'X')) FROM shop.ledger AS a
SELECT CASE WHEN a IS DISTINCT FROM ROW(1, 'x', 'y') THEN a END FROM shop.ledger AS a
SELECT GREATEST(a, b) FROM shop.ledger AS a, shop.ledger AS b WHERE a.id + b.id = 3
SELECT max(a::text), min(a::text) FROM shop.ledger AS a
SELECT first_value(a) OVER (ORDER BY a.id DESC), lag(a) OVER (ORDER BY a) FROM shop.ledger AS a
SELECT ROW(a.*), ROW(a) FROM shop.ledger AS a
SELECT (ROW(a.*)).f2 FROM shop.ledger AS a
SELECT (a).ssn, (a.ssn) FROM shop.ledger AS a
SELECT (x.a).ssn FROM (SELECT a FROM shop.ledger AS a) AS x
SELECT (x).a FROM (SELECT ssn AS a FROM shop.vault) AS x
SELECT (SELECT a FROM shop.ledger AS a LIMIT 1)
SELECT ((SELECT a FROM shop.ledger AS a ORDER BY id LIMIT 1)).ssn
SELECT ssn(a), a.ssn FROM shop.ledger AS a
SELECT text(a), varchar(a), name(a.ssn) FROM shop.ledger AS a
SELECT concat(a.*), concat_ws('/', VARIADIC ARRAY[a.ssn, a.loud]) FROM shop.ledger AS a
SELECT format('%s', a), quote_literal(a::text) FROM shop.ledger AS a
SELECT length(a::text), pg_column_size(a), octet_length(a::text) FROM shop.ledger AS a
SELECT num_nulls(VARIADIC ARRAY[a.ssn, a.loud]), num_nonnulls(a.*) FROM shop.ledger AS a
SELECT md5(a::text), sha256(a::text::bytea), hashtext(a::text) FROM shop.ledger AS a
SELECT hash_record(a), hash_record_extended(a, 1) FROM shop.ledger AS a
SELECT record_out(a), record_send(a) FROM shop.ledger AS a
SELECT record_eq(a, b), record_lt(a, b), btrecordcmp(a, b) FROM shop.ledger AS a, shop.ledger AS b
SELECT a *= b, a *< b FROM shop.ledger AS a, shop.ledger AS b
SELECT xmlforest(a.ssn, a.loud) FROM shop.ledger AS a
SELECT xmlelement(NAME row, xmlattributes(a.ssn AS s), a.loud) FROM shop.ledger AS a
SELECT xmlagg(xmlelement(NAME r, a::text)) FROM shop.ledger AS a
SELECT (json_populate_record(NULL::shop.ledger, to_json(a))).ssn FROM shop.ledger AS a
SELECT * FROM json_populate_recordset(NULL::shop.ledger, (SELECT json_agg(a) FROM shop.ledger AS a))
SELECT x.* FROM shop.ledger AS a, jsonb_to_record(to_jsonb(a)) AS x (ssn text, loud text)
SELECT x.* FROM jsonb_to_recordset((SELECT jsonb_agg(a) FROM shop.ledger AS a)) AS x (ssn text)
SELECT key, value FROM shop.ledger AS a, json_each_text(row_to_json(a))
SELECT hstore(a) FROM shop.ledger AS a
SELECT key, value FROM shop.ledger AS a, each(hstore(a))
SELECT a::shop.ledger, a::record FROM shop.ledger AS a
SELECT unnest(array_agg(a)) FROM shop.ledger AS a
SELECT (unnest(array_agg(a))).ssn FROM shop.ledger AS a
SELECT array_position(array_agg(a.ssn), 'no quet' || 'zal11') FROM shop.ledger AS a
SELECT multirange(int4range(id, id + 1)), a FROM shop.ledger AS a
SELECT to_tsvector('simple', row_to_json(a)) FROM shop.ledger AS a
SELECT jsonb_object_agg(a.ssn, a) FROM shop.ledger AS a
SELECT json_object_agg(a.id, a.ssn) FROM shop.ledger AS a
SELECT h FROM shop.heir AS h
SELECT to_jsonb(h) FROM shop.tagged AS h
SELECT h::shop.ledger FROM shop.heir AS h
SELECT p FROM shop.parted AS p
SELECT s::text FROM shop.sealed AS s
SELECT g FROM shop.guarded AS g
