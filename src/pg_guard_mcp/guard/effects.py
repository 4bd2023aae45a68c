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

if TYPE_CHECKING:
    from pg_guard_mcp.catalog import Catalog, RelationInfo
    from pg_guard_mcp.model import FunctionUse, Relation


def reason(info: RelationInfo, catalog: Catalog, path: tuple[Relation, ...] = ()) -> str | None:
    """Say what more than reading it could do, or None if it only reads."""
    if info.kind == "foreign table":
        return "it reads through a connection of its own"
    if info.definition is None or info.relation in path:
        return None
    try:
        facts = reading.read(grammar.parse(info.definition))
    except (grammar.NotSql, grammar.TooDeep, reading.NotUnderstood):
        return "its definition was not understood"
    for use in facts.functions:
        if not _only_computes(use, catalog):
            return f"it calls {use.spelling}"
    for relation in facts.relations:
        if is_system(relation.schema, relation.name):
            return f"it reads {relation.schema}.{relation.name}"
    return _through_sources(info, catalog, path)


def _through_sources(
    info: RelationInfo, catalog: Catalog, path: tuple[Relation, ...]
) -> str | None:
    for source in {relation for relation, _ in info.sources}:
        below = catalog.relations.get(source)
        if below is None or below.definition is None:
            continue
        if why := reason(below, catalog, (*path, info.relation)):
            return f"through {source}, {why}"
    return None


def _only_computes(use: FunctionUse, catalog: Catalog) -> bool:
    if use.notation == "attribute":
        return not functions.is_denied_attribute(use.name)
    if use.schema in {None, "pg_catalog"}:
        return use.notation == "grammar" or functions.judge_builtin(use.name, use.arguments).allowed
    return any(
        (function.schema, function.name) == (use.schema, use.name)
        and not function.volatile
        and not function.security_definer
        for function in catalog.functions
    )
