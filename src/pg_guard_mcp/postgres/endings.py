"""However a call ended: its query is over, and its session as it was before.

Postgres forgets a cancel that finds nothing to end: one that came between two messages, or before
the query it was meant for. So whoever waits for a cancelled query to end must ask again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
from asyncpg import connect_utils

from pg_guard_mcp.postgres import session, words

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

_AGAIN_SECONDS = 0.2
"""Longer than Postgres takes to end what it has heard of, and short enough for a second."""


async def clean_up(connection: Connection, *, seconds: float) -> bool:
    """Roll back, and tell whether the session is clean; never cut short by a cancellation.

    After a cancellation the driver holds ROLLBACK back until Postgres has confirmed that the
    query is over, so nothing of it runs on.
    """
    cleaned = False
    with anyio.move_on_after(seconds, shield=True):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_insist, connection)
            with suppress(*words.DRIVER_ERRORS):
                await connection.execute(session.CLOSING)
                cleaned = True
            tasks.cancel_scope.cancel()
    return cleaned


async def _insist(connection: Any) -> None:
    """Cancel again for as long as the query that was cancelled is not over."""
    with suppress(*words.DRIVER_ERRORS):  # the pool may have let go of a dead one already
        while not connection.is_closed() and connection._protocol._is_cancelling():  # noqa: SLF001 - asyncpg cancels once, and lets nobody repeat it
            await anyio.sleep(_AGAIN_SECONDS)
            await _cancel(connection)


async def _cancel(connection: Any) -> None:
    protocol = connection._protocol  # noqa: SLF001 - see above
    if protocol is None or not protocol._is_cancelling():  # noqa: SLF001 - see above
        return
    await connect_utils._cancel(  # type: ignore[attr-defined]  # noqa: SLF001 - see above; the stubs leave it out
        loop=asyncio.get_running_loop(),
        addr=connection._addr,  # noqa: SLF001 - see above
        params=connection._params,  # noqa: SLF001 - see above
        backend_pid=protocol.backend_pid,
        backend_secret=protocol.backend_secret,
    )
