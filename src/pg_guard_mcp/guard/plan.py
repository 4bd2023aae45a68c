"""EXPLAIN's JSON in, the plan as a model reads it out, without what the agent may not see.

Relations that the statement did not name (what a view reads) are shown as hidden. Conditions are
shown only where nothing in the plan is masked or hidden: they quote mask expressions and the
definitions of views. What Postgres expects of masked columns is kept from it beforehand, see
`masking.unknown`; below a view that cannot be done, so of a plan with such a view only the
estimates of other relations' scans are shown.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, cast

from pg_guard_mcp.errors import DatabaseError, TooExpensive
from pg_guard_mcp.guard.render import Rendered, escape, fitting, framed
from pg_guard_mcp.model import Relation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pg_guard_mcp.model import GuardedQuery, Limits, MaskedResult, ResultSet

    Node = Mapping[str, object]

PREFIX = "EXPLAIN (FORMAT JSON, VERBOSE) "
OUTLINE = "EXPLAIN (FORMAT JSON) "
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
_TOO_LARGE = (
    "the plan is too large to be received",
    "Plan a part of the statement, or filter by what a table is partitioned by.",
    "54000",
)
NOTHING: frozenset[Relation] = frozenset()


def as_plan(query: GuardedQuery) -> GuardedQuery:
    """Turn a guarded query into the EXPLAIN of it: never ANALYZE, so it is planned, not run."""
    return replace(query, sql=PREFIX + query.sql, prefix_bytes=len(PREFIX))


def as_outline(plan: GuardedQuery) -> GuardedQuery:
    """Make an EXPLAIN say less: no columns, which of 1,000 partitions are megabytes, no schemas."""
    return replace(plan, sql=OUTLINE + plan.sql.removeprefix(PREFIX), prefix_bytes=len(OUTLINE))


def is_whole(result: ResultSet) -> bool:
    """Tell whether a plan was received, or was too large for that."""
    text = result.rows[0][0] or ""
    return text.startswith("[") and text[1:9].lstrip().startswith("{")


def costs_too_much(result: ResultSet, max_cost: float) -> bool:
    """Hold the cost of an outline against the operator's limit; one too large is too much."""
    return not is_whole(result) or cast("float", _root(result)["Total Cost"]) > max_cost


def check_cost(
    result: ResultSet, query: GuardedQuery, max_cost: float, behind: frozenset[Relation]
) -> None:
    """Hold the cost of a plan against the operator's limit.

    `behind` are the masked relations that views of the statement read.

    Raises:
        TooExpensive: it costs more; the costliest step is named, as `explain` would name it. Or
            nobody knows, for it was too large to be received.

    """
    try:
        root, steps = _read(result, query, behind)
    except DatabaseError as error:
        raise TooExpensive(error.message, error.hint) from None
    cost = cast("float", root["Total Cost"])
    if cost > max_cost:
        about = "more" if behind else f"about {cost:.0f}"
        worst = _worst(steps)
        raise TooExpensive(
            f"the plan costs {about}, and {max_cost:g} is the limit"
            + (f"; its costliest step is {worst}" if worst else ""),
            "Filter on indexed columns or aggregate over fewer rows; explain shows the plan.",
        )


def render_plan(
    result: MaskedResult,
    query: GuardedQuery,
    limits: Limits,
    tag: str,
    behind: frozenset[Relation] = NOTHING,
) -> Rendered:
    """Write the plan as an indented tree, its totals first and its costliest node named.

    `behind` are the masked relations that views of the statement read.

    Raises:
        DatabaseError: it was too large to be received.

    """
    root, steps = _read(result, query, behind)
    show_conditions = not query.masked and all(step.shown for step in steps)
    lines = [_line(step, show_conditions) for step in steps]
    totals = f": about {root['Plan Rows']} rows at a cost of {root['Total Cost']}"
    header = f"Planned, not run{'' if behind else totals}."
    if worst := _worst(steps):
        header += f" The costliest step is {worst}."
    if behind:
        header += " A view reads masked columns, so what is expected of its rows is not shown."
    if query.masked:
        header += " It is planned as if nothing were known of the values in masked columns."
    if any("Relation Name" in step.node and "Schema" not in step.node for step in steps):
        header += " It is too large to say what it reads."
    shown = fitting(lines, limits.max_result_bytes)
    if len(shown) == len(lines):
        return framed(header, lines, tag, rows=len(lines))
    header += (
        f" Cut at {limits.max_result_bytes} bytes: {len(shown)} of {len(lines)} steps are shown."
        " Plan a part of the statement, or filter by what a table is partitioned by."
    )
    return framed(header, shown, tag, rows=len(shown), truncated="bytes")


class _Step(NamedTuple):
    """A node of the plan; `shown` if what it reads is a relation the statement named.

    `told` if its estimates are: what Postgres expects below a view it may know from masked values.
    """

    node: Node
    depth: int
    shown: bool
    told: bool = True


def _read(
    result: ResultSet, query: GuardedQuery, behind: frozenset[Relation]
) -> tuple[Node, list[_Step]]:
    """Return the root of a plan, and every step of it. Raises: DatabaseError."""
    root = _root(result)
    steps = _walk(root, 0, shown=True, named=set(query.relations))
    return root, [step._replace(told=_is_told(step.node, behind)) for step in steps]


def _root(result: ResultSet) -> Node:
    """Return the root of a plan. Raises: DatabaseError, if it did not arrive whole."""
    if not is_whole(result):
        raise DatabaseError(*_TOO_LARGE)
    return cast("Node", json.loads(result.rows[0][0] or "")[0]["Plan"])


def _is_told(node: Node, behind: frozenset[Relation]) -> bool:
    """Tell whether the estimates of a step say nothing of what views read."""
    if not behind:
        return True
    if "Schema" not in node:  # nor in an outline
        return False
    scanned = Relation(cast("str", node["Schema"]), cast("str", node.get("Relation Name")))
    return "Relation Name" in node and "Plans" not in node and scanned not in behind


def _worst(steps: Sequence[_Step]) -> str:
    told = [step for step in steps if step.told]
    if not told:
        return ""
    worst = max(told, key=lambda step: _own_cost(step.node))
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
    line = f"{'  ' * step.depth}{_title(step)}"
    if step.told:
        line += f" (cost {node['Startup Cost']}..{node['Total Cost']}, rows {node['Plan Rows']})"
    if show_conditions:
        for key in _CONDITIONS:
            if key in node:
                value = node[key]
                text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
                line += f"; {key}: {escape(text[:_MAX_CONDITION])}"
    return line
