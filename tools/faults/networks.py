"""The way to Postgres fails: it stalls in a row, it is cut, it loses packets."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.postgres.databases import backends
from tests.support import wires
from tests.support.postgres import connected
from tests.support.proxies import proxied
from tests.support.wires import wired

from tools.faults.ground import STATEMENT_SECONDS, Fault, Stage
from tools.questions import SLOW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.cluster import Cluster
    from tests.support.postgres import OwnServer

    from tools.faults.ground import Ground

MOST_SECONDS = STATEMENT_SECONDS + 5.0
"""How long a call may take when nothing comes back: its own limit, and time to give up."""
_CLIENTS = 6
_CUT_SECONDS = 6.0
_LOSSY_SECONDS = 15.0
_LOSS = 0.3
_LOST = ("unavailable", "timeout", "busy")
_IN_A_ROW = "SELECT id, 'stall-here' || id AS marked FROM shop.orders ORDER BY id"


@asynccontextmanager
async def _behind_a_proxy(shop: OwnServer, _cluster: Cluster) -> AsyncIterator[Stage]:
    with proxied(shop.agent) as proxy:
        yield Stage(login=proxy.login, proxy=proxy)


@asynccontextmanager
async def _on_another_host(shop: OwnServer, cluster: Cluster) -> AsyncIterator[Stage]:
    with wired() as wire:
        await cluster.listen_on(wire.here)
        try:
            login = replace(shop.agent, host=wire.here)
            yield Stage(login=login, through=wire.inside, wire=wire)
        finally:
            # The next to have this address may be another Postgres.
            await cluster.listen_on("")


async def stall_in_a_row(ground: Ground) -> None:
    """Bring half a row, and nothing after that; other connections are well."""
    assert ground.stage.proxy
    ground.stage.proxy.stall_behind(b"stall-here7")
    answer = await ground.ask("query", sql=_IN_A_ROW)
    _check_deadline(ground, answer.code)
    ground.stage.proxy.mend()


async def fall_silent(ground: Ground) -> None:
    """Bring nothing on any connection, old or new, a query at work among them."""
    assert ground.stage.proxy
    async with ground.load(_CLIENTS):
        struck = asyncio.ensure_future(ground.ask("query", sql=SLOW))
        async with connected(ground.shop.admin) as admin:
            await backends(admin, SLOW)
        ground.stage.proxy.fall_silent()
        _check_deadline(ground, (await struck).code)
        await asyncio.sleep(_CUT_SECONDS)
        ground.stage.proxy.mend()
        await ground.until_well()


async def cut(ground: Ground) -> None:
    """Cut the wire for a while: no packet passes, and nobody is told."""
    assert ground.stage.wire
    async with ground.load(_CLIENTS):
        struck = asyncio.ensure_future(ground.ask("query", sql=SLOW))
        async with connected(ground.shop.admin) as admin:
            await backends(admin, SLOW)
        ground.stage.wire.loss = 1.0
        _check_deadline(ground, (await struck).code)
        await asyncio.sleep(_CUT_SECONDS)
        ground.stage.wire.loss = 0.0
        await ground.until_well()


async def lose(ground: Ground) -> None:
    """Lose three packets of ten, either way."""
    assert ground.stage.wire
    wire = ground.stage.wire
    wire.loss = _LOSS
    async with ground.load(_CLIENTS):
        await asyncio.sleep(_LOSSY_SECONDS)
    wire.loss = 0.0
    ground.remark = f"{wire.lost} of {wire.lost + wire.passed} packets lost"


def _check_deadline(ground: Ground, code: str) -> None:
    if code not in _LOST:
        ground.wrong.append(f"the call that was struck ended as {code or 'answered'}")
    if ground.slowest > MOST_SECONDS:
        ground.wrong.append(f"a call took {ground.slowest:.1f} s, of {MOST_SECONDS:.1f} s at most")


NETWORKS = (
    Fault(
        name="proxy stalls in a row",
        happen=stall_in_a_row,
        tolerated=_LOST,
        stage=_behind_a_proxy,
    ),
    Fault(
        name="proxy falls silent",
        happen=fall_silent,
        tolerated=_LOST,
        stage=_behind_a_proxy,
    ),
    Fault(
        name="network cut",
        happen=cut,
        tolerated=_LOST,
        transport="stdio",
        stage=_on_another_host,
        needs=wires.missing,
    ),
    Fault(
        name="network loses 30%",
        happen=lose,
        tolerated=_LOST,
        transport="stdio",
        stage=_on_another_host,
        needs=wires.missing,
    ),
)
