"""EXPLAIN's JSON in, the plan as a model reads it out, without what the agent may not see.

Relations that the statement did not name (what a view reads) are shown as hidden. Conditions are
shown only where nothing in the plan is masked or hidden: they quote mask expressions and the
definitions of views.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from pg_guard_mcp.guard.render import Rendered, escape, framed
from pg_guard_mcp.model import Relation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pg_guard_mcp.model import GuardedQuery, MaskedResult

    Node = Mapping[str, object]

PREFIX = "EXPLAIN (FORMAT JSON, VERBOSE) "
_CONDITIONS = (
    "Index Cond",
    "Hash Cond",
    "Merge Cond",
    "Join Filter",
    "Filter",
    "Recheck Cond",
    "Sort Key",
    "Group Key",
)
_MAX_CONDITION = 200


def as_plan(query: GuardedQuery) -> GuardedQuery:
    """Turn a guarded query into the EXPLAIN of it: never ANALYZE, so it is planned, not run."""
    return replace(query, sql=PREFIX + query.sql, prefix_bytes=len(PREFIX))


def render_plan(result: MaskedResult, query: GuardedQuery, tag: str) -> Rendered:
    """Write the plan as an indented tree, its totals first and its costliest node named."""
    document = json.loads(result.rows[0][0] or "[]")
    root = cast("Node", document[0]["Plan"])
    nodes = list(_walk(root, 0))
    named = set(query.relations)
    hidden = any(not _is_named(node, named) for node, _ in nodes)
    show_conditions = not query.masked and not hidden
    lines = [_line(node, depth, named, show_conditions) for node, depth in nodes]
    worst = max((node for node, _ in nodes), key=_own_cost)
    header = (
        f"Planned, not run: about {root['Plan Rows']} rows at a cost of {root['Total Cost']}."
        f" The costliest step is {_title(worst, named)} ({_own_cost(worst):.2f})."
    )
    return framed(header, lines, tag, rows=len(lines))


def _walk(node: Node, depth: int) -> Iterator[tuple[Node, int]]:
    yield node, depth
    for child in cast("Sequence[Node]", node.get("Plans", ())):
        yield from _walk(child, depth + 1)


def _own_cost(node: Node) -> float:
    children = cast("Sequence[Node]", node.get("Plans", ()))
    below = sum(cast("float", child["Total Cost"]) for child in children)
    return max(cast("float", node["Total Cost"]) - below, 0.0)


def _is_named(node: Node, named: set[Relation]) -> bool:
    if "Relation Name" not in node:
        return True
    schema, name = cast("str", node.get("Schema", "")), cast("str", node["Relation Name"])
    return Relation(schema, name) in named


def _title(node: Node, named: set[Relation]) -> str:
    title = escape(str(node["Node Type"]))
    if "Relation Name" in node:
        name = f"{node.get('Schema')}.{node['Relation Name']}"
        title += f" on {escape(name) if _is_named(node, named) else 'a hidden relation'}"
    if "Index Name" in node and _is_named(node, named):
        title += f" using {escape(str(node['Index Name']))}"
    return title


def _line(node: Node, depth: int, named: set[Relation], show_conditions: bool) -> str:
    line = (
        f"{'  ' * depth}{_title(node, named)}"
        f" (cost {node['Startup Cost']}..{node['Total Cost']}, rows {node['Plan Rows']})"
    )
    if show_conditions:
        for key in _CONDITIONS:
            if key in node:
                value = node[key]
                text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
                line += f"; {key}: {escape(text[:_MAX_CONDITION])}"
    return line
