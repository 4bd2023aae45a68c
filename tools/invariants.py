"""An admitted text in, what must not be in it out: written apart from the guard, to disagree.

The guard walks a list of known nodes and resolves names. This looks for a few words anywhere in
libpg_query's tree, and knows nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.guard import functions, grammar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.guard.policy import Policy

_FORBIDDEN = {"intoClause", "lockingClause", "ParamRef", "CurrentOfExpr", "SetToDefault"}


def broken(sql: str, policy: Policy) -> Iterator[str]:
    """Say what is in an admitted statement and must never be."""
    statements = grammar.parse(sql)
    if len(statements) != 1:
        yield f"{len(statements)} statements"
    ctes = {str(fields.get("ctename")) for kind, fields in _nodes(statements) if kind == _CTE}
    for kind, fields in _nodes(statements):
        if (kind.endswith("Stmt") and kind not in {"RawStmt", "SelectStmt"}) or kind in _FORBIDDEN:
            yield kind
        elif kind == "FuncCall":
            yield from _call(fields, policy)
        elif kind == "RangeVar":
            schema, name = fields.get("schemaname"), str(fields.get("relname"))
            known = isinstance(schema, str) and policy.resolve(schema, name)
            bare = schema is None and (name in ctes or policy.resolve(None, name))
            if (not known and not bare) or "catalogname" in fields:
                yield f"relation {schema}.{name}"


_CTE = "CommonTableExpr"


def _call(fields: dict[str, object], policy: Policy) -> Iterator[str]:
    names = [part["String"].get("sval", "") for part in fields["funcname"]]  # type: ignore[attr-defined]  # a list of String nodes
    schema, name = ".".join(names[:-1]) or None, names[-1]
    if policy.names.function(schema, name):
        return
    arguments = fields.get("args", ())
    count = len(arguments) if isinstance(arguments, list) else 0
    if schema not in {None, "pg_catalog"} or not functions.judge_builtin(name, count).allowed:
        yield f"function {'.'.join(names)}"


def _nodes(tree: object) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield every key of the tree, however deep, with what is under it."""
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, (list, tuple)):
            stack.extend(node)
        elif isinstance(node, dict):
            for key, value in node.items():
                if isinstance(value, dict):
                    yield key, value
                elif key in _FORBIDDEN:
                    yield key, {}
                stack.append(value)
