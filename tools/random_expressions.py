"""What an expression can be, by the type it has: templates, filled in by `random_queries`.

`{text}` and the other names of types stand for an expression of that type, `{a column}` words for
what `FILLINGS` lists, and the words of `Builder.fill` for what only it can build.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Templates = Mapping[str, Sequence[str]]

SCALARS = ("text", "int", "num", "date", "bool", "json", "texts")

LITERALS: Templates = {
    "text": tuple(
        f"'{text}'::text"
        for text in ("", "a", "m", "z", "delivered", "US", "0", "[redacted]", "hidden", "****")
    ),
    "int": ("-2", "0", "1", "2", "5", "12", "33"),
    "num": tuple(f"{n}::numeric" for n in ("0", "1", "7", "10", "49.5", "100", "250", "999", "-1")),
    "date": tuple(
        f"DATE '{date}'"
        for date in ("1950-06-15", "1968-02-01", "1977-03-19", "1990-09-09", "2026-05-05")
    ),
    "bool": ("true", "false"),
    "json": ("""'{"a": [1, "z"], "city": "m"}'::jsonb""",),
    "texts": ("ARRAY['gift', 'z']",),
}

FILLINGS: Templates = {
    "pattern": (
        "a%",
        "z%",
        "%q%",
        "_q%",
        "%1",
        "%-0%",
        "+1 z%",
        "%@%",
        "____%",
        "%[%",
        "%e_a%",
        "%",
    ),
    "regex": ("^[a-m]", "z", "[0-4]$", "q.j", r"^\w+@", "(a|b|c).*[5-9]", r"\d{3}", "^.{20,}"),
    "path": ("$.city", "$.*", "$.street", "$.colour", "$.weight_g", "$", '$.city ? (@ > "m")'),
    "key": ("city", "street", "postcode", "colour", "weight_g", "email", "ssn", "id", "notes"),
    "compare": ("=", "<", ">", "<=", "<>"),
    "place": ("1", "2", "3", "5", "9"),
    "unit": ("month", "week", "year"),
    "part": ("doy", "month", "day", "year"),
    "encoding": ("hex", "base64"),
    "among": ("IN", "NOT IN", "> ALL", "= ANY"),
}

EXPRESSIONS: Templates = {
    "text": (
        "upper({text})",
        "reverse({text})",
        "initcap({text})",
        "substr({text}, {place}, {place})",
        "left({text}, {place})",
        "right({text}, -{place})",
        "({text} || {text})",
        "md5({text})",
        "replace({text}, 'a', 'b')",
        "translate({text}, '0123456789', 'abcdefghij')",
        "regexp_replace({text}, '[a-z]', '', 'g')",
        "split_part({text}, '@', {place})",
        "coalesce({text}, {text})",
        "nullif({text}, {text})",
        "greatest({text}, {text})",
        "CASE WHEN {bool} THEN {text} ELSE {text} END",
        "({date})::text",
        "({int})::text",
        "({json})::text",
        "({json} ->> '{key}')",
        "({texts})[{place}]",
        "array_to_string({texts}, ',')",
        "to_char({date}, 'DDD MM YYYY')",
        "encode(convert_to({text}, 'UTF8'), '{encoding}')",
        "encode(sha256(convert_to({text}, 'UTF8')), 'hex')",
        "concat_ws('-', {text}, {int}, {date})",
        "format('%s %s', {text}, {num})",
        "quote_nullable({text})",
        "lpad({text}, {place}, 'x')",
        "substring({text} FROM '[0-9]+')",
        "to_tsvector('simple', {text})::text",
        "{value of text}",
        "{row}::text",
        '({row}::text COLLATE "C")',
        "jsonb_path_query_first({json}, '{path}')::text",
        "(string_to_array({text}, '-'))[{place}]",
    ),
    "int": (
        "length({text})",
        "octet_length({text})",
        "bit_length({text})",
        "ascii(substr({text}, {place}, 1))",
        "position('{key}' IN {text})",
        "({int} % 7)",
        "({int} + {int})",
        "abs({int})",
        "extract({part} FROM {date})::int",
        "cardinality({texts})",
        "CASE WHEN {bool} THEN {int} ELSE {int} END",
        "({bool})::int",
        "({date} - {date})",
        "width_bucket({num}, 0, 1000, 50)",
        "{value of int}::int",
        "coalesce({int}, {int})",
        "pg_column_size({text})",
        "num_nulls({text}, {date}, {json})",
    ),
    "num": (
        "round({num}, 1)",
        "({num} * {int})",
        "({num} - {num})",
        "({num} / nullif({num}, 0))",
        "extract(epoch FROM {date})",
        "coalesce({num}, {num})",
        "floor({num} / 10)",
        "({int})::numeric",
        "{value of num}",
        "CASE WHEN {bool} THEN {num} END",
        "least({num}, {num})",
    ),
    "date": (
        "({date} + {place})",
        "({date} - 400)",
        "greatest({date}, {date})",
        "coalesce({date}, {date})",
        "date_trunc('{unit}', {date})::date",
        "CASE WHEN {bool} THEN {date} END",
        "{value of date}",
        "make_date((2000 + abs({int} % 99))::int, 1, 1)",
    ),
    "bool": (
        "({text} {compare} {text})",
        "({text} LIKE '{pattern}')",
        "({text} NOT ILIKE '{pattern}')",
        "({text} ~ '{regex}')",
        "({text} SIMILAR TO '%(a|e|5)_')",
        "({date} {compare} {date})",
        "({num} {compare} {num})",
        "({int} {compare} {int})",
        "({num} BETWEEN 5 AND 500)",
        "({text} BETWEEN 'a' AND 'p')",
        "({text} IS NULL)",
        "({row} IS NOT NULL)",
        "({text} IS DISTINCT FROM {text})",
        "({text} IN ({text}, {text}))",
        "({text} = ANY ({texts}))",
        "({texts} && {texts})",
        "({texts} @> ARRAY[{text}])",
        "({json} @> {json})",
        "({json} ? '{key}')",
        "({json} @? '{path}')",
        "(({text}, {int}) > ({text}, {int}))",
        "({bool} AND {bool})",
        "({bool} OR {bool})",
        "(NOT {bool})",
        "starts_with({text}, 'z')",
        "EXISTS {rows beside}",
        "NOT EXISTS {rows beside}",
        "({text} {among} {texts of one column})",
    ),
    "json": (
        "to_jsonb({row})",
        "jsonb_build_object('a', {text}, 'b', {int})",
        "jsonb_build_array({text}, {date}, {num})",
        "({json} -> '{key}')",
        "({json} || jsonb_build_object('c', {text}))",
        "to_jsonb({text})",
        "jsonb_path_query_array({json}, '{path}')",
        "to_jsonb({texts})",
        "jsonb_strip_nulls({json})",
    ),
    "texts": (
        "ARRAY[{text}, {text}]",
        "string_to_array({text}, '-')",
        "array_append({texts}, {text})",
        "regexp_split_to_array({text}, '[@.]')",
        "ARRAY{texts of one column}",
        "array_remove({texts}, {text})",
    ),
}

FALLIBLE: Templates = {
    "text": ("lpad({text}, 1000 * length({text}))", "decode({text}, 'hex')::text"),
    "int": (
        "(1 / ({bool})::int)",
        "({text})::int",
        "get_byte(convert_to({text}, 'UTF8'), 0)",
        "jsonb_array_length({json})",
        "({int} * 99999999)",
    ),
    "num": (
        "({text})::numeric",
        "({num} / {num})",
        "ln({num})",
        "sqrt({num})",
        "to_number({text}, '999')",
    ),
    "date": ("({text})::date", "to_date({text}, 'YYYYMMDD')", "({date} + {int} * 999999)"),
    "json": ("({text})::jsonb", "jsonb_path_query_first({json}, 'strict $.nothing')"),
    "texts": ("({text})::text[]",),
    "bool": ("({text} ~ ({text} || '('))", "({text})::boolean"),
}
"""Expressions that fail for some values: which ones must not depend on what is masked."""

AGGREGATES: Templates = {
    "text": (
        "min({text})",
        "max({text})",
        "string_agg({text}, ',' ORDER BY {text})",
        "string_agg(DISTINCT {text}, '|')",
        "array_agg({text} ORDER BY {int})::text",
        "json_agg({text})::text",
        "jsonb_object_agg(coalesce({text}, '-'), {text})::text",
        "mode() WITHIN GROUP (ORDER BY {text})",
        "percentile_disc(0.5) WITHIN GROUP (ORDER BY {text})",
    ),
    "int": (
        "count(*)",
        "count({text})",
        "count(DISTINCT {text})",
        "count(*) FILTER (WHERE {bool})",
        "sum(({bool})::int)",
        "max({int})",
        "min(length({text}))",
        "bit_and({int}::bigint)",
    ),
    "num": (
        "sum({num})::numeric",
        "avg({num})::numeric",
        "stddev({num})::numeric",
        "corr({num}::float8, {int}::float8)::numeric",
        "(percentile_cont(0.3) WITHIN GROUP (ORDER BY {num}::float8))::numeric",
        "(max({num}) - min({num}))",
        "regr_slope({num}::float8, {int}::float8)::numeric",
    ),
    "date": (
        "min({date})",
        "max({date})",
        "(array_agg({date} ORDER BY {date}))[1]",
    ),
}

WINDOWS = tuple(
    f"{call} OVER ({partition}ORDER BY {by})"
    for call in (
        *("row_number()", "rank()", "dense_rank()", "percent_rank()", "cume_dist()", "ntile(3)"),
        *("count(*)", "lag({text})", "lead({date})", "first_value({text})", "last_value({text})"),
        *("nth_value({text}, 2)", "max({text})", "min({date})", "array_agg({text})", "sum({int})"),
    )
    for partition in ("", "PARTITION BY {text} ")
    for by in ("{text}", "{int}", "{date}")
)

ROWS = (
    "{row}::text",
    "row_to_json({row})::text",
    "to_jsonb({row})",
    "{row}",
    "ROW({row}.*)::text",
    "md5({row}::text)",
    "count({row}) OVER ()",
    "count(*) FILTER (WHERE {row} IS NULL) OVER ()",
    "({row} IS NOT NULL)",
    "jsonb_object_keys(to_jsonb({row}))",
    "concat({row}.*)",
    "first_value({row}) OVER (ORDER BY {row}::text)",
)
