"""A server bound to one cluster, database and role talks to no other."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.errors import ConfigurationError, Unavailable
from pg_guard_mcp.postgres.session import check_binding
from pg_guard_mcp.settings import load_settings
from tests.guarding import ask, execute, guarding
from tests.support.postgres import connected, fresh_database

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import ShopServer

VARIABLE = "PG_GUARD_DATABASE__EXPECT_SYSTEM_IDENTIFIER"


async def identifier(server: ShopServer) -> str:
    """Ask a cluster for its identifier."""
    async with connected(server.admin) as admin:
        return str(await admin.fetchval("SELECT system_identifier FROM pg_control_system()"))


async def test_the_right_cluster_is_read_and_another_is_not(
    each_postgres: ShopServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    number = await identifier(each_postgres)
    other = str(int(number) + 1)

    async with guarding(tmp_path / "right", each_postgres.agent, variables={VARIABLE: number}) as (
        guard,
        _,
    ):
        assert await ask(guard, "SELECT 1") == [("1",)]
    async with guarding(tmp_path / "wrong", each_postgres.agent, variables={VARIABLE: other}) as (
        guard,
        place,
    ):
        with caplog.at_level(logging.ERROR), pytest.raises(Unavailable) as caught:
            await ask(guard, "SELECT 1")

    assert f"wrong_cluster expected={other} found={number}" in caplog.text
    assert number not in caught.value.as_text()
    assert b'"outcome":"unavailable"' in place.trail


@pytest.mark.parametrize("place", [1, 2])
async def test_another_database_and_another_role_of_that_cluster_are_not_read(
    postgres: ShopServer, place: int
) -> None:
    agent = postgres.agent
    expected = [await identifier(postgres), agent.database, agent.user]

    async with connected(agent) as connection:
        await check_binding(connection, (expected[0], expected[1], expected[2]))
        expected[place] += "_other"
        with pytest.raises(Unavailable):
            await check_binding(connection, (expected[0], expected[1], expected[2]))


async def test_a_role_that_may_not_see_which_cluster_it_is_reads_nothing_and_the_log_says_why(
    postgres: ShopServer, caplog: pytest.LogCaptureFixture
) -> None:
    number = await identifier(postgres)
    function = "FUNCTION pg_control_system()"
    async with fresh_database(postgres) as shop, connected(shop.agent) as connection:
        expected = (number, shop.agent.database, shop.agent.user)
        await execute(shop.admin, f"REVOKE EXECUTE ON {function} FROM PUBLIC")
        with caplog.at_level(logging.ERROR), pytest.raises(Unavailable):
            await check_binding(connection, expected)
        await execute(shop.admin, f"GRANT EXECUTE ON {function} TO {shop.agent.user}")
        await check_binding(connection, expected)

    assert f"GRANT EXECUTE ON {function}" in caplog.text


@pytest.mark.parametrize("number", ["8", ""])
def test_a_variable_cannot_lead_a_bound_profile_to_another_cluster(
    tmp_path: Path, number: str
) -> None:
    (tmp_path / "pg-guard.toml").write_text('[database]\nexpect_system_identifier = "7"\n')

    load_settings(environment={VARIABLE: "7"}, directory=tmp_path, flags={})
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environment={VARIABLE: number}, directory=tmp_path, flags={})

    assert "bind the profile to different clusters" in str(caught.value.problems)
    assert VARIABLE in str(caught.value.problems)


DSN = "PG_GUARD_DATABASE__DSN"


@pytest.mark.parametrize("dsn", ["agent@db/production", "owner@db/staging", "owner@db/production"])
def test_a_variable_cannot_lead_a_bound_profile_to_another_database_of_its_cluster(
    tmp_path: Path, dsn: str
) -> None:
    (tmp_path / "pg-guard.toml").write_text(
        '[database]\ndsn = "postgresql://agent@db/staging"\nexpect_system_identifier = "7"\n'
    )

    moved = {DSN: "postgresql://agent@[::1]:5433/staging"}
    load_settings(environment=moved, directory=tmp_path, flags={})
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environment={DSN: f"postgresql://{dsn}"}, directory=tmp_path, flags={})

    assert "lead a bound profile to different databases" in str(caught.value.problems)
    assert DSN in str(caught.value.problems)


def test_a_profile_that_is_not_bound_may_be_led_by_a_variable(tmp_path: Path) -> None:
    (tmp_path / "pg-guard.toml").write_text('[database]\ndsn = "postgresql://agent@db/staging"\n')

    load_settings(environment={DSN: "postgresql://agent@db/other"}, directory=tmp_path, flags={})


def test_what_is_no_identifier_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        load_settings(environment={VARIABLE: "production"}, directory=tmp_path, flags={})
