"""A Postgres that is not there, does not let us in or is full is said so, and recovered from."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.errors import Internal, Unavailable
from pg_guard_mcp.model import Limits
from tests.postgres.databases import fetch, opened, terminate, value
from tests.support.postgres import connected

if TYPE_CHECKING:
    from pathlib import Path

    from pg_guard_mcp.demo.cluster import Login
    from tests.support.postgres import Shop, ShopServer

SECRET = "correct-horse-battery"  # noqa: S105 - it opens nothing


async def complaint(login: Login, password: str | None = None) -> str:
    """Try to fetch; give what the caller is told."""
    limits = Limits(pool_size=1, pool_wait_seconds=1)
    async with opened(login, limits, password=password) as database:
        with pytest.raises(Unavailable) as caught:
            await fetch(database, "SELECT 1")
    return caught.value.as_text()


async def test_a_port_where_nobody_listens_is_an_unreachable_postgres(postgres: ShopServer) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    text = await complaint(replace(postgres.agent, host="127.0.0.1", port=port))

    assert text.startswith("unavailable: Postgres cannot be reached\nhint: ")
    assert str(port) not in text


async def test_a_port_that_never_answers_is_an_unreachable_postgres(postgres: ShopServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]

        text = await complaint(replace(postgres.agent, host="127.0.0.1", port=port))

    assert text.startswith("unavailable: Postgres cannot be reached\nhint: ")


async def test_a_socket_directory_that_is_not_there_is_an_unreachable_postgres(
    postgres: ShopServer, tmp_path: Path
) -> None:
    text = await complaint(replace(postgres.agent, host=str(tmp_path)))

    assert text.startswith("unavailable: Postgres cannot be reached\nhint: ")


async def test_a_wrong_password_is_told_without_the_password_or_the_role(
    postgres: ShopServer,
) -> None:
    text = await complaint(postgres.agent, SECRET)

    assert text.startswith("unavailable: Postgres did not let the server in\nhint: ")
    assert SECRET not in text
    assert postgres.agent.user not in text


async def test_a_database_that_is_not_there_is_told_without_its_name(postgres: ShopServer) -> None:
    text = await complaint(replace(postgres.admin, database="nowhere"))

    assert text.startswith("unavailable: Postgres did not let the server in\nhint: ")
    assert "nowhere" not in text


async def test_a_full_postgres_is_told_as_such(fresh_shop: Shop) -> None:
    async with connected(fresh_shop.admin) as admin:
        await admin.execute(f"ALTER DATABASE {fresh_shop.admin.database} CONNECTION LIMIT 0")

    text = await complaint(fresh_shop.agent)

    assert text.startswith("unavailable: Postgres has no connection left\nhint: Try again later.")


async def test_a_database_that_closes_and_opens_again_is_found_again(fresh_shop: Shop) -> None:
    name = fresh_shop.admin.database
    limits = Limits(pool_size=1, pool_wait_seconds=1)
    async with (
        opened(fresh_shop.agent, limits) as database,
        connected(replace(fresh_shop.admin, database="postgres")) as admin,
    ):
        await value(database, "SELECT 1")
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await terminate(admin, "datname = $1", name)
        with pytest.raises(Unavailable):
            await fetch(database, "SELECT 1")

        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

        assert await value(database, "SELECT 1") == "1"


async def test_the_password_is_asked_for_anew_for_every_connection(fresh_shop: Shop) -> None:
    role = f"rotating_{fresh_shop.admin.database}"
    passwords = iter(["first", "second"])
    login = replace(fresh_shop.agent, user=role)
    async with connected(fresh_shop.admin) as admin:
        await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'first'")
        await admin.execute(f"GRANT CONNECT ON DATABASE {login.database} TO {role}")
        try:
            async with opened(login) as database:

                async def secret() -> str:
                    return next(passwords)

                database._pool._make.keywords["password"] = secret
                await value(database, "SELECT 1")
                await admin.execute(f"ALTER ROLE {role} PASSWORD 'second'")
                await terminate(admin, "usename = $1", role)

                assert await value(database, "SELECT 1") == "1"
        finally:
            await admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_a_database_of_another_encoding_is_not_served(postgres: ShopServer) -> None:
    name = "test_latin1"
    # Before 15 there was no other.
    provider = " LOCALE_PROVIDER libc LOCALE 'C'" if postgres.major >= 15 else " LOCALE 'C'"
    async with connected(replace(postgres.admin, database="postgres")) as admin:
        await admin.execute(
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1'{provider}"
        )
        try:
            async with opened(replace(postgres.admin, database=name)) as database:
                with pytest.raises(Internal, match="encoding is not UTF-8"):
                    await fetch(database, "SELECT 1")
        finally:
            await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def test_closing_what_was_never_opened_does_nothing(postgres: ShopServer) -> None:
    async with opened(postgres.agent):
        pass
