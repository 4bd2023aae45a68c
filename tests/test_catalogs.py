"""Postgres's own catalogs: closed, but for those the operator opens by their exact names."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp import pipeline
from pg_guard_mcp.errors import Refused, Unavailable
from pg_guard_mcp.guard.catalogs import OPENABLE, columns_left_out
from pg_guard_mcp.model import Relation
from tests.guarding import ask, call, guarding
from tests.support.postgres import connected

if TYPE_CHECKING:
    from tests.support.postgres import Shop, ShopServer

DOCUMENT = (Path(__file__).parents[1] / "docs/policy.md").read_text(encoding="utf-8")
MASKS = '[mask]\n"shop.customers.email" = "redact"\n'

# Types that no text should be: values of unknown type, expressions as Postgres keeps them.
_UNREADABLE = frozenset({"anyarray", "pg_node_tree", "pg_ndistinct", "pg_mcv_list"})
_SECRETIVE = re.compile(r"passw|conninfo|secret|umoptions|srvoptions|fdwoptions|query$|statement$")
_EXPRESSION = re.compile(r"definition$|default$|expression|clause$")

_COLUMNS = """
SELECT n.nspname AS schema, c.relname AS relation, a.attname AS name, t.typname AS type
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attnum > 0 AND c.relkind IN ('r', 'v')
  AND n.nspname IN ('pg_catalog', 'information_schema')
"""


def opening(*names: str, masks: str = "", more: str = "") -> str:
    """Write a policy that opens the shop and some catalogs."""
    relations = ", ".join(f'"{name}"' for name in names)
    return f'[access]\nschemas = ["shop"]\nrelations = [{relations}]\n{more}{masks}'


async def columns_on(server: ShopServer) -> dict[Relation, dict[str, str]]:
    """Give the columns of every catalog that a server has, each with its type."""
    async with connected(server.agent) as connection:
        rows = await connection.fetch(_COLUMNS)
    found: dict[Relation, dict[str, str]] = {}
    for row in rows:
        relation = Relation(row["schema"], row["relation"])
        found.setdefault(relation, {})[row["name"]] = row["type"]
    return found


async def test_every_catalog_that_may_be_opened_is_one(each_postgres: ShopServer) -> None:
    found = await columns_on(each_postgres)

    later = {
        Relation("pg_catalog", f"pg_{name}")
        for name in (
            "stat_checkpointer",
            "stat_io",
            "stat_progress_copy",
            "stat_recovery_prefetch",
            "stat_replication_slots",
            "stat_subscription_stats",
            "stat_wal",
            "stats_ext_exprs",
            "wait_events",
        )
    }
    assert OPENABLE - found.keys() <= (later if each_postgres.major < 18 else set())
    for relation in OPENABLE & found.keys():
        missing = columns_left_out(relation) - found[relation].keys()
        # 18 has dropped the one in one place, and 14 had not the other.
        assert missing <= {"domain_default", "rowfilter"}, relation


async def test_beside_masks_an_opened_catalog_shows_no_expression_and_no_secret(
    each_postgres: ShopServer,
) -> None:
    found = await columns_on(each_postgres)

    for relation in OPENABLE & found.keys():
        for name, kind in found[relation].items():
            if name not in columns_left_out(relation):
                assert kind not in _UNREADABLE, (relation, name)
                assert not _SECRETIVE.search(name), (relation, name)
                assert not _EXPRESSION.search(name) or name == "opcdefault", (relation, name)


async def test_every_catalog_that_may_be_opened_can_be_read_and_described(
    each_postgres: ShopServer, tmp_path: Path
) -> None:
    found = OPENABLE & (await columns_on(each_postgres)).keys()
    policy = opening(*map(str, found), masks=MASKS)

    async with guarding(tmp_path, each_postgres.agent, policy) as (guard, _):
        for relation in sorted(found):
            await ask(guard, f"SELECT * FROM {relation} LIMIT 1")
            assert str(relation) in await pipeline.describe_view(
                call("describe_view", name=str(relation)), guard
            )


async def test_a_catalog_is_open_by_its_bare_name_and_beside_relations_of_users(
    postgres: ShopServer, tmp_path: Path
) -> None:
    policy = opening("pg_catalog.pg_stat_user_tables", "information_schema.columns")

    async with guarding(tmp_path, postgres.agent, policy) as (guard, _):
        assert await ask(
            guard,
            "SELECT relname FROM pg_stat_user_tables"
            " WHERE schemaname = 'shop' AND relname = 'orders'",
        ) == [("orders",)]
        assert await ask(
            guard,
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_name = 'orders' AND ordinal_position = 1",
        ) == [("id", "integer")]
        assert "pg_stat_user_tables" in await pipeline.list_schemas(
            replace(call("list_schemas"), schema="pg_catalog"), guard
        )
        for closed in ("pg_stat_all_tables", "information_schema.tables", "columns", "pg_authid"):
            with pytest.raises(Refused):
                await ask(guard, f"SELECT * FROM {closed}")


async def test_what_prints_constants_is_left_out_of_an_opened_catalog_beside_masks(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    names = {
        "pg_catalog.pg_indexes": "tablename = 'customers'",
        "information_schema.columns": "table_name = 'customers'",
        "pg_catalog.pg_views": "viewname = 'ada'",
    }
    async with connected(fresh_shop.admin) as connection:
        await connection.execute(
            "CREATE INDEX ON shop.customers (id) WHERE email = 'ada@example.com';"
            "CREATE VIEW shop.ada AS SELECT id FROM shop.customers WHERE email = 'ada@example.com';"
            "ALTER TABLE shop.customers ALTER COLUMN email SET DEFAULT 'ada@example.com'"
        )
    async with guarding(tmp_path / "bare", fresh_shop.admin, opening(*names)) as (guard, _):
        for name, condition in names.items():
            rows = await ask(guard, f"SELECT to_jsonb(c)::text FROM {name} c WHERE {condition}")
            assert "ada@example.com" in str(rows)

    policy = opening(*names, masks=MASKS)
    async with guarding(tmp_path / "masked", fresh_shop.admin, policy) as (guard, _):
        for name, condition in names.items():
            rows = await ask(
                guard, f"SELECT c.*, to_jsonb(c)::text FROM {name} c WHERE {condition}"
            )
            assert "shop" in str(rows)
            assert "ada@example.com" not in str(rows)
        for closed in (
            "i.indexdef FROM pg_indexes i",
            "(c).column_default FROM information_schema.columns c",
        ):
            with pytest.raises(Refused, match="is no column of"):
                await ask(guard, f"SELECT {closed}")


async def test_a_deny_pattern_and_views_only_close_an_opened_catalog(
    postgres: ShopServer, tmp_path: Path
) -> None:
    for more in ('deny_relations = ["pg_catalog.*"]\n', "views_only = true\n"):
        policy = opening("pg_catalog.pg_class", more=more)
        async with guarding(tmp_path / more[:5], postgres.agent, policy) as (guard, _):
            with pytest.raises(Refused, match="is a system catalog"):
                await ask(guard, "SELECT relname FROM pg_class")


@pytest.mark.parametrize(
    "name",
    [
        *(
            f"pg_catalog.pg_{name}"
            for name in (
                "authid",
                "hba_file_rules",
                "file_settings",
                "foreign_server",
                "largeobject",
                "proc",
                "settings",
                "shadow",
                "stat_activity",
                "statistic",
                "statistic_ext_data",
                "stats",
                "stats_ext",
                "stats_ext_exprs",
                "subscription",
                "user_mapping",
                "user_mappings",
            )
        ),
        "information_schema.user_mapping_options",
        "information_schema.foreign_server_options",
        "pg_toast.pg_toast_2619",
    ],
)
async def test_what_holds_values_or_secrets_cannot_be_opened_by_anybody(
    postgres: ShopServer, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with guarding(tmp_path, postgres.admin, opening(name)) as (guard, _):
        with pytest.raises(Unavailable, match="does not fit"):
            await ask(guard, "SELECT 1")

    assert f"names {name}, a catalog that cannot be opened" in caplog.text
    assert Relation(*name.split(".")) not in OPENABLE


def test_every_catalog_that_may_be_opened_is_documented() -> None:
    section = DOCUMENT.partition("## Catalogs\n")[2].partition("\n## ")[0]
    listed = section.partition("These may be opened:")[2].partition("\nAs soon as")[0]

    assert set(re.findall(r"`([a-z_]+)`", listed)) - {"information_schema"} == {
        relation.name for relation in OPENABLE
    }
