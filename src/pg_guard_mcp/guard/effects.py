"""A relation in, whether reading it can do more than read out.

A view runs the functions in its definition with whoever reads it: one that calls
`pg_advisory_lock` takes a lock for every SELECT. A foreign table reads through a connection of
its own, on which READ ONLY does not hold (measured: postgres_fdw on 15 and 18 lets a remote view
write). Neither is opened by its schema's name; the operator can name it exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.catalog import is_system
from pg_guard_mcp.guard import functions, grammar, reading
from pg_guard_mcp.model import TypeName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pg_guard_mcp.catalog import RelationInfo
    from pg_guard_mcp.guard.extensions import Extensions
    from pg_guard_mcp.guard.user_types import UserTypes
    from pg_guard_mcp.model import Relation
    from pg_guard_mcp.uses import FunctionUse, TypeUse


def reason(info: RelationInfo, kinds: UserTypes, path: tuple[Relation, ...] = ()) -> str | None:
    """Say what more than reading it could do, or None if it only reads."""
    if info.kind == "foreign table":
        return "it reads through a connection of its own"
    if info.relation in path:
        return None
    if info.definition is not None and (why := _of_view(info.definition, kinds)):
        return why
    for below in _read_by(info, kinds):
        if why := reason(below, kinds, (*path, info.relation)):
            return f"through {below.relation}, {why}"
    return None


def of_text(
    text: str, extensions: Extensions, kinds: UserTypes, may_call: Callable[[FunctionUse], bool]
) -> str | None:
    """Say what more than computing a text of Postgres's own writing could do."""
    try:
        facts = reading.read(grammar.parse(text))
    except (grammar.NotSql, grammar.TooDeep, reading.NotUnderstood):
        return "its definition was not understood"
    for use in facts.functions:
        if not (_is_reviewed(use, extensions) or may_call(use)):
            return f"it calls {use.spelling}"
    for schema, operator in facts.operators:
        if schema != "pg_catalog" and not extensions.operator(schema, operator):
            return f"it uses the operator {schema}.{operator}"
    for kind in facts.types:
        if _of_type(kind, kinds):
            return f"it casts to {kind.schema or 'pg_catalog'}.{kind.name}"
    for relation in facts.relations:
        if is_system(relation.schema, relation.name):
            return f"it reads {relation.schema}.{relation.name}"
    return None


def _of_type(use: TypeUse, kinds: UserTypes) -> str | None:
    if use.schema is None or use.schema == "pg_catalog":
        return kinds.cast_to(use.name)
    return kinds.objection(TypeName(use.schema, use.name))


def _of_view(definition: str, kinds: UserTypes) -> str | None:
    def computes(use: FunctionUse) -> bool:
        function = kinds.extensions.functions.get((use.schema or "", use.name))
        return function is not None and not (function.volatile or function.security_definer)

    return of_text(definition, kinds.extensions, kinds, computes)


def _read_by(info: RelationInfo, kinds: UserTypes) -> Iterable[RelationInfo]:
    """Give what a view reads, and the partitions and children that reading a table reads."""
    if info.definition is None:
        return kinds.heirs.get(info.relation, ())
    known = kinds.catalog.relations
    names = sorted({source for source, _ in info.sources})
    return [known[name] for name in names if name in known]


def _is_reviewed(use: FunctionUse, extensions: Extensions) -> bool:
    if use.notation == "attribute":
        return not functions.is_denied_attribute(use.name, extensions.catalog.system_functions)
    if use.schema in {None, "pg_catalog"}:
        return use.notation == "grammar" or functions.judge_builtin(use.name, use.arguments).allowed
    return bool(extensions.function(use.schema, use.name))
