"""Every statement with a schema to run on, held against Postgres's own analyzer.

The schemas are the demo shop's, and where other people's statements are: the lab's and defog's.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.postgres.databases import opened
from tests.reads import SHOP_READS
from tests.support import catalogs, lab, oracle
from tests.support.defog import load_defog, own_schemas
from tests.support.postgres import connected, fresh_database, postgres_18_with_shop

from pg_guard_mcp.guard import policy as policies
from pg_guard_mcp.model import AccessRules
from pg_guard_mcp.postgres import snapshot
from tools.corpora import cases, ours

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tests.support.oracle import Agreement
    from tests.support.postgres import ShopServer

    from pg_guard_mcp.demo.cluster import Login


def count(directory: Path) -> dict[str, Agreement]:
    """Compare all there is, by database."""
    with postgres_18_with_shop() as server:
        return dict(compared(server, directory))


def compared(server: ShopServer, directory: Path) -> Iterator[tuple[str, Agreement]]:
    """Compare database by database."""
    reads = [*(case.sql for case in ours()), *(read.sql for read in SHOP_READS)]
    yield "shop", asyncio.run(_compare(server.admin, catalogs.RULES, reads, ("shop", "public")))
    if not directory.is_dir():
        return
    with lab.furnished(server, directory) as place:
        reads = [case.sql for corpus in ("attacks", "leaks") for case in cases(corpus, directory)]
        yield "lab", asyncio.run(_compare(place.admin, lab.RULES, reads, ("public", "s2")))
    yield "defog", asyncio.run(_defog(server, directory))


async def _defog(server: ShopServer, directory: Path) -> Agreement:
    found = oracle.Agreement()
    reads: dict[str, list[str]] = {}
    for case in cases("defog", directory):
        reads.setdefault(case.schema, []).append(case.sql)
    async with fresh_database(server) as place:
        await load_defog(place, reads)
        for schema, statements in reads.items():
            script = (directory / "defog" / f"{schema}.sql").read_text(encoding="utf-8")
            path = (schema, *own_schemas(script))
            found += await _compare(place.admin, AccessRules(schemas=path), statements, path)
    return found


async def _compare(
    admin: Login, rules: AccessRules, statements: Iterable[str], path: Sequence[str]
) -> Agreement:
    async with opened(admin) as database:
        policy = policies.build(rules, await snapshot.take(database, "oracle"))
    async with connected(admin) as connection:
        return await oracle.compare(connection, statements, policy, path)
