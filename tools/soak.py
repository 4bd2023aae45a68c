"""Many calls from many clients for a long time: nothing grows, stays behind or gets lost.

    uv run python -m tools.soak [--calls 50000] [--clients 32] [--seed 1]

One server over HTTP, a pool of 4, and clients that ask for answers known beforehand. A tenth of the
calls is cancelled: half of those as soon as Postgres is at work on them, half at any moment, which
may be before the server has read them. Exit 1: a wrong answer, a call the trail does not know, a
connection, file or query left behind, or memory that grew by more than a twentieth after the first
fifth of the calls.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import psutil
from tests.postgres.databases import active, until_idle
from tests.support.accounts import account
from tests.support.asking import asking
from tests.support.postgres import connected, fresh_database, postgres_18_with_shop
from tests.support.server import configure, http_process

from tools.questions import SLOW, Question, Truth, draw, learn

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    import asyncpg
    from tests.support.accounts import Account
    from tests.support.asking import Asker
    from tests.support.postgres import ShopServer

MOST_GROWTH = 0.05
_WARM_UP = 0.2
_SAMPLES = 200
_CANCELLED = 0.1
_ACCESS = """
[access]
schemas = ["shop"]
[mask]
"shop.customers.email" = "email"
"""
_AT_WORK = 0.5
"""How many of the cancelled calls are so while Postgres works on them; the rest at any moment."""
_ANY_MOMENT_SECONDS = 0.2
_MOST_BUSY = 0.01
_LOOK_AGAIN_SECONDS = 0.005
_SETTLE_SECONDS = 5.0


@dataclass(slots=True, kw_only=True)
class Soak:
    """What came of a soak."""

    calls: int
    seconds: float = 0.0
    account: Account
    wrong: list[str]
    withdrawn: int
    """Cancelled before the server had read them: nothing ran, and the trail knows nothing."""
    cancelled: int
    memory: list[int]
    """Bytes that the server and its parsers held, at equal steps."""
    files: tuple[int, int]
    """File descriptors of the server after the warm-up, and when the clients had gone."""
    connections_left: int
    """Connections to Postgres when the server had ended; queries at work end before that."""

    @property
    def growth(self) -> float:
        """By how much memory grew from after the warm-up to the end."""
        warm = self.memory[int(len(self.memory) * _WARM_UP) :]
        tenth = max(1, len(warm) // 10)
        before, after = statistics.median(warm[:tenth]), statistics.median(warm[-tenth:])
        return after / before - 1

    @property
    def lost(self) -> int:
        """Count the calls that the trail should know and does not."""
        return len(self.account.lost) - self.withdrawn

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong, but for memory, which takes many calls to tell."""
        return not (
            self.wrong
            or self.lost
            or self.account.problems
            or self.connections_left
            or self.files[1] > self.files[0]
            or self.account.outcomes["busy"] > self.calls * _MOST_BUSY
        )

    def as_text(self) -> str:
        """Say it for people."""
        megabytes = [size / 2**20 for size in self.memory]
        warm = megabytes[int(len(megabytes) * _WARM_UP)]
        outcomes = ", ".join(f"{name} {n:,}" for name, n in self.account.outcomes.most_common())
        rate = self.calls / self.seconds
        figures = {
            "calls sent": f"{self.calls:,} in {self.seconds:.0f} s, {rate:.0f} a second",
            "cancelled": f"{self.cancelled:,}, {self.withdrawn:,} of them before they were read",
            "verdicts": f"{self.account.verdicts:,}; lost {self.lost:,}",
            "outcomes": outcomes,
            "trail": "BROKEN" if self.account.problems else "intact",
            "wrong answers": f"{len(self.wrong):,}",
            "memory": f"{warm:.1f} MB warm, {megabytes[-1]:.1f} MB at the end: {self.growth:+.1%}",
            "file descriptors": f"{self.files[0]} before, {self.files[1]} after",
            "connections left": f"{self.connections_left}",
        }
        lines = [f"{name:<18}{figure}" for name, figure in figures.items()]
        lines += [f"PROBLEM {problem}" for problem in self.account.problems[:20]]
        lines += [f"WRONG {wrong}" for wrong in self.wrong[:20]]
        return "\n".join(lines)


@dataclass(slots=True, kw_only=True)
class _Run:
    """What all clients of one soak share."""

    admin: asyncpg.Connection[asyncpg.Record]
    truth: Truth
    server: psutil.Process
    random: Random
    sample_every: int
    taken: int = 0
    looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    wrong: list[str] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)
    memory: list[int] = field(default_factory=list)

    async def ask_until(
        self, calls: int, clients: int, connections: AbstractAsyncContextManager[Asker]
    ) -> None:
        """Have so many clients ask until so many calls were sent in all."""
        async with connections as asker, asyncio.TaskGroup() as tasks:
            for _ in range(clients):
                tasks.create_task(self._client(asker, calls))

    async def _client(self, asker: Asker, calls: int) -> None:
        while self.taken < calls:
            if self.taken % self.sample_every == 0:
                self.memory.append(_memory(self.server))
            self.taken += 1
            mark = str(self.taken)
            if self.random.random() < _CANCELLED:
                await self._cancel(asker, mark)
            else:
                await self._ask(asker, mark, draw(self.random, self.truth))

    async def _ask(self, asker: Asker, mark: str, question: Question) -> None:
        answer = await asker.call_marked(mark, question.tool, **question.arguments)
        if answer.code == "busy":
            return  # no answer, and no wrong one; `is_good` says how many there may be
        if problem := question.fault(answer):
            self.wrong.append(f"{question.kind}, call {mark}: {problem}")

    async def _cancel(self, asker: Asker, mark: str) -> None:
        """Begin a call that would take days, and hang up."""
        self.cancelled.add(mark)
        sql = f"{SLOW} WHERE a.id <> -{mark}"
        call = asyncio.ensure_future(asker.call_marked(mark, "query", sql=sql))
        if self.random.random() < _AT_WORK:
            # Postgres tells nobody when a query starts: it must be asked.
            while not call.done() and not await self._works_on(sql):  # noqa: ASYNC110 - see above
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        else:
            await asyncio.wait([call], timeout=self.random.random() * _ANY_MOMENT_SECONDS)
        call.cancel()
        await asyncio.wait([call])
        if not call.cancelled() and (call.exception() or call.result().code != "busy"):
            self.wrong.append(f"slow, call {mark}: {call.exception() or call.result().text}")

    async def _works_on(self, sql: str) -> bool:
        async with self.looking:
            return bool(await active(self.admin, sql))


async def soak(
    server: ShopServer, directory: Path, *, calls: int, clients: int, seed: int = 1
) -> Soak:
    """Send `calls` from so many clients at once, and look what came of it."""
    async with fresh_database(server) as shop, connected(shop.admin) as admin:
        place = configure(directory, shop.agent, _ACCESS)
        token = secrets.token_urlsafe(32)
        with http_process(place, token) as (url, process):
            server_process = psutil.Process(process.pid)
            run = _Run(
                admin=admin,
                truth=await learn(admin),
                server=server_process,
                random=Random(seed),  # noqa: S311 - the same every time
                sample_every=max(1, calls // _SAMPLES),
            )
            started = time.monotonic()
            await run.ask_until(int(calls * _WARM_UP), clients, asking(url, token))
            files_before = await _settled(server_process, 0)
            await run.ask_until(calls, clients, asking(url, token))
            seconds = time.monotonic() - started
            await until_idle(admin)
            files_after = await _settled(server_process, files_before)
        connections_left = await admin.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = $1", shop.agent.user
        )
    found = account(place, [str(number) for number in range(1, run.taken + 1)])
    return Soak(
        calls=run.taken,
        seconds=seconds,
        account=found,
        wrong=run.wrong + _misjudged(found, run.cancelled),
        withdrawn=len(run.cancelled - found.known),
        cancelled=len(run.cancelled),
        memory=run.memory,
        files=(files_before, files_after),
        connections_left=connections_left,
    )


def main(arguments: list[str] | None = None) -> int:
    """Soak, and report."""
    parser = argparse.ArgumentParser(prog="python -m tools.soak")
    parser.add_argument("--calls", type=int, default=50_000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory, postgres_18_with_shop() as server:
        found = asyncio.run(
            soak(
                server,
                Path(directory) / "soak",
                calls=options.calls,
                clients=options.clients,
                seed=options.seed,
            )
        )
    sys.stdout.write(found.as_text() + "\n")
    return 0 if found.is_good and found.growth < MOST_GROWTH else 1


def _misjudged(found: Account, cancelled: set[str]) -> list[str]:
    """Name the calls whose outcome on the trail is not the one that the client saw."""
    return [
        f"call {mark} is {outcome} on the trail"
        for mark, outcome in found.outcome_of.items()
        if outcome != "busy" and (outcome == "cancelled") != (mark in cancelled)
    ]


def _memory(server: psutil.Process) -> int:
    """Count what the server and its parsers hold."""
    return sum(each.memory_info().rss for each in (server, *server.children(recursive=True)))


async def _settled(server: psutil.Process, expected: int) -> int:
    """Count the server's files once it has noticed that the clients are gone, or some time on."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while (count := server.num_fds()) > expected and time.monotonic() < deadline:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    return count


if __name__ == "__main__":
    sys.exit(main())
