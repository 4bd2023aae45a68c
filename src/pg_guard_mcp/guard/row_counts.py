"""FROM clauses and functions that make rows in, the least number of rows out.

As with sizes, an answer is what constants alone prove, and 0 is no statement: a relation may be
empty.
"""

from __future__ import annotations

from decimal import Decimal, Overflow
from typing import TYPE_CHECKING, Any, TypeAlias

from pg_guard_mcp.guard.constants import (
    HUGE,
    MAX_DEPTH,
    Interval,
    Moment,
    fold,
    interval,
    moment,
    name_of,
    number,
)
from pg_guard_mcp.guard.sizes import elements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pg_guard_mcp.guard.constants import Value

Fields: TypeAlias = "Mapping[str, Any]"
Queries: TypeAlias = "Mapping[str, Fields]"
"""The queries of WITH that are visible, by name."""

PRODUCING = frozenset({"targetList", "fromClause", "limitOption", "op"})
"""The fields of a SELECT that only puts rows side by side."""
SERIES = frozenset({"generate_series", "unnest"})


class RowCounts:
    """Counts the rows of one tree's queries, each of them once."""

    def __init__(self) -> None:
        """Know nothing yet. The tree must outlive it: nodes are known by identity."""
        self._counts: dict[int, int] = {}

    def combined(self, sources: Sequence[Fields], queries: Queries, depth: int = 0) -> int:
        """Return the least number of rows that the items of FROM make together."""
        product = 1
        for source in sources:
            product = min(product * self._of_source(source, queries, depth + 1), HUGE)
        return product

    def _of_source(self, node: Fields, queries: Queries, depth: int) -> int:
        ((kind, fields),) = node.items()
        if depth > MAX_DEPTH:
            return 0
        if kind == "JoinExpr":
            return self._of_join(fields, queries, depth + 1)
        if kind == "RangeFunction":
            return max(series(item["List"]["items"][0]) for item in fields["functions"])
        select: Fields = {}
        if kind == "RangeSubselect":
            select = fields["subquery"].get("SelectStmt", {})
        elif kind == "RangeVar" and "schemaname" not in fields:
            # What a query of WITH calls by its own name is another one, or itself.
            name = fields["relname"]
            select = queries.get(name, {})
            queries = {other: query for other, query in queries.items() if other != name}
        return self._of_query(select, queries, depth + 1)

    def _of_join(self, fields: Fields, queries: Queries, depth: int) -> int:
        left = self._of_source(fields["larg"], queries, depth)
        if _is_unconditional(fields):
            return left * self._of_source(fields["rarg"], queries, depth)
        return left if fields["jointype"] in {"JOIN_LEFT", "JOIN_FULL"} else 0

    def _of_query(self, select: Fields, queries: Queries, depth: int) -> int:
        if select and id(select) not in self._counts:
            self._counts[id(select)] = self._of_select(select, queries, depth)
        return self._counts.get(id(select), 0)

    def _of_select(self, select: Fields, queries: Queries, depth: int) -> int:
        if "valuesLists" in select:
            return len(select["valuesLists"])
        if (
            "targetList" not in select
            or not select.keys() <= PRODUCING
            or select.get("op") != "SETOP_NONE"
        ):
            return 0
        times = 1
        for call in calls(select["targetList"]):
            if name_of(call, "funcname") not in SERIES:
                return 0  # it could be an aggregate, which leaves one row
            times = max(times, series({"FuncCall": call}))
        return times * self.combined(select.get("fromClause", ()), queries, depth)


def queries_of(select: Fields) -> Queries:
    """Return the queries of a SELECT's own WITH, by name."""
    queries = [item["CommonTableExpr"] for item in select.get("withClause", {}).get("ctes", ())]
    return {query["ctename"]: query["ctequery"].get("SelectStmt", {}) for query in queries}


def calls(nodes: object) -> Iterator[Fields]:
    """Yield the calls in expressions, those of queries inside them left out."""
    stack = [nodes]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if "FuncCall" in item:
                yield item["FuncCall"]
            stack.extend(value for key, value in item.items() if key != "SubLink")
        elif isinstance(item, (list, tuple)):
            stack.extend(item)


def series(node: Mapping[str, Any]) -> int:
    """Return the least number of rows of a set that a function makes."""
    call = node.get("FuncCall", {})
    name, arguments = name_of(call, "funcname"), call.get("args", ())
    if name == "unnest" and len(arguments) == 1:
        return elements(arguments[0])
    if name != "generate_series" or not 2 <= len(arguments) <= 4:  # noqa: PLR2004 - ends, step, zone
        return 0
    start, stop, step = _times(*map(fold, (*arguments, {})[:3]))
    length = _distance(start, stop)
    if length is None:
        return 0
    if isinstance(step, Interval):
        step = step.seconds
    elif step is None and len(arguments) == 2:  # noqa: PLR2004 - without a step
        step = Decimal(1)
    return _steps(length, step) if isinstance(step, Decimal) else 0


def _steps(length: Decimal, step: Decimal) -> int:
    """Return how many rows steps of that size make."""
    if step == 0 or (length > 0) != (step > 0):
        return int(step != 0 and length == 0)
    try:
        return int(min(length / step, Decimal(HUGE))) + 1
    except Overflow:
        return HUGE


def _times(start: Value, stop: Value, step: Value) -> tuple[Value, Value, Value]:
    """Take texts for what they will be once one of the three is known to be a time."""
    if not any(isinstance(value, (Moment, Interval)) for value in (start, stop, step)):
        return tuple(_as_number(value) for value in (start, stop, step))  # type: ignore[return-value]  # three of them
    start = moment(start) if isinstance(start, str) else start
    stop = moment(stop) if isinstance(stop, str) else stop
    return start, stop, interval(step) if isinstance(step, str) else step


def _as_number(value: Value) -> Value:
    return number({"A_Const": {"sval": {"sval": value}}}) if isinstance(value, str) else value


def _distance(start: Value, stop: Value) -> Decimal | None:
    if isinstance(start, Moment) and isinstance(stop, Moment):
        return stop.seconds - start.seconds if start.from_now == stop.from_now else None
    if isinstance(start, Decimal) and isinstance(stop, Decimal):
        return stop - start
    return None


def _is_unconditional(join: Fields) -> bool:
    condition = join.get("quals", {"A_Const": {"boolval": {"boolval": True}}})
    is_true: bool = condition.get("A_Const", {}).get("boolval") == {"boolval": True}
    return is_true and not join.get("isNatural") and "usingClause" not in join
