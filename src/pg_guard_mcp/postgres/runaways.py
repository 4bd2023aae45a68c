"""Backends that outlived their call: how many still run, and whether that is too many.

Some of Postgres's functions do not look at a timeout or a cancel: the distance of two paths of
10,000 points took 120 s under a timeout of 2 s. The connection is given up then, but the server
works on. Without a bound, each further call could leave another such backend behind.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pg_guard_mcp.errors import Busy

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

# What began before we gave up on it is not a later backend that has the number by chance.
_STILL_RUNNING = """
SELECT a.pid FROM pg_catalog.pg_stat_activity AS a
  JOIN (VALUES {lost}) AS lost (pid, seconds) ON lost.pid = a.pid
 WHERE a.xact_start < pg_catalog.clock_timestamp() - lost.seconds * interval '1 second'
"""


class Runaways:
    """Remembers which backends were given up while they may still have been at work."""

    def __init__(self, most: int) -> None:
        """Allow as many at once as `most`."""
        self._most = most
        self._lost: dict[int, float] = {}

    def note(self, connection: Connection) -> None:
        """Remember the backend of a connection that did not answer."""
        self._lost[connection.get_server_pid()] = time.monotonic()

    async def check(self, connection: Any) -> None:
        """Ask which are still at work; costs nothing as long as none was ever given up.

        Raises:
            Busy: as many as may be.

        """
        if not self._lost:
            return
        now = time.monotonic()
        lost = ", ".join(f"({pid}, {now - since:.3f})" for pid, since in self._lost.items())
        running = await connection.fetch(_STILL_RUNNING.format(lost=lost))
        pids = {int(pid) for (pid,) in running}
        self._lost = {pid: since for pid, since in self._lost.items() if pid in pids}
        if len(self._lost) >= self._most:
            raise Busy(
                "earlier queries of this server are still running and cannot be ended",
                "Wait for them to end, then try again; compare shorter values with each other.",
            )
