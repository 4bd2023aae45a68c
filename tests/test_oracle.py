"""What we saw in a statement contains what Postgres's own analyzer sees in it.

Over every statement that has a schema to run on: our cases and reads on the shop, and where they
are, other people's attacks, leaks and gold queries on their own schemas.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tools import agreement

from pg_guard_mcp.guard import policy as policies
from pg_guard_mcp.guard.classify import classify
from pg_guard_mcp.postgres import snapshot
from tests.postgres.databases import opened
from tests.reads import CORPUS
from tests.support import catalogs, oracle
from tests.support.postgres import connected

if TYPE_CHECKING:
    from tests.support.postgres import ShopServer

EVERYTHING = """
SELECT c.id, lower(c.full_name) || 'x' AS name, count(*) OVER (ORDER BY c.id), '5'::int2
FROM shop.customers c JOIN shop.orders o ON o.customer_id = c.id
WHERE o.status = 'paid' AND placed_at::date > current_date - 30
"""


def test_postgres_sees_nothing_in_any_corpus_that_we_did_not_see(postgres: ShopServer) -> None:
    found = dict(agreement.compared(postgres, CORPUS))

    assert {name: each.disagreements for name, each in found.items() if each.disagreements} == {}
    assert found["shop"].statements >= 210
    if CORPUS.is_dir():
        assert found["lab"].statements >= 240
        assert found["defog"].statements >= 255


async def test_the_oracle_sees_relations_columns_functions_operators_and_casts(
    postgres: ShopServer,
) -> None:
    async with connected(postgres.admin) as connection:
        seen = await oracle.analyze(connection, EVERYTHING, ["shop"])

    assert seen.relations >= {("shop", "customers"), ("shop", "orders")}
    assert {name for *_, name in seen.columns} >= {"id", "full_name", "customer_id", "status"}
    assert {name for _, name in seen.called} >= {"lower", "count"}
    assert {name for _, name in seen.behind} >= {"textcat", "int4eq", "enum_eq", "date_gt"}


async def test_a_fact_that_we_overlook_is_a_disagreement(postgres: ShopServer) -> None:
    async with opened(postgres.admin) as database:
        policy = policies.build(catalogs.RULES, await snapshot.take(database, "test"))
    async with connected(postgres.admin) as connection:
        seen = await oracle.analyze(connection, EVERYTHING, ["shop"])
    statement = classify(EVERYTHING, max_bytes=50_000)

    assert list(oracle.unseen(statement, seen, policy)) == []
    for overlooking in (
        replace(statement, relations=statement.relations[:1]),
        replace(statement, functions=()),
        replace(statement, columns=()),
    ):
        assert list(oracle.unseen(overlooking, seen, policy)) != []
