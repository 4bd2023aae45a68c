"""What does more than read is closed until the operator names it, over real Postgres."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp import pipeline
from pg_guard_mcp.errors import Refused
from tests.guarding import SHOP, ask, call, execute, guarding, outcome

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import Shop

CLOSED = {
    "far": """
        CREATE EXTENSION file_fdw;
        CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
        CREATE FOREIGN TABLE shop.far (line text) SERVER files OPTIONS (program 'echo reached');
        """,
    "locking": "CREATE VIEW shop.locking AS SELECT pg_try_advisory_xact_lock(1)::text AS line;",
    "behind": """
        CREATE VIEW shop.inner_one AS SELECT pg_try_advisory_xact_lock(1)::text AS line;
        CREATE VIEW shop.middle AS SELECT * FROM shop.inner_one;
        CREATE VIEW shop.behind AS SELECT max(line) AS line FROM shop.middle;
        """,
    "sessions": "CREATE VIEW shop.sessions AS SELECT count(*)::text AS line FROM pg_stat_activity;",
    "definer": """
        CREATE FUNCTION shop.highest() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
            AS 'SELECT max(annual_salary)::text FROM hr.salaries';
        CREATE VIEW shop.definer AS SELECT shop.highest() AS line;
        """,
    "changing": """
        CREATE FUNCTION shop.next_one() RETURNS text LANGUAGE sql AS $$ SELECT '1' $$;
        CREATE VIEW shop.changing AS SELECT shop.next_one() AS line;
        """,
}


@pytest.mark.parametrize("relation", CLOSED)
async def test_what_does_more_than_read_is_closed_until_it_is_named(
    fresh_shop: Shop, tmp_path: Path, relation: str
) -> None:
    await execute(fresh_shop.admin, CLOSED[relation])
    named = SHOP + f'relations = ["shop.{relation}"]\n'
    sql = f"SELECT line FROM shop.{relation}"

    async with guarding(tmp_path / "closed", fresh_shop.agent) as (guard, _):
        closed = await outcome(guard, sql)
        listed = await pipeline.list_schemas(replace(call("list_schemas"), schema="shop"), guard)
        with pytest.raises(Refused):
            await pipeline.describe_view(call("describe_view", name=f"shop.{relation}"), guard)
    async with guarding(tmp_path / "named", fresh_shop.agent, named) as (guard, _):
        opened = await ask(guard, sql)

    assert closed == "refused"
    assert not re.search(rf"^{relation}\b", listed, re.MULTILINE)
    assert len(opened) == 1


async def test_a_view_that_only_reads_is_open_with_its_schema(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    await execute(
        fresh_shop.admin,
        """
        CREATE VIEW shop.harmless AS
        SELECT upper(name), shop.net_price(price, 19), now() FROM shop.products WHERE id = 1;
        """,
    )

    async with guarding(tmp_path, fresh_shop.agent) as (guard, _):
        assert len(await ask(guard, "SELECT * FROM shop.harmless")) == 1
