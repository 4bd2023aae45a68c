"""Postgres's parse tree in, facts out: everything one statement names and calls.

The walk is exhaustive and fails closed: every node type is on a list (`nodes`), and so is every
field that holds a message of its own. A node of a newer grammar is refused, not skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pg_guard_mcp.guard import kinds
from pg_guard_mcp.guard.facts import ColumnName, Reading, RelationName
from pg_guard_mcp.guard.nodes import LEAVES, MESSAGES, NODES
from pg_guard_mcp.uses import CollationUse, FunctionUse, TypeUse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_NOTHING: frozenset[str] = frozenset()
_BESIDE_SELECT = frozenset({"withClause", "intoClause", "lockingClause"})
_SAMPLING_METHODS = frozenset({("system",), ("bernoulli",)})

Fields: TypeAlias = "Mapping[str, Any]"
"""What a node or message of the tree holds, as JSON has it."""
Scope: TypeAlias = frozenset[str]


class NotUnderstood(ValueError):
    """The tree holds something the walk does not know."""


def read(statements: Sequence[Fields]) -> Reading:
    """Gather the facts of the statements `grammar.parse` returned.

    Raises:
        NotUnderstood: a node or a field is not on the lists above.

    """
    reading = Reading()
    if len(statements) != 1:
        reading.findings.append(kinds.count(len(statements)))
    for statement in statements:
        ((kind, root),) = statement["stmt"].items()
        if kind == "SelectStmt":
            _Walk(reading).visit(root)
        else:
            reading.findings.append(kinds.root(kind))
    return reading


class _Walk:
    """Walks a tree with a stack of its own: chains of operators are deeper than Python recurses."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.stack: list[tuple[str, Fields, Scope]] = []
        self.sampled: set[int] = set()
        self.handlers: dict[str, Callable[[Fields], None] | None] = {
            **dict.fromkeys(NODES),
            "A_Expr": self._expression,
            "A_Indirection": self._indirection,
            "Alias": self._alias,
            "CoalesceExpr": self._coalesce,
            "CollateClause": self._collation,
            "FuncCall": self._call,
            "GroupingFunc": self._grouping,
            "MinMaxExpr": self._min_max,
            "ParamRef": self._parameter,
            "RangeTableFunc": self._table_function,
            "RangeTableSample": self._sample,
            "SortBy": self._named_operator,
            "SubLink": self._named_operator,
            "TypeCast": self._cast,
            "TypeName": self._type,
            "XmlExpr": self._xml,
        }

    def visit(self, root: Fields) -> None:
        """Visit every node below `root`."""
        self.stack.append(("SelectStmt", root, frozenset()))
        while self.stack:
            kind, fields, scope = self.stack.pop()
            if kind == "ColumnRef":
                self._column(fields)
            elif kind in self.handlers:
                if handle := self.handlers[kind]:
                    handle(fields)
                self._push(fields, scope)
            elif kind == "SelectStmt":
                self._select(fields, scope)
            elif kind == "RangeVar":
                self._relation(fields, scope)
            elif kind in kinds.DATA_CHANGES:
                self.reading.findings.append(kinds.data_change(kind))
            else:
                raise NotUnderstood(kind)

    def _push(self, fields: Fields, scope: Scope, skip: frozenset[str] = _NOTHING) -> None:
        """Put what `fields` hold on the stack: nodes, messages, and lists of nodes."""
        for name, value in fields.items():
            if isinstance(value, (dict, list)) and name not in skip:
                for item in value if isinstance(value, list) else (value,):
                    if not isinstance(item, dict):
                        raise NotUnderstood(name)
                    if not item:
                        continue  # an empty slot in a list
                    kind = next(iter(item))
                    if kind in LEAVES:
                        continue
                    if kind[0].isupper():
                        self.stack.append((kind, item[kind], scope))
                    elif name in MESSAGES:
                        self.stack.append((MESSAGES[name], item, scope))
                    else:
                        raise NotUnderstood(name)

    def _select(self, fields: Fields, scope: Scope) -> None:
        """Resolve CTE names exactly as Postgres does, then visit the rest.

        A CTE is visible in its whole SELECT and in later siblings; under RECURSIVE in all of
        them, itself included. Without RECURSIVE its own name inside it means what it meant
        outside: the table.
        """
        if "intoClause" in fields:
            self.reading.findings.append(kinds.INTO)
        if "lockingClause" in fields:
            self.reading.findings.append(kinds.LOCK)
        clause = fields.get("withClause", {})
        expressions = [item["CommonTableExpr"] for item in clause.get("ctes", [])]
        names = [expression["ctename"] for expression in expressions]
        self.reading.names.update(names)
        visible = scope | set(names) if clause.get("recursive") else scope
        for name, expression in zip(names, expressions, strict=True):
            self.stack.append(("CommonTableExpr", expression, visible))
            visible |= {name}
        self._push(fields, visible, _BESIDE_SELECT)

    def _relation(self, fields: Fields, scope: Scope) -> None:
        if "alias" in fields:
            self._alias(fields["alias"])
        schema = fields.get("schemaname")
        name = fields["relname"]
        if "catalogname" in fields:
            self.reading.findings.append(kinds.OTHER_DATABASE)
        if schema is None and name in scope:
            return
        self.reading.relations.append(
            RelationName(
                schema=schema,
                name=name,
                start=_location(fields),
                aliased="alias" in fields,
                only="inh" not in fields,
                sampled=_location(fields) in self.sampled,
                alias=fields.get("alias", {}).get("aliasname", ""),
            )
        )

    def _sample(self, fields: Fields) -> None:
        for relation in fields["relation"].values():
            self.sampled.add(_location(relation))
        method = _strings(fields.get("method"))
        if method not in _SAMPLING_METHODS:
            self._note_function(method, fields, "call")

    def _call(self, fields: Fields) -> None:
        syntax = fields.get("funcformat") == "COERCE_SQL_SYNTAX"
        self._note_function(_strings(fields["funcname"]), fields, "syntax" if syntax else "call")

    def _coalesce(self, fields: Fields) -> None:
        self._note_function(("coalesce",), fields, "grammar")

    def _grouping(self, fields: Fields) -> None:
        self._note_function(("grouping",), fields, "grammar")

    def _table_function(self, fields: Fields) -> None:
        """Note XMLTABLE: libxml's XPath cannot be interrupted by a timeout."""
        self._note_function(("xmltable",), fields, "syntax")

    def _min_max(self, fields: Fields) -> None:
        name = "greatest" if fields.get("op") == "IS_GREATEST" else "least"
        self._note_function((name,), fields, "grammar")

    def _note_function(
        self, name: tuple[str, ...], fields: Fields, notation: Literal["call", "syntax", "grammar"]
    ) -> None:
        self.reading.functions.append(
            FunctionUse(
                schema=".".join(name[:-1]) or None,
                name=name[-1],
                spelling=".".join(name),
                notation=notation,
                start=_location(fields),
                arguments=len(fields.get("args", ())),
            )
        )

    def _indirection(self, fields: Fields) -> None:
        for name in _strings(fields.get("indirection")):
            self._note_attribute(name, -1)

    def _note_attribute(self, name: str, start: int) -> None:
        """Note `x.name`: where x has no such field, Postgres calls the function of that name on x.

        Measured on 18: `SELECT ('0.1'::float8).pg_sleep` sleeps, and so does
        `SELECT g.pg_sleep FROM unnest(ARRAY[0.1::float8]) g`, where g is one value, not a row.
        """
        self.reading.functions.append(
            FunctionUse(
                schema=None,
                name=name,
                spelling=name,
                notation="attribute",
                start=start,
                arguments=1,
            )
        )

    def _column(self, fields: Fields) -> None:
        parts = tuple(map(_part, fields["fields"]))
        start = _location(fields)
        self.reading.columns.append(ColumnName(parts, start))
        if len(parts) > 1 and parts[-1] != "*":
            self._note_attribute(parts[-1], start)

    def _cast(self, fields: Fields) -> None:
        if _strings(fields["typeName"].get("names"))[-1:] == ("xml",):
            self._document(fields["arg"])

    def _xml(self, fields: Fields) -> None:
        if fields["op"] == "IS_XMLPARSE":
            self._document(fields["args"][0])

    def _document(self, argument: Fields) -> None:
        """Refuse a constant document with a DTD, which can name files as its entities.

        libxml in Postgres loads none of them; that is its promise, and this is ours.
        """
        text: str = argument.get("A_Const", {}).get("sval", {}).get("sval", "")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            self.reading.findings.append(kinds.ENTITIES)

    def _type(self, fields: Fields) -> None:
        name = _strings(fields.get("names"))
        if fields.get("pct_type") or fields.get("setof") or not name:
            raise NotUnderstood("TypeName")
        self.reading.types.append(
            TypeUse(schema=".".join(name[:-1]) or None, name=name[-1], start=_location(fields))
        )

    def _expression(self, fields: Fields) -> None:
        self._note_operator(_strings(fields.get("name")))
        if fields.get("kind") == "AEXPR_NULLIF":
            self._note_function(("nullif",), fields, "grammar")

    def _named_operator(self, fields: Fields) -> None:
        self._note_operator(_strings(fields.get("useOp") or fields.get("operName")))

    def _note_operator(self, name: tuple[str, ...]) -> None:
        if len(name) > 1:
            self.reading.operators.append((".".join(name[:-1]), name[-1]))
        self.reading.symbols.update(name[-1:] if len(name) == 1 else ())

    def _collation(self, fields: Fields) -> None:
        *schema, name = _strings(fields.get("collname"))
        use = CollationUse(schema=".".join(schema) or None, name=name, start=_location(fields))
        self.reading.collations.append(use)

    def _parameter(self, fields: Fields) -> None:
        self.reading.parameters.append(fields.get("number", 0))

    def _alias(self, fields: Fields) -> None:
        self.reading.names.add(fields["aliasname"])


def _location(fields: Fields) -> int:
    location: int = fields.get("location", 0)
    return location


def _part(node: Fields) -> str:
    """Return one part of a column reference; a star stands for itself."""
    if "String" in node:
        name: str = node["String"].get("sval", "")
        return name
    if "A_Star" in node:
        return "*"
    raise NotUnderstood("ColumnRef")


def _strings(nodes: Sequence[Fields] | None) -> tuple[str, ...]:
    """Return the names in a list of String nodes; other nodes in it are passed over."""
    return tuple([node["String"].get("sval", "") for node in nodes or () if "String" in node])
