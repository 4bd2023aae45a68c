"""A statement and some columns in, whether an operator or a function could take one of them out.

Postgres finds operators by name along `search_path`, those behind IN, CASE and USING included.
Sorting, grouping and DISTINCT go by the type alone, and so does a cast; what is only selected
meets neither. Without knowing types it must be a guess, and it errs on the side of yes: a name
that could hold such a column's value counts as one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from pg_guard_mcp.catalog import BUILTIN_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Fields: TypeAlias = "Mapping[str, Any]"
"""What a node of the tree holds, as JSON has it."""

_MAX_PASSES = 12
"""Names that pass a value on to more names than this are taken to reach anything."""


_PASSING = frozenset({"alias", "ResTarget", "CommonTableExpr", "functions", "valuesLists"})


class Names(NamedTuple):
    """What could hold such a value: columns by name, and relations and rows by name."""

    columns: frozenset[str]
    rows: frozenset[str]
    calls: frozenset[str] = frozenset()
    """Functions that give such a value."""
    anything: bool = False
    """Such a function stands in FROM, and what its columns are called is not known."""


@dataclass(slots=True)
class Operands:
    """A parse tree, laid out so that asking about it costs no walk from every node."""

    tree: object
    _passing: list[Fields] = field(default_factory=list)
    _meeting: list[Fields] = field(default_factory=list)
    _references: list[Fields] = field(default_factory=list)
    _above: dict[int, object] = field(default_factory=dict)
    """What holds each node and list, by its identity."""

    def __post_init__(self) -> None:
        """Note the nodes that matter, what is above each, and the columns they name."""
        stack: list[object] = [self.tree]
        while stack:
            item = stack.pop()
            below: Any = ()
            if isinstance(item, dict):
                if not _PASSING.isdisjoint(item):
                    self._passing.append(item)
                if not _OPERANDS.keys().isdisjoint(item):
                    self._meeting.append(item)
                if "ColumnRef" in item or "FuncCall" in item:
                    self._references.append(item)
                below = item.values()
            elif isinstance(item, list):
                below = item
            for each in below:
                if isinstance(each, (dict, list)):
                    self._above[id(each)] = item
                    stack.append(each)

    def reach(self, names: Names, functions: frozenset[str]) -> bool:
        """Tell whether an operator, or one of `functions`, could take a value of `names`."""
        for _ in range(_MAX_PASSES if self._meeting else 0):
            holding = self._holding(names)
            more = self._passed_on(names, holding)
            if more == names:
                return any(_meets(node, names, holding, functions) for node in self._meeting)
            names = more
        return bool(self._meeting)

    def _holding(self, names: Names) -> set[int]:
        """Find all that reads one of `names`, other than below a cast to a built-in type."""
        found: set[int] = set()
        for reference in self._references:
            if not _reads(reference, names):
                continue
            item: object = reference
            while id(item) not in found and not _is_cast_to_builtin(item):
                found.add(id(item))
                item = self._above.get(id(item), item)
        return found

    def _passed_on(self, names: Names, holding: set[int]) -> Names:
        """Add the names by which a statement passes such a value on."""
        columns, rows, anything = set(names.columns), set(names.rows), names.anything
        for node in self._passing:
            alias = node.get("alias")
            joined = _joined(node) if alias and "larg" in node else (node.get("relname"),)
            if alias and (id(node) in holding or not names.rows.isdisjoint(joined)):
                rows.add(alias["aliasname"])
                columns.update(_strings(alias.get("colnames")))
                columns.update([alias["aliasname"]] if "functions" in node else ())
            if "functions" in node and id(node) in holding:
                found = set(_named_in(node["functions"]))
                columns |= found  # of one without an alias, its row and column are called as it is
                rows |= found
                anything = anything or not names.calls.isdisjoint(found)
            if "ResTarget" in node and id(node) in holding:
                columns.update(_target_names(node["ResTarget"]))
            if "CommonTableExpr" in node and id(node) in holding:
                rows.add(node["CommonTableExpr"]["ctename"])
                columns.update(_strings(node["CommonTableExpr"].get("aliascolnames")))
            if "valuesLists" in node and id(node["valuesLists"]) in holding:
                width = len(node["valuesLists"][0]["List"]["items"])
                columns.update(f"column{number + 1}" for number in range(width))
        return Names(frozenset(columns), frozenset(rows), names.calls, anything)


# What Postgres calls a result column that is neither a column nor a call.
_FIGURED = ("?column?", "array", "case", "coalesce", "greatest", "least", "nullif", "row")


def _target_names(target: Fields) -> Iterator[str]:
    """Name a result column as Postgres would; of what has no name, everything named in it."""
    if "name" in target:
        yield target["name"]
        return
    if called := _strings(target.get("val", {}).get("FuncCall", {}).get("funcname")):
        yield called[-1]
        return
    yield from _FIGURED
    yield from _named_in(target.get("val"))


def _named_in(tree: object) -> Iterator[str]:
    stack: list[object] = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield item.get("String", {}).get("sval", "")
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _meets(node: Fields, names: Names, holding: set[int], functions: frozenset[str]) -> bool:
    """Tell whether a node finds an operator or a function by name, for such a value."""
    ((kind, fields),) = node.items()
    places = _OPERANDS[kind]
    if kind == "FuncCall" and _strings(fields.get("funcname"))[-1] not in functions:
        return False
    if kind == "JoinExpr":
        return _joins(fields, names, holding)
    if kind in {"CaseExpr", "SubLink", "SortBy"} and places[0] not in fields:
        return False  # CASE WHEN compares nothing, nor does EXISTS, nor a plain ORDER BY
    taken = [fields.get(place) for place in places]
    if kind == "CaseExpr":
        taken += [when["CaseWhen"].get("expr") for when in fields["args"]]
    return any(id(each) in holding for each in taken)


def _joins(join: Fields, names: Names, holding: set[int]) -> bool:
    """Tell whether USING or NATURAL compares such a value."""
    if "isNatural" not in join:
        return not names.columns.isdisjoint(_strings(join.get("usingClause")))
    return (
        id(join["larg"]) in holding
        or id(join["rarg"]) in holding
        or any(name in names.rows for name in _joined(join))
    )


# Where a node keeps what an operator or a function takes; first what tells that there is one.
_OPERANDS: Mapping[str, tuple[str, ...]] = {
    "A_Expr": ("lexpr", "rexpr"),
    "CaseExpr": ("arg",),
    "FuncCall": ("args", "agg_order"),
    "JoinExpr": (),
    "SortBy": ("useOp", "node"),
    "SubLink": ("testexpr", "subselect"),
}


def _joined(join: Fields) -> Iterator[str]:
    """Name the relations on both sides of a join."""
    waiting = [join["larg"], join["rarg"]]
    while waiting:
        ((kind, fields),) = waiting.pop().items()
        if kind == "JoinExpr":
            waiting += [fields["larg"], fields["rarg"]]
        yield fields.get("relname", "")
        yield fields.get("alias", {}).get("aliasname", "")


def _reads(reference: Fields, names: Names) -> bool:
    if "FuncCall" in reference:
        return _strings(reference["FuncCall"].get("funcname"))[-1] in names.calls
    *before, last = reference["ColumnRef"]["fields"]
    if "A_Star" in last or names.anything:
        return True
    name = last["String"].get("sval", "")
    return name in names.columns or (not before and name in names.rows)


def _is_cast_to_builtin(node: object) -> bool:
    if not isinstance(node, dict) or "TypeCast" not in node:
        return False
    name = _strings(node["TypeCast"]["typeName"].get("names"))
    schema = name[0] if len(name) > 1 else "pg_catalog"
    return schema == "pg_catalog" and name[-1].removeprefix("_") in BUILTIN_TYPES - {"record"}


def _strings(nodes: Sequence[Fields] | None) -> tuple[str, ...]:
    """Return the names in a list of String nodes."""
    return tuple(node["String"].get("sval", "") for node in nodes or () if "String" in node)
