"""A relation in, whether reading it can do more than read out.

A view runs the functions in its definition with whoever reads it: one that calls
`pg_advisory_lock` takes a lock for every SELECT. A foreign table reads through a connection of
its own, on which READ ONLY does not hold (measured: postgres_fdw on 15 and 18 lets a remote view
write). Neither is opened by its schema's name; the operator can name it exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.catalog import is_enum, is_system
from pg_guard_mcp.guard import functions, grammar, reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.catalog import Catalog, RelationInfo
    from pg_guard_mcp.model import FunctionUse, Relation


def reason(info: RelationInfo, catalog: Catalog, path: tuple[Relation, ...] = ()) -> str | None:
    """Say what more than reading it could do, or None if it only reads."""
    if info.kind == "foreign table":
        return "it reads through a connection of its own"
    if info.relation in path:
        return None
    if info.definition is not None and (why := _of_definition(info.definition, catalog)):
        return why
    for below in _read_by(info, catalog):
        if why := reason(below, catalog, (*path, info.relation)):
            return f"through {below.relation}, {why}"
    return None


def _of_definition(definition: str, catalog: Catalog) -> str | None:
    try:
        facts = reading.read(grammar.parse(definition))
    except (grammar.NotSql, grammar.TooDeep, reading.NotUnderstood):
        return "its definition was not understood"
    for use in facts.functions:
        if not _only_computes(use, catalog):
            return f"it calls {use.spelling}"
    for schema, operator in facts.operators:
        if schema != "pg_catalog":
            return f"it uses the operator {schema}.{operator}"
    for kind in facts.types:
        if kind.schema not in {None, "pg_catalog"} and not is_enum(kind.schema, kind.name, catalog):
            return f"it casts to {kind.schema}.{kind.name}"
    for relation in facts.relations:
        if is_system(relation.schema, relation.name):
            return f"it reads {relation.schema}.{relation.name}"
    return None


def _read_by(info: RelationInfo, catalog: Catalog) -> Iterator[RelationInfo]:
    """Yield what a view reads, and the partitions and children that reading a table reads."""
    if info.definition is not None:
        names = {source for source, _ in info.sources}
        yield from (catalog.relations[name] for name in sorted(names) if name in catalog.relations)
        return
    for other in catalog.relations.values():
        if other.definition is None and any(name == info.relation for name, _ in other.sources):
            yield other


def _only_computes(use: FunctionUse, catalog: Catalog) -> bool:
    if use.notation == "attribute":
        return not functions.is_denied_attribute(use.name, catalog.system_functions)
    if use.schema in {None, "pg_catalog"}:
        return use.notation == "grammar" or functions.judge_builtin(use.name, use.arguments).allowed
    return any(
        (function.schema, function.name) == (use.schema, use.name)
        and not function.volatile
        and not function.security_definer
        for function in catalog.functions
    )
