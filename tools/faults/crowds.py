"""Clients misbehave: too many at once, one that never reads, and some that leave or change mind."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
from tests.postgres.databases import backends
from tests.support.postgres import connected
from tests.support.stdio_asking import StdioAsker, stdio_asking

from tools.faults.ground import (
    MOST_SECONDS,
    OTHER_MARKS,
    Fault,
    check_ended,
    seconds_until_ended,
)
from tools.questions import SLOW

if TYPE_CHECKING:
    import asyncpg

    from tools.faults.ground import Ground

    Connection = asyncpg.Connection[asyncpg.Record]

POOL = 4
_CROWD = 200
_CALLS_EACH = 3
_UNREAD = 150
_TIMES = 10
_TIMES_LEFT = 2
_TIMES_ANY = 100
_ANY_MOMENT_SECONDS = 0.06
_LOOK_SECONDS = 0.005
_LARGE = "SELECT id, repeat('x', 900) AS filler FROM shop.orders ORDER BY id LIMIT 50"


async def crowd(ground: Ground) -> None:
    """Have 200 clients ask at once."""
    over = asyncio.Event()

    async def client() -> None:
        for _ in range(_CALLS_EACH):
            await ground.ask()

    async with asyncio.TaskGroup() as tasks:
        watch = tasks.create_task(_most_connections(ground, over))
        clients = [tasks.create_task(client()) for _ in range(_CROWD)]
        await asyncio.wait(clients)
        over.set()
    ground.remark = f"at most {watch.result()} connections"
    if watch.result() > POOL:
        ground.wrong.append("the pool grew beyond its size")


async def never_read(ground: Ground) -> None:
    """Ask for much and read nothing for a while: what ran ends, and others are served."""
    asker = ground.asker
    assert isinstance(asker, StdioAsker)
    asker.reads.clear()
    marks = [asker.send("query", sql=_LARGE) for _ in range(_UNREAD)]
    async with connected(ground.shop.admin) as admin:
        await _until_still(ground, admin)
    other = replace(ground.place, stderr=ground.place.stderr.with_suffix(".other"))
    async with stdio_asking(other, first_mark=OTHER_MARKS) as second:
        if (answer := await second.call("query", sql="SELECT 1")).rows != [("1",)]:
            ground.wrong.append(f"a server beside it: {answer.text}")
    asker.sent.extend(second.sent)
    held = psutil.Process(ground.process_id).memory_info().rss / 2**20
    ground.remark = f"{held:.0f} MB held meanwhile"
    asker.reads.set()
    for mark in marks:
        if len((await asker.answer_to(mark)).lines) != len(range(50)):
            ground.wrong.append(f"call {mark} was not answered whole")


async def cancel_at_work(ground: Ground) -> None:
    """Cancel calls that Postgres is at work on."""
    worst = 0.0
    async with connected(ground.shop.admin) as admin:
        for number in range(_TIMES):
            sql = f"{SLOW} WHERE a.id <> -{number}"
            call = asyncio.ensure_future(ground.ask("query", sql=sql))
            await backends(admin, sql)
            ground.cancelled.add(ground.asker.sent[-1])
            call.cancel()
            worst = max(worst, await seconds_until_ended(admin))
    check_ended(ground, worst)


async def cancel_at_any_moment(ground: Ground) -> None:
    """Cancel calls whenever it may be: before they were read, between two messages, at work."""
    worst = 0.0
    async with connected(ground.shop.admin) as admin:
        for number in range(_TIMES_ANY):
            sql = f"{SLOW} WHERE a.id <> -{number}"
            call = asyncio.ensure_future(ground.ask("query", sql=sql))
            await asyncio.wait([call], timeout=_ANY_MOMENT_SECONDS * number / _TIMES_ANY)
            ground.withdrawn.add(ground.asker.sent[-1])
            call.cancel()
            await asyncio.wait([call])
            worst = max(worst, await seconds_until_ended(admin))
    check_ended(ground, worst)


async def leave(ground: Ground) -> None:
    """End the input of a server that is at work: it ends itself, and its query before that."""
    worst = 0.0
    for number in range(_TIMES_LEFT):
        place = replace(ground.place, stderr=ground.place.stderr.with_suffix(".other"))
        first = OTHER_MARKS + number
        async with (
            connected(ground.shop.admin) as admin,
            stdio_asking(place, first_mark=first) as other,
        ):
            mark = other.send("query", sql=f"{SLOW} WHERE a.id <> -{number}")
            await backends(admin, SLOW)
            other.end_input()
            worst = max(worst, await seconds_until_ended(admin))
            if await other.process.wait():
                ground.wrong.append("the server did not end well")
        ground.asker.sent.append(mark)
        ground.cancelled.add(mark)
    check_ended(ground, worst)


async def _most_connections(ground: Ground, over: asyncio.Event) -> int:
    """Look again and again how many connections the server has."""
    most = 0
    async with connected(ground.shop.admin) as admin:
        while not over.is_set():
            most = max(most, await _count(ground, admin, "true"))
            await asyncio.sleep(_LOOK_SECONDS)
    return most


async def _until_still(ground: Ground, admin: Connection) -> None:
    """Wait until nothing more happens in Postgres, and see that no transaction is open."""
    before = None
    while before != (before := await _last_query(ground, admin)):  # noqa: ASYNC110 - see above
        await asyncio.sleep(MOST_SECONDS)
    if await _count(ground, admin, "state <> 'idle'"):
        ground.wrong.append("a transaction stays open for a client that does not read")


async def _last_query(ground: Ground, admin: Connection) -> object:
    return await admin.fetchval(
        "SELECT max(query_start) FROM pg_stat_activity WHERE usename = $1", ground.shop.agent.user
    )


async def _count(ground: Ground, admin: Connection, condition: str) -> int:
    found = await admin.fetchval(
        f"SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND {condition}",  # noqa: S608 - ours
        ground.shop.agent.user,
    )
    return int(found)


CROWDS = (
    Fault(name="200 clients on a pool of 4", happen=crowd, tolerated=("busy",)),
    Fault(name="stdout never read", happen=never_read, transport="stdio", tolerated=()),
    Fault(name="HTTP closed at work", happen=cancel_at_work, tolerated=()),
    Fault(name="HTTP closed at any moment", happen=cancel_at_any_moment, tolerated=()),
    Fault(name="cancelled at work (stdio)", happen=cancel_at_work, transport="stdio", tolerated=()),
    Fault(
        name="cancelled at any moment (stdio)",
        happen=cancel_at_any_moment,
        transport="stdio",
        tolerated=(),
    ),
    Fault(name="stdin ends at work", happen=leave, tolerated=()),
)
