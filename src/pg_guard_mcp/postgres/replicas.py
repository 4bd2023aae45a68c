"""Which of several servers to talk to, and whether a replica is fresh enough, at every call.

The check is part of the batch that opens a transaction, so it costs no round trip. A batch gives no
rows to look at; what is wrong shows as an error of arithmetic that nothing else in it can raise.
Everything asked here is answered to a role that may do nothing but SELECT.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import asyncpg

from pg_guard_mcp.errors import Unavailable
from pg_guard_mcp.postgres import session

if TYPE_CHECKING:
    from collections.abc import Iterator

Standing = Literal["replica", "replica behind", "primary"]

# Postgres knows when it replayed the last transaction, which on a quiet primary may be long ago. So
# a replica that has replayed all it received, and is still receiving, is not behind at all. One
# that has replayed nothing yet is as far behind as can be. Of its receiver a role like ours sees
# the process alone, and where there is none a row of NULLs.
_LAG = """
CASE WHEN pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn()
          AND EXISTS (SELECT FROM pg_catalog.pg_stat_get_wal_receiver() AS r
                      WHERE r.pid IS NOT NULL)
     THEN 0
     ELSE coalesce(extract(epoch FROM pg_catalog.clock_timestamp()
                           - pg_catalog.pg_last_xact_replay_timestamp()), 'Infinity') END
"""
_IS_REPLICA = "SELECT pg_catalog.ln(CASE WHEN pg_catalog.pg_is_in_recovery() THEN 1 ELSE 0 END)"
_ASKING = (
    f"{session.BEGIN}; SET LOCAL search_path = pg_catalog, pg_temp;"
    " SET LOCAL statement_timeout = 2000; "
)


MISSING = ("no replica can be reached", "Try again; if it stays so, tell the operator.")
"""What to say, and to try, where a primary alone is there and will not do."""


class WrongServer(Unavailable):
    """The server at the other end is no replica any more, or one too far behind: try another."""


class Lost(Unavailable):
    """The connection was dead before anything was asked on it: another may not be."""


class Replication(NamedTuple):
    """What the operator wants of replicas."""

    required: bool = False
    max_lag_seconds: float = 30.0

    def check(self) -> str:
        """Return SQL for an opening batch that fails on a server that will not do.

        Every server is asked, for 0.03 ms: what one says of itself when a connection begins is,
        behind a pooler, what another said.
        """
        return f"; {self._is_fresh()}; {_IS_REPLICA}" if self.required else f"; {self._is_fresh()}"

    async def standing(self, connection: Any) -> Standing:
        """Ask a new connection what it leads to."""
        try:
            await connection.execute(f"{_ASKING}{self._is_fresh()}; {_IS_REPLICA}; ROLLBACK")
        except asyncpg.InvalidArgumentForPowerFunctionError:
            found: Standing = "replica behind"
        except asyncpg.InvalidArgumentForLogarithmError:
            found = "primary"
        else:
            return "replica"
        await connection.execute("ROLLBACK")
        return found

    @contextmanager
    def told(self) -> Iterator[None]:
        """Say in words what `check` found.

        Raises:
            WrongServer: the replica is too far behind, or the server is none.

        """
        try:
            yield
        except asyncpg.InvalidArgumentForPowerFunctionError:
            raise WrongServer(*self.too_far_behind()) from None
        except asyncpg.InvalidArgumentForLogarithmError:
            raise WrongServer("the server is a replica no more", "Try again.") from None

    def too_far_behind(self) -> tuple[str, str]:
        """Say of a replica why it will not do, and what to try."""
        return (
            f"the replica is more than {self.max_lag_seconds:g} seconds behind",
            "Try again later; if it stays so, tell the operator of this server.",
        )

    def _is_fresh(self) -> str:
        return (
            "SELECT pg_catalog.sqrt(CASE WHEN pg_catalog.pg_is_in_recovery()"
            f" THEN CASE WHEN {_LAG} > {self.max_lag_seconds} THEN -1 ELSE 0 END ELSE 0 END)"
        )
