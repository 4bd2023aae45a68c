"""A signature in, calls of it out in which every argument is bait.

What tempts a function to more than an answer: SQL text, names of a table, a sequence, a setting and
a domain, paths of files, numbers of objects, in every place where its types let them stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tools.signatures import Signature

FURNITURE = """
CREATE TABLE bait (secret text);
INSERT INTO bait VALUES ('bait-5f1c9');
CREATE SEQUENCE bait_sequence;
CREATE FUNCTION bait_check(text) RETURNS boolean LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_lock(77); RETURN true; END $$;
CREATE DOMAIN bait_domain AS text CHECK (bait_check(VALUE));
CREATE TYPE bait_mood AS ENUM ('low', 'high');
CREATE TEXT SEARCH CONFIGURATION bait_configuration (PARSER = pg_catalog."default");
CREATE FUNCTION attempt(call text) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE answer text;
BEGIN
    EXECUTE call INTO answer;
    RETURN textsend('answer ' || coalesce(answer, ''));
EXCEPTION WHEN query_canceled OR OTHERS THEN RETURN textsend('error ' || SQLERRM);
END $$;
"""
_TEXTS = (
    "'select secret from public.bait'",
    "'public.bait'",
    "'select to_tsvector(secret) from public.bait'",
    "'application_name'",
    "'public.bait_sequence'",
    "'/etc/passwd'",
    "'PG_VERSION'",
    "'public.bait_domain'",
    "'public.bait_configuration'",
    "'work_mem'",
    "'abc'",
    "''",
    "'year'",
    "'UTC'",
    "'utf8'",
    "'base64'",
    "'[)'",
)
_BYSTANDER = "(SELECT pid FROM pg_stat_activity WHERE application_name = 'bystander')"
_VALUES: dict[str, tuple[str, ...]] = {
    "bool": ("true", "false"),
    "int2": ("1", "0", "77"),
    "int4": (_BYSTANDER, "'public.bait'::regclass::int", "1", "0", "5", "-1"),
    "int8": ("'public.bait'::regclass::bigint", "1", "0", "77", "-1"),
    "oid": ("'public.bait'::regclass::oid", "'public.bait_configuration'::regconfig::oid", "0"),
    "regconfig": ("'public.bait_configuration'", "'english'"),
    "regdictionary": ("'simple'", "'english_stem'"),
    "_float4": ("'{0.1,0.2,0.4,1}'::float4[]",),
    "_float8": ("'{3,60,200}'::float8[]", "'{6,140,2900,1290,83075,15050}'::float8[]"),
    "_text": ("'{a,public.bait}'::text[]", "'{}'::text[]"),
    "_char": ("'{a,b}'::\"char\"[]",),
    "float4": ("1", "'nan'", "-1.5"),
    "float8": ("1", "'infinity'", "0.5"),
    "numeric": ("1", "0.1", "'nan'"),
    "interval": ("'1 day'", "'-1 month'", "'0'"),
    "json": ("'{\"a\": [1, null]}'", "'[]'"),
    "jsonb": ("'{\"a\": [1, null]}'", "'[]'", "'[\"public.bait\"]'"),
    "jsonpath": ("'$.a'", "'strict $.**'"),
    "bytea": ("'\\x5f1c'", "''"),
    "tsquery": ("'a & !b'", "''"),
    "tsvector": ("'a:1A b:2'", "''"),
    "uuid": ("'5f1c9000-0000-0000-0000-000000000000'",),
    "inet": ("'10.0.0.1/8'", "'::1'"),
    "cidr": ("'10.0.0.0/8'",),
    "macaddr": ("'08:00:2b:01:02:03'",),
    "macaddr8": ("'08:00:2b:01:02:03:04:05'",),
    "money": ("'1.50'", "'-1'"),
    "bit": ("B'101'", "B''"),
    "varbit": ("B'101'", "B''"),
    "xml": ("'<a>b</a>'",),
    "point": ("'(1,2)'",),
    "box": ("'(1,2),(3,4)'",),
    "circle": ("'<(1,2),3>'",),
    "line": ("'{1,2,3}'",),
    "lseg": ("'[(1,2),(3,4)]'",),
    "path": ("'((1,2),(3,4),(5,0))'", "'[(1,2),(3,4)]'"),
    "polygon": ("'((1,2),(3,4),(5,0))'",),
    "date": ("'2024-02-29'", "'infinity'"),
    "time": ("'23:59:59.9'",),
    "timetz": ("'23:59:59+02'",),
    "timestamp": ("'2024-02-29 12:00'", "'-infinity'"),
    "timestamptz": ("'2024-02-29 12:00+02'", "'infinity'"),
    "tid": ("'(0,1)'",),
    "xid": ("'3'",),
    "xid8": ("'3'",),
    "pg_lsn": ("'0/1'",),
    "int4range": ("'[1,5)'", "'empty'"),
    "int8range": ("'[1,5)'",),
    "numrange": ("'[1,5)'",),
    "daterange": ("'[2024-01-01,)'",),
    "tsrange": ("'[2024-01-01,)'",),
    "tstzrange": ("'[2024-01-01,)'",),
    "int4multirange": ("'{[1,5)}'",),
    "int8multirange": ("'{[1,5)}'",),
    "nummultirange": ("'{[1,5)}'",),
    "datemultirange": ("'{[2024-01-01,)}'",),
    "tsmultirange": ("'{[2024-01-01,)}'",),
    "tstzmultirange": ("'{[2024-01-01,)}'",),
}
# A polymorphic argument stands for values of these types, arrays, ranges and rows included.
_ANY = ("1", "'public.bait'::text", "'public.bait'::regclass", "'2024-02-29'::date", "1.5")
_POLYMORPHIC: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("any", "anyelement", "anynonarray", "anycompatible"), _ANY),
    "anycompatiblenonarray": _ANY,
    "anyarray": ("'{1,2}'::int[]", "'{public.bait}'::text[]", "'{{1},{2}}'::int[]"),
    "anycompatiblearray": ("'{1,2}'::int[]", "'{public.bait}'::text[]"),
    "anyrange": ("int4range(1, 5)", "'empty'::numrange"),
    "anycompatiblerange": ("int4range(1, 5)",),
    "anymultirange": ("'{[1,5)}'::int4multirange",),
    "anycompatiblemultirange": ("'{[1,5)}'::int4multirange",),
    "anyenum": ("'low'::public.bait_mood", "NULL::public.bait_mood"),
    "record": ("ROW(1, 'public.bait'::text)", "ROW()"),
}


def calls(signature: Signature) -> Iterator[str]:
    """Write calls of a signature in which every bait stands in every place."""
    choices = [_values(name) for name in signature.takes]
    for turn in range(max(map(len, choices), default=1)):
        for shift in range(2):
            places = [(turn + shift * place) for place in range(len(choices))]
            arguments = [
                values[at % len(values)] for values, at in zip(choices, places, strict=True)
            ]
            yield _call(signature, arguments)
            if signature.kind == "a" and arguments:
                yield _ordered(signature, arguments)


def _values(name: str) -> tuple[str, ...]:
    if name in _POLYMORPHIC:
        return _POLYMORPHIC[name]
    if name.startswith("_") and name in _VALUES:
        return _VALUES[name]
    if name.startswith("_"):
        return tuple(f"ARRAY[{value}]" for value in _values(name[1:])[:3])
    return tuple(f'{value}::pg_catalog."{name}"' for value in _VALUES.get(name, _TEXTS))


def _call(signature: Signature, arguments: Sequence[str]) -> str:
    call = f'pg_catalog."{signature.name}"({", ".join(arguments)})'
    if signature.kind == "w":
        return f"SELECT ({call} OVER ())::text FROM public.bait"  # noqa: S608 - bait
    if signature.returns_set:
        return f"SELECT array_agg(f::text)::text FROM (SELECT {call} AS f LIMIT 20) AS g"  # noqa: S608 - bait
    return f"SELECT ({call})::text"


def _ordered(signature: Signature, arguments: Sequence[str]) -> str:
    """Call an aggregate as one over an ordered set, which some of them are."""
    direct = ", ".join(arguments[:-1])
    call = f'pg_catalog."{signature.name}"({direct}) WITHIN GROUP (ORDER BY {arguments[-1]})'
    return f"SELECT ({call})::text"
