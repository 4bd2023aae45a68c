"""Only relations that the operator opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.catalog import is_system
from pg_guard_mcp.guard import hints
from pg_guard_mcp.model import Finding, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.guard.policy import Policy


_MOST_HELPED = 5
"""For how many wrong names a right one is looked for: it takes longer than all else here."""


def allowed_relations(statement: Statement, policy: Policy) -> Iterator[Finding]:
    """Refuse every relation that is not open.

    A closed relation and one that does not exist get the same words, and suggestions come from
    open relations only: a refusal must not become a directory of what is hidden.
    """
    if policy.shape_only:
        return
    helped = 0
    for use in statement.relations:
        if is_system(use.schema, use.name) or policy.resolve(use.schema, use.name):
            continue
        folded = f"{use.schema}.{use.name}" if use.schema else use.name
        written = hints.as_written(statement.sql, use.name_start, folded)
        helped += 1
        near = policy.nearest(use.schema, use.name) if helped <= _MOST_HELPED else None
        yield Finding(
            rule="allowed-relations",
            message=f"{written} is not readable here",
            hint=hints.for_relation(near),
        )
