"""A driver's error in, ours out: SQLSTATE in our words, and never a word of Postgres's.

Postgres's messages print values (`invalid input syntax for type integer: "ada@example.com"`), so
none of them travels. The condition's name says what happened and holds nothing else; it comes
from the class, which asyncpg generates from Postgres's errcodes.txt.
"""

from __future__ import annotations

import re
import ssl

import asyncpg

from pg_guard_mcp.errors import Cancelled, DatabaseError, GuardError, TimedOut, Unavailable
from pg_guard_mcp.postgres.failures import HungUp, TlsNotOffered

_HINTS = {
    "22P02": "Compare values of the same type, or cast the other side. Masked columns hold masks.",
    "25006": "This server only reads.",
    "40001": "Try again; a shorter query is less in the way.",
    "42501": "The database role may not read this. Call list_schemas to see what it may.",
    "42601": "Correct the statement; this is PostgreSQL's dialect.",
    "42702": "Put the relation's alias in front of the column.",
    "42703": "describe_view lists a relation's columns.",
    "42725": "Cast the arguments so that one function fits.",
    "42803": "Name every selected column in GROUP BY, or aggregate it; a masked primary key"
    " does not stand for the other columns.",
    "42804": "Cast one side so that the types match.",
    "42883": "Check the argument types, and cast where they differ.",
    "42P01": "Call list_schemas to see what is readable.",
    "53200": "Ask for less at once: filter, aggregate, or select fewer columns.",
    "53400": "Ask for less at once: filter, aggregate, or sort fewer rows.",
    "55P03": "Another session holds the relation; try again later.",
    "57014": "Filter on indexed columns, aggregate less, or use explain to see the plan.",
}
_CONDITIONS = {
    "40001": "the replica ended the query, which stood in the way of a change from its primary",
}
"""Where the condition's name does not say what happened to a reader; nobody here writes."""
_WORD_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_TIMEOUT = "57014"
_TRANSACTION_TIMEOUT = "25P04"
"""A limit of the administrator's, since 17, which ends the session with the query."""
_UNAVAILABLE = (
    (
        ("28", "3D"),
        "Postgres did not let the server in",
        "Tell the operator: `pg-guard-mcp credentials test` says why.",
    ),
    (("53300",), "Postgres has no connection left", "Try again later."),
    (("08", "25P03", "57P", "58"), "the connection to Postgres was lost", "Try again."),
)

DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
"""What the driver raises; the third where Postgres has just said goodbye on an idle connection."""

UNREACHABLE = Unavailable(
    "Postgres cannot be reached", "Try again; if it stays so, tell the operator of this server."
)

SILENT = Unavailable("Postgres does not answer", UNREACHABLE.hint)


def translate(error: BaseException, *, timed_out: bool) -> GuardError:
    """Say in our words what the driver raised. `timed_out` tells why a query was cancelled."""
    if isinstance(error, ssl.SSLError | TlsNotOffered | HungUp):
        return Unavailable(
            "no secure connection to Postgres could be made",
            "Tell the operator: `pg-guard-mcp credentials test` says why.",
        )
    # What Postgres says before it hangs up: a replica does that to a session that is between two
    # messages when a change comes that it stands in the way of.
    if isinstance(error.__cause__, asyncpg.PostgresError):
        error = error.__cause__
    if not isinstance(error, asyncpg.PostgresError):
        return Unavailable(UNREACHABLE.message, UNREACHABLE.hint)
    sqlstate = error.sqlstate or "XX000"
    if sqlstate == _TRANSACTION_TIMEOUT or (sqlstate == _TIMEOUT and timed_out):
        return too_slow()
    if sqlstate == _TIMEOUT:
        return Cancelled("the query was ended from outside", "Try again.")
    for prefixes, message, hint in _UNAVAILABLE:
        if sqlstate.startswith(prefixes):
            return Unavailable(message, hint)
    position = getattr(error, "position", None)
    return DatabaseError(
        _CONDITIONS.get(sqlstate) or _condition(type(error)),
        _HINTS.get(sqlstate, "Correct the statement and try again."),
        sqlstate,
        int(position) if position else 0,
    )


def too_slow() -> TimedOut:
    """Say that Postgres, or we, ended a query in the middle."""
    return TimedOut("the query ran into its time limit and was ended", _HINTS[_TIMEOUT])


def too_large() -> DatabaseError:
    """Say that we hung up on rows, under the SQLSTATE of a limit of a program."""
    return DatabaseError(
        "the rows are too large to be received",
        "Select a part of their large values: left(x, 1000), or substr(x, 1, 1000).",
        "54000",
    )


def not_let_in(error: BaseException) -> GuardError:
    """Say in our words why no connection could be opened: whatever it was, there is none."""
    said = translate(error, timed_out=False)
    if isinstance(said, Unavailable):
        return said
    return Unavailable("Postgres did not let the server in", UNREACHABLE.hint)


def is_harmless(error: asyncpg.PostgresError) -> bool:
    """Tell whether the session is as good as before: the statement was wrong, nothing else."""
    return (error.sqlstate or "").startswith(("21", "22", "42"))


def _condition(kind: type[BaseException]) -> str:
    """Turn `UndefinedColumnError` into `undefined column`."""
    return _WORD_STARTS.sub(" ", kind.__name__.removesuffix("Error")).lower()
