"""A fault and a server in, what came of it out: counted, and held against the trail."""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import psutil
from tests.postgres.databases import active
from tests.support.accounts import account
from tests.support.asking import asking
from tests.support.postgres import connect, connected
from tests.support.server import configure, http_process
from tests.support.stdio_asking import stdio_asking

from tools.faults.ground import NO_TRAIL, Ground
from tools.questions import learn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.accounts import Account
    from tests.support.asking import Asker
    from tests.support.cluster import Cluster
    from tests.support.postgres import OwnServer, Shop
    from tests.support.server import Place
    from tests.support.stdio_asking import StdioAsker

    from tools.faults.ground import Fault, Stage

_ENDED_SECONDS = 10.0
_PAUSE_SECONDS = 0.02
_AT_ONCE = 16


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


async def tried(fault: Fault, shop: OwnServer, cluster: Cluster, directory: Path) -> Figures:
    """Have it happen to a server under the eyes of its clients, and count."""
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(fault.stage(shop, cluster))
        shops = stage.shops or [shop]
        configured = configure(directory, stage.login, fault.tables)
        place = stack.enter_context(fault.settle(configured))
        server = await stack.enter_async_context(AsyncExitStack())
        asker, process_id = await _server(fault, place, stage, server)
        async with connected(shops[0].admin) as admin:
            truth = await learn(admin)
        ground = Ground(
            shop=shops[0],
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
        await asyncio.gather(*(ground.ask() for _ in range(_AT_ONCE)))
        backends = sum([await _until_ended(each) for each in shops])
        processes = psutil.Process(process_id).children(recursive=True)
        # The server ends first, and what its place had while it ran goes last.
        await server.aclose()
        found = account(place, asker.sent)
        wrong = [*ground.wrong, *found.problems, *_misjudged(found, ground)]
        wrong += _left(processes)
        stage.part()
        connections = sum([await _connections(each) for each in shops])
        wrong += place.crashes
    if cut_short := len(ground.killed & found.known & found.lost):
        ground.remark += f", {cut_short} let through and without an end"
    return Figures(
        fault=fault.name,
        sent=found.sent,
        verdicts=found.verdicts,
        lost=len(found.lost - _excused(found, ground)),
        wrong=tuple(wrong),
        backends=backends,
        connections=connections,
        slowest=ground.slowest,
        well=ground.well,
        codes=ground.codes,
        remark=ground.remark,
    )


def _excused(found: Account, ground: Ground) -> set[str]:
    """Name the calls of which the trail may know less than everything, each for its reason."""
    told = {mark for mark, answer in ground.asker.told.items() if answer.code == NO_TRAIL}
    # Maybe the server never read them; once it has let one through, it must say how it ended.
    unread = (ground.withdrawn | ground.cut_off) - found.known
    return told | unread | ground.killed


def _misjudged(found: Account, ground: Ground) -> list[str]:
    """Find what the client cancelled and the trail says ended otherwise."""
    outcomes = {mark: found.outcome_of.get(mark) for mark in ground.cancelled}
    outcomes |= {m: found.outcome_of[m] for m in ground.withdrawn & found.outcome_of.keys()}
    return [
        f"call {mark} is {outcome} on the trail, and was cancelled"
        for mark, outcome in outcomes.items()
        if outcome != "cancelled"
    ]


def _left(processes: Sequence[psutil.Process]) -> list[str]:
    """Find what still runs of the processes that the server had started."""
    _, alive = psutil.wait_procs(processes, timeout=_ENDED_SECONDS)
    return [f"process {process.pid} of the server was left" for process in alive]


async def _server(
    fault: Fault, place: Place, stage: Stage, stack: AsyncExitStack
) -> tuple[Asker | StdioAsker, int]:
    if fault.transport == "stdio":
        asker = await stack.enter_async_context(stdio_asking(place, through=stage.through))
        return asker, asker.process.pid
    token = secrets.token_urlsafe(32)
    url, process = stack.enter_context(http_process(place, token))
    return await stack.enter_async_context(asking(url, token)), process.pid


async def _until_ended(shop: Shop) -> int:
    """Wait until no query is at work; give how many are when that takes too long."""
    deadline = time.monotonic() + _ENDED_SECONDS
    async with connected(shop.admin) as admin:
        while (left := await active(admin)) and time.monotonic() < deadline:  # noqa: ASYNC110 - Postgres tells nobody
            await asyncio.sleep(_PAUSE_SECONDS)
    return len(left)


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
