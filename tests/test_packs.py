"""Every pack is held against the extension itself: nothing callable in it is without a verdict."""

from __future__ import annotations

import asyncio
import re
import tomllib
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest

from pg_guard_mcp.guard import packs
from tests.postgres.databases import shared_database
from tests.support.postgres import connected
from tests.test_extensions import ON_15, ON_18, create

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.support.postgres import Shop, ShopServer

    Rows = Iterable[Mapping[str, Any]]

PROVEN = sorted({*ON_15, *ON_18})
# Types that name something in the server by number or text.
NAMING = re.compile(r"^_?(reg\w+|oid|oidvector|pg_lsn|refcursor|tid|xid8?|cid|aclitem)$")

FUNCTIONS = """
SELECT p.proname AS name, p.provolatile = 'v' AS volatile, p.prosecdef AS definer,
       l.lanname AS lang, p.prosrc AS body,
       ARRAY(SELECT t.typname FROM unnest(p.proargtypes || p.prorettype) u (oid)
             JOIN pg_type t ON t.oid = u.oid)::text[] AS types
FROM pg_proc p
JOIN pg_language l ON l.oid = p.prolang
JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid
WHERE e.extname = $1
  AND NOT EXISTS (SELECT FROM unnest(p.proargtypes || p.prorettype) u (oid)
                  WHERE u.oid IN ('internal'::regtype, 'cstring'::regtype, 'cstring[]'::regtype,
                                  'trigger'::regtype))
"""
OPERATORS = """
SELECT o.oprname AS name, f.proname AS function
FROM pg_operator o
JOIN pg_proc f ON f.oid = o.oprcode
JOIN pg_depend d ON d.classid = 'pg_operator'::regclass AND d.objid = o.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid
WHERE e.extname = $1
"""
TYPES = """
SELECT t.typname AS name
FROM pg_type t
JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid
WHERE e.extname = $1
"""


def review(name: str) -> dict[str, Any]:
    """Read a pack's file as it is."""
    path = files("pg_guard_mcp.guard.packs") / f"{name}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def servers(postgres18: ShopServer, postgis: ShopServer) -> Iterator[dict[int, Shop]]:
    """Hold a database on 15 and one on 18, with every extension there is a pack for."""
    with shared_database(postgres18) as on_18, shared_database(postgis) as on_15:
        asyncio.run(run(on_18, create(ON_18)))
        asyncio.run(run(on_15, create(ON_15)))
        yield {18: on_18, 15: on_15}


async def run(shop: Shop, sql: str) -> None:
    """Change a database as its superuser."""
    async with connected(shop.admin) as connection:
        await connection.execute(sql)


async def members(servers: dict[int, Shop], name: str, sql: str) -> list[Mapping[str, Any]]:
    """Read what belongs to an extension, on every server that has it."""
    found: list[Mapping[str, Any]] = []
    for major, on in ((18, ON_18), (15, ON_15)):
        if name in on:
            async with connected(servers[major].admin) as connection:
                found.extend(dict(row) for row in await connection.fetch(sql, name))
    return found


@pytest.mark.parametrize("name", PROVEN)
async def test_every_function_has_a_verdict_and_every_allowed_one_only_computes(
    servers: dict[int, Shop], name: str
) -> None:
    pack, written = packs.read(name), review(name)
    rows = await members(servers, name, FUNCTIONS)
    allowed = [row for row in rows if row["name"] in pack.functions]

    unjudged = {row["name"] for row in rows} - pack.functions
    assert {function for function in unjudged if not pack.objection(function)} == set()
    assert [row["name"] for row in allowed if row["definer"]] == []
    volatile = {row["name"] for row in allowed if row["volatile"]}
    assert volatile == set(written.get("volatile", ()))
    naming = {
        row["name"]: sorted(set(filter(NAMING.match, row["types"])))
        for row in allowed
        if any(map(NAMING.match, row["types"]))
    }
    assert naming == written.get("catalog_types", {})


@pytest.mark.parametrize("name", PROVEN)
async def test_bodies_call_nothing_by_a_bare_name_that_the_pack_does_not_list(
    servers: dict[int, Shop], name: str
) -> None:
    rows = await members(servers, name, FUNCTIONS)
    pack = packs.read(name)
    known = {row["name"] for row in rows}
    for required in pack.requires:
        known |= {row["name"] for row in await members(servers, required, FUNCTIONS)}
    bodies = [
        row["body"].lower()
        for row in rows
        if row["lang"] in {"sql", "plpgsql"} and row["name"] in pack.functions
    ]

    bare = {call for body in bodies for call in re.findall(r"(?<![.\w\"])([a-z_]\w*)\s*\(", body)}
    assert bare & known == pack.calls
    assert not [body for body in bodies if re.search(r"\b(execute|from\s+[a-z])\b", body)]


@pytest.mark.parametrize("name", PROVEN)
async def test_every_operator_stands_before_an_allowed_function_and_every_type_is_there(
    servers: dict[int, Shop], name: str
) -> None:
    pack = packs.read(name)
    operators = await members(servers, name, OPERATORS)
    kinds = {row["name"] for row in await members(servers, name, TYPES)}

    assert {row["function"] for row in operators} - pack.functions == set()
    assert pack.types <= kinds


@pytest.mark.parametrize("name", packs.NAMES)
def test_every_group_of_a_pack_has_its_reason_and_no_name_stands_twice(name: str) -> None:
    written = review(name)
    groups = [*written["functions"].values(), *written.get("refused", {}).values()]
    names = [function for group in groups for function in group["names"]]

    assert all(len(group["reason"]) > 10 for group in groups)
    assert len(names) == len(set(names))
    assert {*written} <= {
        *("arguments", "beside", "calls", "catalog_types", "functions", "looks_up", "numbers"),
        *("refused", "requires", "types", "versions", "volatile"),
    }


def test_only_what_no_server_was_at_hand_for_is_unproven() -> None:
    assert set(packs.NAMES) - set(PROVEN) == {"timescaledb"}
