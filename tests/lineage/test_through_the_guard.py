"""An agent asks for views, and gets their masks and nothing more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp import pipeline
from tests.guarding import SHOP, ask, call, execute, guarding

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import Shop

VIEWS = """
CREATE TABLE shop.vault (id int PRIMARY KEY, owner int, secret text, label text);
INSERT INTO shop.vault VALUES (1, 7, 'CANARY-1', 'red'), (2, 7, 'CANARY-2', 'blue');
CREATE VIEW shop.everything AS
    WITH v AS (SELECT * FROM shop.vault)
    SELECT v.id, v.secret AS name, v.label FROM v
    UNION ALL SELECT q.id, q.secret, q.label FROM (SELECT * FROM shop.vault) q WHERE q.id > 1;
CREATE MATERIALIZED VIEW shop.owners AS
    SELECT e.id, e.label, EXISTS (SELECT FROM shop.vault x WHERE x.secret = e.name) AS known
    FROM shop.everything e;
GRANT SELECT ON shop.vault, shop.everything, shop.owners TO agent_ro;
"""
POLICY = SHOP + '[mask]\n"shop.vault.secret" = "last4"\n'


async def test_a_view_shows_its_masks_and_all_that_is_open(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    await execute(fresh_shop.admin, VIEWS)

    async with guarding(tmp_path, fresh_shop.agent, POLICY) as (guard, _):
        assert await ask(guard, "SELECT * FROM shop.everything ORDER BY id, label") == [
            ("1", "****", "red"),
            ("2", "****", "blue"),
            ("2", "****", "blue"),
        ]
        assert await ask(guard, "SELECT * FROM shop.owners WHERE id = 1") == [("1", "red", None)]
        described = await pipeline.describe_view(call("describe_view", name="shop.owners"), guard)

    assert "redact, derived from shop.everything.name, shop.vault.secret" in described
    assert "shop.everything.label" in described
