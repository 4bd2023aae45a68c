"""A primary and its standby under two addresses, of which the first may come to lead elsewhere.

As a name does in DNS, or an address that moves: here it is a link to the directory of a socket.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread
from tests.support.postgres import Shop
from tests.support.standby import caught_up, primary_with_shop, standby_of

from tools.faults.ground import Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.cluster import Cluster
    from tests.support.postgres import OwnServer
    from tests.support.standby import Node


@dataclass(slots=True, kw_only=True)
class Pair:
    """Both, and where the first address leads."""

    primary: Node
    standby: Node
    shops: list[Shop]
    link: Path
    stack: ExitStack

    async def replace_standby(self) -> None:
        """Make a standby of the one there was, which leads now, and have the address lead to it."""
        leading = self.standby
        self.standby = await anyio.to_thread.run_sync(self.stack.enter_context, standby_of(leading))
        await caught_up(self.standby, leading)
        self.shops.append(_shop(self.standby))
        self.link.unlink()
        self.link.symlink_to(self.standby.agent.host)


@asynccontextmanager
async def with_standby(shop: OwnServer, _cluster: Cluster) -> AsyncIterator[Stage]:
    """Run both; the server is told of both, the standby first."""
    with ExitStack() as stack:
        # Both are made by functions that have an event loop of their own.
        run = anyio.to_thread.run_sync
        primary = await run(stack.enter_context, primary_with_shop(shop.major))
        standby = await run(stack.enter_context, standby_of(primary))
        await caught_up(standby, primary)
        link = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "standby"
        link.symlink_to(standby.agent.host)
        shops = [_shop(primary), _shop(standby)]
        yield Stage(
            login=replace(primary.agent, host=f"{link},{primary.agent.host}"),
            pair=Pair(primary=primary, standby=standby, shops=shops, link=link, stack=stack),
            shops=shops,
        )


def _shop(node: Node) -> Shop:
    return Shop(admin=node.admin, agent=node.agent)
