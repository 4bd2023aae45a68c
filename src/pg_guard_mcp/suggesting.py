"""A database in, masks proposed for it out: catalog, samples and vocabulary come together.

Samples are read like an agent's query, read-only and within limits, and only columns that are
still without a mask. Nothing of them is kept, logged or shown.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from pg_guard_mcp.errors import DatabaseError, TimedOut
from pg_guard_mcp.guard import lineage
from pg_guard_mcp.guard import policy as policies
from pg_guard_mcp.guard.suggest import lines, proposals, samples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pg_guard_mcp.catalog import Catalog, Column, RelationInfo
    from pg_guard_mcp.guard.policy import Policy
    from pg_guard_mcp.guard.suggest.proposals import Proposal
    from pg_guard_mcp.guard.suggest.samples import Sighting
    from pg_guard_mcp.model import AccessRules, GuardedQuery, Limits, ResultSet

logger = logging.getLogger(__name__)

_SECONDS = 5.0
_BYTES = 4_000_000
_CELL_BYTES = 10_000


class Reader(Protocol):
    """Postgres, as far as a sample is concerned."""

    async def fetch(
        self,
        query: GuardedQuery,
        *,
        max_rows: int,
        application: str,
        limits: Limits | None = None,
    ) -> ResultSet:
        """Run a query in a read-only transaction of its own."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """The masks proposed, and what they were drawn from."""

    proposals: Sequence[Proposal]
    columns: Sequence[str]
    """The full name of every column there is, readable or not."""
    relations: int
    masked: int
    """Columns that the policy masks already."""
    unread: int
    """Relations of which no sample could be taken."""

    def mask_table(self) -> dict[str, str]:
        """Return kinds by pattern, as the settings have them."""
        return lines.kinds(self.proposals, self.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    """Reads samples, or none at all."""

    reader: Reader | None
    limits: Limits
    application: str

    async def sample(
        self, info: RelationInfo, columns: Sequence[Column], policy: Policy
    ) -> Mapping[str, Sequence[Sighting]] | None:
        """Say what detectors see in a relation, or None where it cannot be read."""
        readable = [column for column in columns if samples.is_readable(column)]
        if self.reader is None or not readable:
            return {}
        query = samples.query(info, readable, policy.versions([info.relation]))
        limits = replace(
            self.limits,
            statement_timeout_seconds=min(self.limits.statement_timeout_seconds, _SECONDS),
            max_result_bytes=_BYTES,
            max_cell_bytes=_CELL_BYTES,
        )
        try:
            result = await self.reader.fetch(
                query, max_rows=samples.ROWS, application=self.application, limits=limits
            )
        except (DatabaseError, TimedOut):
            return None
        return samples.sightings(result, readable)


async def suggest(rules: AccessRules, catalog: Catalog, sampler: Sampler) -> Suggestion:
    """Propose masks for the open relations that have none yet.

    Raises:
        ConfigurationError: the rules do not fit the database.
        GuardError: the database cannot be reached.

    """
    policy = policies.build(rules, catalog)
    columns = [
        f"{relation}.{column.name}"
        for relation, info in catalog.relations.items()
        for column in info.columns
    ]
    found: list[Proposal] = []
    unread = 0
    for level in proposals.levels(policy):
        table = {**lines.kinds(found, columns), **rules.masks}
        masks, _ = lineage.resolve(table, catalog, rules.extensions)
        for info in level:
            open_columns = proposals.undecided(policy, info, masks.get(info.relation, {}))
            seen = await sampler.sample(info, open_columns, policy)
            unread += seen is None
            found += proposals.propose(info, open_columns, seen or {})
    return Suggestion(
        proposals=proposals.joined(found, policy, policy.masks),
        columns=columns,
        relations=len(policy.open_relations),
        masked=sum(
            column.name in policy.masked(relation)
            for relation, info in policy.open_relations.items()
            for column in info.readable
        ),
        unread=unread,
    )
