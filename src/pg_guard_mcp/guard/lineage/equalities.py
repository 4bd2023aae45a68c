"""The conditions of a SELECT in, its FROM with the columns that they make one value out.

Where `day = born` holds for every row, `day` shows what `born` is: the one derives from the other.
Only what is plainly an equality of columns is seen, in WHERE and in the ON of inner joins.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pg_guard_mcp.guard.lineage.flows import CONSTANT, equal
from pg_guard_mcp.guard.lineage.ranges import find, ranges_meant, strings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.guard.lineage.flows import Flow
    from pg_guard_mcp.guard.lineage.joins import Joined
    from pg_guard_mcp.guard.lineage.ranges import Fields
    from pg_guard_mcp.guard.lineage.terms import Scope

_MOST_PASSES = 10
"""Each takes a value one equality further along a chain of them."""


def equated(joined: Joined, select: Fields, scope: Scope) -> Joined:
    """Return what FROM names, each column with what it must be equal to."""
    pairs = list(_equalities(select))
    for _ in pairs[:_MOST_PASSES]:
        before = joined.ranges
        frames = (joined.frame, *scope.frames)
        found: dict[str, dict[str, Flow]] = {}
        for one, other in pairs:
            for place, name in ranges_meant(one, joined.frame):
                known = found.setdefault(place.name, dict(place.equal))
                known[name] = equal(known.get(name, CONSTANT), find(other, frames))
        ranges = tuple(replace(item, equal=found.get(item.name, item.equal)) for item in before)
        if ranges == before:
            break
        joined = replace(joined, ranges=ranges)
    return joined


def _equalities(select: Fields) -> Iterator[tuple[Fields, Fields]]:
    """Yield the column references that are equal in every row, each pair both ways round."""
    for condition in _conditions(select):
        sides = [_column(condition.get(side)) for side in ("lexpr", "rexpr")]
        one, other = sides
        if one and other:
            yield one, other
            yield other, one


def _conditions(select: Fields) -> Iterator[Fields]:
    """Yield the comparisons by `=` that every row passes: of what an outer join keeps as well."""
    stack: list[Fields] = [*select.get("fromClause", ()), select.get("whereClause", {})]
    while stack:
        for kind, fields in stack.pop().items():
            if kind == "JoinExpr" and "alias" not in fields:
                stack += [fields["larg"], fields["rarg"]]
                if fields["jointype"] == "JOIN_INNER":
                    stack.append(fields.get("quals", {}))
            elif kind == "BoolExpr" and fields["boolop"] == "AND_EXPR":
                stack.extend(fields["args"])
            elif kind == "A_Expr" and fields["kind"] == "AEXPR_OP" and _is_equal(fields):
                yield fields


def _is_equal(comparison: Fields) -> bool:
    return strings(comparison["name"])[-1:] == ("=",)


def _column(side: Fields | None) -> Fields | None:
    """Return the column that a side of a comparison is, casts aside."""
    while side and "TypeCast" in side:
        side = side["TypeCast"]["arg"]
    return side.get("ColumnRef") if side else None
