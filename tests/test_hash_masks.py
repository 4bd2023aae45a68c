"""A `hash` mask is an HMAC under the profile's key, and the key shows nowhere."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

import anyio
import pytest

from pg_guard_mcp.errors import DatabaseError
from pg_guard_mcp.guard.masking import hmac_pads
from tests.guarding import KEY, SHOP, ask, execute, guarding, log_everything
from tests.postgres.databases import backends, logged
from tests.support.postgres import connected

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import OwnServer, Shop

HASHED = SHOP + '[mask]\n"shop.customers.email" = "hash"\n"shop.customers.full_name" = "hash"\n'
TWICE_HASHED = HASHED + '"shop.newsletter.address" = "hash"\n'
OTHER_KEY = bytes(range(1, 33))


async def test_a_hash_is_keyed_and_the_same_in_every_column(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    await execute(
        fresh_shop.admin,
        """
        CREATE TABLE shop.newsletter AS
        SELECT email AS address FROM shop.customers WHERE id <= 100;
        """,
    )
    async with connected(fresh_shop.admin) as admin:
        email = await admin.fetchval("SELECT email FROM shop.customers WHERE id = 1")
    first = "SELECT email FROM shop.customers WHERE id = 1"
    joined = "SELECT count(*) FROM shop.newsletter JOIN shop.customers ON email = address"

    async with guarding(tmp_path / "one", fresh_shop.agent, TWICE_HASHED) as (guard, _):
        ((hashed,),) = await ask(guard, first)
        ((matches,),) = await ask(guard, joined)
    async with guarding(tmp_path / "two", fresh_shop.agent, TWICE_HASHED, key=OTHER_KEY) as (
        guard,
        _,
    ):
        ((otherwise,),) = await ask(guard, first)

    assert hashed == hmac.new(KEY, email.encode(), hashlib.sha256).hexdigest()[:32]
    assert otherwise == hmac.new(OTHER_KEY, email.encode(), hashlib.sha256).hexdigest()[:32]
    assert matches == "100"


async def test_the_mask_key_is_in_no_text_of_sql(
    own_postgres: OwnServer, fresh_shop: Shop, tmp_path: Path
) -> None:
    await log_everything(fresh_shop)
    # Only a superuser can keep parameters out of the log, where the key would be in clear.
    await execute(
        fresh_shop.admin,
        f"ALTER DATABASE {fresh_shop.admin.database} SET log_parameter_max_length = 0",
    )
    slow = "SELECT count(*) FROM shop.customers a, shop.customers b, shop.customers c"
    slow += " WHERE a.email < b.email AND b.full_name < c.full_name"

    async with (
        guarding(tmp_path, fresh_shop.agent, HASHED) as (guard, place),
        connected(fresh_shop.admin) as admin,
    ):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, guard, slow)
            await backends(admin, "sha256")
            running = await admin.fetch("SELECT query FROM pg_stat_activity WHERE query ~ 'sha256'")
            # Postgres reports a statement when it parses it, and logs it when it executes it.
            await logged(own_postgres.server.log, "b.full_name < c.full_name")
            tasks.cancel_scope.cancel()
        with pytest.raises(DatabaseError):
            await ask(guard, "SELECT email::int FROM shop.customers")

    log = own_postgres.server.log.read_text(encoding="utf-8")
    assert running
    for text in (log, "".join(row["query"] for row in running), place.written.decode()):
        for secret in (KEY.hex(), *hmac_pads(KEY)):
            assert secret.removeprefix("\\x")[:32] not in text
