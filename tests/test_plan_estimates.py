"""A plan tells nothing of masked values, though Postgres plans by what it knows of them.

Two databases are alike but for masked columns: in one they hold few values, in order, and no NULL
but where NULL shows anyhow; in the other all values differ and are in no order. ANALYZE has told
Postgres so. Every plan must read the same over both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pg_guard_mcp import pipeline
from tests.guarding import SHOP, call, execute, guarding
from tests.support.postgres import fresh_database

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import ShopServer

FURNITURE = """
CREATE TABLE shop.people (id integer PRIMARY KEY, team integer, name text, email text,
                          ssn text, born date, pay integer, token uuid);
CREATE TABLE shop.visits (id integer PRIMARY KEY, person integer, ssn text, note text);
INSERT INTO shop.people
SELECT i, i % 20, 'name ' || i % 700, 'a' || {value} || '@example.com', 's' || {value},
       date '1950-01-01' + {value}, {value}, md5({value}::text)::uuid
FROM generate_series(1, 5000) i;
INSERT INTO shop.visits
SELECT i, i % 5000 + 1, 's' || {value}, 'note ' || i FROM generate_series(1, 9000) i;
CREATE TABLE shop.months (id integer, ssn text, month date) PARTITION BY RANGE (month);
CREATE TABLE shop.months_1 PARTITION OF shop.months FOR VALUES FROM (MINVALUE) TO ('2026-07-01');
CREATE TABLE shop.months_2 PARTITION OF shop.months FOR VALUES FROM ('2026-07-01') TO (MAXVALUE);
INSERT INTO shop.months
SELECT i, 's' || {value}, date '2026-01-01' + i % 365 FROM generate_series(1, 5000) i;
CREATE VIEW shop.seen AS SELECT id, team, ssn, pay FROM shop.people WHERE team < 10;
CREATE VIEW shop.teams AS SELECT team, count(DISTINCT ssn) AS kinds FROM shop.people GROUP BY team;
CREATE VIEW shop.halves AS SELECT team, sum(n) AS s FROM (
    SELECT team, ssn, count(*) AS n FROM shop.people GROUP BY team, ssn) z GROUP BY team;
CREATE VIEW shop.deeper AS SELECT team, s FROM shop.halves WHERE team > 3;
CREATE MATERIALIZED VIEW shop.kept AS SELECT id, team, ssn, pay FROM shop.people;
CREATE INDEX ON shop.people (ssn);
CREATE INDEX ON shop.people (team);
CREATE INDEX ON shop.visits (person);
CREATE INDEX ON shop.visits (ssn);
CREATE STATISTICS shop.together (ndistinct, mcv) ON ssn, team FROM shop.people;
ANALYZE shop.people, shop.visits, shop.months, shop.kept;
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO {user};
"""
WORLDS = ("(1000 + i / 1700)", "(1000 + (i * 7919) % 5003)")
TABLES = (
    SHOP
    + """[mask]
    "shop.people.email" = "email"
    "shop.people.ssn" = "hash"
    "shop.people.born" = "year"
    "shop.people.pay" = "bucket:1000"
    "shop.people.token" = "redact"
    "shop.visits.ssn" = "hash"
    "shop.months.ssn" = "last4"
    """
)
QUERIES = """
SELECT * FROM shop.people
SELECT ssn FROM shop.people WHERE ssn = 'x'
SELECT ssn FROM shop.people WHERE ssn > 'x' AND pay < 100
SELECT count(*) FROM shop.people WHERE ssn IS NULL
SELECT ssn, count(*) FROM shop.people GROUP BY ssn
SELECT team, ssn, count(*) FROM shop.people GROUP BY team, ssn
SELECT born, pay, email FROM shop.people GROUP BY 1, 2, 3
SELECT DISTINCT ssn FROM shop.people
SELECT DISTINCT token, pay FROM shop.people
SELECT DISTINCT ON (ssn) id FROM shop.people
SELECT count(DISTINCT ssn) FROM shop.people
SELECT team, count(DISTINCT ssn) FROM shop.people GROUP BY team
SELECT * FROM (SELECT ssn FROM shop.people GROUP BY ssn) x JOIN shop.visits v USING (ssn)
SELECT p.id FROM shop.people p JOIN shop.visits v ON p.ssn = v.ssn
SELECT p.id FROM shop.people p JOIN shop.visits v ON p.ssn = v.note
SELECT p.id FROM shop.people p WHERE ssn IN (SELECT ssn FROM shop.visits)
SELECT p.id FROM shop.people p WHERE EXISTS (SELECT FROM shop.visits v WHERE v.ssn = p.ssn)
SELECT p.id FROM shop.people p WHERE NOT EXISTS (SELECT FROM shop.visits v WHERE v.ssn = p.ssn)
SELECT p.id FROM shop.people p WHERE pay IN (SELECT max(pay) FROM shop.people GROUP BY born)
SELECT id, (SELECT count(*) FROM shop.visits v WHERE v.ssn = p.ssn) FROM shop.people p
SELECT ssn FROM shop.people UNION SELECT ssn FROM shop.visits
SELECT ssn FROM shop.people INTERSECT SELECT ssn FROM shop.visits
SELECT ssn FROM shop.people EXCEPT SELECT ssn FROM shop.visits
SELECT ssn, rank() OVER (PARTITION BY ssn ORDER BY id) FROM shop.people
SELECT * FROM shop.people ORDER BY ssn
SELECT * FROM shop.people ORDER BY team, ssn LIMIT 10
SELECT * FROM shop.people ORDER BY id, ssn
SELECT p.id FROM shop.people p CROSS JOIN LATERAL (SELECT FROM shop.visits WHERE note = p.ssn) x
SELECT x.n FROM shop.people p, LATERAL (SELECT count(*) n FROM shop.visits WHERE id = p.pay) x
SELECT p.id, v.id FROM shop.people p LEFT JOIN shop.visits v ON v.id = p.pay WHERE p.team = 3
WITH x AS MATERIALIZED (SELECT ssn, team FROM shop.people) SELECT ssn FROM x GROUP BY ssn
WITH x AS (SELECT ssn FROM shop.people GROUP BY ssn) SELECT count(*) FROM x a, x b
WITH RECURSIVE x AS (SELECT pay FROM shop.people UNION SELECT pay + 1 FROM x WHERE pay < 5) TABLE x
SELECT extract(year FROM born), count(*) FROM shop.people GROUP BY 1
SELECT length(ssn), count(*) FROM shop.people GROUP BY 1
SELECT p, count(*) FROM shop.people p GROUP BY p
SELECT ssn, team, count(*) FROM shop.people GROUP BY CUBE (ssn, team)
SELECT team, count(*) FROM shop.people GROUP BY team HAVING min(ssn) > 'x'
SELECT team, array_agg(ssn ORDER BY ssn) FROM shop.people GROUP BY team
SELECT team, name, count(*) FROM shop.people GROUP BY team, name
SELECT id, ssn, count(*) FROM shop.people GROUP BY id
SELECT * FROM (SELECT DISTINCT ssn FROM shop.people) a, (SELECT DISTINCT note FROM shop.visits) b
SELECT a.ssn FROM shop.people a JOIN shop.people b ON a.ssn = b.ssn AND a.team = b.team
SELECT count(*) FROM shop.people WHERE (ssn, team) = ('x', 3)
SELECT count(*) FROM shop.people WHERE ssn = ANY (ARRAY['x', 'y', 'z'])
SELECT count(*) FROM shop.people WHERE born = DATE '1952-09-28'
SELECT ssn, count(*) FROM shop.months GROUP BY ssn
SELECT DISTINCT ssn FROM ONLY shop.months_1
SELECT count(*) FROM shop.months WHERE ssn = 'x' AND month < '2026-03-01'
SELECT ssn, count(*) FROM shop.seen GROUP BY ssn
SELECT DISTINCT pay, team FROM shop.seen WHERE pay > 1000
SELECT s.id FROM shop.seen s JOIN shop.visits v ON s.ssn = v.ssn
SELECT kinds, count(*) FROM shop.teams GROUP BY kinds
SELECT ssn, count(*) FROM shop.kept GROUP BY ssn
SELECT k.id FROM shop.kept k JOIN shop.visits v ON v.id = k.pay
SELECT * FROM shop.halves
SELECT * FROM shop.deeper d JOIN shop.visits v ON v.id = d.team
SELECT h.s, p.id FROM shop.halves h JOIN shop.people p USING (team) WHERE p.id < 10
WITH h AS MATERIALIZED (SELECT * FROM shop.halves) SELECT count(*) FROM h a, h b
SELECT team FROM shop.visits JOIN shop.halves ON person = team UNION SELECT id FROM shop.people
"""
_TAG = re.compile("data [0-9a-f]{8}")


async def plans(server: ShopServer, directory: Path, value: str) -> dict[str, str]:
    """Explain every query over one world."""
    async with fresh_database(server) as shop:
        await execute(shop.admin, FURNITURE.format(value=value, user=shop.agent.user))
        async with guarding(directory, shop.agent, TABLES) as (guard, _):
            return {
                sql: _TAG.sub("", await pipeline.explain(call("explain", sql=sql), guard))
                for sql in QUERIES.strip().splitlines()
            }


async def test_plans_over_other_values_of_masked_columns_read_the_same(
    each_postgres: ShopServer, tmp_path: Path
) -> None:
    few, many = [
        await plans(each_postgres, tmp_path / str(number), value)
        for number, value in enumerate(WORLDS)
    ]

    differing = {sql: (few[sql], many[sql]) for sql in few if few[sql] != many[sql]}
    assert not differing
