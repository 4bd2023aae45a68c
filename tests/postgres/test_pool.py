"""Few connections, shared by many calls, fewer than the role may have, none waited for long.

A deadline of five seconds is what an agent is promised where Postgres is dead.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.to_thread import run_sync

from pg_guard_mcp.access.credentials import SERVICE
from pg_guard_mcp.errors import Busy, Unavailable
from pg_guard_mcp.model import Limits
from pg_guard_mcp.postgres import inflow
from tests.access.keyrings import keyring_in_memory
from tests.guarding import ask, execute, guarding, outcome
from tests.postgres.databases import fetch, opened, settled, terminate, value
from tests.support.postgres import connect, connected
from tests.support.proxies import QUERY, proxied
from tests.support.relay import relaying

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pg_guard_mcp.demo.cluster import Login
    from pg_guard_mcp.postgres.database import Database
    from tests.support.postgres import Shop, ShopServer

DEAD_SECONDS = 5
OWN_PROCESS = "SELECT pg_backend_pid()"
LIMITS = Limits(pool_size=4)


@asynccontextmanager
async def role(shop: Shop, options: str = "") -> AsyncIterator[Login]:
    """Make a role that may log in to the shop, and remove it afterwards."""
    login = replace(shop.agent, user=f"own_{shop.admin.database}", password="first")
    await execute(
        shop.admin,
        f"CREATE ROLE {login.user} LOGIN PASSWORD '{login.password}' {options};"
        f"GRANT CONNECT ON DATABASE {login.database} TO {login.user}",
    )
    try:
        yield login
    finally:
        await end_all(shop, login.user)
        await execute(shop.admin, f"DROP OWNED BY {login.user}; DROP ROLE {login.user}")


async def end_all(shop: Shop, user: str) -> None:
    """End every backend of a role."""
    async with connected(shop.admin) as admin:
        await terminate(admin, "usename = $1", user)


async def all_at_once(database: Database, calls: int) -> list[str | None]:
    """Fetch one cell in so many calls at the same time."""
    found: list[str | None] = []

    async def call() -> None:
        found.append(await value(database, "SELECT pg_backend_pid() FROM pg_sleep(0.02)"))

    async with anyio.create_task_group() as tasks:
        for _ in range(calls):
            tasks.start_soon(call)
    return found


@pytest.mark.parametrize(("allowed", "used"), [(1, 1), (2, 1), (3, 2), (5, 4), (50, 4)])
async def test_one_connection_of_those_the_role_may_have_is_left_to_others(
    fresh_shop: Shop, allowed: int, used: int
) -> None:
    async with (
        role(fresh_shop, f"CONNECTION LIMIT {allowed}") as login,
        opened(login, LIMITS) as database,
    ):
        found = await all_at_once(database, 12)

        assert len(found) == 12
        assert len(set(found)) == used


async def test_a_limit_of_the_database_counts_as_well(fresh_shop: Shop) -> None:
    async with role(fresh_shop) as login:
        await execute(fresh_shop.admin, f"ALTER DATABASE {login.database} CONNECTION LIMIT 3")
        async with opened(login, LIMITS) as database:
            assert len(set(await all_at_once(database, 12))) == 2


async def test_the_limit_that_counts_is_the_one_of_today(fresh_shop: Shop) -> None:
    async with (
        role(fresh_shop, "CONNECTION LIMIT 2") as login,
        opened(login, LIMITS) as database,
    ):
        assert len(set(await all_at_once(database, 12))) == 1
        await execute(fresh_shop.admin, f"ALTER ROLE {login.user} CONNECTION LIMIT -1")
        await end_all(fresh_shop, login.user)

        assert len(set(await all_at_once(database, 12))) == 4


async def test_connections_that_others_took_are_told_and_not_waited_for(fresh_shop: Shop) -> None:
    async with (
        role(fresh_shop, "CONNECTION LIMIT 2") as login,
        opened(login, LIMITS) as database,
    ):
        others = [await connect(login) for _ in range(2)]
        with pytest.raises(Unavailable, match="no connection left"):
            await fetch(database, "SELECT 1")
        for other in others:
            await other.close()

        assert await value(database, "SELECT 1") == "1"


async def test_a_call_takes_four_round_trips(postgres: ShopServer) -> None:
    """Open, prepare, fetch, close: none to ask whether the connection is well."""
    async with relaying(postgres.agent) as relay, opened(relay.login) as database:
        await value(database, "SELECT 1")
        before = relay.turns

        await value(database, "SELECT 1")

        assert relay.turns - before == 4


async def test_an_answer_does_not_wait_until_the_session_is_clean_again(
    postgres: ShopServer,
) -> None:
    with proxied(postgres.agent) as proxy:
        async with opened(proxy.login) as database:
            process_id = await value(database, OWN_PROCESS)
            await settled(database)
            proxy.hold(QUERY, b"ROLLBACK")
            assert await value(database, "SELECT 1") == "1"
            assert await run_sync(proxy.held.wait, 5)

            # The place is not free before: the next call waits for it, and takes the same one.
            waiting = asyncio.ensure_future(value(database, OWN_PROCESS))
            assert not (await asyncio.wait([waiting], timeout=0.1))[0]
            proxy.let_go()

            assert await waiting == process_id


async def test_calls_one_after_the_other_take_one_connection(postgres: ShopServer) -> None:
    async with opened(postgres.agent, Limits(pool_size=4)) as database:
        processes = {await value(database, OWN_PROCESS) for _ in range(30)}

    assert len(processes) == 1


async def outcomes(database: Database, calls: int) -> list[str]:
    """Call as often at the same time, and tell what each call is told."""
    told: list[str] = []

    async def call() -> None:
        with pytest.raises((Busy, Unavailable)) as caught:
            await fetch(database, "SELECT 1")
        told.append(f"{caught.value.code}: {caught.value.message}")

    with anyio.fail_after(DEAD_SECONDS):
        async with anyio.create_task_group() as tasks:
            for _ in range(calls):
                tasks.start_soon(call)
    return told


async def test_a_server_that_takes_connections_and_is_silent_is_dead_to_every_call(
    postgres: ShopServer,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        login = replace(postgres.agent, host="127.0.0.1", port=silent.getsockname()[1])
        async with opened(login, LIMITS) as database:
            assert await outcomes(database, 10) == ["unavailable: Postgres cannot be reached"] * 10


async def test_a_server_that_lets_packets_drop_is_dead_to_every_call(postgres: ShopServer) -> None:
    with socket.socket() as deaf, ExitStack() as stack:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        # Those that wait to be let in fill its queue, and whoever comes then is not answered.
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        login = replace(postgres.agent, host="127.0.0.1", port=deaf.getsockname()[1])
        async with opened(login, LIMITS) as database:
            assert await outcomes(database, 10) == ["unavailable: Postgres cannot be reached"] * 10


async def test_a_server_that_falls_silent_is_dead_and_then_well_again(postgres: ShopServer) -> None:
    async with relaying(postgres.agent) as relay, opened(relay.login, LIMITS) as database:
        before = set(await all_at_once(database, 12))
        await settled(database)
        relay.freeze()
        assert await outcomes(database, 4) == ["unavailable: Postgres does not answer"] * 4
        relay.thaw()

        after = set(await all_at_once(database, 12))

    assert len(after) == 4
    assert not before & after


async def test_a_server_that_falls_silent_while_sessions_are_cleaned_is_dead_to_every_call(
    postgres: ShopServer,
) -> None:
    async with relaying(postgres.agent) as relay, opened(relay.login, LIMITS) as database:
        await all_at_once(database, 12)
        relay.freeze()
        told = await outcomes(database, 10)
        relay.thaw()

        assert {each.split(":")[0] for each in told} == {"unavailable"}
        assert await value(database, "SELECT 1") == "1"


async def test_a_silent_server_is_asked_whether_it_is_there(postgres: ShopServer) -> None:
    """Over TCP; otherwise a call that waits for rows would wait until its time is over."""
    async with (
        relaying(postgres.agent) as relay,
        opened(relay.login) as database,
        database.transaction("test") as connection,
    ):
        wire = inflow.of(connection)._transport.get_extra_info("socket")

        assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 5


async def test_idle_connections_that_were_ended_are_replaced_all_at_once(fresh_shop: Shop) -> None:
    async with role(fresh_shop) as login, opened(login, LIMITS) as database:
        before = set(await all_at_once(database, 12))
        await settled(database)
        await end_all(fresh_shop, login.user)

        after = set(await all_at_once(database, 12))

    assert len(after) == 4
    assert not before & after


@pytest.mark.parametrize("source", ["file", "keyring"])
async def test_a_password_changed_on_the_server_needs_no_restart(
    fresh_shop: Shop, tmp_path: Path, source: str
) -> None:
    variables = {"PG_GUARD_DATABASE__CREDENTIAL": "keyring"} if source == "keyring" else {}
    with keyring_in_memory() as keyring:
        keyring.set_password(SERVICE, "default", "first")
        async with (
            role(fresh_shop) as login,
            guarding(tmp_path, login, "", variables=variables) as (guard, place),
        ):
            assert await ask(guard, "SELECT 1") == [("1",)]
            await execute(fresh_shop.admin, f"ALTER ROLE {login.user} PASSWORD 'second'")
            # Who is in stays in.
            assert await ask(guard, "SELECT 1") == [("1",)]
            await end_all(fresh_shop, login.user)
            assert await outcome(guard, "SELECT 1") == "unavailable"

            place.credential.write_text("second", encoding="ascii")
            keyring.set_password(SERVICE, "default", "second")

            assert await ask(guard, "SELECT 1") == [("1",)]
