"""An expression and what it sees in, what its value derives from out.

Everything below an expression flows into it, whatever it computes. Only kinds of nodes that are on
a list are followed; one that is not may read anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pg_guard_mcp.guard.lineage.flows import (
    CONSTANT,
    UNFOLLOWED,
    UNREVIEWED,
    Flow,
    Output,
    chosen,
    computed,
)
from pg_guard_mcp.guard.lineage.known import AGGREGATES, ANY_ORDER, SETS
from pg_guard_mcp.guard.lineage.ranges import Frame, find, strings
from pg_guard_mcp.guard.nodes import LEAVES, MESSAGES, NODES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pg_guard_mcp.guard.lineage.known import Known
    from pg_guard_mcp.guard.lineage.ranges import Fields
    from pg_guard_mcp.model import Relation

_FOLLOWED = NODES - {"CommonTableExpr", "JoinExpr", "RangeSubselect", "RangeTableSample"}
_SET_SUBLINKS = frozenset({"ANY_SUBLINK", "ALL_SUBLINK", "EXPR_SUBLINK"})
_DEFAULT_FRAME = 1058
"""Postgres's frame options for RANGE UNBOUNDED PRECEDING, where none is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where an expression stands: what the SELECTs around it see, the innermost first."""

    known: Known
    query: Callable[[Fields, Scope], Output]
    """Follows a query that stands inside."""
    read: set[Relation]
    """The relations that were met on the way."""
    frames: tuple[Frame, ...] = ()
    queries: Mapping[str, Output] = field(default_factory=dict)
    """What WITH names, by name."""

    def inside(self, frame: Frame) -> Scope:
        """Return the scope of a SELECT that stands in this one."""
        return replace(self, frames=(frame, *self.frames))


def follow(expression: object, scope: Scope) -> Flow:
    """Return what an expression, or a list of them, derives from."""
    if isinstance(expression, dict) and "ColumnRef" in expression:
        return find(expression["ColumnRef"], scope.frames)
    return computed(_flows(expression, scope))


def condition(expression: object, scope: Scope) -> Flow:
    """Return what decides whether rows pass; that a column is NULL is no secret of its mask."""
    found: list[Flow] = []
    stack = [expression]
    while stack:
        item = stack.pop()
        if isinstance(item, dict) and "BoolExpr" in item:
            stack.extend(item["BoolExpr"]["args"])
            continue
        flow = follow(item, scope)
        tested = item.get("NullTest", {}).get("arg", {}) if isinstance(item, dict) else {}
        if "ColumnRef" in tested and (column := follow(tested, scope)).plain:
            flow = column._replace(values=frozenset())
        found.append(flow)
    return computed(found)


def window(definition: Fields, scope: Scope) -> Flow:
    """Return what a window sorts and divides rows by."""
    named = [definition[key] for key in ("name", "refname") if key in definition]
    windows = scope.frames[0].windows if scope.frames else {}
    parts = [definition.get(key) for key in ("partitionClause", "orderClause")]
    offsets = [definition.get(key) for key in ("startOffset", "endOffset")]
    own = (follow(part, scope) for part in (*parts, *offsets) if part)
    return computed([*own, *(windows.get(name, UNFOLLOWED) for name in named)])


def sorts(expression: object, scope: Scope) -> Flow:
    """Return what the windows written inside an expression sort rows by."""
    inline = (fields for kind, fields in _below(expression) if kind == "WindowDef")
    return computed(window(fields, scope) for fields in inline)


def makes_rows(expression: object) -> bool:
    """Tell whether there may be several rows of an expression's values."""
    return any(
        kind == "FuncCall" and strings(fields["funcname"])[-1] in SETS
        for kind, fields in _below(expression)
    )


def _flows(expression: object, scope: Scope) -> Iterator[Flow]:
    for kind, fields in _below(expression):
        if kind in _READERS:
            yield _READERS[kind](fields, scope)
        elif kind not in _FOLLOWED:
            yield UNREVIEWED


def _below(expression: object) -> Iterator[tuple[str, Fields]]:
    """Yield every node of an expression; queries and windows in it are left whole.

    With a stack of its own: chains of operators are deeper than Python recurses.
    """
    stack: list[tuple[str, object]] = [("", expression)]
    while stack:
        name, item = stack.pop()
        if isinstance(item, list):
            stack.extend((name, each) for each in item)
        elif isinstance(item, dict) and item:
            kind = next(iter(item))
            if kind in LEAVES:
                continue
            fields = item[kind] if kind[0].isupper() else item
            kind = kind if kind[0].isupper() else MESSAGES.get(name, name)
            yield kind, fields
            if kind not in {"ColumnRef", "SubLink", "SelectStmt", "WindowDef"}:
                stack.extend(fields.items())


def _column(fields: Fields, scope: Scope) -> Flow:
    return find(fields, scope.frames)


def _call(fields: Fields, scope: Scope) -> Flow:
    by = CONSTANT if scope.known.call(fields) else UNREVIEWED
    return chosen(_of_rows(strings(fields["funcname"]), fields, scope), by)


def _json_aggregate(fields: Fields, scope: Scope) -> Flow:
    return _of_rows(("json_agg",), fields, scope)


def _window(fields: Fields, scope: Scope) -> Flow:
    return chosen(CONSTANT, window(fields, scope))


def _type(fields: Fields, scope: Scope) -> Flow:
    return CONSTANT if scope.known.type(strings(fields.get("names"))) else UNREVIEWED


def _operator(fields: Fields, scope: Scope) -> Flow:
    name = strings(fields.get("name") or fields.get("useOp"))
    return CONSTANT if scope.known.operator(name) else UNREVIEWED


def _query(fields: Fields, scope: Scope) -> Flow:
    return _every_value(scope.query(fields, scope))


def _of_rows(name: tuple[str, ...], fields: Fields, scope: Scope) -> Flow:
    """Return what a call tells of the rows it looks at, beside its arguments.

    A function that is not Postgres's own may be an aggregate of an extension's. One with arguments
    may belong to a SELECT further out.
    """
    is_window = "over" in fields
    if not is_window and len(name) == 1 and name[-1] not in AGGREGATES:
        return CONSTANT
    frames: Sequence[Frame] = scope.frames if fields.get("args") else scope.frames[:1]
    by = [flow for frame in frames for flow in (frame.groups, frame.made)]
    framed = fields.get("over", {}).get("frameOptions", _DEFAULT_FRAME) != _DEFAULT_FRAME
    if name[-1] not in ANY_ORDER or framed:
        by += [frame.order for frame in frames]
    return chosen(CONSTANT, *by)


def _sublink(fields: Fields, scope: Scope) -> Flow:
    output = scope.query(fields["subselect"]["SelectStmt"], scope)
    kind = fields.get("subLinkType")
    rows = (output.rows.chosen, output.rows.made)
    if kind == "EXISTS_SUBLINK":
        return chosen(CONSTANT, *rows)
    if kind == "ARRAY_SUBLINK":
        return _every_value(output)
    if kind not in _SET_SUBLINKS or not scope.known.operator(strings(fields.get("operName"))):
        return UNREVIEWED
    tested = follow(fields.get("testexpr"), scope)
    return chosen(computed([tested, *output.flows]), *rows)


def _every_value(output: Output) -> Flow:
    """Return what all values of a query derive from, put into one."""
    rows = output.rows
    return chosen(computed(output.flows), rows.chosen, rows.made, rows.order)


_READERS: Mapping[str, Callable[[Fields, Scope], Flow]] = {
    "A_Expr": _operator,
    "ColumnRef": _column,
    "FuncCall": _call,
    "JsonAggConstructor": _json_aggregate,
    "SelectStmt": _query,
    "SortBy": _operator,
    "SubLink": _sublink,
    "TypeName": _type,
    "WindowDef": _window,
}
