"""Only relations that the operator opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.catalog import is_system
from pg_guard_mcp.model import Finding, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.guard.policy import Policy

_COLUMNS_SHOWN = 12


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
        written = f"{use.schema}.{use.name}" if use.schema else use.name
        yield Finding(
            rule="allowed-relations",
            message=f"{written} is not readable here",
            hint=_hint(use.schema, use.name, policy),
        )


def _hint(schema: str | None, name: str, policy: Policy) -> str:
    near = policy.nearest(schema, name)
    if near is None:
        return "Call list_schemas to see what is."
    columns = [column.name for column in near.readable]
    more = ", ..." if len(columns) > _COLUMNS_SHOWN else ""
    return (
        f"Did you mean {near.relation}? Its columns are "
        f"{', '.join(columns[:_COLUMNS_SHOWN])}{more}."
    )
