"""However a call or a server ends, its query ends in Postgres, and the trail says how."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pg_guard_mcp.record.verify import verify
from tests.postgres.databases import backends, until_idle
from tests.support.postgres import connected
from tests.support.raw import raw
from tests.support.server import SLOW, check_accounted, configure, serving

if TYPE_CHECKING:
    from pathlib import Path

    import asyncpg

    from tests.support.postgres import Shop, ShopServer
    from tests.support.raw import Raw
    from tests.support.server import Era

_EXIT_SECONDS = 20

ONE_CONNECTION = """
[access]
schemas = ["shop"]
[limits]
pool_size = 1
"""

each_era = pytest.mark.parametrize("era", ["legacy", "modern", "http"])


def outcomes(ends: list[dict[str, Any]]) -> list[str]:
    """Give how calls ended, in the order they did."""
    return [end["outcome"] for end in ends]


async def begin_slow_query(server: Raw, admin: asyncpg.Connection[asyncpg.Record]) -> int:
    """Begin a call, and wait until Postgres is at work on it."""
    request_id = server.send("tools/call", {"name": "query", "arguments": {"sql": SLOW}})
    await backends(admin, SLOW)
    return request_id


@each_era
async def test_a_call_that_the_client_cancels_ends_in_postgres_too(
    fresh_shop: Shop, tmp_path: Path, era: Era
) -> None:
    place = configure(tmp_path, fresh_shop.agent, ONE_CONNECTION)
    async with connected(fresh_shop.admin) as admin:
        with serving(place, era) as server:
            call = server.begin("query", sql=SLOW)
            (process_id,) = await backends(admin, SLOW)
            call.cancel()

            await until_idle(admin)
            answer = server.query("SELECT 1")
            still_there = await admin.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE pid = $1", process_id
            )

    assert answer.rows == [("1",)]
    assert still_there == 1  # the very connection is used again
    assert sorted(outcomes(check_accounted(place))) == ["answered", "cancelled"]


async def test_a_cancelled_call_is_not_answered_and_one_beside_it_is(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    place = configure(tmp_path, fresh_shop.agent)
    async with connected(fresh_shop.admin) as admin:
        with raw(place) as server:
            cancelled = await begin_slow_query(server, admin)
            beside = server.send("tools/call", {"name": "query", "arguments": {"sql": "SELECT 1"}})
            assert server.read()["id"] == beside

            server.write(
                b'{"jsonrpc": "2.0", "method": "notifications/cancelled",'
                b' "params": {"requestId": %d, "reason": "tired"}}' % cancelled
            )
            await until_idle(admin)
            later = server.send("tools/call", {"name": "query", "arguments": {"sql": "SELECT 2"}})
            while (message := server.read())["id"] != later:
                assert message["id"] == cancelled
                assert "error" in message

    assert sorted(outcomes(check_accounted(place))) == ["answered", "answered", "cancelled"]


def test_calls_that_are_cancelled_while_the_server_gets_ready_are_on_the_trail(
    postgres: ShopServer, tmp_path: Path
) -> None:
    place = configure(tmp_path, postgres.agent)
    call: dict[str, object] = {"name": "query", "arguments": {"sql": "SELECT 1"}}
    with raw(place) as server:
        cancelled = [server.send("tools/call", call) for _ in range(3)]
        # This is answered while the parsers and the driver are imported for the first of them.
        server.request("tools/list", {})
        for request_id in cancelled:
            server.write(
                b'{"jsonrpc": "2.0", "method": "notifications/cancelled",'
                b' "params": {"requestId": %d, "reason": "tired"}}' % request_id
            )

        assert not server.call("query", {"sql": "SELECT 2"}).is_error

    ends = check_accounted(place)
    assert outcomes(ends) == ["cancelled"] * 3 + ["answered"]
    assert [end["verdict"] for end in ends] == ["none"] * 3 + ["admitted"]


async def test_when_stdin_ends_in_the_middle_of_a_call_everything_ends(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    place = configure(tmp_path, fresh_shop.agent)
    async with connected(fresh_shop.admin) as admin:
        with raw(place) as server:
            await begin_slow_query(server, admin)
            server.end_input()

            assert server.process.wait(_EXIT_SECONDS) == 0
        await until_idle(admin)

    assert outcomes(check_accounted(place)) == ["cancelled"]
    assert place.crashes == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
async def test_a_signal_in_the_middle_of_a_call_ends_everything(
    fresh_shop: Shop, tmp_path: Path, number: signal.Signals
) -> None:
    place = configure(tmp_path, fresh_shop.agent)
    async with connected(fresh_shop.admin) as admin:
        with raw(place) as server:
            await begin_slow_query(server, admin)
            server.process.send_signal(number)

            assert server.process.wait(_EXIT_SECONDS) == -number
        await until_idle(admin)

    assert outcomes(check_accounted(place)) == ["cancelled"]
    assert place.crashes == []


def test_a_signal_to_a_server_at_rest_ends_it(postgres: ShopServer, tmp_path: Path) -> None:
    place = configure(tmp_path, postgres.agent)
    with raw(place) as server:
        server.call("query", {"sql": "SELECT 1"})
        server.process.send_signal(signal.SIGTERM)

        assert server.process.wait(_EXIT_SECONDS) == -signal.SIGTERM
    assert outcomes(check_accounted(place)) == ["answered"]


async def test_a_killed_server_leaves_a_trail_that_the_next_one_goes_on_with(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    place = configure(tmp_path, fresh_shop.agent)
    async with connected(fresh_shop.admin) as admin:
        with raw(place) as server:
            await begin_slow_query(server, admin)
            server.process.kill()
            server.process.wait(_EXIT_SECONDS)
        assert verify(place.audit).problems == ()

        with raw(place) as server:
            assert not server.call("query", {"sql": "SELECT 1"}).is_error

    assert verify(place.audit).problems == ()
    # Of the call that was struck the trail says that it was let through, and not how it ended.
    assert [(event["event"], event["sql_sha256"] is not None) for event in place.events] == [
        ("admitted", True),
        ("admitted", True),
        ("finished", True),
    ]


@each_era
def test_several_servers_share_one_trail(postgres: ShopServer, tmp_path: Path, era: Era) -> None:
    place = configure(tmp_path, postgres.agent)
    other = replace(place, stdout=tmp_path / "stdout2", stderr=tmp_path / "stderr2")
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(each, era)) for each in (place, other)]
        calls = [
            server.begin("query", sql=f"SELECT {number}")
            for number in range(20)
            for server in servers
        ]
        answers = [server.wait(call).rows for call, server in zip(calls, servers * 20, strict=True)]

    assert answers == [[(str(number),)] for number in range(20) for _ in servers]
    ends = check_accounted(place)
    assert outcomes(ends) == ["answered"] * 40
    sessions = [end["session_id"] for end in ends]
    assert sorted(map(sessions.count, set(sessions))) == [20, 20]
