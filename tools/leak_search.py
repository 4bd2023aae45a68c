"""Random queries through the guard, in worlds that differ in secrets alone, looked at for leaks.

    uv run python -m tools.leak_search [--runs 100000 | --seconds 600] [--seed 1] [--json]

Each query is judged and spliced, and runs as the agent's role in three worlds: two that differ in
every masked value, and one that differs from the first in one value of one row, another for every
batch. Every answer, every error in our words and every plan as `explain` tells it must be the same
in all of them, and no secret may be in any. Where only the order of rows is another, which no query
here orders wholly, it is counted apart: `docs/security.md` says why. Exit 1: a leak.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import logging
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from tests.postgres.databases import opened
from tests.support.postgres import connected, fresh_database, postgres_18_with_shop
from tests.support.verdicts import judged

from pg_guard_mcp.errors import Cancelled, DatabaseError, GuardError, Refused, TimedOut
from pg_guard_mcp.guard import plan
from pg_guard_mcp.guard import policy as policies
from pg_guard_mcp.guard.rewrite import token_at
from pg_guard_mcp.model import Limits, MaskedResult, ResultColumn, ResultSet
from pg_guard_mcp.postgres import session, snapshot, words
from tools.leak_ground import CANARY, FAVOURITES, RELATIONS, RULES, SECRETS, SMALL, TIDY, flip
from tools.random_queries import Builder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    import asyncpg
    from tests.support.postgres import Shop, ShopServer

    from pg_guard_mcp.guard.policy import Policy
    from pg_guard_mcp.model import AccessRules, GuardedQuery

    Connection = asyncpg.Connection[asyncpg.Record]

BATCH = 250
"""Queries between one flip and the next."""
_EXPLAIN_EVERY = 4
_MAX_ROWS = 200
LIMITS = Limits(statement_timeout_seconds=0.5)

_FORMS = {
    form.lower()
    for text in (CANARY, CANARY.upper(), CANARY[::-1])
    for form in (
        text,
        text.encode().hex(),
        # Wherever in a group of three bytes the word begins; the characters that it alone decides.
        *(
            base64.b64encode(b"\0" * shift + text.encode()).decode()[(shift * 8 + 5) // 6 :][:4]
            for shift in range(3)
        ),
    )
}


class Leak(NamedTuple):
    """What leaked, and the query that has it."""

    what: str
    sql: str


@dataclass(slots=True, kw_only=True)
class Run:
    """What came of a run."""

    runs: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    answered: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    undecided: int = 0
    """Ran out of time in one of the worlds."""
    explained: int = 0
    flips: int = 0
    leaks: list[Leak] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    """Queries whose rows come in another order, and are the same."""

    def as_text(self) -> str:
        """Say it for people."""
        refused = sum(self.refused.values())
        summary = (
            f"{self.runs:,} queries: {refused:,} refused, {self.answered:,} answered,"
            f" {sum(self.errors.values()):,} ended in an error, {self.undecided:,} in a timeout;"
            f" {self.flips:,} values flipped, {self.explained:,} plans compared;"
            f" {len(self.leaks)} leaks, and {len(self.reordered)} in another order"
        )
        lines = [summary]
        lines += [f"  refused {rule}: {count:,}" for rule, count in self.refused.most_common()]
        lines += [f"  error {state}: {count:,}" for state, count in self.errors.most_common()]
        lines += [f"ORDER: {sql[:2_000]!r}" for sql in self.reordered[:10]]
        lines += [f"LEAK {what}: {sql[:4_000]!r}" for what, sql in self.leaks[:50]]
        return "\n".join(lines)


@dataclass(slots=True, kw_only=True)
class World:
    """A database, and the agent's connection to it, in a transaction as the guard opens it."""

    admin: Connection
    agent: Connection

    async def ask(self, query: GuardedQuery) -> Answer:
        """Run a query, and tell in our words what came of it."""
        try:
            statement = await self.agent.prepare(query.sql, name="")
            cursor = await statement.cursor()
            rows = await cursor.fetch(_MAX_ROWS)
            columns = tuple((each.name, each.type.name) for each in statement.get_attributes())
        except words.DRIVER_ERRORS as error:
            said = words.translate(error, timed_out=True)
            if isinstance(said, DatabaseError):
                said.near = token_at(query, said.position)
            await self.begin()
            return Answer(said, str(said))
        lines = [repr(tuple(row)) for row in rows]
        return Answer(None, repr((columns, lines)), repr((columns, sorted(lines))))

    async def plan(self, query: GuardedQuery) -> Answer:
        """Ask for the plan, and tell it as `explain` does."""
        planned = plan.as_plan(query)
        try:
            statement = await self.agent.prepare(planned.sql, name="")
            text = await statement.fetchval()
        except words.DRIVER_ERRORS as error:
            await self.begin()
            said = words.translate(error, timed_out=True)
            return Answer(said, str(said))
        found = ResultSet(columns=(ResultColumn("QUERY PLAN", "json"),), rows=[(text,)])
        return Answer(None, plan.render_plan(MaskedResult(found), planned, LIMITS, "tag").text)

    async def begin(self) -> None:
        """Begin a transaction, ending the one before."""
        await self.agent.execute(
            "ROLLBACK; " + session.opening(LIMITS, "leaks") + "SELECT 1" + session.extend(())
        )

    async def change(self, *statements: str) -> None:
        """Change secrets, as superuser, and leave every row where it was."""
        await self.agent.execute("ROLLBACK")
        await self.admin.execute("".join(statements))
        for statement in TIDY.strip().splitlines():
            await self.admin.execute(statement)  # CLUSTER has a transaction of its own
        await self.begin()


class Answer(NamedTuple):
    """What came of a query: an error of ours, or its rows; and all of it as one text."""

    error: GuardError | None
    text: str
    unordered: str = ""
    """The rows in an order of their own; empty where there are none."""


def main(arguments: list[str] | None = None) -> int:
    """Search, and report."""
    parser = argparse.ArgumentParser(prog="python -m tools.leak_search")
    parser.add_argument("--runs", type=int, default=sys.maxsize)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    logging.disable(logging.WARNING)  # sqlglot warns of what it guesses, and we of superusers
    with postgres_18_with_shop() as server:
        run = asyncio.run(
            search(server, seed=options.seed, runs=options.runs, seconds=options.seconds)
        )
    if options.json:
        sys.stdout.write(
            json.dumps({"runs": run.runs, "answered": run.answered, "leaks": run.leaks})
        )
    sys.stdout.write(run.as_text() + "\n")
    return 1 if run.leaks else 0


async def search(
    server: ShopServer,
    *,
    seed: int,
    runs: int,
    seconds: float = float("inf"),
    rules: AccessRules = RULES,
) -> Run:
    """Build so many queries, or for so long, and hold their answers against each other."""
    random = Random(seed)  # noqa: S311 - to be repeated
    builder = Builder(random=random, relations=RELATIONS, favourites=FAVOURITES)
    run = Run()
    deadline = time.monotonic() + seconds
    async with _worlds(server, rules) as (worlds, policy):
        while run.runs < runs and time.monotonic() < deadline:
            if run.runs % BATCH == 0:
                await worlds[-1].change(*_secrets("one"), flip(random, run.flips))
                run.flips += 1
            run.runs += 1
            sql = builder.query()
            try:
                guarded = judged(sql, policy)
            except Refused as refusal:
                run.refused.update({finding.rule for finding in refusal.findings[:1]})
                continue
            await _compare(guarded, worlds, run, sql)
            if run.runs % _EXPLAIN_EVERY == 0:
                await _compare_plans(judged(sql, policy, to_plan=True), worlds, run, sql)
    return run


async def _compare(guarded: GuardedQuery, worlds: tuple[World, ...], run: Run, sql: str) -> None:
    answers = [await world.ask(guarded) for world in worlds]
    if any(isinstance(answer.error, TimedOut | Cancelled) for answer in answers):
        run.undecided += 1
        return
    error = answers[0].error
    if isinstance(error, DatabaseError):
        run.errors[error.sqlstate] += 1
    else:
        run.answered += 1
    one, *others = answers
    if any(other.text != one.text for other in others) and one.unordered:
        if all(other.unordered == one.unordered for other in others):
            run.reordered.append(sql)
        answers = [Answer(None, answer.unordered or answer.text) for answer in answers]
    run.leaks += _leaks("answer", answers, sql)


async def _compare_plans(
    planned: GuardedQuery, worlds: tuple[World, ...], run: Run, sql: str
) -> None:
    run.explained += 1
    run.leaks += _leaks("plan", [await world.plan(planned) for world in worlds], sql)


def _leaks(what: str, answers: Sequence[Answer], sql: str) -> Iterator[Leak]:
    if any(map(_told, answers)):
        yield Leak(f"a secret is in the {what}", sql)
    one, *others = (answer.text for answer in answers)
    for other, difference in zip(others, ("every secret", "one value"), strict=True):
        if other != one:
            yield Leak(f"the {what} is another where {difference} is", sql)


def _told(answer: Answer) -> bool:
    text = answer.text.lower()
    return any(form in text for form in _FORMS)


@asynccontextmanager
async def _worlds(
    server: ShopServer, rules: AccessRules
) -> AsyncIterator[tuple[tuple[World, ...], Policy]]:
    async with AsyncExitStack() as stack:
        worlds = []
        for name in ("one", "other", "one"):
            place = await stack.enter_async_context(fresh_database(server))
            worlds.append(await _world(stack, place, name))
        async with opened(place.agent) as database:
            catalog = await snapshot.take(database, "leaks")
        yield tuple(worlds), policies.build(rules, catalog)


async def _world(stack: AsyncExitStack, place: Shop, name: str) -> World:
    admin = await stack.enter_async_context(connected(place.admin))
    agent = await stack.enter_async_context(connected(place.agent))
    await session.TextTypes().register(agent)
    await admin.execute(SMALL)
    world = World(admin=admin, agent=agent)
    await world.change(*_secrets(name))
    return world


def _secrets(world: str) -> list[str]:
    return [secret.update(world) for secret in SECRETS]


if __name__ == "__main__":
    sys.exit(main())
