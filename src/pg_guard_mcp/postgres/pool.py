"""Connections, lent one a call: few of them, made when they are needed, and none waited for long.

There are as many places as connections may be open, and a call takes a place before it asks for a
connection. So whoever waits for a place waits for other calls, which is `busy`, and whoever waits
for a connection waits for Postgres, which is `unavailable`. A place stays taken until the session
is clean again, which whoever got an answer does not wait for.

How many a role may have open only Postgres knows. Until it has said so there is one place.
"""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import asyncpg

from pg_guard_mcp.errors import Busy, Unavailable
from pg_guard_mcp.postgres import inflow, words
from pg_guard_mcp.postgres.hosts import CONNECT_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Mapping

    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

_GRACE_SECONDS = 0.5
"""Who connects knows best why that fails, and has the same time for it."""
_CLEANUP_SECONDS = 5.0
_IDLE_SECONDS = 300.0
_MOMENT_SECONDS = 0.05
# A server that is gone without a word is noticed after some 15 s, even in a call that only waits.
_KEEPALIVE = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 5}

_MOST_CONNECTIONS = """
SELECT (SELECT min(allowed) FROM (VALUES (r.rolconnlimit), (d.datconnlimit)) AS limits (allowed)
        WHERE allowed >= 0)::text
FROM pg_catalog.pg_roles AS r, pg_catalog.pg_database AS d
WHERE r.rolname = session_user AND d.datname = current_database() AND NOT r.rolsuper
"""


class Place:
    """The right to one connection, until all is over that was to be done with it."""

    ending: asyncio.Task[None] | None = None
    """What is still to be done when the call has its answer."""


class Pool:
    """Lends connections. Connects when first asked, not before."""

    def __init__(self, options: Mapping[str, Any], *, size: int, wait_seconds: float) -> None:
        """Keep how to connect, as asyncpg's `create_pool` takes it."""
        self._size = size
        self._wait_seconds = wait_seconds
        self._failed_at = 0.0
        self._endings: set[asyncio.Task[None]] = set()
        # Both are made inside the event loop.
        self._places: anyio.CapacityLimiter | None = None
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._make = partial(
            asyncpg.create_pool,
            **options,
            min_size=0,
            max_size=size,
            reset=_leave_as_it_is,
            # No prepared statement outlives its call, so a transaction pooler may stand between. It
            # is a cache into which nothing fits: without one, asyncpg parses a statement once more
            # to run it, and its names would be resolved again after `versions` has looked.
            statement_cache_size=1,
            max_cacheable_statement_size=1,
            max_inactive_connection_lifetime=_IDLE_SECONDS,
        )

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        """Hold a place, which is the right to one connection.

        Raises:
            Busy: all are taken.
            Unavailable: those that had one could not connect in all this time.

        """
        if self._places is None:
            self._places = anyio.CapacityLimiter(1)
        places, place, since = self._places, Place(), time.monotonic()
        try:
            with anyio.fail_after(self._wait_seconds):
                await places.acquire_on_behalf_of(place)
        except TimeoutError:
            raise Busy(
                "every connection is in use", "Wait for your other calls to end, then try again."
            ) from None
        try:
            if self._failed_at > since:
                raise Unavailable(words.UNREACHABLE.message, words.UNREACHABLE.hint)
            yield place
        finally:
            if place.ending:
                place.ending.add_done_callback(lambda _: places.release_on_behalf_of(place))
            else:
                places.release_on_behalf_of(place)

    def finish_later(self, place: Place, ending: Coroutine[Any, Any, None]) -> None:
        """Do what is left to do with a connection when its call has ended; it keeps its place."""
        place.ending = asyncio.get_running_loop().create_task(ending)
        self._endings.add(place.ending)
        place.ending.add_done_callback(self._endings.discard)

    def note_silence(self) -> None:
        """Have those who wait for a place know that Postgres did not answer all the while."""
        self._failed_at = time.monotonic()

    async def connection(self) -> Connection:
        """Give a connection to somebody who has a place.

        Raises:
            GuardError: there is none to be had.

        """
        try:
            with anyio.fail_after(CONNECT_SECONDS + _GRACE_SECONDS):
                return await self._connection()
        except TimeoutError:
            self.note_silence()
            raise Unavailable(words.UNREACHABLE.message, words.UNREACHABLE.hint) from None
        except words.DRIVER_ERRORS as error:
            raise words.not_let_in(error) from None

    async def prepare(self, connection: Any) -> None:
        """Learn from a new connection how many there may be; one of them is left to others."""
        _notice_death(connection)
        allowed = await connection.fetchval(_MOST_CONNECTIONS)
        most = self._size if allowed is None else min(self._size, int(allowed) - 1)
        if self._places is not None:
            self._places.total_tokens = max(1, most)

    async def give_back(self, connection: Connection) -> None:
        """Take a connection back, or let it go if it is closed."""
        if self._pool is None:
            return
        with anyio.move_on_after(_CLEANUP_SECONDS, shield=True), suppress(*words.DRIVER_ERRORS):
            await self._pool.release(connection)

    async def renew(self) -> None:
        """Use none of the connections again that are open now."""
        if self._pool is not None:
            await self._pool.expire_connections()

    async def close(self) -> None:
        """Close every connection, by force if one does not go in time."""
        if self._pool is None:
            return
        with anyio.move_on_after(_CLEANUP_SECONDS, shield=True):
            await self._pool.close()
            return
        self._pool.terminate()

    async def _connection(self) -> Connection:
        if self._pool is None:
            self._pool = self._make()
        pool = self._pool
        await pool  # a pool of no connections yet: nothing is sent
        if self._endings and not pool.get_idle_size():
            # One that is nearly clean is there sooner than a new one.
            await asyncio.wait(
                self._endings, timeout=_MOMENT_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
        connection = await pool.acquire()
        if not inflow.of(connection).has_said_goodbye:
            return connection
        # The end of the connection itself is yet to come; the driver would take it for alive.
        connection.terminate()
        await pool.release(connection)
        return await pool.acquire()


async def _leave_as_it_is(_connection: Connection) -> None:
    """Do nothing when a connection comes back: `session.CLOSING` has left nothing behind."""


def _notice_death(connection: Any) -> None:
    """Have the system ask a silent server over TCP whether it is still there."""
    opened = connection._transport.get_extra_info("socket")  # noqa: SLF001 - asyncpg shows nobody its socket
    if opened.family not in (socket.AF_INET, socket.AF_INET6):
        return
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, number in _KEEPALIVE.items():
        if option := getattr(socket, name, None):  # macOS spells the first TCP_KEEPALIVE
            opened.setsockopt(socket.IPPROTO_TCP, option, number)
