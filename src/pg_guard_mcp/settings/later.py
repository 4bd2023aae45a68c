"""Settings of the public contract that this version cannot enforce yet.

A promise in a file that nobody keeps is worse than an error, so a value other than the default
stops the start. When a version learns to enforce one, its line here goes.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from pg_guard_mcp.settings.tables import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.settings.values import CredentialKind

NOT_ENFORCED = (
    "approval.relations",
    "approval.columns",
    "approval.cost_above",
    "audit.record_results",
    "audit.retention_days",
    "http.auth",
)

NOT_SUPPORTED_CREDENTIALS: frozenset[CredentialKind] = frozenset(
    {"command", "aws-iam", "gcp-iam", "azure-entra"}
)


def not_enforced(settings: Settings) -> Iterator[str]:
    """Yield each setting that asks for something this version does not do."""
    defaults = Settings()
    for name in NOT_ENFORCED:
        value = attrgetter(name)
        if value(settings) != value(defaults):
            yield name
