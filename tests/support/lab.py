"""The schema other people's attacks were written for, on a Postgres of our own, as superuser.

It lies beside the checkout with the attacks; where it is not, there is no lab.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import asyncpg

from pg_guard_mcp.guard import grammar
from pg_guard_mcp.guard import policy as policies
from pg_guard_mcp.model import AccessRules
from pg_guard_mcp.postgres import snapshot
from tests.postgres.databases import opened, shared_database
from tests.reads import CORPUS
from tests.support.postgres import connected, postgres_18_with_shop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pg_guard_mcp.demo.cluster import Login
    from pg_guard_mcp.guard.policy import Policy
    from tests.support.postgres import Shop, ShopServer

RULES = AccessRules(
    schemas=("public", "s2"),
    deny_relations=("public.secrets", "public.ft_*"),
    masks={
        "public.*.email": "email",
        "public.*.ssn": "redact",
        "public.users*.salary": "null",
        "public.users*.profile": "null",
    },
)
"""What an operator of the lab would write: personal data masked, secrets and other servers shut."""


@contextmanager
def running(directory: Path = CORPUS) -> Iterator[Shop]:
    """Run a server of one's own with the lab in one of its databases."""
    with postgres_18_with_shop() as server, furnished(server, directory) as place:
        yield place


@contextmanager
def furnished(server: ShopServer, directory: Path = CORPUS) -> Iterator[Shop]:
    """Hold a database with the lab in it."""
    with shared_database(server, template="template0") as place:
        asyncio.run(load(place.admin, (directory / "lab.sql").read_text(encoding="utf-8")))
        yield place


async def load(admin: Login, script: str) -> None:
    """Run a script of psql's as psql would: what fails is passed over."""
    text = "\n".join(line for line in script.splitlines() if not line.startswith("\\"))
    source = text.replace(":'port'", f"'{admin.port}'").encode()
    async with connected(admin) as connection:
        for statement in grammar.parse(source.decode()):
            start = int(str(statement.get("stmt_location", 0)))
            length = int(str(statement.get("stmt_len", len(source) - start)))
            with suppress(asyncpg.PostgresError):  # an extension that this major does not have
                await connection.execute(source[start : start + length].decode())


async def policy(place: Shop, rules: AccessRules = RULES) -> Policy:
    """Build the policy over the lab as a superuser sees it."""
    async with opened(place.admin) as database:
        return policies.build(rules, await snapshot.take(database, "lab"))
