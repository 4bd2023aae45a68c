"""What leads to Postgres changes: a pooler is restarted, a standby becomes a primary."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import anyio.to_thread
from tests.postgres.databases import backends
from tests.support.cluster import Cluster
from tests.support.pgbouncer import has_pgbouncer, pgbouncer
from tests.support.postgres import connected
from tests.support.standby import promote

from tools.faults.ground import Fault, Stage, check_ended, seconds_until_ended
from tools.faults.pairs import with_standby
from tools.questions import SLOW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.support.postgres import OwnServer
    from tests.support.server import Place

    from tools.faults.ground import Ground
    from tools.faults.pairs import Pair

_CLIENTS = 8
_BEFORE_SECONDS = 1.0
_DEAD_SECONDS = 1.0
_POLITE_SECONDS = 10.0
_ELSEWHERE = "UPDATE shop.orders SET total = total + 1"
_AS_BEFORE = "UPDATE shop.orders SET total = total - 1"


@asynccontextmanager
async def _behind_pgbouncer(shop: OwnServer, _cluster: Cluster) -> AsyncIterator[Stage]:
    with pgbouncer(shop, pool_mode="transaction") as bouncer:
        yield Stage(login=bouncer.login(shop.agent), bouncer=bouncer, part=bouncer.stop)


async def restart_pgbouncer(ground: Ground) -> None:
    """Kill PgBouncer while a query runs through it, then end it in good order, under load."""
    bouncer = ground.stage.bouncer
    assert bouncer
    async with ground.load(_CLIENTS):
        struck = asyncio.ensure_future(ground.ask("query", sql=SLOW))
        async with connected(ground.shop.admin) as admin:
            await backends(admin, SLOW)
            bouncer.stop()
            worst = await seconds_until_ended(admin)
        if (await struck).code != "unavailable":
            ground.wrong.append(f"the call that was struck: {struck.result().text}")
        await asyncio.sleep(_DEAD_SECONDS)
        await anyio.to_thread.run_sync(bouncer.start)
        await ground.until_well()
        bouncer.process.send_signal(signal.SIGINT)
        try:
            await anyio.to_thread.run_sync(bouncer.process.wait, _POLITE_SECONDS)
        except subprocess.TimeoutExpired:
            bouncer.stop()
        await anyio.to_thread.run_sync(bouncer.start)
        await ground.until_well()
    check_ended(ground, worst)


async def fail_over(ground: Ground) -> None:
    """Lose the primary and promote the standby, then lose that one and have the first again."""
    pair = _pair(ground)
    first, second = Cluster(pair.primary.server), Cluster(pair.standby.server)
    async with ground.load(_CLIENTS):
        await asyncio.sleep(_BEFORE_SECONDS)
        first.kill(first.postmaster)
        await promote(pair.standby)
        await ground.until_well()
        second.kill(second.postmaster)
        await asyncio.sleep(_DEAD_SECONDS)
        await first.restart()
        await ground.until_well()
    await second.restart()


@contextmanager
def _replica_required(place: Place) -> Iterator[Place]:
    policy = place.policy.read_text(encoding="utf-8")
    place.policy.write_text(
        policy.replace("[database]\n", "[database]\nrequire_replica = true\n"), encoding="utf-8"
    )
    yield place


async def promote_required(ground: Ground) -> None:
    """Promote the only replica: with none left nothing is read, until there is another one."""
    pair = _pair(ground)
    primaries = [pair.primary, pair.standby]
    async with ground.load(_CLIENTS):
        await asyncio.sleep(_BEFORE_SECONDS)
        await promote(pair.standby)
        # Two primaries, which both have other answers than the right ones from now on.
        while (await ground.ask("query", sql="SELECT 1")).code != "unavailable":
            pass
        await asyncio.sleep(_DEAD_SECONDS)
        for node in primaries:
            async with connected(node.admin) as admin:
                await admin.execute(_ELSEWHERE)
        before = ground.codes.get("answered", 0)
        await asyncio.sleep(_DEAD_SECONDS)
        struck = await ground.ask("query", sql="SELECT count(*) FROM shop.orders")
        if struck.code != "unavailable":
            ground.wrong.append(f"without a replica: {struck.text}")
        if (read := ground.codes.get("answered", 0) - before) > 0:
            ground.remark = f"{read} answers that need no data meanwhile"
        for node in primaries:
            async with connected(node.admin) as admin:
                await admin.execute(_AS_BEFORE)
        await pair.replace_standby()
        await ground.until_well()


def _pair(ground: Ground) -> Pair:
    assert ground.stage.pair
    return ground.stage.pair


def _no_pgbouncer() -> str | None:
    return None if has_pgbouncer() else "PgBouncer"


FAILOVERS = (
    Fault(
        name="PgBouncer restarted",
        happen=restart_pgbouncer,
        stage=_behind_pgbouncer,
        needs=_no_pgbouncer,
    ),
    Fault(
        name="standby promoted",
        happen=fail_over,
        tolerated=("unavailable", "busy"),
        stage=with_standby,
    ),
    Fault(
        name="required standby promoted",
        happen=promote_required,
        tolerated=("unavailable", "busy"),
        stage=with_standby,
        settle=_replica_required,
    ),
)
