"""No system columns: they tell where and when rows were written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.guard import scopes
from pg_guard_mcp.model import Finding, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.guard.policy import Policy

SYSTEM_COLUMNS = frozenset({"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"})


def no_system_columns(statement: Statement, policy: Policy) -> Iterator[Finding]:
    """Refuse `ctid`, `xmin` and their like, where they can mean a relation's own.

    They show which rows were written together, when, and which partition holds them: also of rows
    whose values are masked. An output column or a view's column of such a name is an ordinary one.
    """
    if not _are_named(statement):
        return
    for reference in scopes.references(statement):
        if reference.name not in SYSTEM_COLUMNS:
            continue
        for schema, name in reference.relations:
            found = policy.resolve(schema, name)
            if found is None or reference.name not in policy.columns(found):
                written = found or (f"{schema}.{name}" if schema else name)
                yield Finding(
                    rule="no-system-columns",
                    message=f"the system column {reference.name} is not available over {written}",
                    hint="Name the relation's own columns; describe_view lists them.",
                )


def _are_named(statement: Statement) -> bool:
    return any(column.parts[-1] in SYSTEM_COLUMNS for column in statement.columns) or any(
        use.notation == "attribute" and use.name in SYSTEM_COLUMNS for use in statement.functions
    )
