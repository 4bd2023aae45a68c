-- Each type shown, cast to text and back, and asked by the operators and functions of its own.
SELECT * FROM shop.kinds
SELECT t, v, c, ci, na FROM shop.kinds
SELECT t || v || c, ci::text, na::text, t COLLATE "C" FROM shop.kinds
SELECT i2, i4, i8, n, n2, r, f, m, bo FROM shop.kinds
SELECT i2 + 0, i4::text, i8 # 1, n % 7, n2 * 2, r::float8, f ^ 0.5, m / 2, NOT bo FROM shop.kinds
SELECT d, ts, tz, ti, tt, iv FROM shop.kinds
SELECT d + 1, ts - TIMESTAMP '1977-01-01', tz AT TIME ZONE 'UTC', extract(second FROM ti), iv * 2 FROM shop.kinds
SELECT to_char(d, 'Day DDD'), to_char(ts, 'HH24:MI:SS'), to_char(iv, 'DD'), date_part('minute', tt) FROM shop.kinds
SELECT justify_interval(iv), age(ts), isfinite(d), make_interval(days => (tz::date - d)) FROM shop.kinds
SELECT u, ip, net, mac, host(ip), masklen(net), network(ip), trunc(mac), mac::macaddr8 FROM shop.kinds
SELECT u::text, uuid_extract_version(u), uuid_extract_timestamp(u) FROM shop.kinds -- since 17
SELECT ip - '203.0.113.0'::inet, ip & netmask(net), set_masklen(ip, 8), abbrev(net), inet_same_family(ip, net) FROM shop.kinds
SELECT j, jb, jp, j ->> 'k', jb -> 'deep', jb #>> '{deep,0}', jb ? 'k' FROM shop.kinds
SELECT b, encode(b, 'escape'), get_byte(b, 1), get_bit(b, 3), substring(b FROM 2), md5(b), length(b), bit_count(b) FROM shop.kinds
SELECT convert_from(b, 'UTF8'), position('\x75'::bytea IN b), sha512(b), trim('\x71'::bytea FROM b) FROM shop.kinds
SELECT ta, ta2, ia, da, ta[1], ta2[1][1], ia[1:2], array_dims(ta2), array_upper(ia, 1) FROM shop.kinds
SELECT 'quet' || 'zal' = ANY (ta), array_positions(ta, 'x'), array_length(ta, 1), ia && ARRAY[7391840 + 6] FROM shop.kinds
SELECT unnest(ta), unnest(ta2), unnest(ia) FROM shop.kinds
SELECT array_to_string(ta, '/'), array_cat(ta, ta), trim_array(ta, 1), array_replace(ta, 'a', 'b'), ta < ARRAY['p'] FROM shop.kinds
SELECT x.a, x.g FROM shop.kinds, unnest(ta) WITH ORDINALITY AS x (a, g)
SELECT e, ea, e::text, ea[1], e > 'calm', e = 'stormy'::shop.mood FROM shop.kinds
SELECT enum_range(e), enum_first(e), enum_last(e), enum_range(NULL, e) FROM shop.kinds
SELECT max(e), min(e), count(DISTINCT e) FROM shop.kinds
SELECT dt, di, dta, dt || 'x', di + 1, dta[1], dt::text::shop.passport FROM shop.kinds
SELECT dt FROM shop.kinds WHERE dt LIKE 'pass q%' OR di > 7391500
SELECT ra, dr, tr, mr, ur FROM shop.kinds
SELECT lower(ra), upper(dr), lower(tr), range_merge(mr), isempty(ra), upper_inf(tr), lower(ur) FROM shop.kinds
SELECT ra @> 7391840 + 7, dr && '[1977-06-01,1977-12-31]', ra << int4range(7391500, 7391501), mr @> 7391840 + 6, ur -|- ur FROM shop.kinds
SELECT range_agg(ra), range_intersect_agg(dr), unnest(mr), ra * int4range(7391845 + 1, 7391900) FROM shop.kinds GROUP BY mr, ra
SELECT co, coa, (co).a, (co).n, coa[1], (coa[1]).a, (co).* FROM shop.kinds
SELECT co = ROW('x', 1)::shop.pair, co > ROW('m', 0)::shop.pair, row_to_json(co) FROM shop.kinds
SELECT h, h -> 'k', akeys(h), avals(h), h ? 'k', h::text, hstore_to_json(h) FROM shop.kinds
SELECT key, value FROM shop.kinds, each(h)
SELECT l, subpath(l, 1, 1), nlevel(l), l ~ '*.q*.*', l @ 'q*', ltree2text(l), l <@ 'top' FROM shop.kinds
SELECT tv, tq, tv @@ to_tsquery('simple', 'q:*'), strip(tv), length(tv), querytree(tq), numnode(tq) FROM shop.kinds
SELECT tsvector_to_array(tv), ts_rank(tv, tq), setweight(tv, 'A'), ts_delete(tv, 'x') FROM shop.kinds
SELECT lexeme FROM shop.kinds, unnest(tv) AS u (lexeme, positions, weights)
SELECT ts_headline('simple', t, to_tsquery('simple', 'q:*')) FROM shop.kinds
SELECT bt, vb, bt::integer, get_bit(bt, 3), bt & B'000000000000000000000001', bit_count(bt), vb || B'1' FROM shop.kinds
SELECT pt, bx, ci2, pl, pt[0], pt <-> point(0, 0), area(bx), center(ci2), npoints(pl), bx @> pt, diameter(ci2) FROM shop.kinds
SELECT pt::text, height(bx), radius(ci2), pl::text, circle(bx), lseg(bx) FROM shop.kinds
SELECT jb @? jp, jsonb_path_query(jb, jp), jp::text FROM shop.kinds
SELECT x, x::text, xmlserialize(CONTENT x AS text), xpath('/k/text()', x), xmlexists('/k' PASSING x) FROM shop.kinds
SELECT ci = 'cquet' || 'zal', lower(ci), ci ~ 'Q', regexp_replace(ci, '[aeiou]', ''), split_part(ci, '@', 1) FROM shop.kinds
SELECT ci FROM shop.kinds WHERE ci LIKE 'CQ%'
SELECT to_hex(i4), to_char(n2, '9G999G999D99'), scale(n), trim_scale(n), numeric_send(n) FROM shop.kinds
SELECT to_bin(i4), to_oct(i8) FROM shop.kinds -- since 16
SELECT crc32(b), crc32c(b) FROM shop.kinds -- since 18
SELECT reverse(b) FROM shop.kinds -- since 18
SELECT casefold(t) FROM shop.kinds -- since 18
SELECT array_sort(ta), array_reverse(ia) FROM shop.kinds -- since 18
SELECT i2::bit(16), i4::bit(32), i8::numeric, n::money, m::numeric, f::numeric, r::int, i8::oid FROM shop.kinds
SELECT int4(n2), float8(m::numeric), date(ts), time(tz), interval(ti), text(u), numeric(i8), varchar(d::text) FROM shop.kinds
-- What a mask leaves of a type is a mask: bounds, parts and digests of it too.
SELECT quote_ident(t), quote_nullable(v), lpad(c, 3), rpad(t, 40, '.'), btrim(t, 'txt '), ltrim(t, 't'), chr(ascii(t)) FROM shop.kinds
SELECT overlay(t PLACING '' FROM 1 FOR 4), substring(t FROM 5 FOR 7), substring(t FROM '[a-z]{7}'), substring(t SIMILAR 'txt #"%#" %' ESCAPE '#') FROM shop.kinds
SELECT regexp_match(t, '(\w+) (\w+)'), regexp_matches(t, '\w', 'g'), regexp_count(t, 'e'), regexp_instr(t, 'z'), regexp_substr(t, 'q\w+') FROM shop.kinds
SELECT string_to_table(t, ' '), parse_ident('a.b'), unistr(t), normalize(t), t IS NORMALIZED, to_ascii(t) FROM shop.kinds
SELECT starts_with(t, 'txt q'), t ^@ 'txt q', strpos(t, 'z'), position('z' IN t), left(t, 5), right(t, 5), repeat(t, 2), split_part(t, ' ', -1) FROM shop.kinds
SELECT bit_length(t), char_length(c), octet_length(ci), length(v::bytea), pg_column_size(t), pg_column_compression(t) FROM shop.kinds
SELECT md5(t), sha224(t::bytea), sha384(t::bytea), encode(sha256(convert_to(t, 'UTF8')), 'base64'), hashtext(t), hashtextextended(t, 0) FROM shop.kinds
SELECT hashint4(i4), hashint8(i8), hash_numeric(n), hashfloat8(f), timestamp_hash(ts), uuid_hash(u), hashinet(ip), jsonb_hash(jb), hash_array(ta), hash_range(ra) FROM shop.kinds
SELECT similarity(t, 'txt quet'), t % 'quet', t <-> 'quetz', word_similarity('quet', t), show_trgm(t), strict_word_similarity('q', t) FROM shop.kinds
SELECT levenshtein(t, 'txt q'), soundex(t), metaphone(t, 8), dmetaphone(t), difference(t, 'q'), levenshtein_less_equal(t, 'x', 9) FROM shop.kinds
SELECT pg_input_is_valid(t, 'integer'), pg_input_is_valid(v, 'date') FROM shop.kinds -- since 16
SELECT pg_input_error_info(t, 'integer') FROM shop.kinds -- since 16
SELECT gcd(i8, 12), lcm(i4, 2), factorial(i2), width_bucket(n2, ARRAY[7391500]::numeric[]), power(n, 0.1), ln(n), sqrt(f), sign(r), cbrt(f), log(n) FROM shop.kinds
SELECT min_scale(n), div(n, 7), mod(i8, 1000), ceil(n2), round(n, -3), trunc(f), degrees(f), i4 >> 3, i4 << 1, ~i4, @ n FROM shop.kinds
SELECT any_value(t), any_value(i8) FROM shop.kinds -- since 16
SELECT date_bin('1 day', ts, TIMESTAMP '1970-01-01'), date_trunc('day', tz, 'UTC'), timezone('UTC', tz), (ts, ts) OVERLAPS (TIMESTAMP '1977-03-01', TIMESTAMP '1977-04-01') FROM shop.kinds
