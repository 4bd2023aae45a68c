"""What a session is before and after each call, and how its values arrive: as text."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import asyncpg

from pg_guard_mcp.errors import Internal, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pg_guard_mcp.model import Limits

    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]


# A role may default to SERIALIZABLE, which a replica refuses, and to DEFERRABLE, which waits for
# writers: neither is of use to a reader of one statement.
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED, NOT DEFERRABLE; SET TRANSACTION READ ONLY"
# One round trip that leaves nothing behind. ROLLBACK undoes settings; advisory locks, prepared
# statements and cursors WITH HOLD survive it. To end those takes a snapshot, and so a mode.
CLOSING = (
    f"ROLLBACK; {BEGIN}; SELECT pg_catalog.pg_advisory_unlock_all(); CLOSE ALL;"
    " DEALLOCATE ALL; ROLLBACK; UNLISTEN *; RESET SESSION AUTHORIZATION; RESET ALL"
)
# A user's type may be called like a built-in one, and be looked through for less than it holds.
_ALL_TYPES = """
SELECT t.oid::int8,
       CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_type AS b
                         WHERE b.typname OPERATOR(pg_catalog.=) t.typname
                           AND b.typnamespace OPERATOR(pg_catalog.=) 11
                           AND b.oid OPERATOR(pg_catalog.<>) t.oid)
            THEN pg_catalog.concat('user.', t.typname) ELSE t.typname::text END
FROM pg_catalog.pg_type AS t
"""
_UTF8 = "UTF8"


_PATH = "pg_catalog, pg_temp"
_BINDING = """
SELECT system_identifier::text, current_database()::text, session_user::text
FROM pg_catalog.pg_control_system()
"""
_GRANT_BINDING = "GRANT EXECUTE ON FUNCTION pg_control_system() TO the role"
WATCH_CLIENT = "; SET LOCAL client_connection_check_interval = 500"
"""Has Postgres end a query whose client is gone, as one that was killed, within half a second."""

logger = logging.getLogger(__name__)


def opening(limits: Limits, application: str) -> str:
    """Return the batch that opens a transaction: constant but for numbers and a name of ours.

    Compiling is off: it looks at no timeout. On 15 a sum over 700 expressions ran for 59 s under a
    timeout of 2 s, and ends in time without it. So are parallel plans: for rows that are fetched
    so many at a time Postgres starts no worker, and a plan that counts on them costs more than it
    says.

    Behind a pooler the session may have been somebody else's a moment ago, so it begins with what
    every session begins with.

    Each statement sees what is there when it begins, whatever the role prefers: what was looked at
    in an older snapshot would not be what the next statement reads.

    Whoever sends it adds a SELECT. That takes the snapshot that freezes READ ONLY: before it, SET
    TRANSACTION READ WRITE would still be obeyed. pg_temp is named last, or it would be searched
    first.
    """
    return (
        f"RESET SESSION AUTHORIZATION; RESET ALL; {BEGIN};"
        f" SET LOCAL client_encoding = '{_UTF8}';"
        f" SET LOCAL statement_timeout = {_milliseconds(limits.statement_timeout_seconds)};"
        f" SET LOCAL lock_timeout = {_milliseconds(limits.lock_timeout_seconds)};"
        " SET LOCAL idle_in_transaction_session_timeout ="
        f" {_milliseconds(limits.idle_in_transaction_seconds)};"
        f" SET LOCAL application_name = '{plain(application)}';"
        f" SET LOCAL search_path = {_PATH};"
        " SET LOCAL standard_conforming_strings = on;"
        " SET LOCAL client_min_messages = error;"
        " SET LOCAL DateStyle = ISO; SET LOCAL IntervalStyle = postgres;"
        " SET LOCAL bytea_output = hex; SET LOCAL extra_float_digits = 1;"
        " SET LOCAL jit = off; SET LOCAL max_parallel_workers_per_gather = 0; "
    )


def extend(schemas: Sequence[str]) -> str:
    """Return SQL that lets Postgres look in `schemas` too, after pg_catalog; nothing for none.

    It comes last in the opening batch: what the batch itself asks is resolved in pg_catalog alone.
    """
    if not schemas:
        return ""
    path = ", ".join(map(quoted, schemas))
    return f"; SET LOCAL search_path = pg_catalog, {path}, pg_temp"


async def can_watch_client(connection: Any) -> bool:
    """Tell whether Postgres can look after its client while it works: since 14, not everywhere."""
    with suppress(asyncpg.PostgresError):
        await connection.execute(f"BEGIN{WATCH_CLIENT}; ROLLBACK")
        return True
    await connection.execute("ROLLBACK")
    return False


async def check_binding(connection: Any, expected: tuple[str, str, str]) -> None:
    """Make sure of the cluster's identifier, the database and the role, before anything is read.

    Raises:
        Unavailable: it is another one; the log says which.

    """
    try:
        found = tuple(await connection.fetchrow(_BINDING))
    except asyncpg.InsufficientPrivilegeError:
        logger.error("binding_unreadable fix: %s", _GRANT_BINDING)  # noqa: TRY400 - a traceback would say nothing more
        found = ()
    for what, mine, theirs in zip(("cluster", "database", "role"), expected, found, strict=False):
        if mine != theirs:
            logger.error("wrong_%s expected=%s found=%s", what, mine, theirs)
    if found != expected:
        raise Unavailable(
            "this is not the database that the server is bound to",
            "Tell the operator: the server's log says what was expected and what was found.",
        )


def quoted(name: str) -> str:
    """Write a name so that it means itself, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def plain(text: str) -> str:
    """Keep what can stand in a name and in a comment, whatever a client calls itself."""
    return re.sub(r"[^A-Za-z0-9 _./:=,-]", "?", text)[:200].replace("*/", "??").replace("/*", "??")


def _milliseconds(seconds: float) -> int:
    """Round, and never to 0, which Postgres reads as unlimited."""
    return max(1, round(seconds * 1_000))


class TextTypes:
    """Makes Postgres send every value in its own text form."""

    def __init__(self) -> None:
        """Know no type yet."""
        self._known: dict[int, str] = {}

    async def register(self, connection: Any) -> None:
        """Ask for text on a new connection.

        Raises:
            Internal: the database is not in UTF-8, which every parse relied on.

        """
        settings = connection.get_settings()
        # PgBouncer answers with the client's own spelling, "'utf-8'"; `opening` sets it anyway.
        spelled = (settings.server_encoding, settings.client_encoding)
        if {re.sub("[^A-Z0-9]", "", name.upper()) for name in spelled} != {_UTF8}:
            raise Internal(
                "the database's encoding is not UTF-8",
                "Tell the operator: only UTF-8 databases can be served.",
            )
        if not self._known:
            await self.learn(connection)
        else:
            self._apply(connection)

    async def learn(self, connection: Any) -> None:
        """Read which types there are, and ask for text for each."""
        # Numbers arrive as text once `_apply` has been here.
        self._known = {int(oid): name for oid, name in await connection.fetch(_ALL_TYPES)}
        self._apply(connection)

    def knows(self, oid: int) -> bool:
        """Tell whether values of the type arrive as text."""
        return oid in self._known

    def _apply(self, connection: Any) -> None:
        # The public set_builtin_type_codec asks the server about each type, and refuses arrays,
        # ranges and composites; the settings object beneath takes all 600 in a millisecond.
        codecs = connection._protocol.get_settings()  # noqa: SLF001 - see above
        for oid, name in self._known.items():
            codecs.set_builtin_type_codec(oid, name, "pg_catalog", "scalar", "text", "text")
