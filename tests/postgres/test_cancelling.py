"""A cancelled query ends at once, whenever the cancel arrives, and its connection is used again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from anyio.to_thread import run_sync

from tests.guarding import ENDLESS
from tests.postgres.databases import (
    active,
    fetch,
    one_connection,
    opened,
    value,
)
from tests.support.postgres import connected
from tests.support.proxies import BIND, proxied

if TYPE_CHECKING:
    from tests.support.postgres import Shop

OWN_PROCESS = "SELECT pg_backend_pid()"


async def test_a_query_that_begins_after_its_cancel_arrived_is_cancelled_again(
    fresh_shop: Shop,
) -> None:
    """Postgres forgets a cancel that finds nothing to end, and a network may bring it first."""
    with proxied(fresh_shop.agent) as proxy:
        async with (
            connected(fresh_shop.admin) as admin,
            opened(proxy.login, one_connection()) as database,
        ):
            process_id = await value(database, OWN_PROCESS)
            proxy.hold(BIND)
            query = asyncio.ensure_future(fetch(database, ENDLESS))
            assert await run_sync(proxy.held.wait, 5), query
            query.cancel()
            await run_sync(proxy.until_cancelled, 1)
            proxy.let_go()
            await asyncio.wait([query])

            assert await active(admin) == []
            assert query.cancelled()
            # The very connection is used again: it was cancelled, not given up.
            assert await value(database, OWN_PROCESS) == process_id
