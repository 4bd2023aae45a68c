"""Clients that have settings of their own, through all four tools, over stdio and HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from mcp.types import Implementation

from pg_guard_mcp import pipeline
from pg_guard_mcp.errors import Refused, Unavailable
from tests.guarding import call, execute, guarding
from tests.support.server import configure, serving

if TYPE_CHECKING:
    from pathlib import Path

    from pg_guard_mcp.model import Tool, ToolCall
    from tests.support.postgres import Shop, ShopServer
    from tests.support.server import Era

POLICY = """
[access]
schemas = ["shop"]
[mask]
"shop.customers.email" = "email"
[limits]
max_rows = 50

[clients.cursor.access]
relations = ["shop.customers", "shop.products"]
[clients.cursor.mask]
"shop.customers.email" = "redact"
"shop.products.name" = "redact"
[clients.cursor.limits]
max_rows = 2
max_sql_bytes = 200
"""
EMAIL = "SELECT email FROM shop.customers WHERE id = 1"


def by(who: str, tool: Tool, **arguments: str) -> ToolCall:
    """Make a call as the server makes it for a client of this name."""
    made = call(tool, **arguments)
    client = replace(made.client, name=who, settings_name=who)
    return replace(made, client=client)


async def test_a_client_sees_its_own_part_in_every_tool(
    postgres: ShopServer, tmp_path: Path
) -> None:
    async with guarding(tmp_path, postgres.agent, POLICY) as (guard, _):
        assert "***@" in await pipeline.query(by("other", "query", sql=EMAIL), guard)
        assert "[redacted]" in await pipeline.query(by("cursor", "query", sql=EMAIL), guard)

        for tool in ("query", "explain"):
            sql = "SELECT id FROM shop.orders"
            run = {"query": pipeline.query, "explain": pipeline.explain}[tool]
            await run(by("other", "query", sql=sql), guard)
            with pytest.raises(Refused, match="is not readable here"):
                await run(by("cursor", "query", sql=sql), guard)

        listed = await pipeline.list_schemas(by("cursor", "list_schemas"), guard)
        assert "shop\t2\t" in listed
        assert "shop\t2\t" not in await pipeline.list_schemas(by("other", "list_schemas"), guard)

        described = await pipeline.describe_view(
            by("cursor", "describe_view", name="shop.products"), guard
        )
        assert "redact" in described
        with pytest.raises(Refused):
            await pipeline.describe_view(by("cursor", "describe_view", name="shop.orders"), guard)


async def test_a_client_has_its_own_limits(postgres: ShopServer, tmp_path: Path) -> None:
    many = "SELECT id FROM shop.customers ORDER BY id"
    async with guarding(tmp_path, postgres.agent, POLICY) as (guard, _):
        assert "max_rows = 2:" in await pipeline.query(by("cursor", "query", sql=many), guard)
        greedy = replace(by("cursor", "query", sql=many), max_rows=40)
        assert "max_rows = 2:" in await pipeline.query(greedy, guard)
        assert "max_rows = 2:" not in await pipeline.query(by("other", "query", sql=many), guard)
        with pytest.raises(Refused, match="200 bytes"):
            await pipeline.query(by("cursor", "query", sql=many + " " * 200), guard)


async def test_postgres_is_told_the_limits_of_the_client(fresh_shop: Shop, tmp_path: Path) -> None:
    await execute(
        fresh_shop.admin,
        "CREATE VIEW shop.limits AS SELECT current_setting('statement_timeout') AS timeout;"
        "GRANT SELECT ON shop.limits TO agent_ro",
    )
    policy = """
        [access]
        relations = ["shop.limits"]
        [clients.cursor.limits]
        statement_timeout_seconds = 7
    """
    async with guarding(tmp_path, fresh_shop.agent, policy) as (guard, _):
        own = await pipeline.query(by("cursor", "query", sql="TABLE shop.limits"), guard)
        everybodys = await pipeline.query(by("other", "query", sql="TABLE shop.limits"), guard)

    assert "\n7s\n" in own
    assert "\n30s\n" in everybodys


async def test_a_policy_of_a_client_is_made_once_a_catalog(
    postgres: ShopServer, tmp_path: Path
) -> None:
    async with guarding(tmp_path, postgres.agent, POLICY) as (guard, _):
        narrowed = await guard.policy.current("cursor")

        assert await guard.policy.current("cursor") is narrowed
        assert await guard.policy.current("other") is await guard.policy.current()
        assert await guard.policy.refreshed("cursor") is narrowed
        guard.policy.forget()
        assert await guard.policy.current("cursor") is not narrowed


async def test_a_relation_made_later_is_found_by_a_client_of_its_own_rules(
    fresh_shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pg_guard_mcp.current_policy._RENEW_SECONDS", 0)
    policy = '[access]\nschemas = ["shop"]\n[clients.cursor.mask]\n"shop.*.email" = "redact"'
    async with guarding(tmp_path, fresh_shop.agent, policy) as (guard, _):
        await pipeline.query(by("cursor", "query", sql="SELECT 1"), guard)
        await execute(fresh_shop.admin, "CREATE TABLE shop.later AS SELECT 'a@b.example' AS email")
        answer = await pipeline.query(by("cursor", "query", sql="SELECT * FROM later"), guard)

    assert "[redacted]" in answer
    assert "a@b.example" not in answer


async def test_rules_of_a_client_that_do_not_fit_stop_that_client_alone(
    postgres: ShopServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    policy = '[access]\nschemas = ["shop"]\n[clients.cursor.mask]\n"shop.customers.emial" = "null"'
    async with guarding(tmp_path, postgres.agent, policy) as (guard, _):
        await pipeline.query(by("other", "query", sql="SELECT 1"), guard)
        with pytest.raises(Unavailable, match="does not fit"):
            await pipeline.query(by("cursor", "query", sql="SELECT 1"), guard)

    assert "fits no column" in caplog.text


@pytest.mark.parametrize("era", ["legacy", "modern", "http"])
def test_a_client_goes_by_its_own_word_on_stdio_and_by_its_token_over_http(
    postgres: ShopServer, tmp_path: Path, era: Era
) -> None:
    policy = (
        '[access]\nschemas = ["shop"]\n'
        '[clients.cursor.mask]\n"shop.customers.email" = "redact"\n'
        '[clients.bearer.mask]\n"shop.customers.email" = "null"\n'
    )
    place = configure(tmp_path, postgres.agent, policy)

    with serving(place, era, Implementation(name="cursor", version="1")) as server:
        (row,) = server.query(EMAIL).rows

    assert row == ((None,) if era == "http" else ("[redacted]",))
    assert place.events[0]["client"]["name"] == "cursor"
