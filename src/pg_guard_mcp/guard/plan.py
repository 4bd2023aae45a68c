"""EXPLAIN's JSON in, the plan as a model reads it out, without what the agent may not see.

Relations that the statement did not name (what a view reads) are shown as hidden. Conditions are
shown only where nothing in the plan is masked or hidden: they quote mask expressions and the
definitions of views. What Postgres expects of masked columns is kept from it beforehand, see
`masking.unknown`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, cast

from pg_guard_mcp.errors import TooExpensive
from pg_guard_mcp.guard.render import Rendered, escape, framed
from pg_guard_mcp.model import Relation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pg_guard_mcp.model import GuardedQuery, MaskedResult, ResultSet

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


def check_cost(result: ResultSet, query: GuardedQuery, max_cost: float) -> None:
    """Hold the cost of a plan against the operator's limit.

    Raises:
        TooExpensive: it costs more; the costliest step is named, as `explain` would name it.

    """
    root, steps = _read(result, query)
    cost = cast("float", root["Total Cost"])
    if cost > max_cost:
        raise TooExpensive(
            f"the plan costs about {cost:.0f}, and {max_cost:g} is the limit;"
            f" its costliest step is {_worst(steps)}",
            "Filter on indexed columns or aggregate over fewer rows; explain shows the plan.",
        )


def render_plan(result: MaskedResult, query: GuardedQuery, tag: str) -> Rendered:
    """Write the plan as an indented tree, its totals first and its costliest node named."""
    root, steps = _read(result, query)
    show_conditions = not query.masked and all(step.shown for step in steps)
    lines = [_line(step, show_conditions) for step in steps]
    header = (
        f"Planned, not run: about {root['Plan Rows']} rows at a cost of {root['Total Cost']}."
        f" The costliest step is {_worst(steps)}."
    )
    if query.masked:
        header += " It is planned as if nothing were known of the values in masked columns."
    return framed(header, lines, tag, rows=len(lines))


class _Step(NamedTuple):
    """A node of the plan; `shown` if what it reads is a relation the statement named."""

    node: Node
    depth: int
    shown: bool


def _read(result: ResultSet, query: GuardedQuery) -> tuple[Node, list[_Step]]:
    """Return the root of a plan, and every step of it."""
    document = json.loads(result.rows[0][0] or "[]")
    root = cast("Node", document[0]["Plan"])
    return root, list(_walk(root, 0, shown=True, named=set(query.relations)))


def _worst(steps: Sequence[_Step]) -> str:
    worst = max(steps, key=lambda step: _own_cost(step.node))
    return f"{_title(worst)} ({_own_cost(worst.node):.2f})"


def _walk(node: Node, depth: int, *, shown: bool, named: set[Relation]) -> Iterator[_Step]:
    """Yield every node; one without a relation, such as an index scan's, reads its parent's."""
    if "Relation Name" in node:
        schema, name = cast("str", node.get("Schema", "")), cast("str", node["Relation Name"])
        shown = Relation(schema, name) in named
    yield _Step(node, depth, shown)
    for child in cast("Sequence[Node]", node.get("Plans", ())):
        yield from _walk(child, depth + 1, shown=shown, named=named)


def _own_cost(node: Node) -> float:
    children = cast("Sequence[Node]", node.get("Plans", ()))
    below = sum(cast("float", child["Total Cost"]) for child in children)
    return max(cast("float", node["Total Cost"]) - below, 0.0)


def _title(step: _Step) -> str:
    node = step.node
    title = escape(str(node["Node Type"]))
    if "Relation Name" in node:
        name = f"{node.get('Schema')}.{node['Relation Name']}"
        title += f" on {escape(name) if step.shown else 'a hidden relation'}"
    if "Index Name" in node and step.shown:
        title += f" using {escape(str(node['Index Name']))}"
    return title


def _line(step: _Step, show_conditions: bool) -> str:
    node = step.node
    line = (
        f"{'  ' * step.depth}{_title(step)}"
        f" (cost {node['Startup Cost']}..{node['Total Cost']}, rows {node['Plan Rows']})"
    )
    if show_conditions:
        for key in _CONDITIONS:
            if key in node:
                value = node[key]
                text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
                line += f"; {key}: {escape(text[:_MAX_CONDITION])}"
    return line
