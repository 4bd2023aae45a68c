"""Postgres dies: one backend, all of it, all of it in good order, and every backend of ours."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.postgres.databases import backends
from tests.support.postgres import connected

from tools.faults.ground import Fault
from tools.questions import SLOW

if TYPE_CHECKING:
    from tools.faults.ground import Ground

_CLIENTS = 8
_DEAD_SECONDS = 1.0
_TIMES = 60
_BETWEEN_SECONDS = 0.05


async def kill_backend(ground: Ground) -> None:
    """Kill the process that fetches; Postgres ends all others and recovers."""
    async with ground.load(_CLIENTS):
        struck = asyncio.ensure_future(ground.ask("query", sql=SLOW))
        async with connected(ground.shop.admin) as admin:
            (process_id,) = await backends(admin, SLOW)
        ground.cluster.kill(process_id)
        if (await struck).code != "unavailable":
            ground.wrong.append(f"the call that was struck: {struck.result().text}")
        await ground.until_well()


async def kill_postmaster(ground: Ground) -> None:
    """Kill the first process: backends at work go on, nobody is let in, until it is restarted."""
    async with ground.load(_CLIENTS):
        struck = asyncio.ensure_future(ground.ask("query", sql=SLOW))
        async with connected(ground.shop.admin) as admin:
            await backends(admin, SLOW)
        ground.cluster.kill(ground.cluster.postmaster)
        await struck  # within its own deadline, whatever it is told
        await asyncio.sleep(_DEAD_SECONDS)
        await ground.cluster.restart()
        await ground.until_well()


async def restart(ground: Ground) -> None:
    """Restart the server under load."""
    async with ground.load(2 * _CLIENTS):
        await asyncio.sleep(_DEAD_SECONDS)
        await ground.cluster.restart("fast")
        await ground.until_well()


async def terminate(ground: Ground) -> None:
    """End every connection again and again, as an administrator does with a runaway role."""
    ended = 0
    async with ground.load(2 * _CLIENTS):
        for _ in range(_TIMES):
            ended += await ground.end_connections()
            await asyncio.sleep(_BETWEEN_SECONDS)
        await ground.until_well()
    ground.remark = f"{ended} connections ended"


CRASHES = (
    Fault(name="backend killed (SIGKILL)", happen=kill_backend),
    Fault(
        name="postmaster killed (SIGKILL)",
        happen=kill_postmaster,
        tolerated=("unavailable", "timeout", "busy"),
    ),
    Fault(name="restart under load", happen=restart),
    Fault(name="all backends terminated", happen=terminate),
)
