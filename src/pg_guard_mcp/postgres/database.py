"""A guarded query in, its rows out: one read-only transaction a call.

Promises kept here: the mode is frozen by a snapshot before any text of an agent arrives; the
extended protocol refuses a second statement; every transaction ends in ROLLBACK, because COMMIT
would keep what `set_config` changed; caps are enforced while fetching; and a connection on which
anything went wrong is not used again.
"""

from __future__ import annotations

import time
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio
import asyncpg

from pg_guard_mcp.errors import GuardError, TooExpensive, Unavailable
from pg_guard_mcp.model import ResultColumn, ResultSet
from pg_guard_mcp.postgres import endings, inflow, rows, session, versions, words
from pg_guard_mcp.postgres.hosts import CONNECT_SECONDS, Hosts
from pg_guard_mcp.postgres.pool import Pool
from pg_guard_mcp.postgres.replicas import Lost, Replication, WrongServer
from pg_guard_mcp.postgres.runaways import Runaways

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from pg_guard_mcp.model import Definition, GuardedQuery, Limits, Price
    from pg_guard_mcp.postgres.pool import Place
    from pg_guard_mcp.settings import Tls

    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

ANY_SERVER = Replication()
_DRIVER_ERRORS = words.DRIVER_ERRORS
_CLEANUP_SECONDS = 5.0
_LAST_WORD_SECONDS = 1.0
"""How long to clean up after Postgres when it did not even answer in time."""
_LOCK_GRACE_SECONDS = 1.0
_GRACE_SECONDS = 2.0
"""How long after Postgres's own limit the client side gives up."""


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
        tls: Callable[[], Awaitable[Tls]],
        limits: Limits,
        system_identifier: str = "",
        replication: Replication = ANY_SERVER,
    ) -> None:
        """Keep where and how to connect; `password` and `tls` are asked anew for every connection.

        `system_identifier` is that of the only cluster to talk to, if there is only one.
        """
        self.limits = limits
        self._binding = (system_identifier, database, user) if system_identifier else None
        self._replication = replication
        self._hosts = Hosts(hosts, ports, tls=tls, replication=replication)
        self._watches_client = False
        self._types = session.TextTypes()
        self._runaways = Runaways(limits.pool_size)
        self._pool = Pool(
            {
                "connect": self._hosts.connect,
                "user": user,
                "database": database,
                "password": password,
                "init": self._prepare_connection,
            },
            size=limits.pool_size,
            wait_seconds=limits.pool_wait_seconds,
        )

    async def close(self) -> None:
        """Close every connection, by force if one does not go in time."""
        await self._pool.close()

    async def fetch(
        self,
        query: GuardedQuery,
        *,
        max_rows: int,
        application: str,
        comment: str = "",
        limits: Limits | None = None,
        price: Price | None = None,
    ) -> ResultSet:
        """Run `query` in a read-only transaction of its own and return at most `max_rows` rows.

        With a `price`, the query is planned first, in the same transaction, and runs only if the
        plan is not found too expensive.

        `application` becomes application_name; `comment` goes behind the SQL, for Postgres's log.
        `limits` are those of one call, where they differ from the server's.

        Raises:
            GuardError: Busy, TimedOut, TooExpensive, Cancelled, DatabaseError or Unavailable.

        """
        limits = limits or self.limits
        check = versions.check(query.relations, query.versions)
        async with self.transaction(application, check, query.search_path, limits) as connection:
            if price and price.is_too_much(await self._plan(connection, price.outline)):
                price.check(await self._plan(connection, price.plan))
            text = f"{query.sql}\n/* {session.plain(comment)} */" if comment else query.sql
            statement = await self._prepare(connection, text, query.definitions)
            columns = tuple(
                ResultColumn(attribute.name, attribute.type.name)
                for attribute in statement.get_attributes()
            )
            taken, cap = await rows.read(connection, statement, query.arguments, max_rows, limits)
            return ResultSet(columns=columns, rows=taken, cap=cap)

    async def _plan(self, connection: Connection, plan: GuardedQuery) -> ResultSet:
        statement = await self._prepare(connection, plan.sql, plan.definitions)
        with rows.bounded(connection):
            row = await statement.fetchrow()
        return ResultSet(columns=(ResultColumn("plan", "json"),), rows=[tuple(row or ())])

    @asynccontextmanager
    async def transaction(
        self,
        application: str,
        check: str = versions.UNCHANGED,
        search_path: Sequence[str] = (),
        limits: Limits | None = None,
    ) -> AsyncIterator[Connection]:
        """Lend a connection inside a frozen read-only transaction, and roll it back.

        `check` is what fails where relations are not what they were: see `versions`. `search_path`
        are schemas in which operators are looked up besides pg_catalog. `limits` are those of one
        call, where they differ from the server's.

        Raises:
            GuardError: whatever went wrong inside, in our words.

        """
        try:
            limits = limits or self.limits
            opening = session.opening(limits, application) + check
            path = session.extend(search_path)
            async with self._pool.place() as place, AsyncExitStack() as stack:
                try:
                    connection = await stack.enter_async_context(
                        self._transaction(place, opening, path, limits)
                    )
                except (WrongServer, Lost) as error:
                    if isinstance(error, WrongServer) and not self._hosts.are_several:
                        raise
                    # Nothing was asked yet. The connections beside it lead there, too; a new one
                    # leads to what is there now.
                    await self._pool.renew()
                    connection = await stack.enter_async_context(
                        self._transaction(place, opening, path, limits)
                    )
                yield connection
        except GuardError as error:
            # The driver's text prints values; it must not hang on as what came before.
            error.__context__ = None
            raise

    @asynccontextmanager
    async def _transaction(
        self, place: Place, opening: str, path: str, limits: Limits
    ) -> AsyncIterator[Connection]:
        seconds = limits.statement_timeout_seconds
        if self._hosts.should_look_again():
            await self._pool.renew()
        connection = await self._pool.connection()
        keep = is_open = is_over = False
        patience = _CLEANUP_SECONDS
        started = time.monotonic()
        try:
            with anyio.fail_after(seconds + _GRACE_SECONDS):
                await self._begin(connection, opening, path, limits)
                is_open = True
                yield connection
            # A COMMIT would end the transaction without an error; such a session is not kept.
            keep = is_over = connection.is_in_transaction()
        except anyio.get_cancelled_exc_class():
            keep = True
            raise
        except TooExpensive:
            # Nothing went wrong; a gate that cost a connection would be felt by everybody.
            keep = connection.is_in_transaction()
            raise
        except TimeoutError:
            patience = _LAST_WORD_SECONDS
            raise words.too_slow() from None
        except _DRIVER_ERRORS as error:
            elapsed = time.monotonic() - started
            timed_out = elapsed >= seconds * 0.9
            keep = isinstance(error, asyncpg.PostgresError) and words.is_harmless(error)
            said = words.translate(error, timed_out=timed_out)
            if isinstance(said, Unavailable) and not is_open:
                said = Lost(said.message, said.hint)
            raise said from None
        finally:
            if is_over:  # all rows are here, and whoever asked need not wait for the rest
                self._pool.finish_later(place, self._leave(connection))
            else:
                await self._give_back(connection, keep=keep, patience=patience)

    async def _begin(self, connection: Connection, opening: str, path: str, limits: Limits) -> None:
        """Open the transaction in one round trip; of a server that is silent, expect nothing more.

        It may be silent for as long as a lock may be waited for.

        Raises: GuardError.
        """
        watching = session.WATCH_CLIENT if self._watches_client else ""
        seconds = max(CONNECT_SECONDS, limits.lock_timeout_seconds + _LOCK_GRACE_SECONDS)
        with anyio.move_on_after(seconds) as patience:
            with self._replication.told(), versions.told():
                check = self._replication.check()
                await connection.execute(opening + check + path + watching)
            await self._runaways.check(connection)
        if patience.cancelled_caught:
            connection.terminate()
            await self._pool.renew()
            raise Unavailable(words.SILENT.message, words.SILENT.hint)

    async def _leave(self, connection: Connection) -> None:
        """Give back a connection that answered a moment ago, and should do so again."""
        started = time.monotonic()
        await self._give_back(connection, keep=True, patience=CONNECT_SECONDS)
        if time.monotonic() - started >= CONNECT_SECONDS:
            self._pool.note_silence()

    async def _give_back(self, connection: Connection, *, keep: bool, patience: float) -> None:
        """Roll back and return the connection, or drop it; never cut short by a cancellation."""
        closed = await endings.clean_up(connection, seconds=patience)
        with suppress(*_DRIVER_ERRORS):  # the pool may have let go of a dead one already
            if not closed:
                self._runaways.note(connection)
            if not (keep and closed):
                connection.terminate()
        await self._pool.give_back(connection)

    async def _prepare_connection(self, connection: Any) -> None:
        """Watch what a new connection receives, and have it send text.

        In a transaction, for only that keeps a statement and its execution together where a
        transaction pooler stands between.
        """
        inflow.watch(connection)
        await connection.execute(f"{session.opening(self.limits, 'pg-guard')}SELECT 1")
        await self._types.register(connection)
        if self._binding:
            await session.check_binding(connection, self._binding)
        await self._pool.prepare(connection)
        await connection.execute(session.CLOSING)
        self._watches_client = await session.can_watch_client(connection)

    async def _prepare(
        self, connection: Connection, text: str, definitions: Sequence[Definition]
    ) -> asyncpg.prepared_stmt.PreparedStatement[asyncpg.Record]:
        """Prepare `text` as the unnamed statement: the extended protocol takes one statement.

        What its names mean is held against `definitions` before it is planned: Postgres computes
        what looks constant when it plans.

        Raises: Unavailable.
        """
        statement = await self._parsed(connection, text)
        if definitions:
            await versions.check_definitions(connection, definitions)
        return statement

    async def _parsed(
        self, connection: Connection, text: str
    ) -> asyncpg.prepared_stmt.PreparedStatement[asyncpg.Record]:
        """Have `text` parsed; a type made after the connection was opened is learned on the way.

        Raises: Unavailable.
        """
        for _ in range(2):
            with suppress(asyncpg.UnsupportedClientFeatureError):
                statement = await connection.prepare(text, name="")
                if all(self._types.knows(column.type.oid) for column in statement.get_attributes()):
                    return statement
            await self._types.learn(connection)
        raise Unavailable("a type of this result cannot be read", "Cast that column to text.")
