"""Replicas are preferred while they are fresh; each way in which one will not do has its words."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import anyio
import pytest

from pg_guard_mcp.errors import DatabaseError, GuardError
from pg_guard_mcp.model import Limits
from pg_guard_mcp.postgres import hosts
from pg_guard_mcp.postgres.replicas import Replication
from tests.guarding import ENDLESS, ask, execute, guarding, outcome
from tests.postgres.databases import backends, fetch, opened, value
from tests.support.pgbouncer import pgbouncer
from tests.support.postgres import connected
from tests.support.standby import (
    Node,
    caught_up,
    configure_standby,
    no_longer_receives,
    primary_with_shop,
    promote,
    standby_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pg_guard_mcp.postgres.database import Database

NO_LAG = Replication(max_lag_seconds=0)
"""Not a moment behind: so no test has to wait until a replica is."""
A_DAY = Replication(max_lag_seconds=86_400)
REQUIRED = Replication(required=True)
IS_REPLICA = "SELECT pg_is_in_recovery()"
# Readable to every role, and another for every server.
WHICH = "SELECT pg_postmaster_start_time()"
WRITE = "COMMENT ON TABLE shop.orders IS 'changed'"
BEHIND = "unavailable: the replica is more than 0 seconds behind\n"


class Pair(NamedTuple):
    """A primary with the shop on it, and a standby that streams from it."""

    primary: Node
    standby: Node


@pytest.fixture(scope="module", params=[18, pytest.param(15, marks=pytest.mark.postgres15)])
def primary(request: pytest.FixtureRequest) -> Iterator[Node]:
    """Run a primary of each major we try."""
    with primary_with_shop(request.param) as node:
        yield node


@pytest.fixture(scope="module")
def pair(primary: Node) -> Iterator[Pair]:
    """Run a standby for tests that leave it as it was."""
    with standby_of(primary) as standby:
        yield Pair(primary, standby)


@pytest.fixture
def lost_pair(primary: Node) -> Iterator[Pair]:
    """Run a standby for one test that breaks it."""
    with standby_of(primary) as standby:
        yield Pair(primary, standby)


async def complaint(database: Database, *, while_answered: str = "") -> str:
    """Ask whether it is a replica, again for as long as it says that; give what the caller is told.

    Fails if there is another answer.
    """
    try:
        while (answer := await value(database, IS_REPLICA)) == while_answered:
            pass
    except GuardError as error:
        return error.as_text()
    raise AssertionError(answer)


async def which(node: Node) -> str:
    """Return what tells a server from the others."""
    async with connected(node.admin) as admin:
        return str(await admin.fetchval(f"{WHICH}::text"))


@pytest.mark.parametrize("is_first", [True, False])
async def test_the_standby_is_chosen_wherever_it_stands(pair: Pair, *, is_first: bool) -> None:
    await caught_up(pair.standby, pair.primary)
    first, second = (pair.standby, pair.primary) if is_first else (pair.primary, pair.standby)

    async with opened(first.agent, None, second.agent) as database:
        assert await value(database, IS_REPLICA) == "t"


async def test_a_primary_alone_serves_unless_a_replica_is_required(pair: Pair) -> None:
    async with opened(pair.primary.agent) as database:
        assert await value(database, IS_REPLICA) == "f"
    async with opened(pair.primary.agent, replication=REQUIRED) as database:
        text = await complaint(database)

    assert text.startswith("unavailable: no replica can be reached\nhint: Try again")


async def test_a_quiet_primary_leaves_no_replica_behind(pair: Pair) -> None:
    await execute(pair.primary.admin, WRITE)
    await caught_up(pair.standby, pair.primary)

    async with opened(pair.standby.agent, replication=NO_LAG) as database:
        for _ in range(2):  # the second time, on the connection of the first
            quiet_for = await value(
                database, "SELECT now() - pg_last_xact_replay_timestamp() > '0 s'"
            )

            assert quiet_for == "t"


@pytest.mark.pgbouncer
async def test_a_replica_to_which_a_pooler_leads_later_is_asked_how_late_it_is(pair: Pair) -> None:
    """When the connection began, the server at its end was a primary, and said so."""
    await execute(pair.primary.admin, WRITE)
    await caught_up(pair.standby, pair.primary)
    with pgbouncer(pair.primary, pool_mode="transaction") as bouncer:
        login = bouncer.login(pair.primary.agent)
        async with opened(login, replication=NO_LAG) as database:
            assert await value(database, IS_REPLICA) == "f"
            await fall_behind(pair)
            try:
                bouncer.lead_to(pair.standby.admin)
                text = await complaint(database, while_answered="f")
            finally:
                await execute(pair.standby.admin, "SELECT pg_wal_replay_resume()")

    assert text.startswith(BEHIND)


async def test_a_replica_serves_a_role_that_is_set_to_be_serializable(pair: Pair) -> None:
    """Postgres refuses that mode on a replica."""
    role = f"ALTER ROLE {pair.primary.agent.user}"
    mode = "default_transaction_isolation"
    await execute(pair.primary.admin, f"{role} SET {mode} = serializable")
    await caught_up(pair.standby, pair.primary)
    try:
        async with opened(pair.standby.agent, None, pair.primary.agent) as database:
            process_id = await value(database, "SELECT pg_backend_pid()")
            assert await value(database, IS_REPLICA) == "t"
            assert await value(database, "SELECT pg_backend_pid()") == process_id
            assert await value(database, f"SELECT current_setting('{mode}')") == "serializable"
    finally:
        await execute(pair.primary.admin, f"{role} RESET {mode}")


async def test_a_replica_that_replays_too_late_is_not_read(pair: Pair) -> None:
    await execute(pair.primary.admin, WRITE)
    await caught_up(pair.standby, pair.primary)
    standby = pair.standby.agent
    async with opened(standby, replication=NO_LAG) as database, opened(standby) as patient:
        await value(database, "SELECT 1")
        await value(patient, "SELECT 1")
        await fall_behind(pair)
        try:
            text = await complaint(database)
            answered = await value(patient, "SELECT 1")
        finally:
            await execute(pair.standby.admin, "SELECT pg_wal_replay_resume()")
        await caught_up(pair.standby, pair.primary)

        assert text.startswith(BEHIND + "hint: Try again later")
        assert answered == "1"
        assert await value(database, "SELECT 1") == "1"


async def fall_behind(pair: Pair) -> None:
    """Have the standby receive what it does not replay."""
    async with connected(pair.standby.admin) as standby, connected(pair.primary.admin) as primary:
        await standby.execute("SELECT pg_wal_replay_pause()")
        await primary.execute(WRITE)
        end = await primary.fetchval("SELECT pg_current_wal_lsn()::text")
        with anyio.fail_after(20):
            # Nobody tells when something was received: it must be asked.
            while not await standby.fetchval(  # noqa: ASYNC110 - see above
                "SELECT pg_last_wal_receive_lsn() >= $1::text::pg_lsn", end
            ):
                await anyio.sleep(0.01)


async def test_a_replica_that_hears_of_no_primary_is_as_old_as_what_it_heard_last(
    pair: Pair,
) -> None:
    await execute(pair.primary.admin, WRITE)
    await caught_up(pair.standby, pair.primary)
    async with connected(pair.standby.admin) as admin:
        conninfo = await admin.fetchval("SELECT current_setting('primary_conninfo')")
    await configure_standby(pair.standby, primary_conninfo="")
    try:
        await no_longer_receives(pair.standby)
        async with opened(pair.standby.agent, replication=NO_LAG) as database:
            text = await complaint(database)
        async with opened(pair.standby.agent, replication=A_DAY) as database:
            answered = await value(database, "SELECT 1")
    finally:
        await configure_standby(pair.standby, primary_conninfo=conninfo)
        await caught_up(pair.standby, pair.primary)

    assert text.startswith(BEHIND)
    assert answered == "1"


async def test_a_replica_that_replayed_no_transaction_yet_is_fresh_while_it_receives(
    lost_pair: Pair,
) -> None:
    await caught_up(lost_pair.standby, lost_pair.primary)
    never = "SELECT pg_last_xact_replay_timestamp() IS NULL"
    async with opened(lost_pair.standby.agent, replication=NO_LAG) as database:
        assert await value(database, never) == "t"

    await configure_standby(lost_pair.standby, primary_conninfo="")
    await no_longer_receives(lost_pair.standby)

    async with opened(lost_pair.standby.agent, replication=A_DAY) as database:
        text = await complaint(database)
    assert text.startswith("unavailable: the replica is more than 86400 seconds behind\n")


async def test_a_fresh_replica_is_preferred_to_one_that_is_behind_and_a_primary_comes_last(
    pair: Pair,
) -> None:
    async def seen(database: Database) -> str | None:
        return await value(database, f"{WHICH}::text")

    with standby_of(pair.primary) as second:
        nodes = (pair.standby, second, pair.primary)
        logins = [node.agent for node in nodes]
        names = [await which(node) for node in nodes]
        for node in nodes[:2]:
            await execute(pair.primary.admin, WRITE)
            await caught_up(node, pair.primary)
        async with (
            opened(logins[0], None, *logins[1:], replication=NO_LAG) as database,
            opened(
                logins[0], None, *logins[1:], replication=NO_LAG._replace(required=True)
            ) as strict,
        ):
            assert await seen(database) == await seen(strict) == names[0]
            try:
                await fall_behind(pair)
                await caught_up(second, pair.primary)
                assert await seen(database) == await seen(strict) == names[1]

                await fall_behind(Pair(pair.primary, second))
                assert await seen(database) == names[2]
                assert (await complaint(strict)).startswith(BEHIND)
            finally:
                await execute(pair.standby.admin, "SELECT pg_wal_replay_resume()")


async def test_when_the_replica_is_gone_the_primary_answers_unless_a_replica_is_required(
    lost_pair: Pair,
) -> None:
    logins = (lost_pair.standby.agent, None, lost_pair.primary.agent)
    async with opened(*logins) as database, opened(*logins, replication=REQUIRED) as strict:
        assert await value(database, IS_REPLICA) == await value(strict, IS_REPLICA) == "t"
        lost_pair.standby.server.stop()

        with anyio.fail_after(5):
            assert await value(database, IS_REPLICA) == "f"
        with anyio.fail_after(5):
            text = await complaint(strict)

    assert text.startswith("unavailable: no replica can be reached\n")


async def test_a_host_that_is_silent_costs_its_share_of_the_time_and_is_found_again(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    await caught_up(pair.standby, pair.primary)
    monkeypatch.setattr(hosts, "CONNECT_SECONDS", 1.0)
    async with opened(pair.standby.agent, Limits(pool_size=2), pair.primary.agent) as database:
        pair.standby.freeze()
        try:
            with anyio.fail_after(5):
                assert await value(database, IS_REPLICA) == "f"
        finally:
            pair.standby.thaw()
        assert await value(database, IS_REPLICA) == "f"

        monkeypatch.setattr(hosts, "AVOID_SECONDS", 0.0)
        monkeypatch.setattr(hosts, "LOOK_AGAIN_SECONDS", 0.0)

        assert await value(database, IS_REPLICA) == "t"


async def test_a_replica_that_became_the_primary_is_left_where_a_replica_is_required(
    lost_pair: Pair,
) -> None:
    async with opened(lost_pair.standby.agent, replication=REQUIRED) as database:
        assert await value(database, IS_REPLICA) == "t"
        await promote(lost_pair.standby)

        first, second = await complaint(database), await complaint(database)

    assert first == "unavailable: the server is a replica no more\nhint: Try again."
    assert second.startswith("unavailable: no replica can be reached\n")


async def test_a_replica_that_became_the_primary_serves_on_where_none_is_required(
    lost_pair: Pair,
) -> None:
    async with opened(lost_pair.standby.agent, replication=NO_LAG) as database:
        await caught_up(lost_pair.standby, lost_pair.primary)
        assert await value(database, IS_REPLICA) == "t"
        await promote(lost_pair.standby)

        assert [await value(database, IS_REPLICA) for _ in range(2)] == ["f", "f"]


async def test_a_query_in_the_way_of_the_primary_is_ended_in_words(pair: Pair) -> None:
    await configure_standby(pair.standby, max_standby_streaming_delay="0")
    await caught_up(pair.standby, pair.primary)
    errors = []

    async def wait_for_the_end(database: Database) -> None:
        with pytest.raises(DatabaseError) as caught:
            await fetch(database, ENDLESS)
        errors.append(caught.value)

    async with (
        opened(pair.standby.agent, replication=REQUIRED) as database,
        connected(pair.standby.admin) as admin,
    ):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait_for_the_end, database)
            await backends(admin, "shop.reviews a")
            async with connected(pair.primary.admin) as primary:
                await primary.execute("CREATE TABLE shop.doomed AS SELECT generate_series(1, 9)")
                await primary.execute("DELETE FROM shop.doomed")
                await primary.execute("VACUUM shop.doomed")

        await caught_up(pair.standby, pair.primary)
        assert await value(database, "SELECT 1") == "1"
    await execute(pair.primary.admin, "DROP TABLE shop.doomed")

    assert errors[0].as_text() == (
        "database-error: [40001] the replica ended the query, which stood in the way of a change"
        " from its primary\n"
        "hint: Try again; a shorter query is less in the way."
    )


async def test_a_change_of_the_catalog_that_a_replica_replays_is_noticed(
    pair: Pair, tmp_path: Path
) -> None:
    await caught_up(pair.standby, pair.primary)
    await execute(
        pair.primary.admin,
        "CREATE TABLE shop.later AS SELECT 'plain' AS a; GRANT SELECT ON shop.later TO PUBLIC",
    )
    await caught_up(pair.standby, pair.primary)
    tables = '[access]\nschemas = ["shop"]\n[mask]\n"*.*.secret" = "redact"\n'
    async with guarding(tmp_path, pair.standby.agent, tables) as (guard, _):
        assert await ask(guard, "SELECT * FROM shop.later") == [("plain",)]
        await execute(pair.primary.admin, "ALTER TABLE shop.later RENAME a TO secret")
        await caught_up(pair.standby, pair.primary)

        assert await outcome(guard, "SELECT * FROM shop.later") != "answered"
        assert await ask(guard, "SELECT * FROM shop.later") == [("[redacted]",)]
    await execute(pair.primary.admin, "DROP TABLE shop.later")


async def test_what_a_server_is_asked_on_connecting_is_resolved_in_pg_catalog_alone(
    pair: Pair,
) -> None:
    agent = pair.primary.agent
    planted = """
        CREATE FUNCTION public.never(pg_lsn, pg_lsn) RETURNS bool LANGUAGE sql AS 'SELECT false';
        CREATE OPERATOR public.= (LEFTARG = pg_lsn, RIGHTARG = pg_lsn, FUNCTION = public.never);
    """
    await execute(pair.primary.admin, planted)
    await execute(
        pair.primary.admin, f"ALTER ROLE {agent.user} SET search_path = public, pg_catalog"
    )
    await caught_up(pair.standby, pair.primary)
    try:
        async with opened(pair.standby.agent, None, agent, replication=NO_LAG) as database:
            answer = await value(database, IS_REPLICA)
    finally:
        await execute(pair.primary.admin, f"ALTER ROLE {agent.user} RESET search_path")
        await execute(pair.primary.admin, "DROP FUNCTION public.never CASCADE")

    assert answer == "t"


async def test_the_settings_say_what_replica_will_do(pair: Pair, tmp_path: Path) -> None:
    await caught_up(pair.standby, pair.primary)
    nodes = (pair.primary, pair.standby)
    places = ",".join(node.agent.host for node in nodes)
    agent = pair.primary.agent
    dsn = f"host={places} port={agent.port} user={agent.user} dbname={agent.database}"
    for count, (setting, number) in enumerate(
        [("REQUIRE_REPLICA", "true"), ("MAX_REPLICA_LAG_SECONDS", "0")]
    ):
        variables = {"PG_GUARD_DATABASE__DSN": dsn, f"PG_GUARD_DATABASE__{setting}": number}
        async with guarding(tmp_path / str(count), agent, variables=variables) as (guard, _):
            assert await ask(guard, "SELECT count(*) FROM shop.orders") == [("10000",)]
            assert guard.database._replication == (
                setting == "REQUIRE_REPLICA",
                0 if setting == "MAX_REPLICA_LAG_SECONDS" else 30,
            )
