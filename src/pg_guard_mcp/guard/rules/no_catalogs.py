"""No system catalogs in `query`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.catalog import is_system
from pg_guard_mcp.guard import hints
from pg_guard_mcp.model import Finding, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.guard.policy import Policy


def no_catalogs(statement: Statement, policy: Policy) -> Iterator[Finding]:
    """Refuse every system catalog that the operator did not open by its exact name.

    `pg_stats` prints the most common values of a masked column, `pg_proc` the source of functions,
    `pg_user_mappings` passwords. What an agent needs of them has tools of its own.
    """
    for use in statement.relations:
        if is_system(use.schema, use.name) and not policy.resolve(use.schema, use.name):
            folded = f"{use.schema}.{use.name}" if use.schema else use.name
            written = hints.as_written(statement.sql, use.name_start, folded)
            yield Finding(
                rule="no-catalogs",
                message=f"{written} is a system catalog, which query does not read",
                hint="Use list_schemas for what is there and describe_view for columns and keys.",
            )
