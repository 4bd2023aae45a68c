"""What Postgres cannot end is counted, so that no agent can leave more of it behind than the pool.

Each of a million characters is compared with each of 500, in a function that never looks at a
timeout: seconds of work, and a rule refuses what it can see of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.errors import Busy, TimedOut
from pg_guard_mcp.model import Limits
from pg_guard_mcp.postgres import database as module
from tests.postgres.databases import fetch, opened, until_idle, value
from tests.support.postgres import connected

if TYPE_CHECKING:
    from tests.support.postgres import Shop

RUNAWAY = """
SELECT length(translate(repeat('x', 1000000), string_agg('y', ''), ''))
FROM (SELECT id FROM shop.reviews ORDER BY id LIMIT 500) AS r
"""


async def test_a_query_that_cannot_be_ended_keeps_its_place_until_it_has_ended(
    fresh_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GRACE_SECONDS", 0.1)
    monkeypatch.setattr(module, "_CLEANUP_SECONDS", 0.1)
    limits = Limits(pool_size=1, statement_timeout_seconds=0.2)
    async with opened(fresh_shop.admin, limits) as database, connected(fresh_shop.admin) as admin:
        assert await value(database, "SELECT 1") == "1"
        with pytest.raises(TimedOut):
            await fetch(database, RUNAWAY)

        with pytest.raises(Busy, match="cannot be ended"):
            await fetch(database, "SELECT 1")

        await until_idle(admin)
        assert await value(database, "SELECT 1") == "1"


async def test_fewer_of_them_than_the_pool_has_keep_nobody_out(
    fresh_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GRACE_SECONDS", 0.1)
    monkeypatch.setattr(module, "_CLEANUP_SECONDS", 0.1)
    limits = Limits(pool_size=2, statement_timeout_seconds=0.2)
    async with opened(fresh_shop.admin, limits) as database, connected(fresh_shop.admin) as admin:
        with pytest.raises(TimedOut):
            await fetch(database, RUNAWAY)

        assert await value(database, "SELECT 1") == "1"
        await until_idle(admin)
