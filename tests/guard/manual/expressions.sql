-- Honest value expressions, one a line, after the chapters of PostgreSQL's manual.
-- `a`, `b` and `c` are columns, `t` is a relation.

-- Chapter 4.1: literals, types and operators
'it''s'
E'a\nb\t\x41\u0041\\'
e'\101'
B'1010'
b'01'
X'1FF'
x'ab'
N'national'
$$dollar 'quoted'$$
$q$it's $$ here$q$
'a'
'b'
42
3.5
4.
.001
5e2
1.925e-3
0x1F
0b1010
0o17
1_500_000
0xFFFF_FFFF
1_000.5e1_0
true
NULL
-5
+ 5
- - 5
@ -5
2 ^ 3 ^ 2
|/ 25.0
||/ 27.0
5 % 3
91 & 15
32 | 3
17 # 5
~ 1
1 << 4
8 >> 2
REAL '1.23'
'1.23'::real
CAST('1.23' AS real)
real '1.23' * 2
float8 '1.5'
double precision '1.5'
1::double precision
'1'::character varying
'abc'::character varying(2)
'abc'::national character varying(2)
'abc'::national character(2)
'abc'::nchar varying(2)
'abc'::nchar(3)
'a'::char
'a'::char(1)
'a'::"char"
'a'::bpchar
'a'::character
'a'::char varying(3)
'101'::bit(3)
'101'::bit varying(5)
'101'::varbit
'1'::int2
'1'::dec(10, 2)
'1'::decimal
'1'::numeric(10)
'1'::numeric(10, -2)
'1'::float(24)
'10:00'::time(3) with time zone
'10:00'::time with time zone
'10:00'::time(3)
'10:00'::time without time zone
'2020-01-01'::timestamp(3) with time zone
'2020-01-01'::timestamp without time zone
'2020-01-01'::timestamptz(3)
timestamp with time zone '2020-01-01 00:00:00+01'
timestamp(0) '2020-01-01'
time with time zone '10:00+01'
time(3) '10:00:00.12345'
date '2020-01-01'
interval '1' year
interval '1-2' year to month
interval '3 4:05:06' day to second
interval '3 4:05:06' day to second(3)
interval '5' minute
interval(3) '1.23456 seconds'
interval '1 day' * 2
'1 day'::interval day to second(3)
'1 day'::interval hour
'1 day'::interval second(2)
'1'::interval(2)
CAST('1 day' AS interval day to minute)
'{1,2}'::int[]
'{1,2}'::int array
'{1,2}'::int array[3]
'{1,2}'::int[3][4]
'{a,b}'::char(1)[]
'{1,2}'::oid[]
'{1,2}'::int[][3]
CAST('{1}' AS oid[])
array_agg(a)::oid[]
'{1.5}'::numeric(10,2)[][]
'{1.5}'::double precision[]
'{2020-01-01}'::timestamp(3) with time zone[]
'{10:00}'::time with time zone array
CAST('{1,2}' AS integer[])
int '5'
int4 '5'
bigint '5'
smallint '5'
bool 't'
boolean 'true'
json '{"a":1}'
jsonb '{"a":1}'
jsonpath '$.a'
uuid 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
inet '10.0.0.0/8'
cidr '10.0.0.0/8'
macaddr '08:00:2b:01:02:03'
macaddr8 '08:00:2b:01:02:03:04:05'
point '(1,2)'
box '((0,0),(1,1))'
circle '<(0,0),1>'
line '{1,2,3}'
lseg '[(0,0),(1,1)]'
path '((0,0),(1,1))'
polygon '((0,0),(1,1),(1,0))'
money '12.34'
bytea '\xdeadbeef'
bit '101'
bit varying '101'
bit(3) '101'
tsvector 'a b'
tsquery 'a & b'
int4range '[1,5)'
tstzrange '[2020-01-01,)'
nummultirange '{[1,2)}'
pg_lsn '16/B374D848'
xid8 '5'
tid '(0,1)'
xml '<a/>'
text 'x'
varchar 'x'
varchar(3) 'xyz'
name 'x'
oid '5'
pg_catalog.int4 '5'
'5'::pg_catalog.int4
'5'::pg_catalog.varchar(3)
'{5}'::pg_catalog.int4[]

-- Chapter 4.2: value expressions
ARRAY[1,2,3]
ARRAY[[1,2],[3,4]]
ARRAY[]::int[]
ARRAY[ARRAY[1,2], ARRAY[3,4]]
ARRAY(SELECT g FROM generate_series(1,3) g ORDER BY g DESC)
ARRAY[1,2] || 3
(ARRAY[1,2,3])[1]
(ARRAY[1,2,3])[1:2]
(ARRAY[1,2,3])[:2]
(ARRAY[1,2,3])[2:]
(ARRAY[1,2,3])[:]
(ARRAY[[1,2],[3,4]])[1][2]
(ARRAY[[1,2],[3,4]])[1:1][2:2]
(ARRAY[[1,2],[3,4]])[:1][2:]
('{1,2,3}'::int[])[2]
(string_to_array('a,b', ','))[1]
(regexp_match('foobar', 'o(b)'))[1]
a[1]
a[1:2]
a[:2]
a[1:]
a[i]
a[i+1:i+2]
t.a[1]
t.a[1:2]
t.a[:2]
a[array_length(a,1)]
a[1:array_upper(a,1)]
a[(SELECT 1)]
ROW(1, 2.5, 'x')
ROW(1)
ROW()
(1, 2)
ROW(t.*)
ROW(t.*, 1)
(ROW(1,'x')).f1
(1, 2) = (1, 2)
(1, 2) <> (1, 3)
(1, 2) < (1, 3)
ROW(1,2) >= ROW(1,3)
(1, 2) = (SELECT 1, 2)
(1, NULL) IS DISTINCT FROM (1, 2)
ROW(1,2) IS NOT DISTINCT FROM ROW(1,2)
(1,2) IN ((1,2),(3,4))
(1,2) IN (SELECT 1, 2)
(1,2) NOT IN (SELECT 1, 2)
(1,2) = ANY (SELECT 1, 2)
(1,2) < ALL (SELECT 1, 2)
ROW(1, NULL) IS NULL
ROW(1, NULL) IS NOT NULL
5 = ANY (ARRAY[1,5])
5 = SOME (ARRAY[1,5])
5 <> ALL (ARRAY[1,5])
5 >= ALL ('{1,2}'::int[])
5 = ANY ('{1,5}')
5 = ANY (SELECT 1)
5 <> ALL (SELECT 1)
5 < SOME (VALUES (1),(2))
'a' LIKE ANY (ARRAY['a%','b%'])
'a' NOT LIKE ALL (ARRAY['a%','b%'])
'a' ILIKE ANY (ARRAY['A%'])
'a' NOT ILIKE ALL (ARRAY['A%'])
'a' ~ ANY (ARRAY['a','b'])
'a' !~* ALL (ARRAY['a','b'])
'a' ~~ ANY (ARRAY['a'])
'{1}'::int[] && ALL (ARRAY['{1}'::text]::text[]::int[][])
3 OPERATOR(pg_catalog.+) 4
3 OPERATOR(pg_catalog.=) ANY (ARRAY[3])
OPERATOR(pg_catalog.-) 4
'a' COLLATE "C"
'a' COLLATE pg_catalog."C" < 'b'
('a' < 'b' COLLATE "POSIX")
'a' COLLATE "C" || 'b'
collation for ('a' COLLATE "C")
COLLATION FOR ('a'::text)
upper('a' COLLATE "C")
sum(a)
sum(DISTINCT a)
sum(ALL a)
count(*)
count(DISTINCT (a, b))
count(DISTINCT ROW(a, b))
array_agg(a ORDER BY b DESC NULLS LAST, c)
string_agg(a, ',' ORDER BY a)
string_agg(DISTINCT a, ',')
string_agg(DISTINCT a, ',' ORDER BY a)
jsonb_object_agg(DISTINCT a, b)
json_object_agg(DISTINCT a, b)
corr(DISTINCT a, b)
covar_pop(ALL a, b)
count(*) FILTER (WHERE a > 1)
sum(a) FILTER (WHERE b) OVER (PARTITION BY c)
percentile_cont(0.5) WITHIN GROUP (ORDER BY a)
percentile_disc(ARRAY[0.25,0.5]) WITHIN GROUP (ORDER BY a DESC)
mode() WITHIN GROUP (ORDER BY a)
rank(1) WITHIN GROUP (ORDER BY a)
rank(1, 2) WITHIN GROUP (ORDER BY a, b DESC NULLS FIRST)
percent_rank(1) WITHIN GROUP (ORDER BY a) FILTER (WHERE b)
cume_dist(1) WITHIN GROUP (ORDER BY a COLLATE "C")
array_agg(a ORDER BY a USING <)
array_agg(a ORDER BY a USING OPERATOR(pg_catalog.<))
concat(VARIADIC ARRAY['a','b'])
format('%s %s', VARIADIC ARRAY['a','b'])
make_interval(days => 10)
make_interval(days := 10, hours => 2)
make_interval(1, 2, days => 10)
rank() OVER (ORDER BY a)
sum(a) OVER ()
sum(a) OVER w
sum(a) OVER (w ORDER BY b)
sum(a) OVER (PARTITION BY b ORDER BY c ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
sum(a) OVER (ORDER BY c ROWS 3 PRECEDING)
sum(a) OVER (ORDER BY c ROWS UNBOUNDED PRECEDING)
sum(a) OVER (ORDER BY c RANGE BETWEEN '1 day' PRECEDING AND '10 days' FOLLOWING)
sum(a) OVER (ORDER BY c RANGE BETWEEN INTERVAL '1 day' PRECEDING AND CURRENT ROW)
sum(a) OVER (ORDER BY c GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING)
sum(a) OVER (ORDER BY c GROUPS CURRENT ROW)
sum(a) OVER (ORDER BY c ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW)
sum(a) OVER (ORDER BY c ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE GROUP)
sum(a) OVER (ORDER BY c GROUPS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE TIES)
sum(a) OVER (ORDER BY c RANGE UNBOUNDED PRECEDING EXCLUDE NO OTHERS)
sum(a) OVER (ROWS BETWEEN a + 1 PRECEDING AND (2) FOLLOWING)
first_value(a) OVER (ORDER BY b)
lag(a, 1, 0) OVER (ORDER BY b)
nth_value(a, 2) OVER (ORDER BY b)
count(*) OVER (PARTITION BY date_trunc('day', a), b)
CASE WHEN a THEN 1 ELSE 2 END
CASE a WHEN 1 THEN 'x' END
COALESCE(a, b, 1)
NULLIF(a, b)
GREATEST(a, b, 1)
LEAST(a, b)
GROUPING(a, b)
EXISTS (SELECT 1)
NOT EXISTS (SELECT 1)
(SELECT 1)
(SELECT max(g) FROM generate_series(1,3) g)
a IN (1, 2)
a NOT IN (1, 2)
a IN (SELECT 1)

-- Chapters 9.1 and 9.2: logic and comparison
a AND b OR NOT c
a BETWEEN 1 AND 2
a NOT BETWEEN 1 AND 2
a BETWEEN SYMMETRIC 2 AND 1
a NOT BETWEEN SYMMETRIC 2 AND 1
a BETWEEN ASYMMETRIC 1 AND 2
a IS NULL
a IS NOT NULL
a ISNULL
a NOTNULL
a IS TRUE
a IS NOT TRUE
a IS FALSE
a IS NOT FALSE
a IS UNKNOWN
a IS NOT UNKNOWN
a IS DISTINCT FROM b
a IS NOT DISTINCT FROM b
a = b IS TRUE
(a > 1) IS NOT UNKNOWN
num_nulls(a, b)
num_nonnulls(VARIADIC ARRAY[1,NULL])

-- Chapter 9.3: mathematics
abs(-1)
ceil(1.5)
ceiling(1.5)
floor(1.5)
div(9, 4)
exp(1.0)
ln(2.0)
log(100)
log(2.0, 64.0)
log10(1000)
mod(9, 4)
power(9, 3)
pow(9, 3)
round(42.4)
round(42.4382, 2)
sign(-8.4)
sqrt(2)
trunc(42.8)
trunc(42.4382, 2)
width_bucket(5.35, 0.024, 10.06, 5)
random()
degrees(0.5)
radians(45.0)
atan2(1, 0)
sind(30)
gcd(1071, 462)
lcm(1071, 462)
factorial(5)
scale(8.4100)
min_scale(8.4100)
trim_scale(8.4100)
erf(1.0)
random(1, 10)
random_normal(0.0, 1.0)
gamma(0.5)

-- Chapter 9.4: strings
'a' || 'b'
'a' || 42
'a' IS NORMALIZED
'a' IS NOT NORMALIZED
'a' IS NFC NORMALIZED
'a' IS NFKD NORMALIZED
'a' IS NOT NFD NORMALIZED
btrim('xa', 'x')
bit_length('a')
char_length('a')
character_length('a')
lower('A')
lpad('hi', 5, 'xy')
ltrim('za', 'z')
normalize('a')
normalize('a', NFC)
normalize('a', NFKD)
octet_length('a')
OVERLAY('Txxxxas' PLACING 'hom' FROM 2 FOR 4)
OVERLAY('Txxxxas' PLACING 'hom' FROM 2)
overlay('a'::bytea placing 'b'::bytea from 1)
overlay('Txxxxas', 'hom', 2)
POSITION('om' IN 'Thomas')
position('a'::bytea in 'b'::bytea)
position(('a' || 'b') in 'cab')
substring('Thomas' FROM 2 FOR 3)
substring('Thomas' FROM 3)
substring('Thomas' FOR 2)
substring('Thomas' FOR 2 FROM 2)
substring('Thomas' FROM '...$')
substring('Thomas' SIMILAR '%#"o_a#"_' ESCAPE '#')
substring('Thomas' FROM '%#"o_a#"_' FOR '#')
substring('Thomas', 2, 3)
substring('Thomas', 2)
substr('Thomas', 2, 3)
TRIM(BOTH 'xyz' FROM 'yxTomxx')
TRIM(LEADING 'x' FROM 'xTomxx')
TRIM(TRAILING 'x' FROM 'xTomxx')
TRIM(LEADING FROM '  a')
TRIM(BOTH FROM ' a ')
TRIM(FROM ' a ')
TRIM('x' FROM 'xax')
TRIM('  a ')
TRIM(BOTH FROM 'yxTomxx', 'xyz')
TRIM(LEADING FROM 'yxTomxx', 'xyz')
TRIM(TRAILING FROM 'yxTomxx', 'xyz')
TRIM('yxTomxx', 'xyz')
TRIM(BOTH '\x00'::bytea FROM '\x1234'::bytea)
upper('a')
unistr('d\0061t')
ascii('x')
chr(65)
concat('a', 2, NULL, 22)
concat_ws(',', 'a', 2)
format('Hello %s, %1$s', 'World')
initcap('hi THOMAS')
left('abcde', 2)
length('jose')
md5('abc')
parse_ident('a.b')
quote_ident('Foo bar')
quote_literal(42.5)
quote_nullable(NULL)
regexp_count('123', '\d', 2)
regexp_instr('ABCDEF', 'c(.)(..)', 1, 1, 0, 'i')
regexp_like('Hello World', 'world$', 'i')
regexp_match('foobarbequebaz', '(bar)(beque)')
regexp_matches('foobarbequebaz', 'ba.', 'g')
regexp_replace('Thomas', '.[mN]a.', 'M')
regexp_replace('Thomas', '.', 'X', 3, 2)
regexp_split_to_array('hello world', '\s+')
regexp_split_to_table('hello world', '\s+')
regexp_substr('ABCDEF', 'c(.)(..)', 1, 1, 'i', 2)
repeat('Pg', 4)
replace('abcdef', 'cd', 'XX')
reverse('abcde')
right('abcde', 2)
rpad('hi', 5, 'xy')
rtrim('testxxzx', 'xyz')
split_part('abc~@~def', '~@~', 2)
starts_with('alphabet', 'alph')
'alphabet' ^@ 'alph'
string_to_array('xx~~yy', '~~', 'yy')
string_to_table('xx~^~yy', '~^~')
strpos('high', 'ig')
to_ascii('Karel')
to_bin(2147483647)
to_hex(2147483647)
to_oct(2147483647)
translate('12345', '143', 'ax')
casefold('Ä')
crc32('abc'::bytea)
sha256('abc'::bytea)
convert_from('text_in_utf8', 'UTF8')
convert_to('a', 'UTF8')
encode('123\000\001'::bytea, 'base64')
decode('MTIzAAE=', 'base64')
get_bit('\x1234567890'::bytea, 30)
set_byte('\x12'::bytea, 0, 64)

-- Chapter 9.7: patterns
'abc' LIKE 'a%'
'abc' NOT LIKE 'a%'
'abc' LIKE 'a#%' ESCAPE '#'
'abc' NOT LIKE 'a#%' ESCAPE '#'
'abc' ILIKE 'A%'
'abc' NOT ILIKE 'A%' ESCAPE ''
'abc' ~~ 'a%'
'abc' ~~* 'a%'
'abc' !~~ 'a%'
'abc' !~~* 'a%'
'abc' SIMILAR TO '%(b|d)%'
'abc' NOT SIMILAR TO '(b|c)%'
'abc' SIMILAR TO 'a#_%' ESCAPE '#'
'abc' ~ 'a.c'
'abc' ~* 'A.c'
'abc' !~ 'a.c'
'abc' !~* 'a.c'

-- Chapter 9.8: formatting
to_char(now(), 'HH12:MI:SS')
to_char(interval '15h 2m 12s', 'HH24:MI:SS')
to_date('05 Dec 2000', 'DD Mon YYYY')
to_number('12,454.8-', '99G999D9S')
to_timestamp('05 Dec 2000', 'DD Mon YYYY')
to_timestamp(1284352323)

-- Chapter 9.9: dates and times
date '2001-09-28' + 7
date '2001-09-28' + interval '1 hour'
date '2001-09-28' + time '03:00'
interval '1 day' + interval '1 hour'
- interval '23 hours'
date '2001-10-01' - date '2001-09-28'
900 * interval '1 second'
interval '1 hour' / 1.5
age(timestamp '2001-04-10', timestamp '1957-06-13')
age(timestamp '1957-06-13')
clock_timestamp()
current_date
CURRENT_DATE
current_time
current_time(2)
current_timestamp
current_timestamp(0)
localtime
localtime(0)
localtimestamp
localtimestamp(2)
date_add('2021-10-31 00:00:00+02'::timestamptz, '1 day'::interval, 'Europe/Warsaw')
date_bin('15 minutes', timestamp '2001-02-16 20:38:40', timestamp '2001-02-16 20:05:00')
date_part('hour', timestamp '2001-02-16 20:38:40')
date_subtract('2021-11-01 00:00:00+01'::timestamptz, '1 day'::interval)
date_trunc('hour', timestamp '2001-02-16 20:38:40')
date_trunc('day', now(), 'Australia/Sydney')
extract(hour FROM timestamp '2001-02-16 20:38:40')
EXTRACT(YEAR FROM a)
EXTRACT(epoch FROM (a - b))
EXTRACT(DOW FROM a)
EXTRACT(isodow FROM a)
EXTRACT('month' FROM a)
EXTRACT("year" FROM a)
EXTRACT(timezone_hour FROM a)
EXTRACT(milliseconds FROM a)
EXTRACT(century FROM a)
isfinite(date '2001-02-16')
justify_days(interval '1 year 65 days')
make_date(2013, 7, 15)
make_time(8, 15, 23.5)
make_timestamp(2013, 7, 15, 8, 15, 23.5)
make_timestamptz(2013, 7, 15, 8, 15, 23.5, 'UTC')
now()
statement_timestamp()
transaction_timestamp()
timeofday()
(DATE '2001-02-16', DATE '2001-12-21') OVERLAPS (DATE '2001-10-30', DATE '2002-10-30')
(DATE '2001-02-16', INTERVAL '100 days') OVERLAPS (a, b)
timestamp '2001-02-16 20:38:40' AT TIME ZONE 'America/Denver'
a AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin'
a AT TIME ZONE interval '-08:00'
a AT TIME ZONE b
(a AT TIME ZONE 'UTC')::date
date_trunc('day', a AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
a AT LOCAL
a::timestamp AT LOCAL + interval '1 day'

-- Chapters 9.10 to 9.14: geometry, networks, text search
enum_range(NULL::text)
area(box '((0,0),(1,1))')
center(box '((0,0),(1,1))')
box '(1,1),(0,0)' + point '(2,0)'
path '[(0,0),(1,1)]' + path '[(1,0)]'
box '(1,1),(0,0)' - point '(2,0)'
path '((0,0),(1,0),(1,1))' * point '(3.0,0)'
path '((0,0),(1,0),(1,1))' / point '(2.0,0)'
@-@ path '[(0,0),(1,0),(1,1)]'
@@ box '(2,2),(0,0)'
# path '((1,0),(0,1),(-1,0))'
lseg '[(0,0),(1,1)]' # lseg '[(1,0),(0,1)]'
box '(2,2),(-1,-1)' # box '(1,1),(-2,-2)'
point '(0,0)' ## lseg '[(2,0),(0,2)]'
circle '<(0,0),1>' <-> circle '<(5,0),1>'
circle '<(0,0),2>' @> point '(1,1)'
point '(1,1)' <@ circle '<(0,0),2>'
box '(1,1),(0,0)' && box '(2,2),(0,0)'
circle '<(0,0),1>' << circle '<(5,0),1>'
circle '<(5,0),1>' >> circle '<(0,0),1>'
box '(1,1),(0,0)' &< box '(2,2),(0,0)'
box '(3,3),(0,0)' &> box '(2,2),(0,0)'
box '(3,3),(3,4)' <<| box '(5,5),(3,4)'
box '(5,5),(3,4)' |>> box '(3,3),(0,0)'
box '(1,1),(0,0)' &<| box '(2,2),(0,0)'
box '(3,3),(0,0)' |&> box '(2,2),(0,0)'
box '((1,1),(0,0))' <^ box '((2,2),(1,1))'
box '((2,2),(1,1))' >^ box '((1,1),(0,0))'
lseg '[(-1,0),(1,0)]' ?# box '(2,2),(-2,-2)'
?- lseg '[(-1,0),(1,0)]'
point '(1,0)' ?- point '(0,0)'
?| lseg '[(-1,0),(1,0)]'
point '(0,1)' ?| point '(0,0)'
lseg '[(0,0),(0,1)]' ?-| lseg '[(0,0),(1,0)]'
lseg '[(-1,0),(1,0)]' ?|| lseg '[(-1,2),(1,2)]'
polygon '((0,0),(1,1))' ~= polygon '((1,1),(0,0))'
inet '192.168.1.5' << inet '192.168.1/24'
inet '192.168.1/24' <<= inet '192.168.1/24'
inet '192.168.1/24' >> inet '192.168.1.5'
inet '192.168.1/24' >>= inet '192.168.1/24'
inet '192.168.1/24' && inet '192.168.1.80/28'
~ inet '192.168.1.6'
inet '192.168.1.6' & inet '0.0.0.255'
inet '192.168.1.6' | inet '0.0.0.255'
inet '192.168.1.6' + 25
host(inet '192.168.1.0/24')
abbrev(inet '10.1.0.0/32')
set_masklen(inet '192.168.1.5/24', 16)
text(inet '192.168.1.5')
to_tsvector('fat cats') @@ to_tsquery('cat & rat')
to_tsvector('fat cats') @@@ to_tsquery('cat & rat')
'fat cats' @@ 'cat'
'a:1 b:2'::tsvector || 'c:1'::tsvector
'fat | rat'::tsquery && 'cat'::tsquery
'fat | rat'::tsquery || 'cat'::tsquery
!! 'cat'::tsquery
to_tsquery('fat') <-> to_tsquery('rat')
'cat'::tsquery @> 'cat & rat'::tsquery
ts_rank(to_tsvector('a'), 'a'::tsquery)
ts_headline('The fat cat', to_tsquery('cat'))
setweight('a:1'::tsvector, 'A')
gen_random_uuid()
uuidv7()

-- Chapter 9.15: XML
xmltext('< foo & bar >')
xmlcomment('hello')
XMLCONCAT('<abc/>', '<bar>foo</bar>')
xmlconcat(xmlelement(name a), '<b/>')
XMLELEMENT(NAME foo)
XMLELEMENT(NAME foo, XMLATTRIBUTES('xyz' AS bar))
XMLELEMENT(NAME foo, XMLATTRIBUTES(current_date AS bar), 'cont', 'ent')
XMLELEMENT(NAME "foo$bar", XMLATTRIBUTES('xyz' AS "a&b"))
XMLELEMENT(NAME foo, XMLATTRIBUTES(a, b AS c), XMLELEMENT(NAME abc), XMLCOMMENT('test'))
XMLFOREST('abc' AS foo, 123 AS bar)
XMLFOREST(a, b AS c, t.d)
XMLPI(NAME php, 'echo "hello world";')
XMLPI(NAME php)
XMLROOT(XMLPARSE(DOCUMENT '<?xml version="1.1"?><content>abc</content>'), VERSION '1.0', STANDALONE YES)
XMLROOT(a, VERSION NO VALUE)
XMLROOT(a, VERSION NO VALUE, STANDALONE NO VALUE)
xmlagg(a ORDER BY b DESC)
xmlagg(XMLELEMENT(NAME a, b))
a IS DOCUMENT
a IS NOT DOCUMENT
XMLEXISTS('//town[text() = ''Toronto'']' PASSING BY VALUE '<towns><town>Toronto</town></towns>')
XMLEXISTS('//town' PASSING a)
XMLEXISTS('//town' PASSING BY REF a)
XMLEXISTS('//town' PASSING a BY REF)
XMLEXISTS('//town' PASSING BY REF a BY REF)
xml_is_well_formed('<>')
xml_is_well_formed_document('<a/>')
XMLPARSE(DOCUMENT '<?xml version="1.0"?><book/>')
XMLPARSE(CONTENT 'abc<foo>bar</foo>')
XMLPARSE(CONTENT a PRESERVE WHITESPACE)
XMLPARSE(DOCUMENT a STRIP WHITESPACE)
XMLSERIALIZE(CONTENT a AS text)
XMLSERIALIZE(DOCUMENT a AS character varying(10))
XMLSERIALIZE(DOCUMENT a AS text INDENT)
XMLSERIALIZE(CONTENT a AS text NO INDENT)

-- Chapter 9.16: JSON
'{"a":1}'::json -> 'a'
'{"a":1}'::json ->> 'a'
'[1,2]'::json -> -1
'{"a":{"b":1}}'::json #> '{a,b}'
'{"a":{"b":1}}'::json #>> '{a,b}'
'{"a":1}'::jsonb @> '{"a":1}'::jsonb
'{"b":2}'::jsonb <@ '{"a":1}'::jsonb
'{"a":1}'::jsonb ? 'a'
'{"a":1}'::jsonb ?| array['b','d']
'["a","b"]'::jsonb ?& array['a','b']
'["a"]'::jsonb || '["b"]'::jsonb
'{"a":1}'::jsonb - 'a'
'{"a":1}'::jsonb - '{a}'::text[]
'["a","b"]'::jsonb - 1
'["a",{"b":1}]'::jsonb #- '{1,b}'
'{"a":[1]}'::jsonb @? '$.a[*] ? (@ > 2)'
'{"a":[1]}'::jsonb @@ '$.a[*] > 2'
('{"a":1}'::jsonb)['a']
(a)['b'][1]
a['b']
a['b']['c']
t.a['b']
a -> 'b' -> 0 ->> 'c'
(a ->> 'b')::int + 1
a::json ->> 'b' = 'c'
to_json('Fred said "Hi."'::text)
to_jsonb(row(42, 'Fred'))
array_to_json('{{1,5},{99,100}}'::int[])
JSON_ARRAY(1, true, 'x')
JSON_ARRAY(1, true, json '{"a":null}')
JSON_ARRAY()
JSON_ARRAY(a, NULL NULL ON NULL)
JSON_ARRAY(a, NULL ABSENT ON NULL)
JSON_ARRAY(a RETURNING jsonb)
JSON_ARRAY(a ABSENT ON NULL RETURNING text FORMAT JSON)
JSON_ARRAY(a FORMAT JSON, b FORMAT JSON ENCODING UTF8)
JSON_ARRAY(RETURNING jsonb)
JSON_ARRAY(SELECT g FROM generate_series(1,3) g)
JSON_ARRAY(SELECT g FROM generate_series(1,3) g ORDER BY g RETURNING jsonb)
JSON_ARRAY(VALUES (1), (2))
JSON_ARRAY(SELECT '1' FORMAT)
row_to_json(row(1,'foo'))
json_build_array(1, 2, 'foo')
json_build_object('foo', 1, 2, row(3,'bar'))
JSON_OBJECT('code' VALUE 'P123', 'title' VALUE 'Jaws')
JSON_OBJECT('code' : 'P123', 'title' : 'Jaws')
JSON_OBJECT('code' : a, 'b' VALUE c NULL ON NULL)
JSON_OBJECT('code' : a ABSENT ON NULL)
JSON_OBJECT('code' : a WITH UNIQUE KEYS)
JSON_OBJECT('code' : a WITH UNIQUE)
JSON_OBJECT('code' : a WITHOUT UNIQUE KEYS)
JSON_OBJECT('code' VALUE a ABSENT ON NULL WITH UNIQUE KEYS RETURNING jsonb)
JSON_OBJECT('code' : a FORMAT JSON)
JSON_OBJECT('code' : a FORMAT JSON ENCODING UTF8 RETURNING bytea FORMAT JSON ENCODING UTF8)
JSON_OBJECT(KEY 'code' VALUE a)
JSON_OBJECT(a : b)
JSON_OBJECT(lower(a) : sum(b))
JSON_OBJECT('a' : JSON_OBJECT('b' : 1), 'c' : JSON_ARRAY(1, 2))
JSON_OBJECT()
JSON_OBJECT(RETURNING json)
json_object('{a, 1, b, "def"}')
json_object('{a,b}', '{1,2}')
json_object(array_agg(a))
jsonb_object('{a,b}', '{1,2}')
json_object(ARRAY['a','b'])
JSON('{"a":123}')
JSON('{"a":123}' WITH UNIQUE KEYS)
JSON('{"a":123}' WITHOUT UNIQUE)
JSON(a FORMAT JSON)
JSON(a::bytea FORMAT JSON ENCODING UTF8)
JSON_SCALAR(123.45)
JSON_SCALAR(CURRENT_TIMESTAMP)
JSON_SERIALIZE('{ "a" : 1 }')
JSON_SERIALIZE('{ "a" : 1 }' RETURNING bytea)
JSON_SERIALIZE(a FORMAT JSON RETURNING text)
a IS JSON
a IS NOT JSON
a IS JSON VALUE
a IS JSON SCALAR
a IS JSON ARRAY
a IS JSON OBJECT
a IS NOT JSON OBJECT
a IS JSON OBJECT WITH UNIQUE KEYS
a IS JSON WITH UNIQUE
a IS JSON OBJECT WITHOUT UNIQUE KEYS
a IS JSON ARRAY WITH UNIQUE KEYS AND b IS JSON
JSON_EXISTS(jsonb '{"key1": [1,2,3]}', 'strict $.key1[*] ? (@ > $x)' PASSING 2 AS x)
JSON_EXISTS(a, '$.b')
JSON_EXISTS(a, 'lax $.b[5]' ERROR ON ERROR)
JSON_EXISTS(a, '$' TRUE ON ERROR)
JSON_EXISTS(a, '$' FALSE ON ERROR)
JSON_EXISTS(a, '$' UNKNOWN ON ERROR)
JSON_EXISTS(a FORMAT JSON, '$.x')
JSON_QUERY(jsonb '[1,[2,3],null]', 'lax $[*][$off]' PASSING 1 AS off WITH CONDITIONAL WRAPPER)
JSON_QUERY(a, '$' WITH WRAPPER)
JSON_QUERY(a, '$' WITH ARRAY WRAPPER)
JSON_QUERY(a, '$' WITH UNCONDITIONAL ARRAY WRAPPER)
JSON_QUERY(a, '$' WITH CONDITIONAL ARRAY WRAPPER)
JSON_QUERY(a, '$' WITHOUT WRAPPER)
JSON_QUERY(a, '$' WITHOUT ARRAY WRAPPER KEEP QUOTES)
JSON_QUERY(a, '$.x' OMIT QUOTES)
JSON_QUERY(a, '$.x' OMIT QUOTES ON SCALAR STRING)
JSON_QUERY(a, '$.x' RETURNING int[] ERROR ON ERROR)
JSON_QUERY(a, '$.x' EMPTY ARRAY ON EMPTY)
JSON_QUERY(a, '$.x' EMPTY OBJECT ON ERROR)
JSON_QUERY(a, '$.x' EMPTY ON EMPTY NULL ON ERROR)
JSON_QUERY(a, '$.x' RETURNING jsonb DEFAULT '{}'::jsonb ON EMPTY DEFAULT '[]'::jsonb ON ERROR)
JSON_QUERY(a, '$.x' RETURNING text FORMAT JSON KEEP QUOTES)
JSON_VALUE(jsonb '"123.45"', '$' RETURNING float)
JSON_VALUE(a, '$.x')
JSON_VALUE(a, 'strict $.x' RETURNING date)
JSON_VALUE(a, '$.x' RETURNING numeric(10,2))
JSON_VALUE(a, '$[$off]' PASSING 1 as off)
JSON_VALUE(a, '$[$off]' PASSING 1 as off, b AS "Other" RETURNING int)
JSON_VALUE(a, '$.x' DEFAULT 9 ON ERROR)
JSON_VALUE(a, '$.x' RETURNING int DEFAULT -1 ON EMPTY ERROR ON ERROR)
JSON_VALUE(a, '$.x' NULL ON EMPTY NULL ON ERROR)
JSON_VALUE(a, '$.x' ERROR ON EMPTY)
JSON_VALUE(a, '$.x' DEFAULT upper('x') ON EMPTY)
JSON_VALUE(a ->> 'b', '$.x')
JSON_VALUE(lower(a)::jsonb, ('$.' || b)::jsonpath)
JSON_OBJECTAGG(a : b)
JSON_OBJECTAGG(a VALUE b)
JSON_OBJECTAGG(a : b FORMAT JSON ENCODING UTF8)
JSON_OBJECTAGG(a : b ABSENT ON NULL WITH UNIQUE KEYS RETURNING jsonb)
JSON_OBJECTAGG(a : b) FILTER (WHERE c)
JSON_OBJECTAGG(a : b) OVER (PARTITION BY c)
JSON_ARRAYAGG(a)
JSON_ARRAYAGG(a ORDER BY b DESC)
JSON_ARRAYAGG(a ORDER BY b ABSENT ON NULL)
JSON_ARRAYAGG(a NULL ON NULL RETURNING jsonb)
JSON_ARRAYAGG(a FORMAT JSON RETURNING text)
JSON_ARRAYAGG(a) FILTER (WHERE b > 1)
JSON_ARRAYAGG(a) OVER w
jsonb_path_query('{"a":1}', '$.a')
jsonb_path_exists('{"a":1}', '$.a ? (@ >= $min)', '{"min":2}')
jsonb_set('[{"f1":1}]', '{0,f1}', '[2]', false)
jsonb_pretty('{}')
jsonb_each_text('{"a":1}')

-- Chapters 9.18 to 9.27: arrays, ranges, session
array_append(ARRAY[1,2], 3)
array_position(ARRAY['sun','mon'], 'mon')
array_to_string(ARRAY[1,2,NULL], ',', '*')
unnest(ARRAY[1,2])
cardinality(ARRAY[[1,2],[3,4]])
ARRAY[1,4,3] @> ARRAY[3,1]
ARRAY[2,2,7] <@ ARRAY[1,7,4]
ARRAY[1,4,3] && ARRAY[2,1]
int4range(2,4) @> int4range(2,3)
'[2011-01-01,2011-03-01)'::tsrange @> '2011-01-10'::timestamp
42 <@ int4range(1,7)
int8range(1,10) << int8range(100,110)
numrange(1.1,2.2) -|- numrange(2.2,3.3)
int8range(1,20) &< int8range(18,20)
numrange(5,15) * numrange(10,20)
int4multirange(int4range(1,2), int4range(3,4))
range_merge('[1,2)'::int4range, '[3,4)'::int4range)
lower_inc(numrange(1.1,2.2))
unnest('{[1,2), [3,4)}'::int4multirange)
current_user
session_user
user
current_role
current_catalog
current_schema
system_user
version()
interval '1 day 2 hours' hour to second(2)
