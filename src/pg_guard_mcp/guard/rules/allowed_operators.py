"""Only operators and collations of pg_catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.model import Finding, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.guard.policy import Policy


def allowed_operators(statement: Statement, _policy: Policy) -> Iterator[Finding]:
    """Refuse `OPERATOR(schema.op)` and collations outside pg_catalog.

    An operator is a function under another name. Bare operators need no rule: every transaction
    runs with `search_path = pg_catalog`, where users have none.
    """
    for schema, operator in statement.operators:
        if schema != "pg_catalog":
            yield Finding(
                rule="allowed-operators",
                message=f"the operator {schema}.{operator} is not available",
                hint=f"Write {operator} without a schema.",
            )
    for name in statement.collations:
        if len(name) > 1 and name[:-1] != ("pg_catalog",):
            yield Finding(
                rule="allowed-operators",
                message=f"the collation {'.'.join(name)} is not available",
                hint='Use a built-in collation, such as "C".',
            )
