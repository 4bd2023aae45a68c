"""What groups, sorts and cuts the rows of a query in, what that tells of masked values out.

A row that LIMIT or DISTINCT ON keeps is kept for what it is sorted by, so all its columns derive
from that. An aggregate derives from what tells its group apart from another, unless that is a key:
then the groups are the rows of a relation, whatever stands in them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pg_guard_mcp.guard.lineage.flows import CONSTANT, UNFOLLOWED, Flow, Rows, chosen, computed
from pg_guard_mcp.guard.lineage.ranges import ranges_meant, strings
from pg_guard_mcp.guard.lineage.terms import follow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pg_guard_mcp.guard.lineage.flows import Output
    from pg_guard_mcp.guard.lineage.ranges import Fields, Range
    from pg_guard_mcp.guard.lineage.terms import Scope


def groups(select: Fields, scope: Scope) -> Flow:
    """Return what GROUP BY tells rows apart by."""
    items = [_by_place(item, select) for item in select.get("groupClause", ())]
    is_simple = not any("GroupingSet" in item for item in items)
    determined = _determined(items, scope) if is_simple else frozenset()
    return computed(
        follow(item, scope)
        for item in items
        if not any(place.name in determined for place, _ in _meant(item, scope))
    )


def arranged(select: Fields, output: Output, scope: Scope, incidental: Flow = CONSTANT) -> Output:
    """Return the output of a query after its DISTINCT, ORDER BY and LIMIT.

    `incidental` is the order in which rows come if nothing sorts them.
    """
    rows, flows = output.rows, output.flows
    keys = computed(_keys(select.get("sortClause", ()), output, scope))
    order = computed([rows.order, keys if "sortClause" in select else incidental])
    distinct = select.get("distinctClause", ())
    by: Flow = CONSTANT
    if any(distinct):
        by = computed([order, *_keys(distinct, output, scope)])
    elif distinct:
        rows = merged(flows, output).rows
    limits = [select[key] for key in ("limitCount", "limitOffset") if key in select]
    limit = follow(limits, scope)
    if any("isnull" not in each.get("A_Const", {}) for each in limits):
        by = computed([by, order])
    return replace(
        output,
        flows=tuple(chosen(flow, by) for flow in flows),
        rows=Rows(
            chosen=computed([rows.chosen, by, limit]),
            made=computed([rows.made, limit]),
            order=computed([rows.order, order, incidental]),
        ),
    )


def merged(flows: Sequence[Flow], output: Output) -> Output:
    """Return an output of which equal rows were made one."""
    rows, every = output.rows, computed(flows)
    rows = rows._replace(chosen=computed([rows.chosen, every]), order=computed([rows.order, every]))
    return replace(output, rows=rows)


def _determined(items: Sequence[Fields], scope: Scope) -> frozenset[str]:
    """Name the items of FROM of which each row is a group, or part of one row's group."""
    grouped: dict[str, set[str]] = {}
    for item in items:
        for place, name in _meant(item, scope):
            grouped.setdefault(place.name, set()).add(name)
    return frozenset(
        place.name
        for place in scope.frames[0].ranges
        if place.relation is not None
        and any(key <= grouped.get(place.name, set()) for key in scope.known.keys(place.relation))
    )


def _meant(item: Fields, scope: Scope) -> Iterator[tuple[Range, str]]:
    if "ColumnRef" in item:
        yield from ranges_meant(item["ColumnRef"], scope.frames[0])


def _keys(items: Sequence[Fields], output: Output, scope: Scope) -> Iterator[Flow]:
    """Yield what each item of ORDER BY or DISTINCT ON sorts by: a bare name means an output first.

    Where it could mean a column of FROM as well, it is taken for both.
    """
    for item in items:
        node = item.get("SortBy", {}).get("node", item)
        number = _number(node)
        if number is not None:
            yield output.flows[number - 1] if number <= len(output.flows) else UNFOLLOWED
            continue
        names = strings(node.get("ColumnRef", {}).get("fields"))
        named = [
            flow for name, flow in zip(output.names, output.flows, strict=True) if names == (name,)
        ]
        yield from named
        if not named or (scope.frames and scope.frames[0].find(names[0]) is not None):
            yield follow(item, scope)


def _by_place(item: Fields, select: Fields) -> Fields:
    """Return the output column that a number in GROUP BY means."""
    number = _number(item)
    if number is None:
        return item
    target: Fields = select["targetList"][number - 1]["ResTarget"]["val"]
    return target


def _number(node: Fields) -> int | None:
    constant = node.get("A_Const", {})
    number: int | None = constant["ival"].get("ival") if "ival" in constant else None
    return number
