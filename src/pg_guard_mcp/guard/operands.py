"""A statement and some columns in, whether an operator or a function could take one of them out.

Postgres finds operators by name along `search_path`, those behind IN, CASE and USING included.
Sorting, grouping and DISTINCT go by the type alone, and so does a cast; what is only selected
meets neither. Without knowing types it must be a guess, and it errs on the side of yes: a name
that could hold such a column's value counts as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from pg_guard_mcp.catalog import BUILTIN_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Tree = Mapping[str, object]


class Names(NamedTuple):
    """What could hold such a value: columns by name, and relations and rows by name."""

    columns: frozenset[str]
    rows: frozenset[str]


def reached(
    tree: object, columns: frozenset[str], relations: frozenset[str], functions: frozenset[str]
) -> bool:
    """Tell whether an operator, or one of `functions`, could take a value of `columns`.

    `relations` are the names of the relations whose columns they are.
    """
    names = Names(columns, relations)
    while (more := _with_aliases(tree, names)) != names:
        names = more
    return any(_meets(node, names, functions) for node in _nodes(tree))


def _with_aliases(tree: object, names: Names) -> Names:
    """Add the names by which a statement passes such a value on."""
    columns, rows = set(names.columns), set(names.rows)
    for node in _nodes(tree):
        if "alias" in node:
            alias = cast("Tree", node["alias"])
            rest = {key: value for key, value in node.items() if key != "alias"}
            if node.get("relname") in names.rows or _holds(rest, names):
                rows.add(cast("str", alias["aliasname"]))
                columns.update(_strings(alias.get("colnames")))
                if "functions" in node:
                    columns.add(cast("str", alias["aliasname"]))
        if "ResTarget" in node:
            target = cast("Tree", node["ResTarget"])
            if _holds(target.get("val"), names):
                columns.update(_target_names(target))
        if "CommonTableExpr" in node:
            expression = cast("Tree", node["CommonTableExpr"])
            if _holds(expression.get("ctequery"), names):
                rows.add(cast("str", expression["ctename"]))
                columns.update(_strings(expression.get("aliascolnames")))
        if "valuesLists" in node and _holds(node["valuesLists"], names):
            lists = cast("Sequence[Mapping[str, Tree]]", node["valuesLists"])
            width = len(cast("Sequence[object]", lists[0]["List"]["items"]))
            columns.update(f"column{number + 1}" for number in range(width))
    return Names(frozenset(columns), frozenset(rows))


def _target_names(target: Tree) -> Iterator[str]:
    """Name a result column as Postgres would; of what has no name, everything named in it."""
    if "name" in target:
        yield cast("str", target["name"])
        return
    yield from _FIGURED
    for node in _nodes(target.get("val")):
        if "String" in node:
            yield cast("str", cast("Tree", node["String"]).get("sval", ""))


# What Postgres calls a result column that is neither a column nor a call.
_FIGURED = ("?column?", "array", "case", "coalesce", "greatest", "least", "nullif", "row")


def _meets(node: Tree, names: Names, functions: frozenset[str]) -> bool:
    """Tell whether a node finds an operator or a function by name, for such a value."""
    kind = next(iter(node), "")
    fields = cast("Tree", node[kind]) if kind in _OPERANDS else {}
    if kind == "FuncCall" and _strings(fields.get("funcname"))[-1] not in functions:
        return False
    if kind == "JoinExpr":
        return _joins(fields, names)
    if kind in {"CaseExpr", "SubLink", "SortBy"} and _OPERANDS[kind][0] not in fields:
        return False  # CASE WHEN compares nothing, nor does EXISTS, nor a plain ORDER BY
    return kind in _OPERANDS and _holds([_operand(fields, name) for name in _OPERANDS[kind]], names)


# Where a node keeps what an operator or a function takes; of three, what tells that there is one.
_OPERANDS: Mapping[str, tuple[str, ...]] = {
    "A_Expr": ("lexpr", "rexpr"),
    "CaseExpr": ("arg", "args"),
    "FuncCall": ("args", "agg_order"),
    "JoinExpr": ("larg", "rarg"),
    "SortBy": ("useOp", "node"),
    "SubLink": ("testexpr", "subselect"),
}


def _operand(fields: Tree, name: str) -> object:
    """Return an operand; of CASE's branches what is compared, not what comes of it."""
    value = fields.get(name, ())
    if isinstance(value, list):
        return [item["CaseWhen"].get("expr") if "CaseWhen" in item else item for item in value]
    return value


def _joins(join: Tree, names: Names) -> bool:
    """Tell whether USING or NATURAL compares such a value."""
    if "isNatural" in join:
        return any(side.get("relname") in names.rows for side in _nodes(join)) or _holds(
            (join.get("larg"), join.get("rarg")), names
        )
    return not names.columns.isdisjoint(_strings(join.get("usingClause")))


def _holds(tree: object, names: Names) -> bool:
    """Tell whether a tree reads one of `names`, other than below a cast to a built-in type."""
    stack: list[object] = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, (list, tuple)):
            stack.extend(item)
        elif isinstance(item, dict):
            if "ColumnRef" in item and _reads(cast("Tree", item["ColumnRef"]), names):
                return True
            if "TypeCast" in item and _is_builtin(cast("Tree", item["TypeCast"])):
                continue
            stack.extend(item.values())
    return False


def _reads(reference: Tree, names: Names) -> bool:
    fields = cast("Sequence[Mapping[str, Tree]]", reference.get("fields", ()))
    if "A_Star" in fields[-1]:
        return True
    last = cast("str", fields[-1]["String"].get("sval", ""))
    return last in names.columns or (len(fields) == 1 and last in names.rows)


def _is_builtin(node: Tree) -> bool:
    name = _strings(cast("Tree", node["typeName"]).get("names"))
    schema = name[0] if len(name) > 1 else "pg_catalog"
    return schema == "pg_catalog" and name[-1].removeprefix("_") in BUILTIN_TYPES - {"record"}


def _nodes(tree: object) -> Iterator[Tree]:
    """Yield every dict in a parse tree."""
    stack: list[object] = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, (list, tuple)):
            stack.extend(item)
        elif isinstance(item, dict):
            yield item
            stack.extend(item.values())


def _strings(nodes: object) -> tuple[str, ...]:
    """Return the names in a list of String nodes."""
    return tuple(
        cast("str", node["String"].get("sval", ""))
        for node in cast("Sequence[Mapping[str, Tree]]", nodes or ())
        if "String" in node
    )
