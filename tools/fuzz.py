"""Mutants of real statements, judged; the admitted ones run where only the guard stands.

    uv run python -m tools.fuzz [--seconds 600 | --mutants 20000] [--seed 1] [--json]

A superuser runs each admitted mutant in a read-write transaction and commits. After each, nothing
may have been written or locked, and Postgres's own analyzer must have found nothing in it but
reviewed functions, built-in types and open relations; after each batch, the whole database must be
what it was. Exit 1: something changed, or a mutant got no verdict.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

import asyncpg
from tests.postgres.databases import digest, opened
from tests.support import oracle
from tests.support.postgres import connected, fresh_database, postgres_18_with_shop
from tests.support.verdicts import judged

from pg_guard_mcp.errors import Internal, Refused
from pg_guard_mcp.guard import functions, masking
from pg_guard_mcp.guard import policy as policies
from pg_guard_mcp.guard.rules import RULES
from pg_guard_mcp.model import Limits
from pg_guard_mcp.postgres import session, snapshot
from tools.fuzz_ground import EXTENSIONS, FURNITURE, THINGS, statements
from tools.fuzz_ground import RULES as GROUND_RULES
from tools.mutants import Mutator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.support.postgres import Shop, ShopServer

    from pg_guard_mcp.guard.policy import Policy, Rule
    from pg_guard_mcp.model import GuardedQuery

    Connection = asyncpg.Connection[asyncpg.Record]

BATCH = 500
LIMITS = Limits(statement_timeout_seconds=0.2)

_SENSORS = """
SELECT pg_catalog.pg_current_xact_id_if_assigned() IS NOT NULL AS wrote,
       (SELECT count(*) FROM pg_catalog.pg_locks WHERE pid = pg_catalog.pg_backend_pid()
        AND (locktype = 'advisory' OR mode NOT IN ('AccessShareLock', 'ExclusiveLock'))) AS locks
"""
_LEFT_BEHIND = """
SELECT concat_ws(' ', (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'),
    (SELECT count(*) FROM pg_prepared_statements WHERE from_sql),
    (SELECT count(*) FROM pg_cursors WHERE is_holdable),
    (SELECT count(*) FROM pg_listening_channels()))
"""
_SETTINGS = """
SELECT md5(string_agg(name || setting, ' ' ORDER BY name)) FROM pg_settings
WHERE name !~ '[.]'  -- an extension's own appear when its library is first used
  AND name NOT IN ('transaction_isolation', 'transaction_read_only', 'transaction_deferrable')
"""


@dataclass(slots=True, kw_only=True)
class Run:
    """What came of a run."""

    mutants: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    admitted: int = 0
    answered: int = 0
    analyzed: int = 0
    findings: list[tuple[str, str]] = field(default_factory=list)
    """What went wrong, and the mutant."""

    def as_text(self) -> str:
        """Say it for people."""
        summary = (
            f"{self.mutants:,} mutants: {self.mutants - self.admitted:,} refused,"
            f" {self.admitted:,} admitted, {self.answered:,} of them answered by Postgres,"
            f" {self.analyzed:,} analyzed; {len(self.findings)} findings"
        )
        lines = [summary]
        lines += [f"  {rule}: {count:,}" for rule, count in self.refused.most_common()]
        lines += [f"FINDING {what}: {sql[:2_000]!r}" for what, sql in self.findings[:50]]
        return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Fuzz, and report."""
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--mutants", type=int, default=sys.maxsize)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    logging.disable(logging.WARNING)  # sqlglot warns of what it guesses, and we of superusers
    with postgres_18_with_shop() as server:
        run = asyncio.run(
            fuzz(server, seed=options.seed, mutants=options.mutants, seconds=options.seconds)
        )
    if options.json:
        sys.stdout.write(
            json.dumps(
                {
                    "mutants": run.mutants,
                    "refused": run.refused,
                    "admitted": run.admitted,
                    "answered": run.answered,
                    "findings": run.findings,
                }
            )
        )
    sys.stdout.write(run.as_text() + "\n")
    return 1 if run.findings else 0


async def fuzz(
    server: ShopServer,
    *,
    seed: int,
    mutants: int,
    seconds: float = float("inf"),
    rules: Sequence[Rule] = RULES,
) -> Run:
    """Judge so many mutants, or for so long, and run what is admitted."""
    mutator = Mutator(random=Random(seed), statements=list(statements()))  # noqa: S311 - to be repeated
    run = Run()
    deadline = time.monotonic() + seconds
    async with _furnished(server) as (place, policy):
        before = await digest(place.admin)
        while run.mutants < mutants and time.monotonic() < deadline:
            batch: list[str] = []
            async with _watched(place, run, batch) as (connection, analyzer):
                for _ in range(min(BATCH, mutants - run.mutants)):
                    batch.append(mutator.mutant())
                    if guarded := verdict(batch[-1], policy, rules, run):
                        await _analyze(guarded, policy, analyzer, run, batch[-1])
                        await _execute(guarded, connection, run, batch[-1])
            if await digest(place.admin) != before:
                run.findings.append(("the database changed in this batch", "\n;;\n".join(batch)))
                before = await digest(place.admin)
    return run


@asynccontextmanager
async def _furnished(server: ShopServer) -> AsyncIterator[tuple[Shop, Policy]]:
    async with fresh_database(server) as place:
        async with connected(place.admin) as connection:
            await connection.execute(FURNITURE)
            for schema, names in EXTENSIONS.items():
                for name in names:
                    await connection.execute(f'CREATE EXTENSION "{name}" SCHEMA {schema}')
            await connection.execute(THINGS)
        async with opened(place.admin) as database:
            catalog = await snapshot.take(database, "fuzz")
        yield place, policies.build(GROUND_RULES, catalog)


@asynccontextmanager
async def _watched(
    place: Shop, run: Run, batch: list[str]
) -> AsyncIterator[tuple[Connection, Connection]]:
    """Lend two superuser's connections, one to run on; look at what is left of it, and of both."""
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(connected(place.admin))
        analyzer = await stack.enter_async_context(connected(place.admin))
        settings, left = [await connection.fetchval(sql) for sql in (_SETTINGS, _LEFT_BEHIND)]
        await session.TextTypes().register(connection)
        yield connection, analyzer
        if analyzer.is_closed() or await analyzer.fetchval("SELECT 1") != 1:
            run.findings.append(("another session was ended", "\n;;\n".join(batch)))
        if (now := await connection.fetchval(_LEFT_BEHIND)) != left:
            run.findings.append((f"left in the session: {now} after {left}", "\n;;\n".join(batch)))
        if await connection.fetchval(_SETTINGS) != settings:
            run.findings.append(("settings changed", "\n;;\n".join(batch)))


def verdict(sql: str, policy: Policy, rules: Sequence[Rule], run: Run) -> GuardedQuery | None:
    """Judge a mutant; give what would run of it."""
    run.mutants += 1
    try:
        guarded = judged(sql, policy, rules)
    except Refused as refusal:
        run.refused.update({finding.rule for finding in refusal.findings})
    except Internal as error:
        run.findings.append((error.message, sql))
    except Exception as error:  # noqa: BLE001 - no other exception may come of any text
        run.findings.append((f"no verdict but {type(error).__name__}", sql))
    else:
        run.admitted += 1
        return guarded
    return None


async def _analyze(
    guarded: GuardedQuery, policy: Policy, connection: Connection, run: Run, sql: str
) -> None:
    """Let Postgres say what is in it: every function reviewed, every type and relation open."""
    text = guarded.sql.replace("$1", "''::bytea").replace("$2", "''::bytea")
    try:
        path = ("pg_catalog", *guarded.search_path, "pg_temp")
        seen = await oracle.analyze(connection, text, path)
    except asyncpg.PostgresError:
        return
    run.analyzed += 1
    run.findings += [(what, sql) for what in oracle.foreign(seen, policy)]
    run.findings += [
        (f"function {name}", sql)
        for schema, name in seen.called
        if schema == "pg_catalog" and not _is_reviewed(name)
    ]
    run.findings += [
        # Text search functions take these by name; all of them are open.
        (f"type {name}", sql)
        for _, name in seen.types
        if name.startswith("reg") and name not in {"regconfig", "regdictionary"}
    ]


def _is_reviewed(name: str) -> bool:
    """Tell whether the review lets a function through, with any arguments or as an attribute."""
    attribute = not functions.is_denied_attribute(name, frozenset())
    return attribute or any(functions.judge_builtin(name, count).allowed for count in range(12))


async def _execute(guarded: GuardedQuery, connection: Connection, run: Run, sql: str) -> None:
    """Run it as the guard would, but in a transaction that may write, and commit."""
    opening = session.opening(LIMITS, "fuzz").replace("READ ONLY", "READ WRITE")
    opening += f"SELECT 1{session.extend(guarded.search_path)}"
    arguments = masking.hmac_pads(bytes(32)) if guarded.needs_key else ()
    await connection.execute(opening)
    try:
        statement = await connection.prepare(guarded.sql, name="")
        cursor = await statement.cursor(*arguments)
        await cursor.fetch(20)
        wrote, locks = await connection.fetchrow(_SENSORS) or ("t", "0")
    except (asyncpg.PostgresError, asyncpg.InterfaceError, UnicodeError, ValueError, OverflowError):
        await connection.execute("ROLLBACK")
        return
    await connection.execute("COMMIT")
    run.answered += 1
    if wrote != "f":
        run.findings.append(("it wrote", sql))
    if locks != "0":
        run.findings.append(("it locked", sql))


if __name__ == "__main__":
    sys.exit(main())
