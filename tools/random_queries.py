"""A random source and a schema in, queries out: well typed, nested, and after what is masked.

A query is grown from its FROM: whatever has a name there lends its columns, and every expression
is built of columns of the right type, so that most of what comes out is admitted and answered.
Relations, CTEs, subqueries, joins, set operations, windows, aggregates, JSON and casts are mixed;
masked columns are taken more often than others. No query asks for the time or for randomness, nor
orders by less than it must to be repeatable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeVar

T = TypeVar("T")

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from random import Random

    Columns = Mapping[str, str]
    """The columns of a relation, each with its type."""

SCALARS = ("text", "int", "num", "date", "bool", "json", "texts")
_MAX_DEPTH = 3
_PATTERNS = ("a%", "z%", "%q%", "_q%", "%1", "%-0%", "+1 z%", "%@%", "____%", "%[%", "%e_a%", "%")
_REGEXES = ("^[a-m]", "z", "[0-4]$", "q.j", r"^\\w+@", "(a|b|c).*[5-9]", r"\\d{3}", "^.{20,}")
_TEXTS = ("", "a", "m", "z", "delivered", "US", "card", "0", "[redacted]", "hidden", "****")
_DATES = ("1950-06-15", "1968-02-01", "1977-03-19", "1990-09-09", "2026-05-05")
_NUMBERS = ("0", "1", "2", "7", "10", "49.5", "100", "250", "999", "-1")
_PATHS = ("$.city", "$.*", "$.street", "$.colour", "$.weight_g", "$", "$.a", '$.city ? (@ > "m")')
_KEYS = ("city", "street", "postcode", "colour", "weight_g", "email", "ssn", "id", "notes")


class Source(NamedTuple):
    """Something that FROM names: its alias, its columns, and whether it stands for a whole row."""

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
        body = self._body()
        return f"WITH {', '.join(common)} {body}" if common else body

    def _body(self) -> str:
        shape = self.random.random()
        if shape < 0.12:
            kinds = self._kinds(self._choose((1, 2)))
            return self._sets(kinds, ())
        if shape < 0.16:
            return f"TABLE {self._choose(tuple(self.relations))}"
        if shape < 0.19:
            return f"VALUES ({self._scalar_query('text', (), 1)}, {self._literal('int')})"
        return self._select(None, (), 0)

    def _with(self) -> str:
        name = self._choose(("c", "cc", "customers", "orders", "x"))
        kinds = self._kinds(self._choose((1, 2, 3)))
        columns = {f"k{number}": kind for number, kind in enumerate(kinds)}
        how = self._choose(("", "", "MATERIALIZED ", "NOT MATERIALIZED "))
        body = self._sets(kinds, ()) if self._chance(0.15) else self._select(kinds, (), 1)
        if name in self._common:
            name = f"{name}{len(self._common)}"
        self._common[name] = columns
        return f"{name} ({', '.join(columns)}) AS {how}({body})"

    def _sets(self, kinds: Sequence[str], outer: Sequence[Source]) -> str:
        operator = self._choose(("UNION", "UNION ALL", "INTERSECT", "EXCEPT", "EXCEPT ALL"))
        one, other = (self._select(kinds, outer, 2) for _ in range(2))
        return f"({one}) {operator} ({other})"

    def _kinds(self, count: int) -> list[str]:
        return [self._choose(("text", "text", "text", "int", "num", "date")) for _ in range(count)]

    def _select(
        self, kinds: Sequence[str] | None, outer: Sequence[Source], depth: int, *, rows: str = ""
    ) -> str:
        """Build a SELECT; of these types if the place it stands in needs them."""
        clause, sources = self._from(outer, depth)
        scope = [*sources, *outer]
        shape = self.random.random()
        where = f" WHERE {self._bool(scope, depth + 1)}" if self._chance(0.5) else ""
        if shape < 0.25:
            return self._grouped(kinds, clause + where, scope, sources, depth) + rows
        distinct = ""
        wanted = kinds or [self._choose(SCALARS) for _ in range(self.random.randint(1, 4))]
        targets = [self._expression(kind, scope, depth) for kind in wanted]
        if kinds is None and shape < 0.35:
            targets.append(self._window(scope, depth))
        elif kinds is None and shape < 0.55:
            targets.append(self._whole(sources))
        if self._chance(0.15):
            distinct = "DISTINCT "
        order = ""
        if not distinct and self._chance(0.4):
            order = (
                f" ORDER BY {self._key(scope, depth)}{self._choose((' DESC', '', ' NULLS FIRST'))}"
            )
        limit = ""
        if not rows and self._chance(0.2):
            limit = f" LIMIT {self._choose(('1', '3', '10'))}"
            if self._chance(0.15):
                limit = f" LIMIT ({self._scalar_query('int', (), depth + 1)})"
            elif self._chance(0.3):
                limit += f" OFFSET {self._choose(('1', '2', '5'))}"
        named = [f"{target} AS o{number}" for number, target in enumerate(targets)]
        return f"SELECT {distinct}{', '.join(named)}{clause}{where}{order}{rows or limit}"

    def _key(self, scope: Sequence[Source], depth: int) -> str:
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
        by = [
            self._column(self._choose(("text", "text", "int", "date")), sources)
            for _ in range(self._choose((0, 1, 1, 2)))
        ]
        by = [key for key in by if key]
        wanted = kinds or [self._choose(("text", "int", "num")) for _ in range(2)]
        targets = [self._aggregate(kind, scope, depth) for kind in wanted]
        if kinds is None:
            targets += by
        sets = ", ".join(dict.fromkeys(by))
        grouping = ""
        if sets:
            how = self._choose(("{}", "{}", "{}", "ROLLUP ({})", "CUBE ({})"))
            grouping = f" GROUP BY {how.format(sets)}"
        having = ""
        if grouping and self._chance(0.3):
            having = f" HAVING {self._aggregate('int', scope, depth)} > {self._literal('int')}"
        order = ""
        if grouping and self._chance(0.5):
            order = f" ORDER BY {', '.join(str(n + 1) for n in range(len(targets)))}"
        named = [f"{target} AS o{number}" for number, target in enumerate(targets)]
        return f"SELECT {', '.join(named)}{clause}{grouping}{having}{order}"

    def _from(self, outer: Sequence[Source], depth: int) -> tuple[str, list[Source]]:
        text, first = self._source(outer, depth)
        sources = [first]
        for _ in range(self._choose((0, 0, 1, 1, 2)) if depth < 2 else self._choose((0, 0, 1))):
            how = self._choose(("JOIN", "JOIN", "LEFT JOIN", "FULL JOIN", "CROSS", "LATERAL"))
            if how == "LATERAL" and depth < _MAX_DEPTH:
                kind = self._choose(("text", "int"))
                inner = self._select([kind], [*sources, *outer], depth + 2, rows=" LIMIT 2")
                alias = self._alias()
                text += f" CROSS JOIN LATERAL ({inner}) AS {alias} (v)"
                sources.append(Source(alias, {"v": kind}))
                continue
            right, source = self._source(outer, depth)
            if how in {"CROSS", "LATERAL"}:
                text += f" CROSS JOIN {right}"
            elif how == "FULL JOIN":
                # Postgres can only do a full join on what can be hashed or merged.
                kind = self._choose(("text", "int"))
                one, other = self._column(kind, sources), self._column(kind, [source])
                if one and other:
                    text += f" FULL JOIN {right} ON {one} = {other}"
                else:
                    text += f" CROSS JOIN {right}"
            else:
                condition = self._join([*sources], source, [*sources, source, *outer], depth)
                text += f" {how} {right} ON {condition}"
            sources.append(source)
        return f" FROM {text}", sources

    def _join(
        self, left: Sequence[Source], right: Source, scope: Sequence[Source], depth: int
    ) -> str:
        if self._chance(0.7):
            kind = self._choose(("int", "text", "text", "date"))
            one, other = self._column(kind, left), self._column(kind, [right])
            if one and other:
                return f"{one} {self._choose(('=', '=', '=', '<', '<>'))} {other}"
        return self._bool(scope, depth + 1)

    def _source(self, outer: Sequence[Source], depth: int) -> tuple[str, Source]:
        alias = self._alias()
        shape = self.random.random()
        if self._common and shape < 0.3:
            name = self._choose(tuple(self._common))
            return f"{name} AS {alias}", Source(alias, self._common[name])
        if shape < 0.42 and depth < _MAX_DEPTH:
            kinds = self._kinds(self._choose((1, 2, 3)))
            columns = {f"s{number}": kind for number, kind in enumerate(kinds)}
            body = self._select(kinds, (), depth + 1)
            return f"({body}) AS {alias} ({', '.join(columns)})", Source(alias, columns)
        if shape < 0.46:
            return f"generate_series(1, 3) AS {alias} (n)", Source(alias, {"n": "int"})
        if shape < 0.5:
            values = ", ".join(f"({self._literal('text')}, {n})" for n in range(3))
            return f"(VALUES {values}) AS {alias} (g, n)", Source(alias, {"g": "text", "n": "int"})
        name = self._choose(tuple(self.relations))
        columns = self.relations[name]
        if name in self._common:
            columns = self._common[name]
        written = self._choose((name, f"shop.{name}", f"shop.{name}", f"ONLY shop.{name}"))
        if written != name:
            columns = self.relations[name]
        if self._chance(0.1):
            renamed = {f"r{number}": kind for number, kind in enumerate(columns.values())}
            return f"{written} AS {alias} ({', '.join(renamed)})", Source(alias, renamed)
        return f"{written} AS {alias}", Source(alias, columns)

    def _alias(self) -> str:
        self._aliases += 1
        return f"t{self._aliases}"

    def _column(self, kind: str, scope: Sequence[Source]) -> str:
        """Choose a column of a type; nothing if none is in sight."""
        found = [
            (source, name)
            for source in scope
            for name, column_kind in source.columns.items()
            if column_kind == kind
        ]
        if not found:
            return ""
        favourite = [pair for pair in found if pair[1] in self.favourites]
        source, name = self._choose(favourite if favourite and self._chance(0.5) else found)
        return f"{source.alias}.{name}"

    def _whole(self, sources: Sequence[Source]) -> str:
        alias = self._choose(sources).alias
        return self._choose(
            (
                f"{alias}::text",
                f"row_to_json({alias})",
                f"to_jsonb({alias})",
                f"{alias}",
                f"ROW({alias}.*)::text",
                f"md5({alias}::text)",
                f"count({alias}) OVER ()",
                f"count(*) FILTER (WHERE {alias} IS NULL) OVER ()",
                f"({alias} IS NOT NULL)",
                f"jsonb_object_keys(to_jsonb({alias}))",
                f"concat({alias}.*)",
                f"first_value({alias}) OVER (ORDER BY {alias}::text)",
            )
        )

    def _window(self, scope: Sequence[Source], depth: int) -> str:
        by = self._expression(self._choose(("text", "int", "date")), scope, depth + 2)
        partition = ""
        if self._chance(0.5):
            partition = f"PARTITION BY {self._expression('text', scope, depth + 2)} "
        value = self._expression(self._choose(("text", "date")), scope, depth + 2)
        call = self._choose(
            (
                "row_number()",
                "rank()",
                "dense_rank()",
                "percent_rank()",
                "cume_dist()",
                "ntile(3)",
                "count(*)",
                f"lag({value})",
                f"lead({value})",
                f"first_value({value})",
                f"last_value({value})",
                f"nth_value({value}, 2)",
                f"max({value})",
                f"min({value})",
                f"array_agg({value})",
            )
        )
        return f"{call} OVER ({partition}ORDER BY {by})"

    def _aggregate(self, kind: str, scope: Sequence[Source], depth: int) -> str:
        def of(wanted: str) -> str:
            return self._expression(wanted, scope, depth + 2)

        made = {
            "text": (
                lambda: f"min({of('text')})",
                lambda: f"max({of('text')})",
                lambda: f"string_agg({of('text')}, ',' ORDER BY {of('text')})",
                lambda: f"string_agg(DISTINCT {of('text')}, '|')",
                lambda: f"array_agg({of('text')} ORDER BY {of('int')})::text",
                lambda: f"json_agg({of('text')})::text",
                lambda: f"jsonb_object_agg(coalesce({of('text')}, '-'), {of('text')})::text",
                lambda: f"mode() WITHIN GROUP (ORDER BY {of('text')})",
                lambda: f"percentile_disc(0.5) WITHIN GROUP (ORDER BY {of('text')})",
            ),
            "int": (
                lambda: "count(*)",
                lambda: f"count({of('text')})",
                lambda: f"count(DISTINCT {of('text')})",
                lambda: f"count(*) FILTER (WHERE {self._bool(scope, depth + 2)})",
                lambda: f"sum(({self._bool(scope, depth + 2)})::int)",
                lambda: f"max({of('int')})",
                lambda: f"min(length({of('text')}))",
                lambda: f"bit_and({of('int')}::bigint)",
            ),
            "num": (
                lambda: f"sum({of('num')})",
                lambda: f"avg({of('num')})",
                lambda: f"stddev({of('num')})",
                lambda: f"corr({of('num')}::float8, {of('int')}::float8)::numeric",
                lambda: f"percentile_cont(0.3) WITHIN GROUP (ORDER BY {of('num')}::float8)",
                lambda: f"max({of('num')}) - min({of('num')})",
                lambda: f"regr_slope({of('num')}::float8, {of('int')}::float8)::numeric",
            ),
            "date": (
                lambda: f"min({of('date')})",
                lambda: f"max({of('date')})",
                lambda: f"(array_agg({of('date')} ORDER BY {of('date')}))[1]",
            ),
        }
        written: str = self._choose(made[kind])()
        return f"({written})::numeric" if kind == "num" else written

    def _scalar_query(self, kind: str, outer: Sequence[Source], depth: int) -> str:
        """Build a query of one value, to stand in brackets."""
        clause, sources = self._from(outer, depth + 1)
        scope = [*sources, *outer]
        where = f" WHERE {self._bool(scope, depth + 2)}" if self._chance(0.6) else ""
        value = self._aggregate(kind, sources, depth + 1)
        return f"(SELECT {value}{clause}{where})"

    def _expression(self, kind: str, scope: Sequence[Source], depth: int) -> str:
        column = self._column(kind, scope)
        if column and (depth >= _MAX_DEPTH or self._chance(0.45)):
            return column
        if depth >= _MAX_DEPTH:
            return self._literal(kind)
        makers: Mapping[str, Callable[[Sequence[Source], int], str]] = {
            "text": self._text,
            "int": self._int,
            "num": self._num,
            "date": self._date,
            "bool": self._bool,
            "json": self._json,
            "texts": self._texts,
        }
        return makers[kind](scope, depth + 1)

    def _literal(self, kind: str) -> str:
        if kind == "bool":
            return self._choose(("true", "false"))
        if kind == "json":
            return """'{"a": [1, "z"], "city": "m"}'::jsonb"""
        if kind == "texts":
            return "ARRAY['gift', 'z']"
        if kind == "int":
            return str(self.random.randint(-2, 40))
        choices = {"text": _TEXTS, "date": _DATES, "num": _NUMBERS}[kind]
        value = self._choose(choices)
        return {"text": f"'{value}'::text", "date": f"DATE '{value}'", "num": f"{value}::numeric"}[
            kind
        ]

    def _text(self, scope: Sequence[Source], depth: int) -> str:
        def of(kind: str) -> str:
            return self._expression(kind, scope, depth)

        n, m = self.random.randint(1, 12), self.random.randint(1, 6)
        return self._choose(
            (
                lambda: f"upper({of('text')})",
                lambda: f"reverse({of('text')})",
                lambda: f"initcap({of('text')})",
                lambda: f"substr({of('text')}, {n}, {m})",
                lambda: f"left({of('text')}, {m})",
                lambda: f"right({of('text')}, -{m})",
                lambda: f"({of('text')} || {of('text')})",
                lambda: f"md5({of('text')})",
                lambda: f"replace({of('text')}, 'a', 'b')",
                lambda: f"translate({of('text')}, '0123456789', 'abcdefghij')",
                lambda: f"regexp_replace({of('text')}, '[a-z]', '', 'g')",
                lambda: f"split_part({of('text')}, '@', {self._choose((1, 2))})",
                lambda: f"coalesce({of('text')}, {of('text')})",
                lambda: f"nullif({of('text')}, {of('text')})",
                lambda: f"greatest({of('text')}, {of('text')})",
                lambda: f"CASE WHEN {of('bool')} THEN {of('text')} ELSE {of('text')} END",
                lambda: f"({of('date')})::text",
                lambda: f"({of('int')})::text",
                lambda: f"({of('json')})::text",
                lambda: f"({of('json')} ->> '{self._choose(_KEYS)}')",
                lambda: f"({of('texts')})[{self._choose((1, 2))}]",
                lambda: f"array_to_string({of('texts')}, ',')",
                lambda: f"to_char({of('date')}, 'DDD MM YYYY')",
                lambda: (
                    f"encode(convert_to({of('text')}, 'UTF8'), '{self._choose(('hex', 'base64'))}')"
                ),
                lambda: f"encode(sha256(convert_to({of('text')}, 'UTF8')), 'hex')",
                lambda: f"concat_ws('-', {of('text')}, {of('int')}, {of('date')})",
                lambda: f"format('%s %s', {of('text')}, {of('num')})",
                lambda: f"quote_nullable({of('text')})",
                lambda: f"lpad({of('text')}, {n}, 'x')",
                lambda: f"substring({of('text')} FROM '[0-9]+')",
                lambda: f"to_tsvector('simple', {of('text')})::text",
                lambda: self._scalar_query("text", scope, depth),
                lambda: f"{self._choose(scope).alias}::text",
                lambda: f"(row_to_json({self._choose(scope).alias}) ->> '{self._choose(_KEYS)}')",
                lambda: f"jsonb_path_query_first({of('json')}, '{self._choose(_PATHS)}')::text",
                lambda: f"(string_to_array({of('text')}, '-'))[{self._choose((1, 2))}]",
            )
        )()

    def _int(self, scope: Sequence[Source], depth: int) -> str:
        def of(kind: str) -> str:
            return self._expression(kind, scope, depth)

        unlikely = self._chance(0.2)
        return self._choose(
            (
                lambda: f"length({of('text')})",
                lambda: f"octet_length({of('text')})",
                lambda: f"ascii(substr({of('text')}, {self.random.randint(1, 9)}, 1))",
                lambda: f"position('{self._choose(('a', '@', '-', '5'))}' IN {of('text')})",
                lambda: f"({of('int')} % 7)",
                lambda: f"({of('int')} + {of('int')})",
                lambda: (
                    f"extract({self._choose(('doy', 'month', 'day', 'year'))} FROM {of('date')})::int"
                ),
                lambda: f"cardinality({of('texts')})",
                lambda: f"CASE WHEN {of('bool')} THEN {of('int')} ELSE {of('int')} END",
                lambda: f"({of('bool')})::int",
                lambda: f"({of('date')} - {of('date')})",
                lambda: f"width_bucket({of('num')}, 0, 1000, 50)",
                lambda: self._scalar_query("int", scope, depth) + "::int",
                lambda: f"coalesce({of('int')}, {of('int')})",
                lambda: f"pg_column_size({of('text')})",
                lambda: f"(1 / ({of('bool')})::int)" if unlikely else f"abs({of('int')})",
                lambda: f"({of('text')})::int" if unlikely else f"sign({of('int')})::int",
                lambda: (
                    f"get_byte(convert_to({of('text')}, 'UTF8'), 0)"
                    if unlikely
                    else f"bit_length({of('text')})"
                ),
                lambda: (
                    f"jsonb_array_length({of('json')})"
                    if unlikely
                    else f"num_nulls({of('text')}, {of('date')}, {of('json')})"
                ),
            )
        )()

    def _num(self, scope: Sequence[Source], depth: int) -> str:
        def of(kind: str) -> str:
            return self._expression(kind, scope, depth)

        return self._choose(
            (
                lambda: f"round({of('num')}, 1)",
                lambda: f"({of('num')} * {of('int')})",
                lambda: f"({of('num')} - {of('num')})",
                lambda: f"({of('num')} / nullif({of('num')}, 0))",
                lambda: f"extract(epoch FROM {of('date')})",
                lambda: f"coalesce({of('num')}, {of('num')})",
                lambda: f"floor({of('num')} / 10)",
                lambda: (
                    f"({of('text')})::numeric" if self._chance(0.2) else f"({of('int')})::numeric"
                ),
                lambda: self._scalar_query("num", scope, depth),
                lambda: f"CASE WHEN {of('bool')} THEN {of('num')} END",
                lambda: f"least({of('num')}, {of('num')})",
            )
        )()

    def _date(self, scope: Sequence[Source], depth: int) -> str:
        def of(kind: str) -> str:
            return self._expression(kind, scope, depth)

        return self._choose(
            (
                lambda: f"({of('date')} + {self._choose((1, 30, -400))})",
                lambda: (
                    f"({of('text')})::date"
                    if self._chance(0.2)
                    else f"to_date({of('text')}, 'YYYYMMDD')"
                    if self._chance(0.2)
                    else f"({of('date')} - 7)"
                ),
                lambda: f"greatest({of('date')}, {of('date')})",
                lambda: f"coalesce({of('date')}, {of('date')})",
                lambda: (
                    f"date_trunc('{self._choose(('month', 'week', 'year'))}', {of('date')})::date"
                ),
                lambda: f"CASE WHEN {of('bool')} THEN {of('date')} END",
                lambda: self._scalar_query("date", scope, depth),
                lambda: f"make_date((2000 + abs({of('int')} % 99))::int, 1, 1)",
            )
        )()

    def _bool(self, scope: Sequence[Source], depth: int) -> str:
        def of(kind: str) -> str:
            return self._expression(kind, scope, depth)

        if depth > _MAX_DEPTH:
            column = self._column("text", scope)
            return f"{column or self._literal('text')} > {self._literal('text')}"
        compare = self._choose(("=", "<", ">", "<=", "<>"))
        return self._choose(
            (
                lambda: f"({of('text')} {compare} {of('text')})",
                lambda: f"({of('text')} LIKE '{self._choose(_PATTERNS)}')",
                lambda: f"({of('text')} NOT ILIKE '{self._choose(_PATTERNS)}')",
                lambda: f"({of('text')} ~ '{self._choose(_REGEXES)}')",
                lambda: f"({of('text')} SIMILAR TO '%(a|e|5)_')",
                lambda: f"({of('date')} {compare} {of('date')})",
                lambda: f"({of('num')} {compare} {of('num')})",
                lambda: f"({of('int')} {compare} {of('int')})",
                lambda: f"({of('num')} BETWEEN {self._literal('num')} AND {self._literal('num')})",
                lambda: f"({of('text')} BETWEEN 'a' AND 'p')",
                lambda: f"({of('text')} IS NULL)",
                lambda: f"({of('text')} IS DISTINCT FROM {of('text')})",
                lambda: f"({of('text')} IN ({of('text')}, {of('text')}))",
                lambda: f"({of('text')} = ANY ({of('texts')}))",
                lambda: f"({of('texts')} && {of('texts')})",
                lambda: f"({of('texts')} @> ARRAY[{of('text')}])",
                lambda: f"({of('json')} @> {of('json')})",
                lambda: f"({of('json')} ? '{self._choose(_KEYS)}')",
                lambda: f"({of('json')} @? '{self._choose(_PATHS)}')",
                lambda: f"(({of('text')}, {of('int')}) > ({of('text')}, {of('int')}))",
                lambda: f"({of('bool')} AND {of('bool')})",
                lambda: f"({of('bool')} OR {of('bool')})",
                lambda: f"(NOT {of('bool')})",
                lambda: f"starts_with({of('text')}, {self._literal('text')})",
                lambda: self._exists(scope, depth),
                lambda: self._in_query(scope, depth),
            )
        )()

    def _exists(self, scope: Sequence[Source], depth: int) -> str:
        clause, sources = self._from(scope, _MAX_DEPTH)
        condition = self._join(scope, sources[0], [*sources, *scope], depth)
        return f"{self._choose(('', 'NOT '))}EXISTS (SELECT 1{clause} WHERE {condition})"

    def _in_query(self, scope: Sequence[Source], depth: int) -> str:
        value = self._expression("text", scope, depth)
        inner = self._select(["text"], (), _MAX_DEPTH)
        return f"({value} {self._choose(('IN', 'NOT IN', '> ALL', '= ANY'))} ({inner}))"

    def _json(self, scope: Sequence[Source], depth: int) -> str:
        def of(kind: str) -> str:
            return self._expression(kind, scope, depth)

        return self._choose(
            (
                lambda: f"to_jsonb({self._choose(scope).alias})",
                lambda: f"jsonb_build_object('a', {of('text')}, 'b', {of('int')})",
                lambda: f"jsonb_build_array({of('text')}, {of('date')}, {of('num')})",
                lambda: f"({of('json')} -> '{self._choose(_KEYS)}')",
                lambda: f"({of('json')} || jsonb_build_object('c', {of('text')}))",
                lambda: (
                    f"({of('text')})::jsonb" if self._chance(0.2) else f"to_jsonb({of('text')})"
                ),
                lambda: f"jsonb_path_query_array({of('json')}, '{self._choose(_PATHS)}')",
                lambda: f"to_jsonb({of('texts')})",
                lambda: f"jsonb_strip_nulls({of('json')})",
            )
        )()

    def _texts(self, scope: Sequence[Source], depth: int) -> str:
        def of(kind: str) -> str:
            return self._expression(kind, scope, depth)

        return self._choose(
            (
                lambda: f"ARRAY[{of('text')}, {of('text')}]",
                lambda: f"string_to_array({of('text')}, '-')",
                lambda: f"array_append({of('texts')}, {of('text')})",
                lambda: f"regexp_split_to_array({of('text')}, '[@.]')",
                lambda: f"ARRAY({self._select(['text'], (), _MAX_DEPTH)})",
                lambda: f"array_remove({of('texts')}, {of('text')})",
            )
        )()

    def _choose(self, choices: Sequence[T]) -> T:
        return self.random.choice(choices)

    def _chance(self, share: float) -> bool:
        return self.random.random() < share
