-- JSON: arrows, subscripts, paths, set-returning functions, constructors, aggregates.
SELECT profile['k'], profile['deep'][0], profile -> 'deep' -> 0, profile #> '{deep,1}' FROM shop.vault
SELECT jsonb_path_query_first(profile, '$.**'), jsonb_path_exists(profile, '$.k'), jsonb_path_match(profile, '$.deep[0] > 7391500') FROM shop.vault
SELECT jsonb_path_query_array(profile, '$.keyvalue().value'), jsonb_path_query(profile, '$.deep.size()'), jsonb_path_query(profile, '$.k.type()') FROM shop.vault
SELECT e.v FROM shop.vault AS v, jsonb_each_text(v.profile) AS e (k, v) WHERE e.k = 'k'
SELECT e FROM shop.vault AS v, jsonb_array_elements(v.profile -> 'deep') AS e
SELECT k FROM shop.vault AS v, jsonb_object_keys(v.profile) AS k
SELECT jsonb_typeof(profile), jsonb_strip_nulls(profile), profile - 'deep', profile || '{}', jsonb_set(profile, '{x}', '1'), profile::text FROM shop.vault
SELECT raw -> 'k', raw #>> '{k}', json_typeof(raw), json_extract_path_text(raw, 'k'), raw::jsonb FROM shop.vault
SELECT r.k FROM shop.vault AS v, json_to_record(v.raw) AS r (k text)
SELECT (jsonb_populate_record(NULL::shop.pair, jsonb_build_object('a', ssn, 'n', 1))).a FROM shop.vault
SELECT jsonb_build_object('k', ssn) ->> 'k', json_build_array(email, card), to_json(ssn), to_jsonb(tags) FROM shop.vault
SELECT json_object(ARRAY[ssn, email], ARRAY[card, nick]), jsonb_object(ARRAY['a', ssn]), json_strip_nulls(raw) FROM shop.vault
SELECT jsonb_agg(ssn), json_object_agg(id, email), jsonb_object_agg(id, profile) FROM shop.vault
SELECT profile @> '{"k": "x"}', profile ?| ARRAY['k'], profile <@ profile, profile = profile, profile > '{}' FROM shop.vault
SELECT (profile -> 'deep' ->> 0)::integer + 1, (profile ->> 'k') || '' FROM shop.vault
SELECT count(DISTINCT profile -> 'k'), max(profile ->> 'k'), array_agg(profile) FROM shop.vault
SELECT to_tsvector('simple', profile), jsonb_to_tsvector('simple', profile, '"all"'), ts_headline('simple', profile, 'q:*'::tsquery) FROM shop.vault
SELECT jsonb_path_query(jsonb_build_object('a', ssn), '$.a ? (@ like_regex "q")') FROM shop.vault
SELECT jsonb_path_exists('{"a": 1}', '$.a ? (@ < $x)', jsonb_build_object('x', salary)) FROM shop.vault
-- SQL/JSON, which came by and by.
SELECT JSON_OBJECT('k' : ssn, 'e' VALUE email ABSENT ON NULL), JSON_ARRAY(ssn, card) FROM shop.vault -- since 16
SELECT JSON_OBJECTAGG(id : ssn), JSON_ARRAYAGG(email ORDER BY ssn) FROM shop.vault -- since 16
SELECT JSON_ARRAY(SELECT ssn FROM shop.vault) -- since 16
SELECT ssn IS JSON, profile::text IS JSON OBJECT FROM shop.vault -- since 16
SELECT JSON_VALUE(profile, '$.k'), JSON_QUERY(profile, '$.deep' WITH WRAPPER), JSON_EXISTS(profile, '$.k') FROM shop.vault -- since 17
SELECT JSON_VALUE(profile, '$.deep[0]' RETURNING integer ERROR ON ERROR), JSON_VALUE(profile, '$.x' DEFAULT ssn ON EMPTY) FROM shop.vault -- since 17
SELECT JSON_VALUE(profile, '$.k' RETURNING integer ERROR ON ERROR) FROM shop.vault -- since 17
SELECT JSON(raw::text), JSON_SCALAR(ssn), JSON_SERIALIZE(profile) FROM shop.vault -- since 17
SELECT t.* FROM shop.vault AS v, JSON_TABLE(v.profile, '$' COLUMNS (k text PATH '$.k', n FOR ORDINALITY, d integer PATH '$.deep[0]')) AS t -- since 17
SELECT t.a FROM shop.vault AS v, JSON_TABLE(to_jsonb(v), '$' COLUMNS (a text PATH '$.ssn', b text PATH '$.email')) AS t -- since 17
SELECT t.* FROM shop.vault AS v, JSON_TABLE(v.profile, '$' COLUMNS (NESTED PATH '$.deep[*]' COLUMNS (x text PATH '$'))) AS t -- since 17
SELECT t.* FROM JSON_TABLE((SELECT jsonb_agg(v) FROM shop.vault AS v), '$[*]' COLUMNS (s text PATH '$.ssn' DEFAULT 'none' ON EMPTY)) AS t -- since 17
-- XML.
SELECT xmlforest(ssn AS s, email), xmlelement(NAME e, xmlattributes(card), nick), xmlconcat(xmlelement(NAME a, ssn), xmlelement(NAME b, plain)) FROM shop.vault
SELECT t.* FROM shop.kinds AS k, XMLTABLE('/k' PASSING k.x COLUMNS s text PATH '.') AS t
SELECT t.* FROM shop.vault AS v, XMLTABLE('/r' PASSING xmlelement(NAME r, v.ssn) COLUMNS s text PATH '.', n FOR ORDINALITY) AS t
SELECT xpath('/r/text()', xmlelement(NAME r, ssn)), xpath_exists('/r', xmlelement(NAME r, card)), xmlcomment(plain), xmlpi(NAME p, nick) FROM shop.vault
SELECT xmlagg(xmlelement(NAME r, ssn) ORDER BY ssn)::text, xml_is_well_formed(max(ssn)) FROM shop.vault
SELECT table_to_xml('shop.vault', true, true, ''), query_to_xml('TABLE shop.vault', true, true, ''), schema_to_xml('shop', true, true, '')
SELECT cursor_to_xml('c', 1, true, true, ''), database_to_xml(true, true, '')
-- Text search, and everything else that takes a value apart.
SELECT to_tsvector('english', plain), plainto_tsquery('simple', ssn), websearch_to_tsquery('simple', email), to_tsquery('simple', nick) FROM shop.vault
SELECT id FROM shop.vault WHERE to_tsvector('simple', ssn) @@ to_tsquery('simple', 'quet:*')
SELECT token, alias FROM shop.vault AS v, ts_debug('simple', v.ssn)
SELECT ts_lexize('simple', ssn), ts_parse('default', ssn) FROM shop.vault
SELECT * FROM ts_stat('SELECT to_tsvector(ssn) FROM shop.vault')
