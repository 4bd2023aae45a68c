"""A FROM clause in, the items it names and the rows it gives out.

A condition of a join decides which rows there are. On the side that an outer join leaves empty
where nothing fits, it decides more: whether a value stands there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING

from pg_guard_mcp.guard import catalogs
from pg_guard_mcp.guard.lineage.flows import (
    ANY_RELATION,
    CHOSEN,
    MADE,
    NO_ROWS,
    ORDER,
    UNFOLLOWED,
    UNREVIEWED,
    Flow,
    Rows,
    chosen,
    column,
    computed,
    either,
)
from pg_guard_mcp.guard.lineage.ranges import Columns, Frame, Range, renamed, strings
from pg_guard_mcp.guard.lineage.terms import condition, follow
from pg_guard_mcp.model import Relation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pg_guard_mcp.guard.lineage.ranges import Fields, Pairs
    from pg_guard_mcp.guard.lineage.terms import Scope

_CALLS = frozenset({"RangeFunction", "RangeTableFunc", "JsonTable"})
_SIDES_LEFT_EMPTY = {
    "JOIN_INNER": "",
    "JOIN_LEFT": "right",
    "JOIN_RIGHT": "left",
    "JOIN_FULL": "left right",
}
_NOT_CONSTANT = Flow(plain=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Items of FROM, put together."""

    ranges: tuple[Range, ...] = ()
    columns: Callable[[], Pairs | None] = tuple
    """Gives what `*` stands for, in order; None where that is not known. Seldom asked for."""
    merged: Mapping[str, Flow] = field(default_factory=dict)
    rows: Rows = NO_ROWS

    @property
    def frame(self) -> Frame:
        """Return what an expression over them sees."""
        return Frame(ranges=self.ranges, merged=self.merged)

    def beside(self, other: Joined) -> Joined:
        """Return both, every row of the one with every row of the other."""
        return Joined(
            ranges=(*self.ranges, *other.ranges),
            columns=lambda: _together((), self, other),
            merged={**self.merged, **other.merged},
            rows=self.rows.joined(other.rows),
        )

    def if_at_all(self, by: Flow) -> Joined:
        """Return the same with every column empty where a condition says so."""
        by = computed([by, self.rows.chosen, self.rows.made])
        return replace(
            self,
            ranges=tuple(replace(item, by=computed([item.by, by])) for item in self.ranges),
            columns=lambda: _chosen(self.columns(), by),
            merged={name: chosen(flow, by) for name, flow in self.merged.items()},
        )


def from_clause(items: Sequence[Fields], scope: Scope) -> Joined:
    """Follow the items of FROM, each of which LATERAL ones after it see."""
    return reduce(lambda before, item: before.beside(_item(item, before, scope)), items, Joined())


def _item(item: Fields, before: Joined, scope: Scope) -> Joined:
    ((kind, fields),) = item.items()
    if kind == "RangeVar":
        return _relation(fields, scope)
    if kind == "RangeSubselect":
        return _subselect(fields, before, scope)
    if kind == "JoinExpr":
        return _join(fields, before, scope)
    if kind == "RangeTableSample":
        sampled = _item(fields["relation"], before, scope)
        rows = Rows(chosen=follow(fields.get("args", []), scope))
        return replace(sampled, rows=sampled.rows.joined(rows))
    if kind in _CALLS:
        return _call(item, fields, before, scope)
    return _single(Range(name=_alias(fields), rest=UNREVIEWED))


def _relation(fields: Fields, scope: Scope) -> Joined:
    name = fields["relname"]
    if "schemaname" not in fields and name in scope.queries:
        query = scope.queries[name]
        columns = Columns(tuple(zip(query.names, query.flows, strict=True)))
        return _single(_range(fields, name, columns), query.rows)
    # Postgres leaves the schema out of the names of its own relations alone.
    relation = Relation(fields.get("schemaname", "pg_catalog"), name)
    scope.read.add(relation)
    info = scope.known.catalog.relations.get(relation)
    if catalogs.is_catalog(relation):
        return _single(_catalog(fields, relation))
    if info is None:
        return _single(Range(name=_alias(fields, name), rest=UNFOLLOWED))
    made = replace(_range(fields, name, scope.known.columns(info)), relation=relation)
    rows = NO_ROWS
    if info.definition is not None:
        rows = Rows(
            chosen=column(relation, CHOSEN),
            made=column(relation, MADE),
            order=column(relation, ORDER),
        )
    return _single(made, rows)


def _catalog(fields: Fields, relation: Relation) -> Range:
    """Return a catalog, which shows nothing of a table's values if it was reviewed for that."""
    hidden = tuple((name, UNREVIEWED) for name in catalogs.columns_left_out(relation))
    is_reviewed = relation in catalogs.OPENABLE and "colnames" not in fields.get("alias", {})
    rest = _NOT_CONSTANT if is_reviewed else UNREVIEWED
    return Range(name=_alias(fields, relation.name), columns=Columns(hidden), rest=rest)


def _subselect(fields: Fields, before: Joined, scope: Scope) -> Joined:
    lateral = "lateral" in fields
    query = scope.query(
        fields["subquery"]["SelectStmt"], scope.inside(before.frame) if lateral else scope
    )
    # What a LATERAL one gives out it gives row by row of what stands before it, as a sublink does.
    by = (query.rows.chosen, query.rows.made) if lateral else ()
    columns = tuple(
        (name, chosen(flow, *by)) for name, flow in zip(query.names, query.flows, strict=True)
    )
    return _single(_range(fields, "", Columns(columns)), query.rows)


def _call(item: Fields, fields: Fields, before: Joined, scope: Scope) -> Joined:
    """Follow a function in FROM, of whose columns the names need not be known."""
    scope.read.add(ANY_RELATION)
    flow = follow(item, scope.inside(before.frame))
    flow = flow._replace(plain=False)
    return _single(Range(name=_alias(fields), rest=flow), Rows(made=flow))


def _join(fields: Fields, before: Joined, scope: Scope) -> Joined:
    left = _item(fields["larg"], before, scope)
    right = _item(fields["rarg"], before.beside(left), scope)
    both = left.beside(right)
    names = strings(fields.get("usingClause"))
    sides = [(left.frame.find(name), right.frame.find(name)) for name in names]
    merged = {
        name: either(flow or UNFOLLOWED for flow in flows)
        for name, flows in zip(names, sides, strict=True)
    }
    on = condition(fields.get("quals", []), scope.inside(both.frame))
    on = computed([on, *merged.values()])
    if "isNatural" in fields or fields.get("jointype") not in _SIDES_LEFT_EMPTY:
        on = UNFOLLOWED
    empty = _SIDES_LEFT_EMPTY.get(fields.get("jointype", ""), "left right").split()
    left = left.if_at_all(on) if "left" in empty else left
    right = right.if_at_all(on) if "right" in empty else right
    rows = left.rows.joined(right.rows, Rows(chosen=on))
    joined = left.beside(right)
    if not empty:
        joined = replace(joined, ranges=tuple(_merging(merged, item) for item in joined.ranges))
    joined = replace(
        joined,
        columns=lambda: _together(tuple(merged.items()), left, right),
        merged={**joined.merged, **merged},
        rows=rows,
    )
    if "join_using_alias" in fields:
        name = fields["join_using_alias"]["aliasname"]
        using = Range(name=name, columns=Columns(tuple(merged.items())))
        joined = replace(joined, ranges=(*joined.ranges, using))
    return _under_one_name(fields, joined) if "alias" in fields else joined


def _merging(merged: Mapping[str, Flow], item: Range) -> Range:
    """Return an item of an inner join, whose own columns of these names are the merged ones."""
    own = {name: flow for name, flow in merged.items() if name in item.columns.by_name}
    return replace(item, equal={**item.equal, **own}) if own else item


def _together(merged: Pairs, left: Joined, right: Joined) -> Pairs | None:
    """Return the columns of a join in the order in which Postgres counts them."""
    sides = (left.columns(), right.columns())
    if None in sides:
        return None
    names = {name for name, _ in merged}
    own = (pair for side in sides for pair in side or () if pair[0] not in names)
    return (*merged, *own)


def _chosen(columns: Pairs | None, by: Flow) -> Pairs | None:
    return columns and tuple((name, chosen(flow, by)) for name, flow in columns)


def _single(item: Range, rows: Rows = NO_ROWS) -> Joined:
    return Joined(ranges=(item,), columns=item.pairs, rows=rows)


def _under_one_name(fields: Fields, joined: Joined) -> Joined:
    """Return a join that goes by a name of its own, and hides those of its items."""
    columns = joined.columns()
    if columns is not None:
        return _single(_range(fields, "", Columns(columns)), joined.rows)
    every = computed([*(item.row() for item in joined.ranges), *joined.merged.values()])
    return _single(Range(name=_alias(fields), rest=every._replace(plain=False)), joined.rows)


def _range(fields: Fields, name: str, columns: Columns) -> Range:
    """Return an item with its columns as its alias calls them."""
    name = _alias(fields, name)
    names = strings(fields.get("alias", {}).get("colnames"))
    called = renamed(columns.pairs, names)
    if called is None:
        every = computed([*columns.by_name.values(), UNFOLLOWED])
        return Range(name=name, rest=every)
    return Range(name=name, columns=columns if called is columns.pairs else Columns(called))


def _alias(fields: Fields, name: str = "") -> str:
    alias: str = fields.get("alias", {}).get("aliasname", name)
    return alias
