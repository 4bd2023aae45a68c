"""A statement that groups by a primary key in, what to add to its GROUP BY out.

Postgres lets a query that groups by a table's primary key select the table's other columns: the
key says what they are (PostgreSQL manual, GROUP BY Clause). It knows that of a table only, and not
of the subselect that stands for one. So the columns that the query uses beside the key are named in
its GROUP BY as well, behind the key. That changes no group, because the key does say what they are.
A query with grouping sets is left alone, and so is a key that is masked, and that of a table with
inheritance children: they may hold its values again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from pg_guard_mcp.guard import grammar, lexer, nodes
from pg_guard_mcp.guard.lexer import quote
from pg_guard_mcp.guard.lineage.known import AGGREGATES
from pg_guard_mcp.model import Splice
from pg_guard_mcp.uses import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pg_guard_mcp.catalog import RelationInfo
    from pg_guard_mcp.guard.policy import Policy
    from pg_guard_mcp.model import AdmittedStatement

Fields: TypeAlias = "Mapping[str, Any]"

_GROUPED = ("targetList", "havingClause", "sortClause", "windowClause", "distinctClause")
"""The parts of a SELECT that are worked out when its rows have been grouped."""
_WITHOUT_EQUALITY = frozenset(
    f"{array}{name}"
    for name in "json xml point lseg path box polygon line circle".split()
    for array in ("", "_")
)
"""Types that Postgres cannot group by."""
_WHOLE_ROW = ""
_EVERY = ""
"""No column is called so."""


class _Source(NamedTuple):
    """A relation in FROM that a subselect stands for, and the name it goes by."""

    name: str
    info: RelationInfo
    key: frozenset[str]
    merged: frozenset[str] = frozenset()
    """Columns that a join made one with those of another item, which alone they mean."""

    def grouped(self, parts: Sequence[str]) -> str | None:
        """Return which column of it an item of GROUP BY is, if it is one."""
        column = self.column(parts)
        return None if len(parts) == 1 and column in self.merged else column

    def column(self, parts: Sequence[str]) -> str | None:
        """Return which column of it a reference may mean, if it may mean one."""
        known = {column.name for column in self.info.readable}
        meant = len(parts) == 1 or parts[-2] == self.name
        return parts[-1] if meant and parts[-1] in known else None


class _Item(NamedTuple):
    """An item of GROUP BY that is a column, and where the item begins."""

    parts: tuple[str, ...]
    start: int
    sure: bool = True
    """Whether it cannot mean another: the name of an output may be that of a column as well."""


def splices(statement: AdmittedStatement, policy: Policy) -> Iterator[Splice]:
    """Yield what to write behind the keys that `statement` groups by."""
    if "group" not in statement.sql.lower():
        return
    known: dict[int, tuple[RelationInfo, frozenset[str]]] = {}
    for use in statement.relations:
        relation = policy.resolve(use.schema, use.name)
        if relation and policy.stands_in(relation):
            info = policy.open_relations[relation]
            holds = use.only or relation not in policy.parents
            if holds and (key := _key(info, policy)):
                known[use.name_start] = info, key
    if not known:
        return
    ends = _ends(statement.sql.encode())
    for select in _grouping_selects(grammar.parse(statement.sql)):
        items = list(_items(select))
        for source in _sources(select.get("fromClause", ()), known):
            grouped = {
                column: ends[item.start] for item in items if (column := source.grouped(item.parts))
            }
            sure = {source.grouped(item.parts) for item in items if item.sure}
            wanted = _used(select, source) - sure
            if wanted and source.key <= grouped.keys():
                place = max(grouped[column] for column in source.key)
                yield Splice(Span(place, place), _names(source, sorted(wanted)).encode())


def _key(info: RelationInfo, policy: Policy) -> frozenset[str]:
    """Return the columns of a primary key that is open and not masked, or none."""
    plain = {column.name for column in info.readable} - policy.masked(info.relation).keys()
    keys = (frozenset(key.columns) for key in info.keys if key.primary)
    return next((key for key in keys if key <= plain), frozenset())


def _ends(text: bytes) -> Mapping[int, int]:
    """Return where a dotted name, or a number, ends, by where it begins."""
    found = [token for token in lexer.tokens(text) if token.kind is not lexer.Kind.COMMENT]
    ends: dict[int, int] = {}
    for index in range(len(found) - 1, -1, -1):
        token = found[index]
        is_name = found[index + 1 : index + 2] and found[index + 1].text == b"."
        ends[token.start] = ends.get(found[index + 2].start, token.end) if is_name else token.end
    return ends


def _grouping_selects(tree: object) -> Iterator[Fields]:
    """Yield every SELECT that groups, by plain items only."""
    for node in nodes.inside(tree):
        items = node.get("groupClause", ())
        if items and not any("GroupingSet" in item for item in items):
            yield node


def _sources(
    items: Sequence[Fields], known: Mapping[int, tuple[RelationInfo, frozenset[str]]]
) -> Iterator[_Source]:
    """Yield what FROM names; columns that an alias renames are left alone."""
    stack: list[tuple[Fields, frozenset[str]]] = [(item, frozenset()) for item in items]
    while stack:
        item, merged = stack.pop()
        ((kind, fields),) = item.items()
        alias = fields.get("alias", {})
        if kind == "JoinExpr" and not alias:
            left, right = _merged(fields)
            stack += [(fields["larg"], merged | left), (fields["rarg"], merged | right)]
        elif kind == "RangeVar" and "colnames" not in alias:
            found = known.get(fields.get("location", 0))
            if found is not None:
                if _EVERY in merged:
                    merged = frozenset(column.name for column in found[0].readable)
                yield _Source(alias.get("aliasname") or fields["relname"], *found, merged)


def _merged(join: Fields) -> tuple[frozenset[str], frozenset[str]]:
    """Return which names do not mean the columns of a join's left side, and of its right side.

    A column that USING made of two is the left one, of a RIGHT JOIN the right one, of a FULL JOIN
    a third. Where NATURAL does the same, the names are not known, and those of an inner one agree.
    """
    names = frozenset(part["String"]["sval"] for part in join.get("usingClause", ()))
    kind = join["jointype"]
    if "isNatural" in join and kind != "JOIN_INNER":
        names = frozenset({_EVERY})
    nothing: frozenset[str] = frozenset()
    if kind == "JOIN_FULL":
        return names, names
    return (names, nothing) if kind == "JOIN_RIGHT" else (nothing, names)


def _items(select: Fields) -> Iterator[_Item]:
    """Yield the columns a SELECT groups by: named, or by the place or name of an output."""
    targets = [target["ResTarget"] for target in select.get("targetList", ())]
    outputs = {target["name"]: target["val"] for target in targets if "name" in target}
    stack = list(select["groupClause"])
    while stack:
        ((kind, fields),) = stack.pop().items()
        start = fields.get("location", 0)
        if kind == "RowExpr":
            stack += fields["args"]
        if kind == "ColumnRef":
            parts = _parts(fields)
            yield _Item(parts, start)
            if len(parts) == 1 and "ColumnRef" in outputs.get(parts[0], ()):
                yield _Item(_parts(outputs[parts[0]]["ColumnRef"]), start, sure=False)
        if kind == "A_Const":
            place = fields.get("ival", {}).get("ival", 0)
            if 0 < place <= len(targets) and "ColumnRef" in targets[place - 1]["val"]:
                yield _Item(_parts(targets[place - 1]["val"]["ColumnRef"]), start)


def _used(select: Fields, source: _Source) -> set[str]:
    """Return the columns of `source` that a SELECT uses once it has grouped.

    A subquery among them may mean another relation by the same name; one column more does no harm.
    """
    columns = {
        column.name for column in source.info.readable if column.type_name not in _WITHOUT_EQUALITY
    }
    found: set[str] = set()
    for parts in _references([select.get(part, ()) for part in _GROUPED]):
        if parts[-1] == "*":
            found |= columns if parts in {("*",), (source.name, "*")} else set()
        elif parts == (source.name,) and source.column(parts) is None:
            found |= {_WHOLE_ROW} if len(columns) == len(source.info.readable) else set()
        elif source.column(parts) in columns:
            found.add(parts[-1])
    return found


def _references(parts: object) -> Iterator[tuple[str, ...]]:
    """Yield the columns that are named outside of aggregates: those take them row by row.

    In a subquery an aggregate is most often its own, and what it takes is grouped outside.
    """
    stack: list[tuple[object, bool]] = [(parts, False)]
    while stack:
        value, within = stack.pop()
        if isinstance(value, list):
            stack.extend((item, within) for item in value)
        elif isinstance(value, dict):
            for kind, fields in value.items():
                if kind == "ColumnRef":
                    yield _parts(fields)
                elif kind == "A_Indirection" and (field := _field(fields)):
                    yield field
                elif kind != "FuncCall" or within or not _aggregates(fields):
                    stack.append((fields, within or kind == "SubLink"))


def _field(indirection: Fields) -> tuple[str, ...]:
    """Return the column that `(relation).column` is, if it may be one."""
    row = _parts(indirection["arg"].get("ColumnRef", {"fields": ()}))
    first = indirection["indirection"][0]
    if "String" not in first or len(row) != 1 + (row[-1:] == ("*",)):
        return ()
    return row[0], first["String"]["sval"]


def _aggregates(call: Fields) -> bool:
    return "over" not in call and _parts({"fields": call["funcname"]})[-1] in AGGREGATES


def _names(source: _Source, columns: Sequence[str]) -> str:
    """Write columns as a list, each with the name its relation goes by."""
    name = quote(source.name)
    # Of a row: its name alone might be a column of another item.
    return "".join(f", {name}.{quote(column) if column else '*'}" for column in columns)


def _parts(reference: Fields) -> tuple[str, ...]:
    return tuple(
        part["String"].get("sval", "") if "String" in part else "*" for part in reference["fields"]
    )
