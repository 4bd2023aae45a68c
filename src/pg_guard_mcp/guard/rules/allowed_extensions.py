"""Only operators of extensions that are on, and only where nothing else could be meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.guard import paths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.guard.policy import Policy
    from pg_guard_mcp.model import Finding, Statement


def allowed_extensions(statement: Statement, policy: Policy) -> Iterator[Finding]:
    """Refuse what Postgres would resolve otherwise than its author meant.

    Operators over columns of an extension that is off would be those of another type, and answer;
    and what somebody put into the schema of one that is on could be called in its place.
    """
    yield from paths.find(statement, policy).findings
