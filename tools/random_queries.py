"""A random source and a schema in, queries out: well typed, nested, and after what is masked.

A query is grown from its FROM: whatever has a name there lends its columns, and every expression
is built of columns of the right type, so that most of what comes out is admitted and answered.
Relations, CTEs, subqueries, joins, set operations, windows, aggregates, JSON and casts are mixed;
masked columns are taken more often than others. No query asks for the time or for randomness.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from tools.random_expressions import (
    AGGREGATES,
    EXPRESSIONS,
    FALLIBLE,
    FILLINGS,
    LITERALS,
    ROWS,
    SCALARS,
    WINDOWS,
)

T = TypeVar("T")

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    Columns = Mapping[str, str]
    """The columns of a relation, each with its type."""

_MAX_DEPTH = 3
_FALLIBLE_SHARE = 0.02
_BLANK = re.compile(r"\{([a-z ]+)\}")
_NAMES = ("c", "cc", "customers", "orders", "x")
"""What a CTE may be called: what a relation is called, too."""


class Source(NamedTuple):
    """Something that FROM names: its alias and its columns."""

    alias: str
    columns: Columns


@dataclass(slots=True, kw_only=True)
class Builder:
    """Builds one query after the other out of `random`."""

    random: Random
    relations: Mapping[str, Columns]
    """The relations there are, by the name FROM may give them."""
    favourites: frozenset[str]
    """Columns to take more often: those that are masked."""
    _aliases: int = 0
    _common: dict[str, Columns] = field(default_factory=dict)

    def query(self) -> str:
        """Build a query."""
        self._aliases = 0
        self._common = {}
        common = [self._with() for _ in range(self._choose((0, 0, 0, 1, 1, 2)))]
        shape = self._choose(("SELECT",) * 8 + ("set", "set", "TABLE", "VALUES"))
        if shape == "set":
            body = self._set(self._kinds())
        elif shape == "TABLE":
            body = f"TABLE {self._choose(tuple(self.relations))}"
        elif shape == "VALUES":
            body = f"VALUES ({self._value('text', (), 1)}, {self._value('int', (), 1)})"
        else:
            body = self._select(None, (), 0)
        return f"WITH {', '.join(common)} {body}" if common else body

    def _with(self) -> str:
        name = self._choose(_NAMES)
        kinds = self._kinds()
        columns = _named("k", kinds)
        how = self._choose(("", "", "MATERIALIZED ", "NOT MATERIALIZED "))
        body = self._set(kinds) if self._chance(0.15) else self._select(kinds, (), 1)
        if name in self._common:
            name = f"{name}{len(self._common)}"
        self._common[name] = columns
        return f"{name} ({', '.join(columns)}) AS {how}({body})"

    def _set(self, kinds: Sequence[str]) -> str:
        operator = self._choose(("UNION", "UNION ALL", "INTERSECT", "EXCEPT", "EXCEPT ALL"))
        one, other = (self._select(kinds, (), 2) for _ in range(2))
        return f"({one}) {operator} ({other})"

    def _kinds(self) -> list[str]:
        count = self._choose((1, 2, 3))
        return [self._choose(("text", "text", "text", "int", "num", "date")) for _ in range(count)]

    def _select(
        self, kinds: Sequence[str] | None, outer: Sequence[Source], depth: int, *, end: str = ""
    ) -> str:
        """Build a SELECT; of these types if the place it stands in needs them."""
        clause, sources = self._from(outer, depth)
        scope = [*sources, *outer]
        if self._chance(0.5):
            clause += f" WHERE {self._expression('bool', scope, depth + 1)}"
        if self._chance(0.25):
            return self._grouped(kinds, clause, scope, sources, depth) + end
        wanted = kinds or [self._choose(SCALARS) for _ in range(self._choose((1, 2, 3)))]
        targets = [self._expression(kind, scope, depth) for kind in wanted]
        if kinds is None and self._chance(0.3):
            targets.append(self._fill(self._choose(WINDOWS), scope, depth + 2))
        if kinds is None and self._chance(0.3):
            targets.append(self._fill(self._choose(ROWS), sources, depth))
        if self._chance(0.15):
            return f"SELECT DISTINCT {_aliased(targets)}{clause}{end}"
        if self._chance(0.4):
            by = self._choose((" DESC", "", " NULLS FIRST"))
            clause += f" ORDER BY {self._sorted_by(scope, depth)}{by}"
        if not end and self._chance(0.2):
            end = f" LIMIT {self._choose(('1', '3', '10'))}"
            if self._chance(0.2):
                end = f" LIMIT {self._value('int', (), depth + 1)}"
            elif self._chance(0.3):
                end += f" OFFSET {self._choose(('1', '2', '5'))}"
        return f"SELECT {_aliased(targets)}{clause}{end}"

    def _sorted_by(self, scope: Sequence[Source], depth: int) -> str:
        """Build something to sort by, which must not be a constant alone."""
        kind = self._choose(("text", "int", "num", "date"))
        key = self._expression(kind, scope, depth + 1)
        return f"coalesce({key}, {self._column(kind, scope) or 'NULL'})"

    def _grouped(
        self,
        kinds: Sequence[str] | None,
        clause: str,
        scope: Sequence[Source],
        sources: Sequence[Source],
        depth: int,
    ) -> str:
        wanted = kinds or [self._choose(tuple(AGGREGATES)) for _ in range(2)]
        targets = [self._aggregate(kind, scope, depth) for kind in wanted]
        columns = (
            self._column(self._choose(("text", "text", "int", "date")), sources) for _ in "ab"
        )
        by = list(dict.fromkeys(filter(None, columns)))
        if not by or self._chance(0.2):
            return f"SELECT {_aliased(targets)}{clause}"
        how = self._choose(("{}", "{}", "{}", "ROLLUP ({})", "CUBE ({})"))
        clause += f" GROUP BY {how.format(', '.join(by))}"
        if self._chance(0.3):
            clause += f" HAVING {self._aggregate('int', scope, depth)} > {self._choose((0, 1, 5))}"
        if kinds is None:
            targets += by
            clause += f" ORDER BY {', '.join(str(n + 1) for n in range(len(targets)))}"
        return f"SELECT {_aliased(targets)}{clause}"

    def _from(self, outer: Sequence[Source], depth: int) -> tuple[str, list[Source]]:
        text, first = self._source(depth)
        sources = [first]
        for _ in range(self._choose((0, 0, 1, 1, 2) if depth < 2 else (0, 0, 1))):  # noqa: PLR2004 - further in, less beside it
            joined, source = self._joined(sources, outer, depth)
            text += joined
            sources.append(source)
        return f" FROM {text}", sources

    def _joined(
        self, sources: Sequence[Source], outer: Sequence[Source], depth: int
    ) -> tuple[str, Source]:
        how = self._choose(("JOIN", "JOIN", "LEFT JOIN", "FULL JOIN", "CROSS JOIN", "LATERAL"))
        if how == "LATERAL" and depth < _MAX_DEPTH:
            kind = self._choose(("text", "int"))
            inner = self._select([kind], [*sources, *outer], depth + 2, end=" LIMIT 2")
            source = Source(self._alias(), {"v": kind})
            return f" CROSS JOIN LATERAL ({inner}) AS {source.alias} (v)", source
        right, source = self._source(depth)
        kind = self._choose(("int", "text", "text", "date"))
        one, other = self._column(kind, sources), self._column(kind, [source])
        if how in {"CROSS JOIN", "LATERAL"} or (how == "FULL JOIN" and not (one and other)):
            return f" CROSS JOIN {right}", source
        if how == "FULL JOIN":  # which Postgres can do on what can be hashed or merged only
            condition = f"{one} = {other}"
        elif one and other and self._chance(0.7):
            condition = f"{one} {self._choose(('=', '=', '=', '<', '<>'))} {other}"
        else:
            condition = self._expression("bool", [*sources, source, *outer], depth + 1)
        return f" {how} {right} ON {condition}", source

    def _source(self, depth: int) -> tuple[str, Source]:
        alias = self._alias()
        shape = self.random.randrange(20)
        if self._common and shape < 6:  # noqa: PLR2004 - so often of twenty
            name = self._choose(tuple(self._common))
            return f"{name} AS {alias}", Source(alias, self._common[name])
        if shape < 9 and depth < _MAX_DEPTH:  # noqa: PLR2004 - likewise
            kinds = self._kinds()
            inner = _named("s", kinds)
            body = self._select(kinds, (), depth + 1)
            return f"({body}) AS {alias} ({', '.join(inner)})", Source(alias, inner)
        if shape == 9:  # noqa: PLR2004 - likewise
            values = ", ".join(f"({self._choose(LITERALS['text'])}, {n})" for n in range(3))
            return f"(VALUES {values}) AS {alias} (g, n)", Source(alias, {"g": "text", "n": "int"})
        name = self._choose(tuple(self.relations))
        columns: Columns = self._common.get(name, self.relations[name])
        if self._chance(0.7):
            columns = self.relations[name]
            name = f"{self._choose(('', 'ONLY '))}shop.{name}"
        if self._chance(0.1):
            columns = _named("r", list(columns.values()))
            return f"{name} AS {alias} ({', '.join(columns)})", Source(alias, columns)
        return f"{name} AS {alias}", Source(alias, columns)

    def _alias(self) -> str:
        self._aliases += 1
        return f"t{self._aliases}"

    def _column(self, kind: str, scope: Sequence[Source]) -> str:
        """Choose a column of a type; nothing if none is in sight."""
        found = [
            (source.alias, name)
            for source in scope
            for name, column_kind in source.columns.items()
            if column_kind == kind
        ]
        favourite = [pair for pair in found if pair[1] in self.favourites]
        if favourite and self._chance(0.5):
            found = favourite
        return ".".join(self._choose(found)) if found else ""

    def _aggregate(self, kind: str, scope: Sequence[Source], depth: int) -> str:
        return self._fill(self._choose(AGGREGATES[kind]), scope, depth + 2)

    def _value(self, kind: str, outer: Sequence[Source], depth: int) -> str:
        """Build a query of one value."""
        clause, sources = self._from(outer, depth + 1)
        if self._chance(0.6):
            clause += f" WHERE {self._expression('bool', [*sources, *outer], depth + 2)}"
        return f"(SELECT {self._aggregate(kind, sources, depth + 1)}{clause})"

    def _beside(self, scope: Sequence[Source], depth: int) -> str:
        """Build a query of rows that have to do with the rows around it."""
        clause, sources = self._from(scope, _MAX_DEPTH)
        condition = self._expression("bool", [*sources, *scope], depth)
        return f"(SELECT 1{clause} WHERE {condition})"

    def _expression(self, kind: str, scope: Sequence[Source], depth: int) -> str:
        column = self._column(kind, scope)
        if column and (depth >= _MAX_DEPTH or self._chance(0.45)):
            return column
        if depth > _MAX_DEPTH or (depth == _MAX_DEPTH and kind != "bool"):
            return self._choose(LITERALS[kind])
        choices = FALLIBLE[kind] if self._chance(_FALLIBLE_SHARE) else EXPRESSIONS[kind]
        return self._fill(self._choose(choices), scope, depth + 1)

    def _fill(self, template: str, scope: Sequence[Source], depth: int) -> str:
        """Put an expression, or a word, into every blank of a template."""
        return _BLANK.sub(partial(self._filled, scope=scope, depth=depth), template)

    def _filled(self, blank: re.Match[str], scope: Sequence[Source], depth: int) -> str:
        word = blank[1]
        if word in EXPRESSIONS:
            return self._expression(word, scope, depth)
        if word in FILLINGS:
            return self._choose(FILLINGS[word])
        if word.startswith("value of "):
            return self._value(word.removeprefix("value of "), scope, depth)
        if word == "rows beside":
            return self._beside(scope, depth)
        if word == "texts of one column":
            return f"({self._select(['text'], (), _MAX_DEPTH)})"
        # A row of whatever FROM names; without a FROM, of nothing.
        return self._choose(scope).alias if scope else "ROW(1)"

    def _choose(self, choices: Sequence[T]) -> T:
        return self.random.choice(choices)

    def _chance(self, share: float) -> bool:
        return self.random.random() < share


def _named(letter: str, kinds: Sequence[str]) -> dict[str, str]:
    return {f"{letter}{number}": kind for number, kind in enumerate(kinds)}


def _aliased(targets: Sequence[str]) -> str:
    return ", ".join(f"{target} AS o{number}" for number, target in enumerate(targets))
