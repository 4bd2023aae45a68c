"""Statements in, statements nobody wrote out: tokens and subtrees spliced, dangers planted.

A mutant starts as a real statement. Tokens are replaced, doubled, dropped and swapped, whole
bracketed parts move from one statement into another, names are quoted, qualified and commented,
and calls that would change something are put wherever an expression, a relation or a clause can
stand. Everything comes from one seeded generator, so a run can be repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pg_guard_mcp.guard import grammar
from pg_guard_mcp.guard.lexer import Kind, Unterminated, tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    Words = list[str]

# `{}` is where an honest expression goes in.
EXPRESSIONS = """
nextval('shop.counter')
pg_catalog.nextval('shop.counter'::text)
setval('shop.counter', 77)
('shop.counter'::text).nextval
('shop.counter').nextval
pg_advisory_lock(7)
pg_try_advisory_lock(7)
pg_advisory_xact_lock_shared(1, 2)
(7::bigint).pg_advisory_lock
set_config('work_mem', '77MB', false)
current_setting('data_directory')
setseed(0.5)
(0.5::float8).setseed
lo_create(7777)
lo_from_bytea(0, 'mine')
lo_unlink(777)
(777::oid).lo_unlink
lo_get(777)
pg_notify('mine', 'x')
pg_logical_emit_message(true, 'a', 'b')
txid_current()
pg_current_xact_id()
pg_sleep(0.01)
(0.01::float8).pg_sleep
pg_terminate_backend(0)
pg_reload_conf()
pg_read_file('PG_VERSION')
pg_ls_dir('.')
query_to_xml('INSERT INTO shop.sink VALUES (1)', true, true, '')
table_to_xml('shop.sink', true, true, '')
ts_stat('SELECT shop.write_sink(1)')
ts_rewrite('a'::tsquery, 'SELECT shop.write_sink(1), 1')
dblink_exec('dbname=shop', 'INSERT INTO shop.sink VALUES (1)')
shop.write_sink({})
write_sink(1)
(1).write_sink
(1::int).write_sink
shop.read_salaries()
public.upper(1)
upper(1)
"LOWER"('x')
lower({})
public.lower('x'::text)
1 + 'x'::text
'x'::text + 1
'x' @!@ 1
'x' OPERATOR(public.@!@) 1
1 OPERATOR(pg_catalog.+) 1
'5'::shop.checked
CAST('5' AS shop.checked)
shop.checked '5'
JSON_VALUE('{"a": 5}', '$.a' RETURNING shop.checked)
ROW(5)::shop.boxed::int
'(5)'::shop.boxed
shop.write_all({})
shop.write_all(1) OVER ()
count(*) FILTER (WHERE shop.write_sink(1) = 1)
nvl(1, shop.write_sink(1))
coalesce(NULL, shop.write_sink(1))
'shop.orders'::regclass
to_regclass('hr.salaries')
pg_relation_size('hr.salaries')
has_table_privilege('hr.salaries', 'select')
pg_get_viewdef('shop.customer_contacts')
c.write_sink
(c).write_sink
(SELECT o FROM shop.orders o LIMIT 1).row_sink
row_sink(o)
o.row_sink
lower(o)
inet_server_addr()
version()
pg_export_snapshot()
currval('shop.counter')
lastval()
array_agg(shop.write_sink(1))
percentile_disc(0.5) WITHIN GROUP (ORDER BY shop.write_sink(1))
xmlelement(name a, shop.write_sink(1))
JSON_OBJECT('a': shop.write_sink(1))
JSON_ARRAYAGG(shop.write_sink(1))
EXTRACT(year FROM shop.write_sink(1))
(SELECT shop.write_sink(1))
EXISTS (SELECT shop.write_sink(1))
ARRAY(SELECT shop.write_sink(1))
shop.write_sink(1) IS NULL
CASE WHEN true THEN shop.write_sink(1) END
1 = ANY (ARRAY[shop.write_sink(1)])
""".strip().split("\n")

RELATIONS = """
shop.sink
hr.salaries
pg_catalog.pg_authid
pg_stats
information_schema.tables
shop.counter
shop.api_keys
shop.effect_view
public.other_sink
pg_temp.v
shop.write_sink(1)
nextval('shop.counter')
generate_series(1, 2)
ROWS FROM (shop.write_sink(1), generate_series(1, 2))
LATERAL shop.write_sink(1)
pg_read_file('PG_VERSION')
pg_ls_dir('.') AS f
dblink('dbname=shop', 'SELECT 1') AS d (a int)
shop.orders TABLESAMPLE shop.write_sink(1)
shop.orders TABLESAMPLE system (nextval('shop.counter'))
XMLTABLE('/a' PASSING '<a/>' COLUMNS b int DEFAULT shop.write_sink(1))
JSON_TABLE('[1]', '$[*]' COLUMNS (a int PATH '$' DEFAULT shop.write_sink(1) ON EMPTY))
json_to_record('{"a": 5}') AS r (a shop.checked)
json_populate_record(NULL::shop.boxed, '{"a": 5}')
(INSERT INTO shop.sink VALUES (1) RETURNING *)
(VALUES (shop.write_sink(1)))
(SELECT shop.write_sink(1))
(TABLE shop.sink)
ONLY (shop.sink)
shop.customers
orders
""".strip().split("\n")

CLAUSES = """
FOR UPDATE
FOR NO KEY UPDATE OF o
FOR SHARE SKIP LOCKED
INTO shop.mine
INTO TEMP mine
; INSERT INTO shop.sink VALUES (1)
; COMMIT
UNION ALL SELECT shop.write_sink(1)
UNION ALL TABLE shop.sink
LIMIT shop.write_sink(1)
LIMIT nextval('shop.counter')
OFFSET shop.write_sink(1)
FETCH FIRST (shop.write_sink(1)) ROWS ONLY
ORDER BY shop.write_sink(1)
ORDER BY 1 USING OPERATOR(public.<<<)
GROUP BY shop.write_sink(1)
GROUP BY GROUPING SETS ((shop.write_sink(1)), ())
HAVING shop.write_sink(1) = 1
WINDOW w AS (ORDER BY shop.write_sink(1))
COLLATE shop.mine
""".strip().split("\n")

PREFIXES = """
WITH w AS (INSERT INTO shop.sink VALUES (1) RETURNING *)
WITH w AS (DELETE FROM shop.sink RETURNING 1)
WITH w AS MATERIALIZED (SELECT shop.write_sink(1))
WITH RECURSIVE w AS (SELECT 1 UNION ALL SELECT shop.write_sink(1) FROM w)
WITH orders AS (SELECT * FROM hr.salaries)
WITH w AS (MERGE INTO shop.sink s USING shop.orders o ON true WHEN MATCHED THEN DELETE RETURNING 1)
EXPLAIN ANALYZE
DECLARE c CURSOR WITH HOLD FOR
PREPARE mine AS
CREATE TABLE shop.mine AS
COPY (
SELECT 1;
""".strip().split("\n")

TYPES = (
    "shop.checked shop.boxed regclass regproc shop.order_status int text oid name xml tid".split()
)
NOISE = (
    *("/* */", "/* ' */", "-- x\n", "/*/**/*/", "\n", "\t", "\x0b", "\u00a0", "\u2003", "\u200b"),
    *("'", '"', "$$", "E'\\'", "U&'\\0061'", 'U&"\\0061"', "\\", "\x00", "%", "{{", "#", "`", ";"),
    *("*", "?", ":x", ":'x'", "@x", "$1", "::", ".."),
    *(
        "ª",
        "İ",
        "\u017f",
        "\ufeff",
        "\U0001d4ae",
        "ﬁ",
    ),
)
_WORDS = """
SELECT FROM WHERE AND OR NOT IN IS NULL AS ON JOIN LEFT CROSS NATURAL LATERAL USING UNION ALL
EXCEPT INTERSECT WITH RECURSIVE VALUES TABLE ONLY ORDER BY GROUP HAVING LIMIT OFFSET FETCH WINDOW
OVER PARTITION ROWS RANGE FILTER WITHIN DISTINCT CASE WHEN THEN ELSE END CAST COLLATE BETWEEN LIKE
ILIKE SIMILAR TO ESCAPE EXISTS ANY SOME ARRAY ROW VARIADIC INTERVAL DATE TIMESTAMP AT TIME ZONE
TABLESAMPLE ORDINALITY CUBE ROLLUP GROUPING SETS SEARCH DEPTH FIRST SET CYCLE MATERIALIZED TIES
OVERLAPS EXTRACT POSITION SUBSTRING TRIM OVERLAY NORMALIZE JSON_TABLE XMLTABLE JSON_QUERY PASSING
""".split()


_TRIES = 8
"""How many changes are tried for each that is wanted."""
_BROKEN = 0.03
"""How often a change is kept that leaves no SQL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutator:
    """Makes mutants of statements, each call another one."""

    random: Random
    statements: Sequence[Words]
    most_changes: int = field(default=4)

    def mutant(self) -> str:
        """Change one statement a few times."""
        return self.changed(self.random.choice(self.statements))

    def changed(self, statement: Words) -> str:
        """Change a given statement a few times."""
        words = list(statement)
        wanted = self.random.randint(1, self.most_changes)
        for _ in range(wanted * _TRIES):
            change = self.random.choice(_CHANGES)
            changed = [word for word in change(self, words) if word] or ["SELECT"]
            # What Postgres cannot parse is refused at once, and little can be learned of it.
            if _is_sql(" ".join(changed)) or self.random.random() < _BROKEN:
                words, wanted = changed, wanted - 1
            if not wanted:
                break
        return " ".join(words)

    def at(self, words: Words, *wanted: str) -> int:
        """Choose a place, after one of the `wanted` words if there is any."""
        places = [index + 1 for index, word in enumerate(words) if word.upper() in wanted]
        return self.random.choice(places) if places else self.random.randrange(len(words) + 1)

    def value(self, words: Words) -> int:
        """Choose the place of a value: a literal, a number or a name."""
        places = [index for index, word in enumerate(words) if _is_value(word)]
        return self.random.choice(places) if places else 0

    def part(self, words: Words) -> tuple[int, int]:
        """Choose a bracketed part, or one word."""
        opened: list[int] = []
        found = []
        for index, word in enumerate(words):
            if word in {"(", "["}:
                opened.append(index)
            elif word in {")", "]"} and opened:
                found.append((opened.pop(), index + 1))
        if found and self.random.randrange(4):
            return self.random.choice(found)
        index = self.random.randrange(len(words))
        return index, index + 1


def _is_sql(sql: str) -> bool:
    try:
        return bool(grammar.parse(sql))
    except (grammar.NotSql, grammar.TooDeep, ValueError):
        return False


def taken_apart(sql: str) -> Words:
    """Cut a statement into words, comments left out; empty if it cannot be cut."""
    try:
        return [
            token.text.decode() for token in tokens(sql.encode()) if token.kind is not Kind.COMMENT
        ]
    except (Unterminated, UnicodeError):
        return []


def _is_value(word: str) -> bool:
    return word[0] in "'0123456789" or (word[0].isalpha() and word.upper() not in _WORDS)


def _plant_value(mutator: Mutator, words: Words) -> Words:
    at = mutator.value(words)
    planted = mutator.random.choice(EXPRESSIONS).replace("{}", words[at])
    return [*words[:at], *taken_apart(_disguised(mutator, planted)), *words[at + 1 :]]


def _plant_anywhere(mutator: Mutator, words: Words) -> Words:
    at = mutator.at(words, "SELECT", ",", "(", "AND", "BY", "WHERE", "ON", "=", "THEN", "ELSE")
    planted = mutator.random.choice(EXPRESSIONS).replace("{}", "1")
    joint = mutator.random.choice((",", "AND", "OR", "=", "||", ""))
    return [*words[:at], *taken_apart(_disguised(mutator, planted)), joint, *words[at:]]


def _plant_relation(mutator: Mutator, words: Words) -> Words:
    at = mutator.at(words, "FROM", "JOIN", "TABLE", "ONLY", "LATERAL")
    planted = taken_apart(_disguised(mutator, mutator.random.choice(RELATIONS)))
    instead = mutator.random.randrange(2)
    return [*words[:at], *planted, *([] if instead else [","]), *words[at + instead :]]


def _plant_clause(mutator: Mutator, words: Words) -> Words:
    at = mutator.random.choice((len(words), mutator.random.randrange(len(words) + 1)))
    return [*words[:at], *taken_apart(mutator.random.choice(CLAUSES)), *words[at:]]


def _plant_prefix(mutator: Mutator, words: Words) -> Words:
    return [*taken_apart(mutator.random.choice(PREFIXES)), *words]


def _plant_type(mutator: Mutator, words: Words) -> Words:
    at = mutator.value(words) + 1
    return [*words[:at], "::", mutator.random.choice(TYPES), *words[at:]]


def _drop(mutator: Mutator, words: Words) -> Words:
    first, last = mutator.part(words)
    return [*words[:first], *words[last:]]


def _double(mutator: Mutator, words: Words) -> Words:
    first, last = mutator.part(words)
    return [*words[:last], *words[first:last], *words[last:]]


def _swap(mutator: Mutator, words: Words) -> Words:
    first, last = mutator.part(words)
    other = mutator.random.choice(mutator.statements)
    start, end = mutator.part(other)
    return [*words[:first], *other[start:end], *words[last:]]


def _whole(mutator: Mutator, words: Words) -> Words:
    first, last = mutator.part(words)
    other = mutator.random.choice(mutator.statements)
    return [*words[:first], "(", *other, ")", *words[last:]]


def _word(mutator: Mutator, words: Words) -> Words:
    at = mutator.random.randrange(len(words))
    instead = mutator.random.randrange(2)
    return [*words[:at], mutator.random.choice(_WORDS), *words[at + instead :]]


def _other_word(mutator: Mutator, words: Words) -> Words:
    at = mutator.random.randrange(len(words))
    other = mutator.random.choice(mutator.random.choice(mutator.statements))
    return [*words[:at], other, *words[at + 1 :]]


def _noise(mutator: Mutator, words: Words) -> Words:
    at = mutator.random.randrange(len(words) + 1)
    return [*words[:at], mutator.random.choice(NOISE), *words[at:]]


def _attribute(mutator: Mutator, words: Words) -> Words:
    at = mutator.value(words)
    name = mutator.random.choice(
        "write_sink row_sink nextval pg_sleep lo_unlink setseed regclass text lower oid".split()
    )
    return [*words[:at], "(", words[at], ")", ".", name, *words[at + 1 :]]


def _spelling(mutator: Mutator, words: Words) -> Words:
    at = mutator.value(words)
    return [*words[:at], _disguised(mutator, words[at]), *words[at + 1 :]]


def _disguised(mutator: Mutator, text: str) -> str:
    """Write a name otherwise: quoted, qualified, in capitals, with a comment."""
    words = taken_apart(text)
    if not words or mutator.random.randrange(3):
        return text
    at = mutator.value(words)
    word = words[at]
    if not word[0].isalpha():
        return text
    words[at] = mutator.random.choice(
        (
            f'"{word}"',
            f'"{word.upper()}"',
            word.upper(),
            f"pg_catalog.{word}",
            f'"pg_catalog"."{word}"',
            f"shop.{word}",
            f"public.{word}",
            f"/* */{word}/* */",
            f"{word}\n",
        )
    )
    return "".join(words) if mutator.random.randrange(2) else " ".join(words)


_CHANGES: tuple[Callable[[Mutator, Words], Words], ...] = (
    *(_plant_value,) * 4,
    *(_plant_anywhere,) * 3,
    *(_plant_relation,) * 3,
    _plant_clause,
    _plant_prefix,
    *(_plant_type,) * 2,
    _drop,
    _double,
    *(_swap,) * 2,
    _whole,
    _word,
    _other_word,
    _noise,
    *(_attribute,) * 2,
    _spelling,
)
