"""Random views over two masked tables, and two worlds of rows that differ in secrets only.

A view is made of the pieces that people use: joins, subqueries, WITH, unions, windows, aggregates,
LATERAL. What docs/security.md leaves open is left out: by a masked column no condition, no inner
join and no group decides which rows there are, unless it does so inside a value.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from random import Random

SCHEMA = """
CREATE SCHEMA s;
CREATE TABLE s.people (id int PRIMARY KEY, boss int, city text, ssn text, salary int);
CREATE TABLE s.accounts (id int PRIMARY KEY, person int, kind text, iban text, balance int);
INSERT INTO s.people VALUES
    (1, NULL, 'Oslo', '111', 10), (2, 1, 'Rome', '222', 20), (3, 1, 'Oslo', '333', 30),
    (4, 2, 'Bonn', '444', 25), (5, 2, 'Rome', NULL, 15), (6, 3, 'Oslo', '222', NULL);
INSERT INTO s.accounts VALUES
    (1, 1, 'debit', 'AA1', 7), (2, 1, 'credit', 'BB2', 9), (3, 2, 'debit', 'CC3', 3),
    (4, 5, 'debit', NULL, 5), (5, 6, 'credit', 'BB2', NULL), (6, 4, 'debit', 'DD4', 1);
"""

OTHER_WORLD = """
UPDATE s.people SET ssn = translate(ssn, '1234', '4211'), salary = 40 - salary;
UPDATE s.accounts SET iban = translate(iban, 'ABCD', 'DDAB'), balance = 10 - balance;
"""

MASKS = {
    "s.people.ssn": "redact",
    "s.people.salary": "redact",
    "s.accounts.iban": "redact",
    "s.accounts.balance": "redact",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its SQL, whether it is a text, and whether it surely tells of no secret."""

    sql: str
    is_text: bool
    is_open: bool = False

    def of(self, alias: str) -> Column:
        """Return it as a column of what goes by `alias`."""
        return replace(self, sql=f"{alias}.{self.sql}")


_TABLES = {
    "s.people": (
        Column("id", False, True),
        Column("boss", False, True),
        Column("city", True, True),
        Column("ssn", True),
        Column("salary", False),
    ),
    "s.accounts": (
        Column("id", False, True),
        Column("person", False, True),
        Column("kind", True, True),
        Column("iban", True),
        Column("balance", False),
    ),
}

Query: TypeAlias = "tuple[str, Sequence[Column]]"
"""SQL, and the columns it gives out under the names c0, c1 and so on."""


@dataclass(slots=True)
class Maker:
    """Makes one view after another; later ones read earlier ones."""

    random: Random
    relations: dict[str, tuple[Column, ...]] = field(default_factory=lambda: dict(_TABLES))
    aliases: int = 0

    def view(self, name: str) -> str:
        """Return the query of a view that goes by `name`."""
        sql, columns = self.query(3)
        self.relations[name] = _numbered(columns)
        return sql

    def query(self, depth: int) -> Query:
        """Return a query that may have others inside, so many levels deep."""
        kind = self.random.random()
        if depth > 1 and kind < 0.15:
            return self._union(depth - 1)
        if depth > 1 and kind < 0.3:
            return self._with(depth - 1)
        if depth > 1 and kind < 0.35:
            return self._recursive()
        return self._select(depth)

    def _alias(self) -> str:
        self.aliases += 1
        return f"t{self.aliases}"

    def _relation(self) -> str:
        """Choose a table half of the time: what stands on much tells of much."""
        return self.random.choice(list(_TABLES if self._likely(0.5) else self.relations))

    def _likely(self, chance: float) -> bool:
        return self.random.random() < chance

    def _union(self, depth: int) -> Query:
        """Every branch gives out a number and a text, of a masked column or not."""
        branches = []
        for _ in range(self.random.randint(2, 3)):
            sql, given = self._select(depth)
            columns = _numbered(given)
            number = next((f"q.{each.sql}" for each in columns if not each.is_text), "0")
            text = next((f"q.{each.sql}" for each in columns if each.is_text), "'-'")
            branches.append(f"SELECT {number} AS c0, {text} AS c1 FROM ({sql}) q")
        return " UNION ALL ".join(branches), (Column("", False), Column("", True))

    def _with(self, depth: int) -> Query:
        name = self._alias()
        sql, columns = self.query(depth)
        self.relations[name] = _numbered(columns)
        body, given = self._select(depth, first=name)
        del self.relations[name]
        how = self.random.choice(("", "MATERIALIZED ", "NOT MATERIALIZED "))
        return f"WITH {name} AS {how}({sql}) {body}", given

    def _recursive(self) -> Query:
        """Go down from boss to boss, with two texts that may trade places on the way."""
        name, one, other = (self._alias() for _ in range(3))
        first = ", ".join(self.random.sample((f"{one}.city", f"{one}.ssn", "'x'::text"), 2))
        then = ", ".join(
            self.random.sample((f"{name}.c1", f"{name}.c2", f"{other}.city", f"{other}.ssn"), 2)
        )
        sql = (
            f"WITH RECURSIVE {name} (c0, c1, c2) AS ("
            f"SELECT {one}.id, {first} FROM s.people {one} WHERE {one}.boss IS NULL"
            f" UNION ALL SELECT {other}.id, {then} FROM s.people {other}"
            f" JOIN {name} ON {name}.c0 = {other}.boss) SELECT c0, c1, c2 FROM {name}"
        )
        return sql, (Column("", False, True), Column("", True), Column("", True))

    def _select(self, depth: int, outer: Sequence[Column] = (), first: str = "") -> Query:
        items, seen = self._from(depth, first)
        visible = (*seen, *outer)
        opened = [each for each in visible if each.is_open]
        tail = f" FROM {items}"
        if opened and self._likely(0.3):
            tail += f" WHERE {self._condition(opened)}"
        if self._likely(0.3):
            keys = [each for each in seen if each.is_open][: self.random.randint(1, 2)]
            columns = [*keys, *(self._aggregate(seen) for _ in range(2))]
            tail += f" GROUP BY {', '.join(each.sql for each in keys)}" if keys else ""
        else:
            columns = [self._value(visible, depth) for _ in range(self.random.randint(2, 4))]
            if self._likely(0.4):
                by = self.random.choice(seen)
                limit = self.random.choice(("", " LIMIT 2", " OFFSET 1", " LIMIT 1"))
                rest = [each for each in seen if each.is_open]
                tail += f" ORDER BY {', '.join(each.sql for each in (by, *rest))}{limit}"
                if limit and not by.is_open:
                    columns = [replace(each, is_open=False) for each in columns]
        listed = ", ".join(f"{each.sql} AS c{number}" for number, each in enumerate(columns))
        return f"SELECT {listed}{tail}", columns

    def _from(self, depth: int, first: str) -> tuple[str, Sequence[Column]]:
        sql, seen = self._item(depth, first)
        if self._likely(0.6):
            return sql, seen
        if depth > 0 and self._likely(0.3):
            alias = self._alias()
            query, given = self._select(depth - 1, outer=seen)
            columns = [each.of(alias) for each in _numbered(given)]
            kind = self.random.choice(("JOIN", "LEFT JOIN"))
            return f"{sql} {kind} LATERAL ({query}) {alias} ON true", (*seen, *columns)
        item, more = self._item(depth, "")
        if self._likely(0.2):
            # At most one row fits each, so a masked column may decide whether it does.
            alias = self._alias()
            inner = ", ".join(f"{each.sql} AS c{number}" for number, each in enumerate(more))
            more = [replace(each.of(alias), is_open=False) for each in _numbered(more)]
            once = f"(SELECT {inner} FROM {item} ORDER BY {inner.split(' AS ')[0]} LIMIT 1) {alias}"
            return f"{sql} LEFT JOIN {once} ON {self._condition(seen)}", (*seen, *more)
        pairs = [
            f"{one.sql} = {other.sql}"
            for one in seen
            for other in more
            if one.is_open and other.is_open and one.is_text == other.is_text
        ]
        if not pairs:
            return f"{sql}, {item}", (*seen, *more)
        kind = self.random.choice(("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"))
        return f"{sql} {kind} {item} ON {self.random.choice(pairs)}", (*seen, *more)

    def _item(self, depth: int, first: str) -> tuple[str, Sequence[Column]]:
        alias = self._alias()
        if not first and depth > 0 and self._likely(0.4):
            sql, columns = self.query(depth - 1)
            return f"({sql}) {alias}", [each.of(alias) for each in _numbered(columns)]
        name = first or self._relation()
        return f"{name} {alias}", [each.of(alias) for each in self.relations[name]]

    def _condition(self, columns: Sequence[Column]) -> str:
        column = self.random.choice(columns)
        operator = self.random.choice((">", "<", "="))
        return f"{column.sql} {operator} " + (
            "'C'" if column.is_text else str(self.random.randint(1, 25))
        )

    def _value(self, seen: Sequence[Column], depth: int) -> Column:
        """Return a column, or what columns compute, choose or count."""
        kind = self.random.random()
        column, other = self.random.choice(seen), self.random.choice(seen)
        both = column.is_open and other.is_open
        if kind < 0.5:
            return column
        if kind < 0.6:
            return Column(f"concat({column.sql}, {other.sql})", True, both)
        if kind < 0.7:
            case = f"CASE WHEN {self._condition([other])} THEN {column.sql} END"
            return Column(case, column.is_text, both)
        if kind < 0.85 or depth == 0:
            return self._window(seen)
        return self._sublink(seen)

    def _window(self, seen: Sequence[Column]) -> Column:
        part, key, value = (self.random.choice(seen) for _ in range(3))
        over = self.random.choice(
            (
                f"PARTITION BY {part.sql} ORDER BY {key.sql}",
                f"PARTITION BY {part.sql}",
                f"ORDER BY {key.sql}",
                "",
            )
        )
        call, is_text = self.random.choice(
            (
                ("rank()", False),
                ("count(*)", False),
                (f"max({value.sql})", value.is_text),
                (f"count({value.sql})", False),
                ("row_number()", False),
            )
        )
        return Column(f"{call} OVER ({over})", is_text)

    def _sublink(self, seen: Sequence[Column]) -> Column:
        name, alias = self._relation(), self._alias()
        own = [each.of(alias) for each in self.relations[name]]
        value, by = self.random.choice(own), self.random.choice(own)
        conditions = f"{self._condition([*own, *seen])} AND {self._condition([*own, *seen])}"
        rows = f"FROM {name} {alias} WHERE {conditions}"
        order = ", ".join(each.sql for each in (by, *own))
        tested = next((each for each in seen if each.is_text == value.is_text), value)
        sql, is_text = self.random.choice(
            (
                (f"(SELECT max({value.sql}) {rows})", value.is_text),
                (f"(SELECT count(*) {rows})", False),
                (f"EXISTS (SELECT {rows})::int", False),
                (f"({tested.sql} IN (SELECT {value.sql} {rows}))::int", False)
                if tested is not value
                else ("0", False),
                (f"cardinality(ARRAY(SELECT {value.sql} {rows}))", False),
                (f"(SELECT {value.sql} {rows} ORDER BY {order} LIMIT 1)", value.is_text),
            )
        )
        return Column(sql, is_text)

    def _aggregate(self, seen: Sequence[Column]) -> Column:
        value, by = self.random.choice(seen), self.random.choice(seen)
        sql, is_text = self.random.choice(
            (
                ("count(*)", False),
                (f"count(DISTINCT {value.sql})", False),
                (f"min({value.sql})", value.is_text),
                (f"count(*) FILTER (WHERE {self._condition([by])})", False),
                (f"string_agg({value.sql}::text, ',' ORDER BY {by.sql}, {value.sql})", True),
            )
        )
        return Column(sql, is_text)


def _numbered(columns: Iterable[Column]) -> tuple[Column, ...]:
    """Return columns under the names by which a query gives them out."""
    return tuple(replace(each, sql=f"c{number}") for number, each in enumerate(columns))
