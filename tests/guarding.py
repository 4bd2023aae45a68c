"""A `Guard` opened as the server opens it, over a throw-away Postgres, and calls made of it."""

from __future__ import annotations

import base64
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pg_guard_mcp import pipeline
from pg_guard_mcp.errors import GuardError
from pg_guard_mcp.model import Client, ToolCall
from pg_guard_mcp.server import assembly
from pg_guard_mcp.settings import load_settings
from tests.support.answers import Answer
from tests.support.postgres import connected
from tests.support.server import configure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from pg_guard_mcp.demo.cluster import Login
    from pg_guard_mcp.model import Tool
    from pg_guard_mcp.pipeline import Guard
    from tests.support.postgres import Shop
    from tests.support.server import Place

SHOP = '[access]\nschemas = ["shop"]\n'
# 4,000 rows to the third: days of work, and nothing that a rule could see.
ENDLESS = "SELECT count(*) FROM shop.reviews a, shop.reviews b, shop.reviews c"
FAILS_WHEN_RUN = "SELECT 1 / (count(*) - count(*)) FROM shop.products"
KEY = bytes(range(32))


@asynccontextmanager
async def guarding(
    directory: Path,
    login: Login,
    tables: str = SHOP,
    *,
    key: bytes = KEY,
    variables: Mapping[str, str] | None = None,
) -> AsyncIterator[tuple[Guard, Place]]:
    """Open a guard, and close its connections afterwards."""
    place = configure(directory, login, tables)
    settings = load_settings(
        environment=dict(variables or {}),
        directory=place.project,
        flags={"policy": str(place.policy)},
    )
    environment = {"PG_GUARD_MASK_KEY": base64.b64encode(key).decode()}
    guard = assembly.open_guard(settings, environment, audit_directory=place.audit)
    try:
        yield guard, place
    finally:
        await guard.database.close()
        await guard.parsers.close()


def call(tool: Tool, *, sql: str = "", name: str | None = None) -> ToolCall:
    """Make a call as the server would."""
    return ToolCall(
        call_id=uuid.uuid4().hex,
        tool=tool,
        client=Client(name="test", version="1", subject="somebody", session_id="session"),
        sql=sql,
        name=name,
    )


async def ask(guard: Guard, sql: str) -> list[tuple[str | None, ...]]:
    """Call `query`, and give the rows."""
    return Answer(await pipeline.query(call("query", sql=sql), guard), is_error=False).rows


async def outcome(guard: Guard, sql: str) -> str:
    """Call `query`, and tell how it ended."""
    try:
        await pipeline.query(call("query", sql=sql), guard)
    except GuardError as error:
        return error.code
    return "answered"


async def execute(login: Login, sql: str) -> None:
    """Change the database from outside."""
    async with connected(login) as connection:
        await connection.execute(sql)


async def log_everything(shop: Shop) -> None:
    """Have Postgres log every statement of this database, as some operators do."""
    await execute(
        shop.admin,
        f"""
        ALTER DATABASE {shop.admin.database} SET log_statement = 'all';
        ALTER DATABASE {shop.admin.database} SET log_duration = on;
        """,
    )
