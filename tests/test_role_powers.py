"""A role that may do more than read is not served, unless the operator says so; then it shows."""

from __future__ import annotations

import json
import logging
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.errors import Unavailable
from tests.guarding import ask, execute, guarding
from tests.support import server as servers
from tests.support.postgres import fresh_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pg_guard_mcp.demo.cluster import Login
    from tests.support.postgres import Shop, ShopServer
    from tests.support.server import Place

# What a role may be given, what the log says of it, and its kind.
_SINCE = {"PG_WRITE_ALL_DATA": 14, "ON PARAMETER": 15, "RESERVED": 16, "MAINTAIN": 17}
RIGHTS = [
    ("ALTER ROLE {role} SUPERUSER", "is a superuser", "superuser"),
    (
        """
        ALTER ROLE {role} SUPERUSER;
        ALTER ROLE {role} SET role = '{writer}';
        GRANT USAGE ON SCHEMA shop TO {writer};
        GRANT SELECT ON shop.orders TO {writer};
        """,
        "is a superuser",
        "superuser",
    ),
    ("ALTER ROLE {role} BYPASSRLS", "bypasses row security", "bypassrls"),
    ("ALTER ROLE {role} CREATEROLE", "may create roles", "createrole"),
    ("ALTER ROLE {role} CREATEDB", "may create databases", "createdb"),
    ("ALTER ROLE {role} REPLICATION", "may start replication", "replication"),
    ("GRANT pg_read_server_files TO {role}", "is a member of pg_read_server_files", "member"),
    ("GRANT pg_write_server_files TO {role}", "is a member of pg_write_server_files", "member"),
    (
        "GRANT pg_execute_server_program TO {role}",
        "is a member of pg_execute_server_program",
        "member",
    ),
    ("GRANT pg_signal_backend TO {role}", "is a member of pg_signal_backend", "member"),
    ("GRANT pg_write_all_data TO {role}", "is a member of pg_write_all_data", "member"),
    ("GRANT postgres TO {role}", "is a member of postgres", "member"),
    ("ALTER TABLE shop.orders OWNER TO {role}", "owns shop.orders", "owner"),
    ("ALTER SCHEMA shop OWNER TO {role}", "owns shop", "owner"),
    ("ALTER DATABASE {database} OWNER TO {role}", "{database}, or is a member", "owner"),
    ("GRANT INSERT ON shop.orders TO {role}", "may write to shop.orders", "write"),
    ("GRANT UPDATE (total) ON shop.orders TO {role}", "may write to shop.orders", "write"),
    ("GRANT DELETE ON shop.orders TO PUBLIC", "may write to shop.orders", "write"),
    ("GRANT TRUNCATE ON shop.orders TO {role}", "may write to shop.orders", "write"),
    (
        "CREATE SEQUENCE shop.counter; GRANT USAGE ON SEQUENCE shop.counter TO {role}",
        "may move the sequence shop.counter",
        "sequence",
    ),
    ("GRANT CREATE ON SCHEMA shop TO {role}", "may create objects in SCHEMA shop", "create"),
    (
        "GRANT CREATE ON DATABASE {database} TO {role}",
        "may create objects in DATABASE {database}",
        "create",
    ),
    # The reader inherits nothing, and may SET ROLE.
    (
        "GRANT INSERT ON shop.orders TO {writer}; GRANT {writer} TO {role}",
        "may write to shop.orders",
        "write",
    ),
    ("ALTER ROLE {writer} CREATEDB; GRANT {writer} TO {role}", "is a member of {writer}", "member"),
    (
        "GRANT CREATE ON SCHEMA shop TO {writer}; GRANT {writer} TO {role}",
        "may create objects in SCHEMA shop",
        "create",
    ),
    ("GRANT pg_maintain TO {role}", "is a member of pg_maintain", "member"),
    (
        "GRANT pg_use_reserved_connections TO {role}",
        "is a member of pg_use_reserved_connections",
        "member",
    ),
    ("GRANT {writer} TO {role} WITH ADMIN OPTION", "may grant the role {writer}", "admin"),
    ("GRANT TRIGGER ON shop.orders TO {role}", "and write to shop.orders (REF", "alter"),
    ("GRANT MAINTAIN ON shop.orders TO PUBLIC", "and write to shop.orders (REF", "alter"),
    ("GRANT REFERENCES (id) ON shop.orders TO {role}", "and write to shop.orders (REF", "alter"),
    (
        "GRANT SELECT ON shop.orders TO {role} WITH GRANT OPTION",
        "may pass on what it was granted on shop.orders",
        "grant",
    ),
    (
        """
        CREATE FUNCTION shop.mine() RETURNS int LANGUAGE sql AS 'SELECT 1';
        ALTER FUNCTION shop.mine() OWNER TO {role}
        """,
        "owns shop.mine()",
        "owner",
    ),
    ("SELECT lo_create(4711); ALTER LARGE OBJECT 4711 OWNER TO {role}", "owns 4711", "owner"),
    (
        "SELECT lo_create(4711); GRANT UPDATE ON LARGE OBJECT 4711 TO {role}",
        "may write to the large object 4711",
        "large-object",
    ),
    (
        "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO {role}",
        "may call pg_read_file(text)",
        "function",
    ),
    (
        "GRANT ALTER SYSTEM ON PARAMETER log_statement TO {role}",
        "was granted to change log_statement",
        "parameter",
    ),
    (
        "GRANT CREATE ON TABLESPACE pg_default TO {role}",
        "may create objects in TABLESPACE pg_default",
        "create",
    ),
]

# What readers have, and what tells nothing of them.
HARMLESS = """
GRANT pg_monitor, pg_read_all_data, {writer} TO {role};
GRANT SELECT, UPDATE ON shop.reviews TO {other};
GRANT SELECT ON shop.orders TO {writer};
GRANT SELECT (id) ON shop.customers TO PUBLIC;
GRANT SELECT ON LARGE OBJECT 4712 TO {role};
GRANT USAGE ON TYPE shop.order_status TO {role};
GRANT TEMPORARY ON DATABASE {database} TO PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE {role} GRANT SELECT ON TABLES TO PUBLIC;
CREATE FOREIGN DATA WRAPPER abroad;
CREATE SERVER yonder FOREIGN DATA WRAPPER abroad;
GRANT USAGE ON FOREIGN SERVER yonder TO {role};
CREATE USER MAPPING FOR {role} SERVER yonder;
"""


@asynccontextmanager
async def reader(shop: Shop) -> AsyncIterator[Login]:
    """Make a role that may read the shop, and drop it with all it was given; and two more."""
    role = f"reader_{shop.admin.database}"
    writer, other = (f"{name}_{shop.admin.database}" for name in ("writer", "other"))
    await execute(
        shop.admin,
        f"""
        CREATE ROLE {writer}; CREATE ROLE {other};
        CREATE ROLE {role} LOGIN NOINHERIT PASSWORD '{shop.agent.password}';
        GRANT CONNECT ON DATABASE {shop.admin.database} TO {role};
        GRANT USAGE ON SCHEMA shop TO {role};
        GRANT SELECT ON ALL TABLES IN SCHEMA shop TO {role};
        """,
    )
    try:
        yield replace(shop.agent, user=role)
    finally:
        await execute(
            shop.admin,
            f"""
            ALTER DATABASE {shop.admin.database} OWNER TO postgres;
            REASSIGN OWNED BY {role} TO postgres;
            DROP OWNED BY {role}, {writer}, {other};
            REVOKE ALL ON TABLESPACE pg_default FROM {role};
            DROP ROLE {role}, {writer}, {other};
            """,
        )


async def test_a_reader_is_served(each_postgres: ShopServer, tmp_path: Path) -> None:
    async with (
        fresh_database(each_postgres) as shop,
        reader(shop) as login,
        guarding(tmp_path, login) as (guard, place),
    ):
        assert await ask(guard, "SELECT 1") == [("1",)]

    assert [line["role_powers"] for line in trail(place)] == [[], []]


def since(grant: str) -> int:
    """Give the first major that has what is granted."""
    return max((major for word, major in _SINCE.items() if word in grant.upper()), default=0)


@pytest.mark.parametrize(
    "right",
    [
        pytest.param(right, id=right[0], marks=pytest.mark.since(since(right[0])))
        for right in RIGHTS
    ],
)
async def test_a_role_that_may_do_more_is_not_served_unless_the_operator_says_so(
    fresh_shop: Shop,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    right: tuple[str, str, str],
) -> None:
    grant, said, kind = right
    async with reader(fresh_shop) as login:
        names = named(login)
        await execute(fresh_shop.admin, grant.format(**names))

        async with guarding(tmp_path / "refused", login) as (guard, refusing):
            with caplog.at_level(logging.WARNING), pytest.raises(Unavailable) as caught:
                await ask(guard, "SELECT 1")
        monkeypatch.setattr(servers, "OVERPRIVILEGED", {login.user})
        async with guarding(tmp_path / "served", login) as (guard, serving):
            await ask(guard, "SELECT 1")
            await ask(guard, "SELECT 2")

    messages = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert {level for level, text in messages if said.format(**names) in text} == {
        "ERROR",
        "WARNING",
    }
    assert all("fix: " in text for _, text in messages)
    assert login.user not in caught.value.as_text()
    assert said not in caught.value.as_text()
    assert [line["verdict"] for line in trail(refusing)] == ["none", "none"]
    assert [kind in str(line["role_powers"]) for line in trail(serving)] == [True] * 4


async def test_what_any_reader_may_have_is_no_reason_to_refuse(
    each_postgres: ShopServer, tmp_path: Path
) -> None:
    async with fresh_database(each_postgres) as shop, reader(shop) as login:
        await execute(shop.admin, "SELECT lo_create(4712)")
        await execute(shop.admin, HARMLESS.format(**named(login)))

        async with guarding(tmp_path, login) as (guard, place):
            assert await ask(guard, "SELECT 1") == [("1",)]

    assert [line["role_powers"] for line in trail(place)] == [[], []]


async def test_a_right_given_later_stops_the_service_when_the_catalog_is_read_again(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    async with reader(fresh_shop) as login, guarding(tmp_path, login) as (guard, _):
        await ask(guard, "SELECT 1")
        await execute(fresh_shop.admin, f"GRANT DELETE ON shop.orders TO {login.user}")
        guard.policy.forget()

        with pytest.raises(Unavailable):
            await ask(guard, "SELECT 1")


def named(login: Login) -> dict[str, str]:
    """Return what the grants of a test are about."""
    database = login.database
    others = {name: f"{name}_{database}" for name in ("writer", "other")}
    return {"role": login.user, "database": database, **others}


def trail(place: Place) -> list[dict[str, object]]:
    """Return the lines of the trail."""
    return [json.loads(line) for line in place.trail.splitlines()]
