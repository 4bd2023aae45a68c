"""Only columns that the relation has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.guard import functions, hints, scopes
from pg_guard_mcp.guard.rules.no_system_columns import SYSTEM_COLUMNS
from pg_guard_mcp.model import Finding, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.guard.policy import Policy


def allowed_columns(statement: Statement, policy: Policy) -> Iterator[Finding]:
    """Refuse `relation.name` where the relation has no open column of that name.

    Postgres takes such a name for a call: `u.dossier` is `dossier(u)`, a function of a user's that
    may read anything. A column that is not open, a function and nothing at all get the same words.
    Only a name that no scope could explain otherwise is refused; the rest is for Postgres to say.
    """
    if policy.shape_only or not _looks_wrong(statement, policy):
        return
    names = {use.range_name for use in statement.relations}
    for reference in scopes.references(statement):
        if reference.qualifier not in names or len(reference.relations) != 1:
            continue
        relation = policy.resolve(*reference.relations[0])
        if relation is None or _may_be(reference.name, policy):
            continue
        if reference.name in policy.columns(relation):
            continue
        if reference.whole_row and _is_a_column(reference.qualifier, statement, policy):
            continue
        yield Finding(
            rule="allowed-columns",
            message=f"{reference.qualifier}.{reference.name} is no column of {relation}",
            hint=hints.for_column(reference.name, [policy.open_relations[relation]]),
        )


def _looks_wrong(statement: Statement, policy: Policy) -> bool:
    """Tell, in little time, whether a name needs following: most statements have none."""
    ranges = {use.range_name: policy.resolve(use.schema, use.name) for use in statement.relations}
    for column in statement.columns:
        if len(column.parts) > 1 and column.parts[-1] != "*":
            relation = ranges.get(column.parts[-2])
            if relation is not None and column.parts[-1] not in policy.columns(relation):
                return True
    return any(
        use.notation == "attribute" and use.start < 0 and not _may_be(use.name, policy)
        for use in statement.functions
    )


def _may_be(name: str, policy: Policy) -> bool:
    """Tell whether `relation.name` may be more than a column: the rules about those judge it."""
    return (
        name in SYSTEM_COLUMNS
        or functions.is_builtin(name)
        or name in policy.catalog.system_functions
    )


def _is_a_column(name: str | None, statement: Statement, policy: Policy) -> bool:
    """Tell whether `(name).field` may read a field of a column instead of a whole row."""
    found = (policy.resolve(use.schema, use.name) for use in statement.relations)
    return any(name in policy.columns(relation) for relation in found if relation is not None)
