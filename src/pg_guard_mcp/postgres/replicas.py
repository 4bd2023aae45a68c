"""Which of several servers to talk to, and whether a replica is fresh enough, at every call.

The check is part of the batch that opens a transaction, so it costs no round trip. A batch gives no
rows to look at; what is wrong shows as an error of arithmetic that nothing else in it can raise.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import asyncpg

from pg_guard_mcp.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

# Postgres knows when it replayed the last transaction, which on a quiet primary may be long ago. So
# a replica that has replayed all it received, and is still receiving, is not behind at all. One
# that has replayed nothing yet is as far behind as can be.
_LAG = """
CASE WHEN pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn()
          AND EXISTS (SELECT FROM pg_catalog.pg_stat_get_wal_receiver() AS r
                      WHERE r.pid IS NOT NULL)
     THEN 0
     ELSE coalesce(extract(epoch FROM pg_catalog.clock_timestamp()
                           - pg_catalog.pg_last_xact_replay_timestamp()), 'Infinity') END
"""


class Replication(NamedTuple):
    """What the operator wants of replicas."""

    required: bool = False
    max_lag_seconds: float = 30.0

    def attributes(self, hosts: int) -> Literal["standby", "prefer-standby", "any"]:
        """Return what a server must be to be connected to, or had better be."""
        if self.required:
            return "standby"
        return "prefer-standby" if hosts > 1 else "any"

    def check(self, connection: Any) -> str:
        """Return SQL for an opening batch that fails on a server that will not do.

        A server says of itself that it is no replica, since 14, and can become none.
        """
        standing = getattr(connection.get_settings(), "in_hot_standby", "on")
        if standing == "off" and not self.required:
            return ""
        lag = (
            "; SELECT pg_catalog.sqrt(CASE WHEN pg_catalog.pg_is_in_recovery()"
            f" THEN CASE WHEN {_LAG} > {self.max_lag_seconds} THEN -1 ELSE 0 END ELSE 0 END)"
        )
        standby = (
            "; SELECT pg_catalog.ln(CASE WHEN pg_catalog.pg_is_in_recovery() THEN 1 ELSE 0 END)"
        )
        return lag + standby if self.required else lag

    @contextmanager
    def told(self) -> Iterator[None]:
        """Say in words what `check` found.

        Raises:
            Unavailable: the replica is too far behind, or the server is none.

        """
        try:
            yield
        except asyncpg.InvalidArgumentForPowerFunctionError:
            raise Unavailable(
                f"the replica is more than {self.max_lag_seconds:g} seconds behind",
                "Try again later; if it stays so, tell the operator of this server.",
            ) from None
        except asyncpg.InvalidArgumentForLogarithmError:
            raise Unavailable("the server is a replica no more", "Try again.") from None
