"""Only relations that the operator opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.catalog import is_system
from pg_guard_mcp.guard import hints
from pg_guard_mcp.model import Finding, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.guard.policy import Policy


def allowed_relations(statement: Statement, policy: Policy) -> Iterator[Finding]:
    """Refuse every relation that is not open.

    A closed relation and one that does not exist get the same words, and suggestions come from
    open relations only: a refusal must not become a directory of what is hidden.
    """
    if policy.shape_only:
        return
    for use in statement.relations:
        if is_system(use.schema, use.name) or policy.resolve(use.schema, use.name):
            continue
        folded = f"{use.schema}.{use.name}" if use.schema else use.name
        written = hints.as_written(statement.sql, use.name_start, folded)
        yield Finding(
            rule="allowed-relations",
            message=f"{written} is not readable here",
            hint=hints.for_relation(policy.nearest(use.schema, use.name)),
        )
