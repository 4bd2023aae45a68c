"""Signatures and a server in, what calling them did besides answering out.

    uv run python -m tools.function_attack postgresql://postgres@/?host=/run/pg15 [NAME ...]

Each signature is called as superuser in a READ ONLY transaction with arguments that are bait: SQL
text, names of a table, a sequence, a setting and a domain, paths of files, numbers of objects. What
is looked for is what a call could do in spite of READ ONLY (locks, settings, a transaction number,
cursors, large objects, a moved sequence, an ended session) and bait in its answer: a row of the
table, a line of a file, the name behind a number. Without names, every allowed signature is called.
The database is one made for it and dropped afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

import asyncpg

from tools.bait import FURNITURE, calls
from tools.signatures import RECORD, Signature, load, of_major

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence

    Connection = asyncpg.Connection[asyncpg.Record]
    Connect = Callable[[str], Awaitable[Connection]]

_ROW = "bait-5f1c9"
_DATABASE = "function_attack"
_BY_NUMBER = re.compile(r"'public\.bait\w*'::reg\w+::(int|bigint|oid)|application_name = '\w+'")
_STATE = """
SELECT pg_current_xact_id_if_assigned()::text AS transaction,
       (SELECT count(*) FROM pg_locks
         WHERE pid = pg_backend_pid() AND locktype = 'advisory') AS locks,
       (SELECT md5(string_agg(name || setting, ',' ORDER BY name)) FROM pg_settings) AS settings,
       (SELECT count(*) FROM pg_cursors WHERE name <> '') AS cursors,
       (SELECT count(*) FROM pg_prepared_statements) AS statements,
       (SELECT count(*) FROM pg_listening_channels()) AS channels,
       (SELECT count(*) FROM pg_largeobject_metadata) AS objects,
       (SELECT count(*) FROM pg_replication_slots) AS slots,
       (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bystander') AS bystanders,
       (SELECT last_value::text || is_called FROM public.bait_sequence) AS sequence
"""


class Effect(NamedTuple):
    """What a call did besides answering."""

    call: str
    what: str


class Attack(NamedTuple):
    """How calling signatures went: what they did, and which of them never answered."""

    effects: list[Effect]
    calls: int
    unanswered: list[str]


async def attack(connect: Connect, signatures: Iterable[Signature]) -> Attack:
    """Call signatures, one transaction each, in a database made for it.

    `connect` connects as superuser to a database of that name.
    """
    done = Attack([], 0, [])
    async with _bait(connect) as connection:
        for signature in signatures:
            done = done._replace(calls=done.calls + await _one(connection, signature, done))
    return done


async def _one(connection: Connection, signature: Signature, done: Attack) -> int:
    await connection.execute("BEGIN READ ONLY; SET LOCAL statement_timeout = 5000")
    try:
        before = await connection.fetchrow(_STATE)
        made = [*dict.fromkeys(calls(signature))]
        # Inside a function that keeps the transaction whole when a call fails.
        answers = await connection.fetch(
            "SELECT public.attempt(call) FROM unnest($1::text[]) AS call", made
        )
        for call, (answer,) in zip(made, answers, strict=True):
            # Before 15 the type "char" gives bytes that are no UTF-8.
            if reason := _bait_in(call, answer.decode(errors="replace")):
                done.effects.append(Effect(call, reason))
        if all(answer.startswith(b"error ") for (answer,) in answers):
            done.unanswered.append(str(signature))
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        after = await connection.fetchrow(_STATE)
        for what in _changed(before, after):
            done.effects.append(Effect(str(signature), what))
    finally:
        await connection.execute("ROLLBACK; SELECT pg_catalog.pg_advisory_unlock_all(); RESET ALL")
        await connection.execute("CLOSE ALL; UNLISTEN *")
    return len(made)


def _changed(before: asyncpg.Record | None, after: asyncpg.Record | None) -> Iterator[str]:
    if before is None or after is None:
        yield "its transaction"
        return
    yield from (what for what in before.keys() if before[what] != after[what])  # noqa: SIM118 - a Record iterates over its values


def _bait_in(call: str, answer: str) -> str:
    """Tell what an answer holds that its arguments do not."""
    if _ROW in answer:
        return "a row of the table"
    if "root:" in answer:
        return "a line of a file"
    if "bait" in answer and "bait" not in _BY_NUMBER.sub("", call):
        return "the name behind a number"
    return ""


@asynccontextmanager
async def _bait(connect: Connect) -> AsyncIterator[Connection]:
    """Hold a connection to a database with the bait in it, and drop that afterwards."""
    admin = await connect("postgres")
    try:
        await admin.execute(f"CREATE DATABASE {_DATABASE} TEMPLATE template0")
        bystander, connection = await connect(_DATABASE), await connect(_DATABASE)
        try:
            await bystander.execute("SET application_name = bystander")
            await connection.execute(FURNITURE)
            await connection.execute("SET application_name = attacker; BEGIN; COMMIT")
            yield connection
        finally:
            await connection.close()
            await bystander.close()
    finally:
        await admin.execute(f"DROP DATABASE IF EXISTS {_DATABASE} WITH (FORCE)")
        await admin.close()


async def _main(dsn: str, names: Sequence[str]) -> int:
    async def connect(database: str) -> Connection:
        return await asyncpg.connect(dsn, database=database, statement_cache_size=0)

    connection = await connect("postgres")
    major = connection.get_server_version().major
    await connection.close()
    done = await attack(connect, chosen(major, names))
    for effect in done.effects:
        sys.stdout.write(f"{effect.what}: {effect.call}\n")
    sys.stdout.write(
        f"{done.calls:,} calls on {major}, {len(done.effects)} with an effect; never answered: "
        f"{', '.join(done.unanswered) or 'none'}\n"
    )
    return 1 if done.effects else 0


def chosen(major: int, names: Sequence[str] = ()) -> list[Signature]:
    """Pick the signatures of a major that are allowed, or those of some names."""
    reviewed = load(RECORD.read_text(encoding="utf-8"))
    wanted = [one for one, said in reviewed.items() if said.verdict != "deny" or names]
    return sorted(one for one in of_major(wanted, major) if not names or one.name in names)


def main() -> int:
    """Attack the server on the command line."""
    parser = argparse.ArgumentParser(description="Call functions with bait, and look what happens.")
    parser.add_argument("dsn", help="a server, as superuser")
    parser.add_argument("name", nargs="*", help="functions to call; all allowed ones if left out")
    options = parser.parse_args()
    return asyncio.run(_main(options.dsn, options.name))


if __name__ == "__main__":
    sys.exit(main())
