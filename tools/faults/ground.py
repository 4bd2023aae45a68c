"""Where a fault happens: a server of ours, clients that ask it, and all that is seen of it."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Literal

from tests.postgres.databases import active
from tests.support.postgres import connected

from tools.questions import SLOW, draw, orders

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    import asyncpg
    from tests.support.answers import Answer
    from tests.support.asking import Asker
    from tests.support.cluster import Cluster
    from tests.support.pgbouncer import PgBouncer
    from tests.support.postgres import OwnServer, Shop
    from tests.support.proxies import Proxy
    from tests.support.server import Place
    from tests.support.stdio_asking import StdioAsker
    from tests.support.wires import Wire

    from pg_guard_mcp.demo.cluster import Login
    from tools.faults.pairs import Pair
    from tools.questions import Question, Truth

    Connection = asyncpg.Connection[asyncpg.Record]

Transport = Literal["http", "stdio"]
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
_PAUSE_SECONDS = 0.02
MOST_SECONDS = 1.0
"""How long a query may go on that nobody waits for any more."""
OTHER_MARKS = 1_000_000
"""From here on are the marks of calls to a server beside the first."""
_LOOK_SECONDS = 0.005


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
    """What a call may end with while something is wrong: codes, or the rules of refusals."""
    random: Random = field(default_factory=lambda: Random(1))  # noqa: S311 - the same every time
    wrong: list[str] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    """Marks of calls that were cancelled while Postgres was at work on them."""
    withdrawn: set[str] = field(default_factory=set)
    """Marks of calls that were cancelled at any moment, so maybe before the server read them."""
    cut_off: set[str] = field(default_factory=set)
    """Marks of calls that were told nothing, for their server was ended, in good order."""
    killed: set[str] = field(default_factory=set)
    """Marks of calls that were told nothing, for their server was killed."""
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
        self.note(question, answer)
        return answer

    def note(self, question: Question | None, answer: Answer) -> None:
        """Count an answer; it is wrong if it is neither right nor an error that may be now."""
        code = answer.code or "answered"
        self.codes[code] = self.codes.get(code, 0) + 1
        problem = question.fault(answer) if question is not None else None
        if question is not None and problem is not None and not self.tolerates(answer):
            self.wrong.append(f"{question.kind}: {problem}")

    def tolerates(self, answer: Answer) -> bool:
        """Tell whether a call may end like that while something is wrong."""
        return not self.tolerated.isdisjoint({answer.code, *answer.rules})

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

    async def end_connections(self) -> int:
        """Have Postgres end every connection of the server; give how many there were."""
        async with connected(self.shop.admin) as admin:
            ended = await admin.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = $1",
                self.shop.agent.user,
            )
        return int(ended)

    async def _trouble(self) -> str | None:
        question = orders(self.random, self.truth)
        return question.fault(await self.ask(question.tool, **question.arguments))

    async def _until(self, over: asyncio.Event) -> None:
        while not over.is_set():
            answer = await self.ask()
            if self.tolerates(answer):
                await asyncio.sleep(_PAUSE_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """How the server reaches Postgres."""

    login: Login
    through: Sequence[str] = ()
    """The command that starts the server's command."""
    proxy: Proxy | None = None
    wire: Wire | None = None
    bouncer: PgBouncer | None = None
    pair: Pair | None = None
    shops: Sequence[Shop] = ()
    """Where the answers come from, if it is another Postgres than that of all faults."""
    part: Callable[[], None] = lambda: None
    """Ends what has connections of its own, before connections are counted."""


@asynccontextmanager
async def as_it_is(shop: OwnServer, _cluster: Cluster) -> AsyncIterator[Stage]:
    """Put nothing between the server and Postgres."""
    yield Stage(login=shop.agent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong, and what calls may say meanwhile."""

    name: str
    happen: Callable[[Ground], Awaitable[None]]
    tolerated: Sequence[str] = ("unavailable",)
    transport: Transport = "http"
    tables: str = ACCESS
    stage: Callable[[OwnServer, Cluster], AbstractAsyncContextManager[Stage]] = as_it_is
    """What stands between the server and Postgres."""
    settle: Callable[[Place], AbstractContextManager[Place]] = nullcontext
    """What else the server's place has to have."""
    needs: Callable[[], str | None] | None = None
    """Names what this machine has not and the fault needs."""


async def seconds_until_ended(admin: Connection) -> float:
    """Wait until no slow query is at work; give how long that took."""
    started = time.monotonic()
    while await active(admin, SLOW):  # noqa: ASYNC110 - Postgres tells nobody when a query ends
        await asyncio.sleep(_LOOK_SECONDS)
    return time.monotonic() - started


def check_ended(ground: Ground, worst: float) -> None:
    """Note after how long the last query ended, and whether that was in time."""
    ground.remark = f"queries ended after {worst:.2f} s at most"
    if worst > MOST_SECONDS:
        ground.wrong.append(f"a query went on for {worst:.1f} s")
