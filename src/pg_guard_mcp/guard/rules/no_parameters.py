"""No bind parameters in a statement: there is nobody to fill them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.model import Finding, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.guard.policy import Policy


def no_parameters(statement: Statement, _policy: Policy) -> Iterator[Finding]:
    """Refuse `$1` and its like: the guard's own masks use parameters, and nobody else may."""
    for number in sorted(set(statement.parameters)):
        yield Finding(
            rule="no-parameters",
            message=f"${number} has no value",
            hint="Write the value itself into the statement.",
        )
