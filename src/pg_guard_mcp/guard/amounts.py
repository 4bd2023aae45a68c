"""Postgres's parse tree in, the work out that a statement is sure to ask for.

An amount is a lower bound, and constants alone prove it: what depends on rows or on the clock is
bounded by the limits of the transaction instead. Ordinary statements name none of the functions
below, and cost a look at their names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from pg_guard_mcp.guard.constants import fold, name_of, number
from pg_guard_mcp.guard.row_counts import PRODUCING, SERIES, RowCounts, calls, queries_of, series
from pg_guard_mcp.guard.sizes import Sizes, elements
from pg_guard_mcp.uses import Amount

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pg_guard_mcp.guard.facts import Reading
    from pg_guard_mcp.guard.row_counts import Queries

Fields: TypeAlias = "Mapping[str, Any]"
_GATHERING = frozenset({"array_agg", "json_agg", "jsonb_agg", "string_agg", "xmlagg"})
_TEXTS = frozenset(
    {"concat", "concat_ws", "format", "lpad", "regexp_replace", "repeat", "replace", "rpad"}
)
# Each character of the first argument is compared with each of the second, or may be, and nothing
# looks at a timeout meanwhile. Measured on 15: `translate` of a million characters by 50,000 ran
# for over 200 s under a timeout of 2 s, and `position` of 200,000 `a` and a `b` no shorter.
_SETS = frozenset({"btrim", "ltrim", "rtrim", "translate"})
_NEEDLES = frozenset(
    {"position", "replace", "split_part", "string_to_array", "string_to_table", "strpos"}
)
_PATHS = frozenset(
    f"jsonb_path_{what}{zone}"
    for what in ("exists", "match", "query", "query_array", "query_first")
    for zone in ("", "_tz")
)
_PATH_OPERATORS = frozenset({"@?", "@@"})
_NAMES = frozenset({"array_fill", "polygon"}) | _TEXTS | _SETS | _NEEDLES | SERIES | _PATHS
_WORKING = frozenset({"A_Expr", "FuncCall", "TypeCast"})
_LEAVES = frozenset({"A_Const", "ColumnRef", "String", "TypeName", "typeName"})


def amounts(statement: Fields, sql: str, facts: Reading) -> tuple[Amount, ...]:
    """Gather the work of a read that its constants prove."""
    if not (
        any(use.name in _NAMES for use in facts.functions)
        or facts.symbols & _PATH_OPERATORS
        or any(name in _PATH_OPERATORS for _, name in facts.operators)
        or any(use.name == "jsonpath" for use in facts.types)
        or "recursive" in sql.lower()
    ):
        return ()
    return tuple(_Gathering().of(statement["stmt"]["SelectStmt"]))


class _Gathering:
    """Walks a tree with a stack of its own, and knows which queries of WITH are in sight."""

    def __init__(self) -> None:
        self.sizes = Sizes()
        self.row_counts = RowCounts()
        self._limited: bool | None = None

    def of(self, statement: Fields) -> Iterator[Amount]:
        """Yield the amounts of a statement."""
        stack: list[tuple[Fields, Queries]] = [(statement, {})]
        while stack:
            fields, queries = stack.pop()
            if "limitOption" in fields:
                if "withClause" in fields:
                    queries = {**queries, **queries_of(fields)}
                    yield from self._endless(fields, statement)
                yield from self._of_select(fields, queries)
            for name, value in fields.items():
                if isinstance(value, list):
                    stack.extend((item, queries) for item in value)
                elif isinstance(value, dict) and name not in _LEAVES:
                    if name in _WORKING:
                        yield from self._of_node(name, value)
                    stack.append((value, queries))

    def _endless(self, select: Fields, statement: Fields) -> Iterator[Amount]:
        """Yield the recursive queries that feed on themselves, if no LIMIT may end them."""
        found = list(_feeding_on_itself(select))
        if found and self._limited is None:
            self._limited = _has_limit(statement)  # looks at the whole tree, so only once
        if not self._limited:
            yield from (Amount("endless", name, 1) for name in found)

    def _of_node(self, kind: str, fields: Fields) -> Iterator[Amount]:
        if kind == "FuncCall":
            name = name_of(fields, "funcname")
            if name in _NAMES:
                yield from self._of_call(name, fields)
        elif kind == "A_Expr" and name_of(fields, "name") in _PATH_OPERATORS:
            yield from _descents(fields.get("rexpr", {}))
        elif kind == "TypeCast" and name_of(fields["typeName"], "names") == "jsonpath":
            yield from _descents(fields["arg"])

    def _of_call(self, name: str, fields: Fields) -> Iterator[Amount]:
        arguments: Sequence[Fields] = fields.get("args", ())
        node = {"FuncCall": fields}
        if name in _TEXTS:
            yield Amount("characters", name, self.sizes.length(node))
        if name in SERIES:
            yield Amount("rows", name, series(node))
        if name == "array_fill":
            yield Amount("elements", name, elements(node))
            length = self.sizes.length(arguments[0]) if arguments else 0
            if length > 1:  # else the elements say it all
                yield Amount("characters", name, elements(node) * length)
        if name == "polygon" and len(arguments) == 2:  # noqa: PLR2004 - points and circle
            yield Amount("points", name, _whole(arguments[0]))
        if name in _SETS and len(arguments) > 1:
            yield Amount("set", name, self.sizes.length(arguments[1]))
        if name in _NEEDLES and len(arguments) > 1:
            yield Amount("needle", name, self.sizes.length(arguments[1]))
        if name in _PATHS and len(arguments) > 1:
            yield from _descents(_named_or_at(arguments, "path", 1))

    def _of_select(self, fields: Fields, queries: Queries) -> Iterator[Amount]:
        """Yield what a SELECT combines and what it gathers into one value."""
        sources = fields.get("fromClause", ())
        if not sources or "whereClause" in fields:
            return
        combined = self.row_counts.combined(sources, queries)
        if "limitCount" not in fields and (len(sources) > 1 or "JoinExpr" in sources[0]):
            yield Amount("combinations", "FROM", combined)
        if not combined or "groupClause" in fields:
            return
        for call in calls(fields.get("targetList", ())):
            name = name_of(call, "funcname")
            if name in _GATHERING and not call.keys() & {"agg_filter", "agg_distinct", "over"}:
                length = self.sizes.length(call["args"][0]) if call.get("args") else 0
                yield Amount("characters", name, combined * max(length, 1))


def _feeding_on_itself(select: Fields) -> Iterator[str]:
    """Name the recursive queries that go on row by row, with nothing in them to stop them."""
    clause = select["withClause"]
    for item in clause["ctes"] if clause.get("recursive") else ():
        name = item["CommonTableExpr"]["ctename"]
        query = item["CommonTableExpr"]["ctequery"].get("SelectStmt", {})
        if query.get("op") != "SETOP_UNION" or not query.get("all"):
            continue
        start, step = query["larg"], query["rarg"]
        sources = step.get("fromClause", ())
        if (
            start.keys() <= {"targetList", "valuesLists", "limitOption", "op"}
            and step.keys() <= PRODUCING
            and [source.get("RangeVar", {}).get("relname") for source in sources] == [name]
            and not any(True for _ in calls((start.get("targetList"), step.get("targetList"))))
        ):
            yield name


def _has_limit(statement: Fields) -> bool:
    """Tell whether a LIMIT, an EXISTS or its like stands anywhere, and may end what it reads."""
    return any("limitCount" in fields or "subLinkType" in fields for fields in _within(statement))


def _within(fields: Any) -> Iterator[Fields]:
    """Yield every object of a tree."""
    stack = [fields]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield item
            stack.extend(item.values())
        elif isinstance(item, (list, tuple)):
            stack.extend(item)


def _named_or_at(arguments: Sequence[Fields], name: str, index: int) -> Fields:
    """Return the argument that is passed by this name, or else the one in this place."""
    named = (argument.get("NamedArgExpr", {}) for argument in arguments)
    return next((item["arg"] for item in named if item.get("name") == name), arguments[index])


def _descents(path: Fields) -> Iterator[Amount]:
    text = fold(path)
    if isinstance(text, str):
        # White space and comments may stand behind the dot; no other operator has two stars.
        yield Amount("descents", "a path", text.count("**"))


def _whole(node: Fields) -> int:
    value = number(node)
    return int(value) if value is not None else 0
