"""A view's definition in, what each of its columns derives from out.

Postgres writes a definition with every name resolved and every `*` expanded. It is followed
through WITH, set operations, subqueries and joins of any kind; what cannot be followed is said to
be in doubt, never left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from pg_guard_mcp.guard import grammar
from pg_guard_mcp.guard.lineage.equalities import equated
from pg_guard_mcp.guard.lineage.flows import (
    UNREVIEWED,
    Flow,
    Output,
    Rows,
    computed,
    either,
)
from pg_guard_mcp.guard.lineage.joins import from_clause
from pg_guard_mcp.guard.lineage.ranges import Frame, Range, renamed, strings
from pg_guard_mcp.guard.lineage.shaping import arranged, groups, merged
from pg_guard_mcp.guard.lineage.terms import Scope, condition, follow, makes_rows, sorts, window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pg_guard_mcp.catalog import RelationInfo
    from pg_guard_mcp.guard.lineage.joins import Joined
    from pg_guard_mcp.guard.lineage.known import Known
    from pg_guard_mcp.guard.lineage.ranges import Fields
    from pg_guard_mcp.model import Relation

_CLAUSES = frozenset(
    """
    all distinctClause fromClause groupClause groupDistinct havingClause larg limitCount limitOffset
    limitOption lockingClause op rarg sortClause targetList valuesLists whereClause windowClause
    withClause
    """.split()
)
_MOST_QUERIES = 20_000
"""Of one definition: a recursive query inside another is followed several times over."""
_MOST_ROUNDS = 100
"""Of one recursive query: each round moves a value at least one column on."""
_OF_ITS_OWN = frozenset({"sortClause", "limitCount", "limitOffset", "withClause"})


class Lost(ValueError):
    """The definition has something that cannot be followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a view's definition says: its columns in order, its rows, the relations it reads."""

    flows: tuple[Flow, ...]
    rows: Rows
    read: frozenset[Relation] = frozenset()


def of_view(info: RelationInfo, known: Known) -> View:
    """Return what the columns and rows of a view derive from."""
    read: set[Relation] = set()
    output = _of_text(info.definition or "", known, read)
    if output is None or len(output.flows) != len(info.columns):
        lost = Rows(chosen=UNREVIEWED, made=UNREVIEWED, order=UNREVIEWED)
        return View(flows=(UNREVIEWED,) * len(info.columns), rows=lost)
    return View(flows=output.flows, rows=output.rows, read=frozenset(read))


def of_expression(text: str, info: RelationInfo, known: Known) -> Flow:
    """Return what an expression over one relation's columns derives from."""
    frame = Frame(ranges=(Range(name=info.relation.name, columns=known.columns(info)),))
    output = _of_text(f"SELECT {text}", known, set(), frame)
    return output.flows[0] if output is not None and len(output.flows) == 1 else UNREVIEWED


def _of_text(text: str, known: Known, read: set[Relation], *frames: Frame) -> Output | None:
    try:
        (statement,) = grammar.parse(text)
        ((kind, select),) = cast("Fields", statement["stmt"]).items()
        scope = Scope(known=known, query=_Budget().query, read=read, frames=frames)
        return scope.query(select, scope) if kind == "SelectStmt" else None
    except (grammar.NotSql, grammar.TooDeep, ValueError, LookupError, RecursionError):
        return None  # whatever is not as Postgres writes it


@dataclass(slots=True)
class _Budget:
    """Follows queries, up to a number that no honest definition comes near."""

    left: int = field(default=_MOST_QUERIES)

    def query(self, select: Fields, scope: Scope) -> Output:
        """Follow one.

        Raises:
            Lost: these were too many, or it has a clause that is not on the list.

        """
        self.left -= 1
        if self.left < 0 or not select.keys() <= _CLAUSES:
            raise Lost
        scope = _with_queries(select.get("withClause", {}), scope)
        if select["op"] != "SETOP_NONE":
            return _set_operation(select, scope)
        return _values(select, scope) if "valuesLists" in select else _select(select, scope)


def _select(select: Fields, scope: Scope) -> Output:
    joined = equated(from_clause(select.get("fromClause", ()), scope), select, scope)
    bare = scope.inside(joined.frame)
    keys = groups(select, bare)
    frame = replace(joined.frame, groups=keys, made=joined.rows.made, order=joined.rows.order)
    for item in select.get("windowClause", ()):
        definition = dict(item["WindowDef"])
        name = definition.pop("name")  # its own, where OVER has that of another
        found = window(definition, scope.inside(frame))
        frame = replace(frame, windows={**frame.windows, name: found})
    targets = [target["ResTarget"] for target in select.get("targetList", ())]
    made = [target["val"] for target in targets if "ColumnRef" not in target["val"]]
    # Rows come sorted by what they were grouped by, or by what a window needed, and the next
    # window numbers them so where its own order leaves it open.
    sorted_by = computed([keys, *frame.windows.values(), sorts(made, scope.inside(frame))])
    frame = replace(frame, order=computed([frame.order, sorted_by]))
    inside = scope.inside(frame)
    columns = [pair for target in targets for pair in _columns(target, joined, inside)]
    conditions = [
        condition(select.get("whereClause", []), bare),
        condition(select.get("havingClause", []), inside),
    ]
    sets = [follow(value, inside) for value in made if makes_rows(value)]
    rows = Rows(
        chosen=computed([joined.rows.chosen, keys, *conditions]),
        made=computed([joined.rows.made, *sets]),
        order=joined.rows.order,
    )
    return arranged(select, _output(columns, rows), inside, sorted_by)


def _columns(target: Fields, joined: Joined, scope: Scope) -> Iterator[tuple[str, Flow]]:
    """Yield the columns that an item of the target list gives out: one, unless it is a star."""
    value = target["val"]
    fields = value.get("ColumnRef", {}).get("fields", ())
    names = strings(fields)
    if len(names) == len(fields):
        yield target.get("name") or (names[-1] if names else "?column?"), follow(value, scope)
        return
    ranges = [item for item in joined.ranges if names == (item.name,)]
    columns = None if names else joined.columns()
    columns = ranges[0].pairs() if len(ranges) == 1 else columns
    if columns is None:
        raise Lost
    yield from columns


def _output(columns: Sequence[tuple[str, Flow]], rows: Rows) -> Output:
    names = tuple(name for name, _ in columns)
    return Output(names=names, flows=tuple(flow for _, flow in columns), rows=rows)


def _values(select: Fields, scope: Scope) -> Output:
    lists = [each["List"]["items"] for each in select["valuesLists"]]
    numbers = range(1, len(lists[0]) + 1)
    names = tuple(f"column{number}" for number in numbers)
    flows = (tuple(follow(value, scope) for value in values) for values in lists)
    return arranged(select, _united([Output(names=names, flows=each) for each in flows]), scope)


def _set_operation(select: Fields, scope: Scope) -> Output:
    """Follow all branches of a chain of them, which may be longer than Python recurses."""
    branches: list[Output] = []
    keeps_all = True
    stack = [select]
    while stack:
        node = stack.pop()
        is_whole = node is not select and not _OF_ITS_OWN.isdisjoint(node)
        if is_whole or node["op"] == "SETOP_NONE":
            branches.append(scope.query(node, scope))
        else:
            keeps_all &= node["op"] == "SETOP_UNION" and "all" in node
            stack += [node["rarg"], node["larg"]]
    output = _united(branches)
    return arranged(select, output if keeps_all else merged(output.flows, output), scope)


def _united(branches: Sequence[Output]) -> Output:
    """Return what gives out the rows of one branch or another."""
    first, *others = branches
    flows = zip(*(branch.flows for branch in branches), strict=True)
    return Output(
        names=first.names,
        flows=tuple(either(each) for each in flows),
        rows=first.rows.joined(*(branch.rows for branch in others)),
    )


def _with_queries(clause: Fields, scope: Scope) -> Scope:
    for item in clause.get("ctes", ()):
        expression = item["CommonTableExpr"]
        if "SelectStmt" not in expression["ctequery"]:
            raise Lost
        is_recursive = "recursive" in clause and _names(expression)
        follow_one = _recursive if is_recursive else _named
        found = follow_one(expression, scope)
        scope = _seeing(expression, _with_extra_columns(expression, found), scope)
    return scope


def _seeing(expression: Fields, output: Output, scope: Scope) -> Scope:
    return replace(scope, queries={**scope.queries, expression["ctename"]: output})


def _named(expression: Fields, scope: Scope) -> Output:
    """Follow a query of WITH, and call its columns what WITH does."""
    return _called(expression, scope.query(expression["ctequery"]["SelectStmt"], scope))


def _called(expression: Fields, output: Output) -> Output:
    columns = tuple(zip(output.names, output.flows, strict=True))
    called = renamed(columns, strings(expression.get("aliascolnames")))
    if called is None:
        raise Lost
    return _output(called, output.rows)


def _recursive(expression: Fields, scope: Scope) -> Output:
    """Follow a query that reads itself, until a further round finds nothing new."""
    select = expression["ctequery"]["SelectStmt"]
    inside = _with_queries(select.get("withClause", {}), scope)
    found = _called(expression, scope.query(select["larg"], inside))
    for _ in range(_MOST_ROUNDS):
        before, found = found, _named(expression, _seeing(expression, found, scope))
        if before == found:
            return found
    raise Lost


def _names(expression: Fields) -> bool:
    """Tell whether a query names itself; as one of its own would be found as well, it may not."""
    stack: list[object] = [expression["ctequery"]]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, dict):
            if "schemaname" not in item and item.get("relname") == expression["ctename"]:
                return True
            stack.extend(item.values())
    return False


def _with_extra_columns(expression: Fields, output: Output) -> Output:
    """Add the columns that SEARCH and CYCLE make."""
    search, cycle = (expression.get(key, {}) for key in ("search_clause", "cycle_clause"))
    keys = (
        (search, "search_seq_column"),
        (cycle, "cycle_mark_column"),
        (cycle, "cycle_path_column"),
    )
    names = tuple(clause[key] for clause, key in keys if key in clause)
    every = computed(output.flows)._replace(plain=False)
    return replace(
        output, names=(*output.names, *names), flows=(*output.flows, *(every for _ in names))
    )
