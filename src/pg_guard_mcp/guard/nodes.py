"""What a read's parse tree may hold: everything else is refused, not skipped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NODES = frozenset(
    """
    A_ArrayExpr A_Expr A_Indices A_Indirection Alias BitString BoolExpr Boolean BooleanTest
    CTECycleClause CTESearchClause CaseExpr CaseWhen CoalesceExpr CollateClause ColumnDef
    CommonTableExpr Float FuncCall GroupingFunc GroupingSet Integer JoinExpr JsonAggConstructor
    JsonArgument JsonArrayAgg JsonArrayConstructor JsonArrayQueryConstructor JsonBehavior JsonFormat
    JsonFuncExpr JsonIsPredicate JsonKeyValue JsonObjectAgg JsonObjectConstructor JsonOutput
    JsonParseExpr JsonReturning JsonScalarExpr JsonSerializeExpr JsonTable JsonTableColumn
    JsonTablePathSpec JsonValueExpr List MinMaxExpr NamedArgExpr NullTest ParamRef RangeFunction
    RangeSubselect RangeTableFunc RangeTableFuncCol RangeTableSample ResTarget RowExpr
    SQLValueFunction SortBy SubLink TypeCast TypeName WindowDef XmlExpr XmlSerialize
    """.split()
)

# Fields that hold a message directly, without a node's capitalised key around it.
MESSAGES = {
    "alias": "Alias",
    "arg": "JsonValueExpr",
    "collClause": "CollateClause",
    "constructor": "JsonAggConstructor",
    "context_item": "JsonValueExpr",
    "cycle_clause": "CTECycleClause",
    "expr": "JsonValueExpr",
    "format": "JsonFormat",
    "join_using_alias": "Alias",
    "larg": "SelectStmt",
    "on_empty": "JsonBehavior",
    "on_error": "JsonBehavior",
    "output": "JsonOutput",
    "over": "WindowDef",
    "pathspec": "JsonTablePathSpec",
    "rarg": "SelectStmt",
    "returning": "JsonReturning",
    "search_clause": "CTESearchClause",
    "typeName": "TypeName",
    "val": "JsonValueExpr",
    "value": "JsonValueExpr",
}

# Nodes that hold no other node.
LEAVES = frozenset({"A_Const", "A_Star", "String"})


def inside(tree: object) -> Iterator[Mapping[str, Any]]:
    """Yield all nodes and messages of a tree, in no order; it is deeper than Python recurses."""
    stack = [tree]
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, dict):
            yield value
            stack.extend(value.values())
