"""Masks leave Postgres its indexes: over columns without one, the plan is what it was.

The subselect that stands for a relation is pulled up by the planner, so a filter, a sort or a join
on a column that is not masked reaches the relation itself.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from pg_guard_mcp.guard import policy as policies
from pg_guard_mcp.judging import judged
from pg_guard_mcp.model import AccessRules, Limits
from pg_guard_mcp.postgres import snapshot
from pg_guard_mcp.second_parser import Parsers
from tests.postgres.databases import opened, shared_database
from tests.support.postgres import connected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import Shop, ShopServer

TABLES = """
CREATE TABLE shop.visits (
    id integer PRIMARY KEY, customer_id integer NOT NULL, at timestamptz NOT NULL,
    path text COLLATE "C" NOT NULL, amount numeric(10, 2), country char(2) NOT NULL,
    secret text, ip inet, born date, email text
);
INSERT INTO shop.visits
SELECT n, n % 3000, timestamptz '2026-01-01' + n * interval '1 minute', 'page-' || n, n % 97,
       (ARRAY['DE', 'FR', 'LU'])[CASE WHEN n % 400 = 0 THEN 3 ELSE 1 + n % 2 END],
       md5(n::text), ('10.0.0.' || n % 250)::inet,
       date '1970-01-01' + n % 9000, n || '@example.com'
FROM generate_series(1, 60000) n;
CREATE INDEX ON shop.visits (customer_id);
CREATE INDEX ON shop.visits (at);
CREATE INDEX ON shop.visits (path);
CREATE INDEX ON shop.visits (country, at);
CREATE INDEX ON shop.visits (email);
CREATE TABLE shop.readings (day date NOT NULL, sensor integer NOT NULL, owner text)
    PARTITION BY RANGE (day);
CREATE TABLE shop.readings_1 PARTITION OF shop.readings
    FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE shop.readings_2 PARTITION OF shop.readings
    FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE INDEX ON shop.readings (sensor);
INSERT INTO shop.readings
SELECT date '2026-01-01' + n % 59, n % 5000, 'owner ' || n FROM generate_series(1, 30000) n;
VACUUM ANALYZE shop.visits;
ANALYZE shop.readings;
"""
MASKS = {
    "shop.visits.secret": "redact",
    "shop.visits.ip": "null",
    "shop.visits.born": "year",
    "shop.visits.email": "hash",
    "shop.visits.amount": "bucket:10",
    "shop.readings.owner": "first1",
    "shop.customers.email": "email",
    "shop.customers.phone": "last4",
}
READS = {
    "a row by its key": ("SELECT * FROM shop.visits WHERE id = 4711", "Index Scan"),
    "rows by a list of keys": (
        "SELECT id, secret FROM shop.visits WHERE id IN (1, 2, 3)",
        "visits_pkey",
    ),
    "a range of time": (
        "SELECT id, ip FROM shop.visits WHERE at BETWEEN '2026-01-02' AND '2026-01-02 03:00'",
        "visits_at_idx",
    ),
    "the latest rows": (
        "SELECT id, email FROM shop.visits ORDER BY at DESC LIMIT 10",
        "Backward",
    ),
    "the latest rows of one country, by an index of both": (
        "SELECT * FROM shop.visits AS v WHERE v.country = 'LU' ORDER BY v.at LIMIT 5",
        "visits_country_at_idx",
    ),
    "an index alone": (
        "SELECT at FROM shop.visits WHERE at < '2026-01-01 12:00'",
        "Index Only Scan",
    ),
    "a count by an index alone": (
        "SELECT count(*) FROM visits WHERE customer_id < 50",
        "Index Only Scan",
    ),
    "the least and the most": ("SELECT min(at), max(at) FROM shop.visits", "Index Only Scan"),
    "a prefix": (
        "SELECT id, secret FROM shop.visits WHERE path LIKE 'page-599%'",
        "visits_path_idx",
    ),
    "a join by keys": (
        """SELECT v.id, v.secret, c.id, c.email FROM shop.visits v
        JOIN shop.customers c ON c.id = v.customer_id WHERE v.id < 20""",
        "customers_pkey",
    ),
    "an outer join by keys": (
        """SELECT c.id, c.phone, v.at FROM customers c
        LEFT JOIN visits v ON v.customer_id = c.id WHERE c.id = 7""",
        "visits_customer_id_idx",
    ),
    "a correlated subquery": (
        """SELECT c.id, (SELECT max(v.at) FROM shop.visits v WHERE v.customer_id = c.id)
        FROM shop.customers c WHERE c.id IN (3, 4)""",
        "visits_customer_id_idx",
    ),
    "a semi-join": (
        """SELECT id FROM shop.customers c WHERE c.id < 9
        AND EXISTS (SELECT FROM shop.visits v WHERE v.customer_id = c.id)""",
        "visits_customer_id_idx",
    ),
    "a lateral top of each": (
        """SELECT c.id, latest.* FROM shop.customers c CROSS JOIN LATERAL
        (SELECT v.id, v.email FROM shop.visits v WHERE v.customer_id = c.id LIMIT 2) latest
        WHERE c.id < 5""",
        "visits_customer_id_idx",
    ),
    "a CTE": (
        "WITH v AS (SELECT * FROM shop.visits) SELECT id, secret FROM v WHERE id = 9",
        "visits_pkey",
    ),
    "a partition left out": (
        "SELECT sensor, owner FROM shop.readings WHERE day = '2026-02-03' AND sensor = 12",
        "readings_2_sensor_idx",
    ),
    "an index on every partition": (
        "SELECT day, owner FROM shop.readings WHERE sensor = 12",
        "readings_1_sensor_idx",
    ),
    "groups in the order of an index": (
        "SELECT customer_id, count(*) FROM shop.visits WHERE customer_id < 9 GROUP BY 1 ORDER BY 1",
        "visits_customer_id_idx",
    ),
}
"""Reads of columns that are not masked, with a word that must stand in their plan."""
KEPT = (
    *("Node Type", "Relation Name", "Index Name", "Index Cond", "Recheck Cond", "Filter"),
    *("Scan Direction", "Join Type", "Sort Key", "Group Key", "Subplans Removed", "Hash Cond"),
)


@pytest.fixture(scope="module")
def visited(postgres: ShopServer) -> Iterator[Shop]:
    """Hold a shop with large tables in it."""
    with shared_database(postgres) as shop:
        anyio.run(furnish, shop)
        yield shop


async def furnish(shop: Shop) -> None:
    """Make the tables; VACUUM wants to stand alone."""
    async with connected(shop.admin) as connection:
        for statement in TABLES.strip().removesuffix(";").split(";\n"):
            await connection.execute(statement)
        await connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA shop TO {shop.agent.user}")


async def plans(shop: Shop, sql: str) -> tuple[Any, Any]:
    """Have Postgres plan a read as it is, and as the guard rewrites it."""
    rules = AccessRules(schemas=("shop",), masks=MASKS)
    async with opened(shop.agent) as database:
        policy = policies.build(rules, await snapshot.take(database, "test"))
    parsers = Parsers()
    try:
        guarded = await judged(sql, policy, Limits(), parsers)
    finally:
        await parsers.close()
    assert guarded.masked
    return (
        await plan(shop, sql, search_path="shop"),
        await plan(shop, guarded.sql, search_path="pg_catalog"),
    )


async def plan(shop: Shop, sql: str, search_path: str) -> Any:
    """Return the shape of a plan."""
    key = "'\\x00'::bytea"
    sql = sql.replace("CAST($1 AS", f"CAST({key} AS").replace("CAST($2 AS", f"CAST({key} AS")
    async with connected(shop.agent, search_path=search_path, jit="off") as connection:
        found = await connection.fetchval(f"EXPLAIN (COSTS OFF, FORMAT JSON) {sql}")
    return shape(json.loads(found)[0]["Plan"])


def shape(node: dict[str, Any]) -> dict[str, Any]:
    """Keep what a plan does, and leave out what it calls the relations in it."""
    kept = {key: re.sub(r"[a-z]\w*\.", "", json.dumps(node[key])) for key in KEPT if key in node}
    return kept | {"Plans": [shape(child) for child in node.get("Plans", [])]}


@pytest.mark.parametrize("name", READS)
async def test_a_read_of_columns_without_a_mask_has_the_plan_it_has_without_a_guard(
    visited: Shop, name: str
) -> None:
    sql, word = READS[name]

    bare, guarded = await plans(visited, sql)

    assert word in json.dumps(bare), "this read no longer shows what it is here for"
    assert guarded == bare


async def test_a_filter_on_a_masked_column_works_on_the_mask_and_has_no_index(
    visited: Shop,
) -> None:
    """An index holds the values themselves."""
    bare, guarded = await plans(visited, "SELECT id FROM shop.visits WHERE email = '7@example.com'")

    assert "visits_email_idx" in json.dumps(bare)
    assert "visits_email_idx" not in json.dumps(guarded)
