"""A value of a gigabyte is not received: Postgres may build it, and this process stays small."""

from __future__ import annotations

import asyncio
import resource
import sys

import pytest

from pg_guard_mcp.errors import DatabaseError, Unavailable
from pg_guard_mcp.model import Limits
from pg_guard_mcp.postgres import inflow
from pg_guard_mcp.postgres.inflow import Inflow
from tests.postgres.databases import fetch, opened, until_idle, value
from tests.support.postgres import Shop, connected

_MAXIMUM_PER_MEGABYTE = 1024 * 1024 if sys.platform == "darwin" else 1024


def own_megabytes() -> float:
    """Return the most memory this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MAXIMUM_PER_MEGABYTE


async def test_a_value_of_hundreds_of_megabytes_takes_no_memory_here(fresh_shop: Shop) -> None:
    limits = Limits(pool_size=1, statement_timeout_seconds=60)
    # Out of rows, so that no rule could see how large it will be.
    huge = "SELECT string_agg(repeat('x', 100000 + id % 2), '') FROM shop.reviews WHERE id <= 3000"
    async with opened(fresh_shop.admin, limits) as database, connected(fresh_shop.admin) as admin:
        await value(database, "SELECT 1")
        before = own_megabytes()
        with pytest.raises(DatabaseError, match="too large") as caught:
            await fetch(database, huge)

        assert caught.value.sqlstate == "54000"
        assert own_megabytes() - before < 50
        await until_idle(admin)
        assert await value(database, "SELECT 1") == "1"


async def test_rows_that_are_large_together_are_not_received(fresh_shop: Shop) -> None:
    async with opened(fresh_shop.admin) as database:
        with pytest.raises(DatabaseError, match="too large"):
            await fetch(database, "SELECT repeat('x', 8000000) FROM generate_series(1, 100)")

        assert await value(database, "SELECT 1") == "1"


async def test_large_rows_one_batch_after_the_other_are_received(fresh_shop: Shop) -> None:
    async with opened(fresh_shop.admin) as database:
        sql = "SELECT repeat('x', 4000000) FROM generate_series(1, 40)"
        result = await fetch(database, sql)

        assert len(result.rows) == 40
        assert all("too large to show" in str(row[0]) for row in result.rows)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 100, 100_000])
def test_messages_are_followed_wherever_they_are_cut(size: int) -> None:
    messages = b"".join(
        kind + (4 + length).to_bytes(4) + bytes(length)
        for kind, length in [
            (b"T", 20),
            (b"D", 300),
            (b"D", 0),
            (b"s", 0),
            (b"D", 700),
            (b"N", 999),
        ]
    )
    driver, transport = Driver(), Transport()
    watched = Inflow(driver, transport)

    with watched.limited_to(700):
        for start in range(0, len(messages), size):
            watched.data_received(messages[start : start + size])

    assert driver.received == messages
    assert not watched.has_tripped
    with watched.limited_to(699):
        watched.data_received(b"D" + (8).to_bytes(4) + bytes(4))
        watched.data_received(b"ignored")
    assert transport.is_aborted
    assert driver.received == messages


class Driver:
    """Keeps what it receives."""

    received = b""

    def data_received(self, data: bytes) -> None:
        """Take it."""
        self.received += data


class Transport(asyncio.Transport):
    """Keeps whether it was aborted."""

    is_aborted = False

    def abort(self) -> None:
        """Note it."""
        self.is_aborted = True


async def test_a_connection_on_which_postgres_said_goodbye_is_not_used(fresh_shop: Shop) -> None:
    """The goodbye has arrived, and the end of the connection has not."""
    goodbye = b"SFATAL\0VFATAL\0C57P01\0Mgoodbye\0\0"
    async with opened(fresh_shop.admin) as database:
        async with database.transaction("test") as connection:
            watched = inflow.of(connection)
        watched.data_received(b"E" + (4 + len(goodbye)).to_bytes(4) + goodbye)

        assert await value(database, "SELECT 1") == "1"


async def test_a_goodbye_while_a_call_begins_is_not_a_defect_of_ours(
    fresh_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    goodbye = b"SFATAL\0VFATAL\0C57P01\0Mgoodbye\0\0"
    async with opened(fresh_shop.admin) as database:
        async with database.transaction("test") as connection:
            watched = inflow.of(connection)
        monkeypatch.setattr(Inflow, "has_said_goodbye", False)
        watched.data_received(b"E" + (4 + len(goodbye)).to_bytes(4) + goodbye)

        with pytest.raises(Unavailable):
            await fetch(database, "SELECT 1")
        assert await value(database, "SELECT 1") == "1"
