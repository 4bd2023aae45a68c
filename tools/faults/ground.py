"""Where a fault happens: a server of ours, clients that ask it, and all that is seen of it."""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, Literal

from tests.postgres.databases import active
from tests.support.accounts import account
from tests.support.asking import asking
from tests.support.postgres import connect, connected
from tests.support.server import configure, http_process
from tests.support.stdio_asking import stdio_asking

from tools.questions import draw, learn, orders

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from pathlib import Path

    from tests.support.accounts import Account
    from tests.support.answers import Answer
    from tests.support.asking import Asker
    from tests.support.cluster import Cluster
    from tests.support.postgres import Shop
    from tests.support.proxies import Proxy
    from tests.support.server import Place
    from tests.support.stdio_asking import StdioAsker
    from tests.support.wires import Wire

    from pg_guard_mcp.demo.cluster import Login
    from tools.questions import Truth

NO_TRAIL = "audit-unavailable"
STATEMENT_SECONDS = 3
ACCESS = f"""
[access]
schemas = ["shop"]
[mask]
"shop.customers.email" = "email"
[limits]
statement_timeout_seconds = {STATEMENT_SECONDS}
"""
_WELL_SECONDS = 30.0
_ENDED_SECONDS = 10.0
_PAUSE_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a fault did, in numbers."""

    fault: str
    sent: int
    verdicts: int
    lost: int
    """Calls that the trail should know and does not; those told that it cannot be written not."""
    wrong: tuple[str, ...]
    """Answers that were neither right nor an honest error, and what is wrong with the trail."""
    backends: int
    """Queries at work when every call had ended."""
    connections: int
    """Connections when the server had ended."""
    slowest: float
    """Seconds that the longest call took."""
    well: float
    """Seconds from the end of the fault to the first right answer."""
    codes: dict[str, int]
    remark: str = ""

    @property
    def is_good(self) -> bool:
        """Whether nothing was wrong, lost or left."""
        return not (self.wrong or self.lost or self.backends or self.connections)


@dataclass(slots=True, kw_only=True)
class Ground:
    """A server at work, as a fault finds it."""

    shop: Shop
    cluster: Cluster
    stage: Stage
    place: Place
    asker: Asker | StdioAsker
    process_id: int
    truth: Truth
    tolerated: frozenset[str]
    """The codes that a call may end with while something is wrong."""
    random: Random = field(default_factory=lambda: Random(1))  # noqa: S311 - the same every time
    wrong: list[str] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    """Marks of calls that were cancelled while Postgres was at work on them."""
    withdrawn: set[str] = field(default_factory=set)
    """Marks of calls that were cancelled at any moment, so maybe before the server read them."""
    slowest: float = 0.0
    well: float = 0.0
    remark: str = ""

    async def ask(self, tool: str = "", **arguments: object) -> Answer:
        """Ask something, or what is drawn; note how it ends."""
        question = None if tool else draw(self.random, self.truth)
        started = time.monotonic()
        if question is not None:
            answer = await self.asker.call(question.tool, **question.arguments)
        else:
            answer = await self.asker.call(tool, **arguments)
        self.slowest = max(self.slowest, time.monotonic() - started)
        code = answer.code or "answered"
        self.codes[code] = self.codes.get(code, 0) + 1
        problem = question.fault(answer) if question is not None else None
        if problem is not None and answer.code not in self.tolerated:
            self.wrong.append(f"{question.kind if question else tool}: {problem}")
        return answer

    @asynccontextmanager
    async def load(self, clients: int) -> AsyncIterator[None]:
        """Have so many clients ask for as long as this block."""
        over = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(clients):
                tasks.create_task(self._until(over))
            try:
                yield
            finally:
                over.set()

    async def until_well(self) -> None:
        """Ask until there is a right answer; note how long that took."""
        started = time.monotonic()
        while trouble := await self._trouble():
            if time.monotonic() > started + _WELL_SECONDS:
                log = self.place.stderr.read_text(encoding="utf-8")[-1_000:]
                raise AssertionError(f"it is not well again: {trouble}; its log ends: {log}")
            await asyncio.sleep(_PAUSE_SECONDS)
        self.well = max(self.well, time.monotonic() - started)

    async def _trouble(self) -> str | None:
        question = orders(self.random, self.truth)
        return question.fault(await self.ask(question.tool, **question.arguments))

    async def _until(self, over: asyncio.Event) -> None:
        while not over.is_set():
            answer = await self.ask()
            if answer.code in self.tolerated:
                await asyncio.sleep(_PAUSE_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """How the server reaches Postgres."""

    login: Login
    through: Sequence[str] = ()
    """The command that starts the server's command."""
    proxy: Proxy | None = None
    wire: Wire | None = None


@asynccontextmanager
async def _as_it_is(shop: Shop, _cluster: Cluster) -> AsyncIterator[Stage]:
    yield Stage(login=shop.agent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong, and what calls may say meanwhile."""

    name: str
    happen: Callable[[Ground], Awaitable[None]]
    tolerated: Sequence[str] = ("unavailable",)
    transport: Literal["http", "stdio"] = "http"
    tables: str = ACCESS
    stage: Callable[[Shop, Cluster], AbstractAsyncContextManager[Stage]] = _as_it_is
    """What stands between the server and Postgres."""
    settle: Callable[[Place], AbstractContextManager[Place]] = nullcontext
    """What else the server's place has to have."""
    needs: Callable[[], str | None] | None = None
    """Names what this machine has not and the fault needs."""


async def tried(fault: Fault, shop: Shop, cluster: Cluster, directory: Path) -> Figures:
    """Have it happen to a server under the eyes of its clients, and count."""
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(fault.stage(shop, cluster))
        configured = configure(directory, stage.login, fault.tables)
        place = stack.enter_context(fault.settle(configured))
        server = await stack.enter_async_context(AsyncExitStack())
        asker, process_id = await _server(fault, place, stage, server)
        async with connected(shop.admin) as admin:
            truth = await learn(admin)
        ground = Ground(
            shop=shop,
            cluster=cluster,
            stage=stage,
            place=place,
            asker=asker,
            process_id=process_id,
            truth=truth,
            tolerated=frozenset(fault.tolerated),
        )
        await ground.until_well()
        ground.well = ground.slowest = 0.0
        await fault.happen(ground)
        await ground.until_well()
        # What is sound answers all of them, and tolerates nothing.
        ground.tolerated = frozenset()
        await asyncio.gather(*(ground.ask() for _ in range(16)))
        backends = await until_ended(shop)
        # The server ends first, and what its place had while it ran goes last.
        await server.aclose()
        found = account(place, asker.sent)
        told = {mark for mark, answer in asker.told.items() if answer.code == NO_TRAIL}
        wrong = [*ground.wrong, *found.problems, *_misjudged(found, ground)]
        connections = await _connections(shop)
        wrong += _crashes(place)
    return Figures(
        fault=fault.name,
        sent=found.sent,
        verdicts=found.verdicts,
        lost=len(found.lost - told - ground.withdrawn),
        wrong=tuple(wrong),
        backends=backends,
        connections=connections,
        slowest=ground.slowest,
        well=ground.well,
        codes=ground.codes,
        remark=ground.remark,
    )


async def until_ended(shop: Shop, sql: str = "") -> int:
    """Wait until no query is at work; give how many are when that takes too long."""
    deadline = time.monotonic() + _ENDED_SECONDS
    async with connected(shop.admin) as admin:
        while (left := await active(admin, sql)) and time.monotonic() < deadline:  # noqa: ASYNC110 - Postgres tells nobody
            await asyncio.sleep(_PAUSE_SECONDS)
    return len(left)


def _misjudged(found: Account, ground: Ground) -> list[str]:
    """Find what the client cancelled and the trail says ended otherwise."""
    outcomes = {mark: found.outcome_of.get(mark) for mark in ground.cancelled}
    outcomes |= {m: found.outcome_of[m] for m in ground.withdrawn & found.outcome_of.keys()}
    return [
        f"call {mark} is {outcome} on the trail, and was cancelled"
        for mark, outcome in outcomes.items()
        if outcome != "cancelled"
    ]


def _crashes(place: Place) -> list[str]:
    """Find where the server itself crashed."""
    log = place.stderr.read_text(encoding="utf-8", errors="replace")
    return [line for line in log.splitlines() if "tool_crashed" in line or "Traceback" in line]


async def _server(
    fault: Fault, place: Place, stage: Stage, stack: AsyncExitStack
) -> tuple[Asker | StdioAsker, int]:
    if fault.transport == "stdio":
        asker = await stack.enter_async_context(stdio_asking(place, through=stage.through))
        return asker, asker.process.pid
    token = secrets.token_urlsafe(32)
    url, process = stack.enter_context(http_process(place, token))
    return await stack.enter_async_context(asking(url, token)), process.pid


async def _connections(shop: Shop) -> int:
    """Count the server's connections once it has ended; Postgres notices within moments."""
    admin = await connect(replace(shop.admin, database="postgres"))
    deadline = time.monotonic() + _ENDED_SECONDS
    try:
        while True:
            found = await admin.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE usename = $1", shop.agent.user
            )
            if not found or time.monotonic() > deadline:
                return int(found)
            await asyncio.sleep(_PAUSE_SECONDS)
    finally:
        await admin.close()
