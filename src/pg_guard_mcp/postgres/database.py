"""A guarded query in, its rows out: one pool, and one read-only transaction a call.

Promises kept here: the mode is frozen by a snapshot before any text of an agent arrives; the
extended protocol refuses a second statement; every transaction ends in ROLLBACK, because COMMIT
would keep what `set_config` changed; caps are enforced while fetching; and a connection on which
anything went wrong is not used again.
"""

from __future__ import annotations

import re
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import asyncpg

from pg_guard_mcp.errors import Busy, CatalogChanged, GuardError, Internal, TimedOut, Unavailable
from pg_guard_mcp.model import ResultColumn, ResultSet
from pg_guard_mcp.postgres import versions, words

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from pg_guard_mcp.model import GuardedQuery, Limits

    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

_CONNECT_SECONDS = 5.0
_CLEANUP_SECONDS = 5.0
_GRACE_SECONDS = 2.0
"""How long after Postgres's own limit the client side gives up."""
_CHUNK_ROWS = 250
_MAX_HELD_CHARACTERS = 16 * 1024 * 1024
"""Cells are cut when shown, but are whole until the detectors have seen them."""

_ALL_TYPES = "SELECT oid::int8, typname::text FROM pg_catalog.pg_type"


class Database:
    """Postgres, as far as a call is concerned. Connects when first asked, not before."""

    def __init__(  # noqa: PLR0913 - what it takes to connect
        self,
        *,
        hosts: Sequence[str],
        ports: Sequence[int],
        user: str,
        database: str,
        password: Callable[[], Awaitable[str | None]],
        ssl: ssl.SSLContext | str | bool,
        limits: Limits,
    ) -> None:
        """Keep where and how to connect; `password` is asked anew for every connection."""
        self._limits = limits
        self._types: list[tuple[int, str]] = []
        # Made inside the event loop, when first asked for a connection.
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._make_pool = partial(
            asyncpg.create_pool,
            host=list(hosts),
            port=list(ports),
            user=user,
            database=database,
            password=password,
            ssl=ssl,
            min_size=0,
            max_size=limits.pool_size,
            timeout=_CONNECT_SECONDS,
            init=self._prepare_connection,
            # No prepared statement outlives its call, so a transaction pooler may stand between.
            statement_cache_size=0,
            max_inactive_connection_lifetime=300.0,
        )

    async def close(self) -> None:
        """Close every connection, by force if one does not go in time."""
        if self._pool is None:
            return
        with anyio.move_on_after(_CLEANUP_SECONDS, shield=True):
            await self._pool.close()
            return
        self._pool.terminate()

    async def fetch(
        self, query: GuardedQuery, *, max_rows: int, application: str, comment: str = ""
    ) -> ResultSet:
        """Run `query` in a read-only transaction of its own and return at most `max_rows` rows.

        `application` becomes application_name; `comment` goes behind the SQL, for Postgres's log.

        Raises:
            GuardError: Busy, TimedOut, Cancelled, DatabaseError or Unavailable.

        """
        async with self.transaction(application, query.versions) as connection:
            text = f"{query.sql}\n/* {_plain(comment)} */" if comment else query.sql
            statement = await self._prepare(connection, text)
            columns = tuple(
                ResultColumn(attribute.name, attribute.type.name)
                for attribute in statement.get_attributes()
            )
            cursor = await statement.cursor(*query.arguments)
            rows, cap = await self._read(cursor, max_rows)
            return ResultSet(columns=columns, rows=rows, cap=cap)

    @asynccontextmanager
    async def transaction(
        self, application: str, judged_by: Sequence[tuple[int, str]] = ()
    ) -> AsyncIterator[Connection]:
        """Lend a connection inside a frozen read-only transaction, and roll it back.

        `judged_by` are relations that must still be what they were: see `versions`.

        Raises:
            GuardError: whatever went wrong inside, in our words.

        """
        connection = await self._acquire()
        keep = True
        started = time.monotonic()
        try:
            with anyio.fail_after(self._limits.statement_timeout_seconds + _GRACE_SECONDS):
                await self._open(connection, application, judged_by)
                yield connection
        except GuardError:
            keep = False
            raise
        except TimeoutError:
            keep = False
            raise TimedOut(
                "the query ran into its time limit and was ended",
                "Filter on indexed columns, aggregate less, or use explain to see the plan.",
            ) from None
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            elapsed = time.monotonic() - started
            timed_out = elapsed >= self._limits.statement_timeout_seconds * 0.9
            keep = isinstance(error, asyncpg.PostgresError) and _is_harmless(error)
            # The driver's text prints values; it must not even be a cause.
            raise words.translate(error, timed_out=timed_out) from None
        finally:
            await self._give_back(connection, keep=keep)

    async def _open(
        self, connection: Connection, application: str, judged_by: Sequence[tuple[int, str]]
    ) -> None:
        """Open the transaction in one round trip. Raises: CatalogChanged."""
        try:
            await connection.execute(self._opening(application) + versions.check(judged_by))
        except asyncpg.DivisionByZeroError:
            raise CatalogChanged(
                "a relation was changed since the server last looked", "Try again."
            ) from None

    def _opening(self, application: str) -> str:
        """Return the batch that opens a transaction: constant but for numbers and a name of ours.

        The check that follows takes the snapshot that freezes READ ONLY: before it, SET
        TRANSACTION READ WRITE would still be obeyed. pg_temp is named last, or it would be
        searched first.
        """
        limits = self._limits
        return (
            "BEGIN; SET TRANSACTION READ ONLY;"
            f" SET LOCAL statement_timeout = {_milliseconds(limits.statement_timeout_seconds)};"
            f" SET LOCAL lock_timeout = {_milliseconds(limits.lock_timeout_seconds)};"
            " SET LOCAL idle_in_transaction_session_timeout ="
            f" {_milliseconds(limits.idle_in_transaction_seconds)};"
            f" SET LOCAL application_name = '{_plain(application)}';"
            " SET LOCAL search_path = pg_catalog, pg_temp;"
            " SET LOCAL standard_conforming_strings = on;"
            " SET LOCAL client_min_messages = error;"
            " SET LOCAL DateStyle = ISO; SET LOCAL IntervalStyle = postgres;"
            " SET LOCAL bytea_output = hex; SET LOCAL extra_float_digits = 1; "
        )

    async def _acquire(self) -> Connection:
        """Wait for a connection, but not for long."""
        pool = self._opened_pool()
        try:
            await pool  # a pool of no connections yet: nothing is sent
            return await pool.acquire(timeout=self._limits.pool_wait_seconds)
        except TimeoutError:
            if pool.get_idle_size() == 0 and pool.get_size() >= self._limits.pool_size:
                raise Busy(
                    "every connection is in use",
                    "Wait for your other calls to end, then try again.",
                ) from None
            raise Unavailable(words.UNREACHABLE.message, words.UNREACHABLE.hint) from None
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise words.translate(error, timed_out=False) from None

    def _opened_pool(self) -> asyncpg.Pool[asyncpg.Record]:
        if self._pool is None:
            self._pool = self._make_pool()
        return self._pool

    async def _give_back(self, connection: Connection, *, keep: bool) -> None:
        """Roll back and return the connection, or drop it; never cut short by a cancellation.

        After a cancellation the driver holds ROLLBACK back until Postgres has confirmed that the
        query is over, so nothing of it runs on.
        """
        rolled_back = False
        with anyio.move_on_after(_CLEANUP_SECONDS, shield=True):
            try:
                await connection.execute("ROLLBACK")
                rolled_back = True
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                pass
        if not (keep and rolled_back):
            connection.terminate()
        with anyio.move_on_after(_CLEANUP_SECONDS, shield=True):
            await self._opened_pool().release(connection)

    async def _prepare(
        self, connection: Connection, text: str
    ) -> asyncpg.prepared_stmt.PreparedStatement[asyncpg.Record]:
        """Prepare `text` as the unnamed statement: the extended protocol takes one statement."""
        try:
            return await connection.prepare(text, name="")
        except asyncpg.UnsupportedClientFeatureError:
            # A type younger than this connection: learn the types anew and try once more.
            self._types = []
            raise Unavailable("a type of this result is new to the server", "Try again.") from None

    async def _read(self, cursor: Any, max_rows: int) -> tuple[list[tuple[str | None, ...]], Any]:
        """Fetch until a cap is reached: rows, bytes that will be shown, or bytes held here."""
        limits = self._limits
        rows: list[tuple[str | None, ...]] = []
        shown = held = 0
        while True:
            chunk = await cursor.fetch(min(_CHUNK_ROWS, max_rows + 1 - len(rows)))
            for record in chunk:
                if len(rows) == max_rows:
                    return rows, "rows"
                row = tuple(record)
                sizes = [len(cell) for cell in row if cell is not None]
                shown += sum(min(size, limits.max_cell_bytes) for size in sizes) + len(row)
                held += sum(sizes)
                rows.append(row)
                if shown > limits.max_result_bytes or held > _MAX_HELD_CHARACTERS:
                    return rows, "bytes"
            if not chunk:
                return rows, None

    async def _prepare_connection(self, connection: Any) -> None:
        """Check what every parse relied on, and ask for every type in Postgres's own text form."""
        settings = connection.get_settings()
        if settings.server_encoding != "UTF8" or settings.client_encoding != "UTF8":
            raise Internal(
                "the database's encoding is not UTF-8",
                "Tell the operator: only UTF-8 databases can be served.",
            )
        if not self._types:
            self._types = [tuple(record) for record in await connection.fetch(_ALL_TYPES)]
        # The public set_builtin_type_codec asks the server about each type, and refuses arrays,
        # ranges and composites; the settings object beneath takes all 600 in a millisecond.
        codecs = connection._protocol.get_settings()  # noqa: SLF001 - see above
        for oid, name in self._types:
            codecs.set_builtin_type_codec(oid, name, "pg_catalog", "scalar", "text", "text")


def _is_harmless(error: asyncpg.PostgresError) -> bool:
    """Tell whether the session is as good as before: the statement was wrong, nothing else."""
    return (error.sqlstate or "").startswith(("21", "22", "42"))


def _milliseconds(seconds: float) -> int:
    """Round up, and never to 0, which Postgres reads as unlimited."""
    return max(1, round(seconds * 1_000))


def _plain(text: str) -> str:
    """Keep what can stand in a name and in a comment, whatever a client calls itself."""
    return re.sub(r"[^A-Za-z0-9 _./:=,-]", "?", text)[:200].replace("*/", "??").replace("/*", "??")
