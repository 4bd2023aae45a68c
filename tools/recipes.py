"""Recipes for long SQL texts: a unit repeated in a frame, wrapped so deep, filled up to a size.

What makes a parser slow is repetition and nesting of something it is bad at. A recipe says what,
in what frame and how deep, and can be changed a little: the search in `worst_case` climbs on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from sqlglot.dialects.postgres import Postgres
from tests.support.slow import written

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random


class Frame(NamedTuple):
    """What stands before, between and after the units."""

    before: str
    between: str
    after: str


class Wrap(NamedTuple):
    """What can stand around an expression."""

    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to write a text of any size."""

    frame: Frame
    unit: tuple[str, ...]
    wraps: tuple[Wrap, ...] = ()

    def core(self) -> str:
        """Write one unit with its wraps, the first outermost."""
        before = "".join(wrap.before for wrap in self.wraps)
        after = "".join(wrap.after for wrap in reversed(self.wraps))
        return f"{before}{' '.join(self.unit)}{after}"

    def text(self, max_bytes: int) -> str:
        """Write as many units as fit."""
        return written(*self.frame[:1], self.core(), *self.frame[1:], max_bytes)


FRAMES = tuple(
    Frame(*parts)
    for parts in (
        ("SELECT ", ", ", ""),
        ("SELECT ", " + ", ""),
        ("SELECT ", " || ", ""),
        ("SELECT ", " -> ", ""),
        ("SELECT ", " ", ""),
        ("SELECT ", "", ""),
        ("SELECT a", "", ""),
        ("SELECT a ", " ", " a"),
        ("SELECT 1 WHERE ", " AND ", ""),
        ("SELECT 1 WHERE ", " OR ", ""),
        ("SELECT 1 WHERE NOT ", " AND NOT ", ""),
        ("SELECT 1 FROM ", ", ", ""),
        ("SELECT 1 FROM t CROSS JOIN ", " CROSS JOIN ", ""),
        ("SELECT 1 FROM t LEFT JOIN ", " ON true LEFT JOIN ", " ON true"),
        ("SELECT 1 FROM (", ") UNION ALL (", ") s"),
        ("SELECT ", " UNION ALL SELECT ", ""),
        ("SELECT ", " EXCEPT SELECT ", ""),
        ("WITH a AS (SELECT ", "), a AS (SELECT ", ") SELECT 1"),
        ("WITH RECURSIVE a AS (SELECT ", "), a AS (SELECT ", ") SELECT 1"),
        ("SELECT 1 GROUP BY ", ", ", ""),
        ("SELECT 1 GROUP BY GROUPING SETS (", ", ", ")"),
        ("SELECT 1 ORDER BY ", ", ", ""),
        ("SELECT 1 ORDER BY ", " DESC NULLS LAST, ", ""),
        ("SELECT f(", ", ", ")"),
        ("SELECT concat(", ", ", ")"),
        ("SELECT ARRAY[", ", ", "]"),
        ("SELECT 1 WHERE a IN (", ", ", ")"),
        ("SELECT 1 WHERE (a, b) IN ((", "), (", "))"),
        ("VALUES (", "), (", ")"),
        ("SELECT (", ", ", ")"),
        ("SELECT CASE WHEN ", " THEN 1 WHEN ", " THEN 2 END"),
        ("SELECT CASE ", " ", " END"),
        ("SELECT 1 FROM ROWS FROM (", ", ", ") t"),
        ("SELECT count(*) OVER (PARTITION BY ", ", ", ")"),
        ("SELECT 1 WINDOW w AS (ORDER BY ", "), w AS (ORDER BY ", ")"),
        ("SELECT JSON_OBJECT(", ", ", ")"),
        ("SELECT 1 FROM f() AS t(", ", ", ")"),
    )
)

WRAPS = tuple(
    Wrap(*parts)
    for parts in (
        ("(", ")"),
        ("((", "))"),
        ("f(", ")"),
        ("coalesce(", ")"),
        ("coalesce(1, ", ", 1)"),
        ("lower(", ")"),
        ("sum(", ")"),
        ("a.f(", ")"),
        ("sort_array(1, ", ")"),
        ("date(", ")"),
        ("timestamp(", ")"),
        ("numeric(", ")"),
        ("cast(", " AS text)"),
        ("extract(year FROM ", ")"),
        ("trim(both 'x' from ", ")"),
        ("substring(", " from 1 for 2)"),
        ("position(", " in 'x')"),
        ("overlay(", " placing 'x' from 1)"),
        ("CASE WHEN ", " THEN 1 END"),
        ("CASE 1 WHEN ", " THEN 1 ELSE 2 END"),
        ("ARRAY[", "]"),
        ("ARRAY(SELECT ", ")"),
        ("ROW(", ")"),
        ("a[", "]"),
        ("a[", ":2]"),
        ("(SELECT ", ")"),
        ("(SELECT 1 WHERE ", ")"),
        ("(SELECT 1 FROM (SELECT ", ") s)"),
        ("EXISTS (SELECT ", ")"),
        ("a IN (", ")"),
        ("a IN (SELECT ", ")"),
        ("a = ANY (ARRAY[", "])"),
        ("a BETWEEN ", " AND 2"),
        ("a + ", ""),
        ("", " + a"),
        ("a || (", ")"),
        ("NOT ", ""),
        ("NOT (", ")"),
        ("- ", ""),
        ("@ ", ""),
        ("interval '1 day' * ", ""),
        ("", "::text"),
        ("", "::numeric(10,2)"),
        ("", " IS NOT NULL"),
        ("", " AT TIME ZONE 'UTC'"),
        ("", ' COLLATE "C"'),
        ("", " -> 'a'"),
        ("", ".a"),
        ("", "[1]"),
        ("LATERAL (SELECT ", ") s"),
        ("(t JOIN ", " ON true)"),
        ("(t CROSS JOIN ", ")"),
        ("((SELECT ", ") UNION (SELECT 1))"),
        ("(WITH w AS (SELECT ", ") SELECT 1)"),
        ("(VALUES (", "))"),
        ("count(*) FILTER (WHERE ", ")"),
        ("sum(1) OVER (ORDER BY ", ")"),
        ("JSON_ARRAY(", ")"),
        ("JSON_OBJECT('a': ", ")"),
        ("xmlelement(name a, ", ")"),
        ("nullif(1, ", ")"),
        ("greatest(", ", 1)"),
    )
)

UNITS = tuple(
    tuple(text.split(" "))
    for text in (
        "1",
        "a",
        "'a'",
        "a . b",
        "a . b . c",
        "*",
        "t",
        "s . t",
        "t AS x",
        "t x ( a , b )",
        "( SELECT 1 ) x",
        "f ( ) x",
        "f ( ) AS x ( a int , b text )",
        "a = 1",
        "a LIKE 'x' ESCAPE 'y'",
        "a SIMILAR TO 'x'",
        "a IS DISTINCT FROM b",
        "a BETWEEN SYMMETRIC 1 AND 2",
        "( a , b ) OVERLAPS ( a , b )",
        "'a' : 1",
        "WHEN a THEN b",
        "date '2025-01-01'",
        "interval '1' day",
        "interval '1 day' year to month",
        "timestamp with time zone 'x'",
        "a :: timestamp ( 3 ) with time zone",
        "a :: double precision",
        "a :: int [ ]",
        "a :: int [ ] [ ]",
        "a [ 1 ]",
        "a [ 1 : 2 ]",
        "( a ) . b",
        "( a ) . *",
        "a -> 'b' ->> 'c' #> 'd'",
        "a @> b",
        "a <-> b",
        "E'\\\\' ",
        "$$a$$",
        "$1",
        '"a" . "b"',
        "/* a */ 1",
        "1.5e10",
        "0x1F",
        "X'1F'",
        "sum ( DISTINCT a ORDER BY b DESC ) FILTER ( WHERE c ) OVER ( w ROWS 1 PRECEDING )",
        "percentile_cont ( 0.5 ) WITHIN GROUP ( ORDER BY a )",
        "current_date",
        "JSON_VALUE ( a , '$' RETURNING int )",
        "xmlforest ( a AS b )",
        "a IS JSON OBJECT WITH UNIQUE KEYS",
        "f ( VARIADIC a )",
        "f ( a => 1 , b := 2 )",
        "ROLLUP ( a , b )",
        "NOT a",
        "a NOT IN ( 1 )",
        "a IS NOT UNKNOWN",
        "a OPERATOR ( pg_catalog . + ) b",
        "t TABLESAMPLE system ( 1 ) REPEATABLE ( 2 )",
        "t NATURAL JOIN t",
        "t JOIN t USING ( a , b )",
        "JSON_TABLE ( a , '$' COLUMNS ( b int PATH '$' ) ) x",
        "XMLTABLE ( 'a' PASSING b COLUMNS c int ) x",
        "1 LIMIT 1 OFFSET 2",
    )
)

VOCABULARY = tuple(
    sorted(
        {word for unit in UNITS for word in unit}
        | {word.lower() for word in Postgres.Tokenizer.KEYWORDS if word.isascii()}
        | {*"()[],;:.+-*/<>=~!@#%^&|`?", "::", ":=", "=>", "->", "->>", "||", "<=", "!="}
    )
)


def random_recipe(random: Random) -> Recipe:
    """Write a recipe from nothing."""
    return Recipe(
        frame=random.choice(FRAMES),
        unit=random.choice(UNITS),
        wraps=tuple(random.choices(WRAPS, k=random.choice((0, 0, 1, 1, 2, 3, 5)))),
    )


def changed(recipe: Recipe, others: Sequence[Recipe], random: Random) -> Recipe:
    """Change one thing, or take one from another recipe."""
    other = random.choice(others)
    return random.choice(_CHANGES)(recipe, other, random)


def _frame(recipe: Recipe, other: Recipe, random: Random) -> Recipe:
    return replace(recipe, frame=random.choice((other.frame, random.choice(FRAMES))))


def _unit(recipe: Recipe, other: Recipe, random: Random) -> Recipe:
    return replace(recipe, unit=random.choice((other.unit, random.choice(UNITS))))


def _token(recipe: Recipe, _other: Recipe, random: Random) -> Recipe:
    unit = list(recipe.unit)
    at = random.randrange(len(unit) + 1)
    unit[at : at + random.randrange(2)] = random.choices(VOCABULARY, k=random.randrange(3))
    return replace(recipe, unit=tuple(unit[:40]) or ("1",))


def _splice(recipe: Recipe, other: Recipe, random: Random) -> Recipe:
    unit = list(recipe.unit)
    at = random.randrange(len(unit) + 1)
    unit[at : at + random.randrange(3)] = other.unit
    return replace(recipe, unit=tuple(unit[:40]))


def _repeat(recipe: Recipe, _other: Recipe, random: Random) -> Recipe:
    first, last = sorted(random.choices(range(len(recipe.unit) + 1), k=2))
    part = recipe.unit[first:last] * random.choice((1, 2, 4))
    return replace(recipe, unit=(recipe.unit[:last] + part + recipe.unit[last:])[:60])


def _deeper(recipe: Recipe, other: Recipe, random: Random) -> Recipe:
    wraps = recipe.wraps or other.wraps or (random.choice(WRAPS),)
    return replace(recipe, wraps=(wraps * random.choice((2, 3)))[:31])


def _wrap(recipe: Recipe, _other: Recipe, random: Random) -> Recipe:
    wraps = list(recipe.wraps)
    at = random.randrange(len(wraps) + 1)
    wraps[at : at + random.randrange(2)] = random.choices(WRAPS, k=random.randrange(3))
    return replace(recipe, wraps=tuple(wraps[:31]))


def _shallower(recipe: Recipe, _other: Recipe, random: Random) -> Recipe:
    return replace(recipe, wraps=recipe.wraps[: random.randrange(len(recipe.wraps) + 1)])


_CHANGES = (_frame, _unit, _token, _token, _splice, _repeat, _deeper, _wrap, _wrap, _shallower)
