"""sqlglot's reading: SQL text in, its AST walked, facts out to hold against the grammar's.

A second parser, written by other people from the manual instead of from Postgres's source. It can
hang, and its compiled build can take the process down, so the server runs it in another one: see
`second_parser`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres

from pg_guard_mcp.guard.agreement import Disagreement, NotParsed, Sighting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot.expressions.core import Expr as Node

# Structure that a read may have. Functions are not listed: they are judged by their spelling.
_NODES = frozenset(
    """
    Add Adjacent Alias All Any AtTimeZone Between BitString BitwiseAnd BitwiseLeftShift BitwiseNot
    BitwiseOr BitwiseRightShift BitwiseXor Boolean Bracket ByteString CTE Column ColumnDef
    Cube DPipe DataType DataTypeParam Distance Distinct Div Dot EQ Escape Except ExtendsLeft
    ExtendsRight Fetch Filter From GT GTE Glob Group GroupingSets Having HexString ILike Identifier
    IgnoreNulls In IntDiv Intersect Interval IntervalSpan Is JSONKeyValue JSONPath JSONPathFilter
    JSONPathKey JSONPathRecursive JSONPathRoot JSONPathScript JSONPathSelector JSONPathSlice
    JSONPathSubscript JSONPathUnion JSONPathWildcard JSONColumnDef JSONSchema Join Kwarg LT LTE
    Lambda Lateral Like Limit LimitOptions Literal Mod Mul NEQ National Neg Not Null NullSafeEQ
    NullSafeNEQ ObjectIdentifier Offset Operator Order Ordered Overlaps Parameter Paren Placeholder
    PropertyEQ PseudoType RawString RecursiveWithSearch RespectNulls Rollup Select Semicolon
    SimilarTo Slice Star Sub Subquery Table TableAlias TableSample Tuple UnicodeString Union Values
    Var Variadic Where Window WindowSpec With WithinGroup XMLNamespace
    """.split()
)

# Nodes that hold no other node.
_LEAVES = frozenset({exp.Identifier, exp.Literal})

_POSTGRES = Postgres()


def read(sql: str) -> Sighting:
    """Parse `sql` as one read and gather what it names.

    Raises:
        NotParsed: sqlglot rejects the text.
        Disagreement: it holds a node that no read has.

    """
    try:
        roots = [root for root in _POSTGRES.parse(sql) if root is not None]
    except Exception as error:  # noqa: BLE001 - hostile text makes it raise far more than its own
        raise NotParsed(type(error).__name__) from None
    queries = [root for root in roots if not isinstance(root, exp.Semicolon)]
    if len(queries) != 1 or not isinstance(queries[0], (exp.Query, exp.Values)):
        raise Disagreement("kind of statement")
    sighting = Sighting()
    stack: list[tuple[Node, frozenset[str]]] = [(queries[0], frozenset())]
    while stack:
        node, scope = stack.pop()
        _note(node, scope, sql, sighting)
        if with_ := node.args.get("with_"):
            scope = _open_scope(with_, scope, stack)
        for name, value in node.args.items():
            if name != "with_":
                stack.extend(
                    (child, scope)
                    for child in (value if isinstance(value, list) else (value,))
                    if isinstance(child, exp.Expr) and type(child) not in _LEAVES
                )
    return sighting


def _open_scope(
    with_: exp.With, scope: frozenset[str], stack: list[tuple[Node, frozenset[str]]]
) -> frozenset[str]:
    """Put the CTEs on the stack, each with the names it sees; return what the query sees."""
    expressions: Sequence[exp.CTE] = with_.expressions
    names = [_fold(expression.args["alias"].this) for expression in expressions]
    visible = scope | set(names) if with_.recursive else scope
    for name, expression in zip(names, expressions, strict=True):
        stack.append((expression, visible))
        visible |= {name}
    return visible


def _note(node: Node, scope: frozenset[str], sql: str, sighting: Sighting) -> None:
    kind = type(node)
    sighting.nodes.add(kind.__name__)
    if isinstance(node, exp.Table):
        _note_relation(node, scope, sighting)
    elif kind.__name__ in _NODES:
        return
    elif not isinstance(node, exp.Func):
        raise Disagreement(f"a {kind.__name__} node")
    elif "start" in node.meta:
        sighting.spelled.add(_fold_text(sql[node.meta["start"] : node.meta["end"] + 1]))


def _note_relation(node: exp.Table, scope: frozenset[str], sighting: Sighting) -> None:
    if not isinstance(node.this, exp.Identifier):
        return  # a function in FROM
    schema = node.args.get("db")
    relation = (_fold(schema) if isinstance(schema, exp.Identifier) else None, _fold(node.this))
    if relation[0] is not None or relation[1] not in scope:
        sighting.relations.add(relation)


def _fold(identifier: exp.Identifier) -> str:
    return fold(identifier.name, quoted=identifier.quoted)


def _fold_text(spelling: str) -> str:
    if spelling.startswith('"'):
        return fold(spelling[1:-1].replace('""', '"'), quoted=True)
    return fold(spelling, quoted=False)


def fold(name: str, *, quoted: bool) -> str:
    """Return the identifier Postgres makes of `name`.

    ASCII letters become small outside quotes, and what is over 63 bytes is cut at a character.
    """
    text = name.encode() if quoted else name.encode().lower()
    return text[:63].decode(errors="ignore")
