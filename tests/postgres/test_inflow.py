"""A value of a gigabyte is not received: Postgres may build it, and this process stays small."""

from __future__ import annotations

import asyncio
import resource
import sys
from functools import partial

import anyio
import pytest

from pg_guard_mcp.errors import DatabaseError, TooExpensive
from pg_guard_mcp.guard.plan import NOTHING, as_outline, as_plan, check_cost
from pg_guard_mcp.model import GuardedQuery, Limits, Price
from pg_guard_mcp.postgres import inflow
from pg_guard_mcp.postgres.inflow import Inflow
from tests.guarding import execute
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
        assert own_megabytes() - before < 20
        await until_idle(admin)
        assert await value(database, "SELECT 1") == "1"


async def test_an_error_of_hundreds_of_megabytes_takes_no_memory_here(fresh_shop: Shop) -> None:
    """Postgres prints the value that it could not read."""
    sql = "SELECT string_agg(repeat('x', 100000 + id % 2), '')::int FROM shop.reviews"
    async with opened(fresh_shop.admin) as database:
        process_id = await value(database, "SELECT pg_backend_pid()")
        before = own_megabytes()
        with pytest.raises(DatabaseError) as caught:
            await fetch(database, f"{sql} WHERE id <= 2000")

        assert caught.value.sqlstate == "22P02"
        assert own_megabytes() - before < 20
        assert await value(database, "SELECT pg_backend_pid()") == process_id


async def test_a_plan_too_large_to_be_received_takes_no_memory_here(fresh_shop: Shop) -> None:
    columns = ", ".join(f"{'n' * 50}{number} int" for number in range(1_000))
    await execute(fresh_shop.admin, f"CREATE TABLE shop.wide ({columns})")
    query = GuardedQuery(sql=" UNION ALL ".join(["SELECT * FROM shop.wide"] * 200))
    plan = as_plan(query)
    check = partial(check_cost, query=plan, max_cost=1e9, behind=NOTHING)
    async with opened(fresh_shop.admin) as database:
        before = own_megabytes()
        with pytest.raises(TooExpensive, match="too large to be received"):
            await database.fetch(
                query,
                max_rows=1,
                application="test",
                price=Price(as_outline(plan), lambda _: True, plan, check),
            )

        assert own_megabytes() - before < 20
        assert await value(database, "SELECT 1") == "1"


async def test_rows_that_are_large_together_are_not_received(fresh_shop: Shop) -> None:
    async with opened(fresh_shop.admin) as database:
        with pytest.raises(DatabaseError, match="too large"):
            await fetch(database, "SELECT repeat('x', 8000000) FROM generate_series(1, 100)")

        assert await value(database, "SELECT 1") == "1"


async def test_cells_too_large_to_show_are_left_out_and_the_rest_is_there(
    fresh_shop: Shop,
) -> None:
    async with opened(fresh_shop.admin) as database, connected(fresh_shop.admin) as admin:
        process_id = await value(database, "SELECT pg_backend_pid()")
        before = own_megabytes()
        result = await fetch(
            database,
            "SELECT 1, repeat('x', 20000000), NULL, '', repeat('y', 1048577), repeat('z', 1048576)",
        )

        said = "[a value of {} bytes, too large to show: select a part of it]"
        assert result.rows == [
            ("1", said.format(20000000), None, "", said.format(1048577), "z" * 1048576)
        ]
        assert own_megabytes() - before < 20
        assert await value(database, "SELECT pg_backend_pid()") == process_id
        await until_idle(admin)


async def test_where_rows_are_large_together_their_small_cells_are_kept(fresh_shop: Shop) -> None:
    """And after the first ten, which were small, come many at once."""
    sql = """
    SELECT g, repeat('x', CASE WHEN g <= 10 THEN 1 ELSE 200000 END), 'end'
    FROM generate_series(1, 400) AS g
    """
    limits = Limits(pool_size=1, max_cell_bytes=100)
    async with opened(fresh_shop.admin, limits) as database:
        before = own_megabytes()
        result = await fetch(database, sql, max_rows=260)

    assert result.cap == "rows"
    assert [(row[0], row[2]) for row in result.rows] == [(str(g), "end") for g in range(1, 261)]
    assert result.rows[10][1] == "x" * 200_000
    assert (
        result.rows[259][1] == "[a value of 200000 bytes, too large to show: select a part of it]"
    )
    assert own_megabytes() - before < 20


async def test_large_rows_one_batch_after_the_other_are_received_up_to_a_cap(
    fresh_shop: Shop,
) -> None:
    async with opened(fresh_shop.admin) as database:
        sql = "SELECT repeat('x', 4000000) FROM generate_series(1, 40)"
        result = await fetch(database, sql)

        assert len(result.rows) == 17
        assert result.cap == "bytes"
        assert all("too large to show" in str(row[0]) for row in result.rows)
        assert await value(database, "SELECT 1") == "1"


async def test_a_call_cancelled_in_the_middle_of_a_large_cell_leaves_its_connection_usable(
    fresh_shop: Shop,
) -> None:
    sql = "SELECT repeat('x', 60000000)"
    async with opened(fresh_shop.admin) as database, connected(fresh_shop.admin) as admin:
        async with database.transaction("test") as connection:
            watched = inflow.of(connection)
        arrived = anyio.Event()
        hand_on = watched.data_received

        def notice(data: bytes) -> None:
            hand_on(data)
            if watched._shrinking:
                arrived.set()

        watched.data_received = notice  # type: ignore[method-assign]  # to see when to strike
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fetch, database, sql)
            await arrived.wait()
            tasks.cancel_scope.cancel()

        assert await value(database, "SELECT 1") == "1"
        await until_idle(admin)


def message(kind: bytes, content: bytes) -> bytes:
    """Write a message of the protocol."""
    return kind + (4 + len(content)).to_bytes(4) + content


def row(*cells: bytes | None) -> bytes:
    """Write a row as Postgres sends it."""
    written = [
        b"\xff\xff\xff\xff" if cell is None else len(cell).to_bytes(4) + cell for cell in cells
    ]
    return message(b"D", len(cells).to_bytes(2) + b"".join(written))


SIZES = [1, 2, 3, 5, 7, 100, 100_000, 10_000_000]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", [b"E", b"N"])
def test_of_an_error_nothing_is_handed_on_that_could_hold_a_value(kind: bytes, size: int) -> None:
    said = b"".join(
        letter + text + b"\0"
        for letter, text in (
            (b"S", b"ERROR"),
            (b"V", b"ERROR"),
            (b"C", b"22P02"),
            (b"M", b"invalid input: " + b"D\xff" * 100_000),
            (b"D", b"Key (email)=(ada@example.com)"),
            (b"H", b"a hint"),
            (b"P", b"8"),
            (b"W", b"PL/pgSQL function f"),
            (b"R", b"pg_strtoint32"),
        )
    )
    kept = b"SERROR\0VERROR\0C22P02\0P8\0Rpg_strtoint32\0\0"
    messages = message(b"C", b"x") + message(kind, said + b"\0") + message(b"Z", b"I")
    driver = Driver()
    watched = Inflow(driver, Transport())

    for start in range(0, len(messages), size):
        watched.data_received(messages[start : start + size])

    assert driver.received == message(b"C", b"x") + message(kind, kept) + message(b"Z", b"I")


@pytest.mark.parametrize("length", [b"\0\0\0\0", b"\0\0\0\3", b"\xff\xff\xff\xff", b"\x80\0\0\0"])
@pytest.mark.parametrize("kind", [b"D", b"E", b"Z"])
def test_who_sends_a_length_that_cannot_be_is_hung_up_on(kind: bytes, length: bytes) -> None:
    driver, transport = Driver(), Transport()
    watched = Inflow(driver, transport)

    watched.data_received(message(b"Z", b"I") + kind + length + b"I" * 10)
    watched.data_received(message(b"Z", b"I"))

    assert transport.is_aborted
    assert driver.received == b""


@pytest.mark.parametrize("size", SIZES)
def test_messages_are_followed_wherever_they_are_cut(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(inflow, "MAX_CELL_BYTES", 1_000)
    monkeypatch.setattr(inflow, "_ROOM_BYTES", 1_500)
    monkeypatch.setattr(inflow, "_SMALL_CELL_BYTES", 100)
    said = b"[a value of %d bytes, too large to show: select a part of it]"
    # A cell may hold what looks like a message.
    decoy = row(b"d" * 300)
    sent = [
        (message(b"T", bytes(20)), None),
        (row(b"a", None, b"", decoy), None),
        (row(b"x" * 1_001, b"b", None), row(said % 1_001, b"b", None)),
        (row(), None),
        (message(b"s", b""), None),
        (row(b"x" * 1_000), None),
        (row(b"y" * 1_000, b"c" * 100, b"e" * 400), row(said % 1_000, b"c" * 100, said % 400)),
        (message(b"N", bytes(999)), message(b"N", b"\0")),
        (message(b"C", bytes(5_000)), None),
        (row(b"z" * 900), None),
    ]
    driver = Driver()
    watched = Inflow(driver, Transport())

    with watched.leaving_out():
        wire = b"".join(each for each, _ in sent)
        for start in range(0, len(wire), size):
            watched.data_received(wire[start : start + size])

    assert driver.received == b"".join(kept or each for each, kept in sent)
    assert not watched.has_tripped


@pytest.mark.parametrize(
    ("most", "batch"), [("MAX_BATCH_BYTES", row(b"x" * 3_000)), ("_MOST_KEPT_BYTES", row(b"x"))]
)
def test_what_is_too_much_even_so_is_hung_up_on(
    monkeypatch: pytest.MonkeyPatch, most: str, batch: bytes
) -> None:
    monkeypatch.setattr(inflow, most, (len(batch) - 5) * 3)
    driver, transport = Driver(), Transport()
    watched = Inflow(driver, transport)

    with watched.leaving_out():
        watched.data_received(batch * 3 + message(b"s", b"") + batch * 3)
        assert not watched.has_tripped
        watched.data_received(batch)
        received = driver.received
        watched.data_received(b"ignored")

    assert transport.is_aborted
    assert driver.received == received


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

        # Nothing was asked on that connection yet, so the call goes on on another.
        assert await value(database, "SELECT 1") == "1"
