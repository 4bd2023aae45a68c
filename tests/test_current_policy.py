"""The database changes while the guard serves it: nothing is missed, and nothing shows bare."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import anyio
import asyncpg
import pytest
from anyio.to_thread import run_sync

from pg_guard_mcp import current_policy, pipeline
from pg_guard_mcp.errors import CatalogChanged, Refused
from tests.guarding import SHOP, ask, call, execute, guarding, outcome
from tests.support.postgres import connected
from tests.support.proxies import PARSE, proxied
from tests.support.server import check_accounted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pg_guard_mcp.pipeline import Guard
    from tests.support.postgres import Shop, ShopServer

MASKED = SHOP + '[mask]\n"shop.*.email" = "redact"\n"shop.*.ssn*" = "redact"\n'
CLOSED_TABLE = SHOP + 'deny_relations = ["shop.api_keys"]\n'


def a_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Take the catalog's age into our hands; give what lets time pass."""
    now = [1_000.0]
    monkeypatch.setattr(current_policy, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def let_pass(seconds: float) -> None:
        now[0] += seconds

    return let_pass


async def test_a_relation_made_later_is_found_at_once_but_the_catalog_is_read_seldom(
    fresh_shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_pass = a_clock(monkeypatch)
    async with guarding(tmp_path, fresh_shop.agent) as (guard, place):
        assert await outcome(guard, "SELECT 1") == "answered"
        let_pass(5)
        await execute(fresh_shop.admin, "CREATE TABLE shop.first AS SELECT 1 AS one")
        assert await ask(guard, "SELECT one FROM shop.first") == [("1",)]
        await execute(fresh_shop.admin, "CREATE TABLE shop.second AS SELECT 2 AS two")
        let_pass(4.9)
        assert await outcome(guard, "SELECT two FROM shop.second") == "refused"
        assert await outcome(guard, "SELECT two FROM shop.nothing") == "refused"
        let_pass(0.1)
        assert await ask(guard, "SELECT two FROM shop.second") == [("2",)]

    ends = check_accounted(place)
    assert [end["outcome"] for end in ends].count("refused") == 2
    assert len(ends) == 5


async def test_a_client_that_asks_for_nonsense_renews_the_catalog_once(
    fresh_shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_pass = a_clock(monkeypatch)
    async with guarding(tmp_path, fresh_shop.agent) as (guard, _):
        first = await guard.policy.current()
        let_pass(5)
        policies = set()
        for number in range(20):
            assert await outcome(guard, f"SELECT * FROM shop.nothing_{number}") == "refused"
            policies.add(id(await guard.policy.current()))

    assert len(policies) == 1
    assert id(first) not in policies


async def test_what_is_wrong_with_a_statement_itself_renews_nothing(
    fresh_shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_pass = a_clock(monkeypatch)
    async with guarding(tmp_path, fresh_shop.agent) as (guard, _):
        first = await guard.policy.current()
        let_pass(5)
        assert await outcome(guard, "DELETE FROM shop.orders") == "refused"
        assert await outcome(guard, "SELEC") == "refused"

        assert await guard.policy.current() is first


async def test_an_old_catalog_is_read_anew_unasked(
    fresh_shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_pass = a_clock(monkeypatch)
    describe = call("describe_view", name="shop.orders")
    async with guarding(tmp_path, fresh_shop.agent) as (guard, _):
        await pipeline.describe_view(describe, guard)
        await execute(fresh_shop.admin, "COMMENT ON TABLE shop.orders IS 'renewed'")
        let_pass(299)
        young = await pipeline.describe_view(call("describe_view", name="shop.orders"), guard)
        let_pass(1)
        old = await pipeline.describe_view(call("describe_view", name="shop.orders"), guard)

    assert "renewed" not in young
    assert "renewed" in old


async def test_a_catalog_may_take_longer_to_read_than_a_query_may_run(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    limits = "[limits]\nstatement_timeout_seconds = 0.1\nlock_timeout_seconds = 20\n"
    waiting = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'
          AND clock_timestamp() - query_start > interval '300 ms'
    """
    ends: list[str] = []

    async def begin(guard: Guard) -> None:
        ends.append(await outcome(guard, "SELECT 1"))

    async with (
        guarding(tmp_path, fresh_shop.agent, SHOP + limits) as (guard, _),
        connected(fresh_shop.admin) as admin,
    ):
        assert await outcome(guard, "SELECT 1") == "answered"
        guard.policy.forget()
        async with anyio.create_task_group() as tasks, admin.transaction():
            await admin.execute("LOCK TABLE pg_description IN ACCESS EXCLUSIVE MODE")
            tasks.start_soon(begin, guard)
            while not (ends or await admin.fetchval(waiting)):  # noqa: ASYNC110 - it tells nobody
                await anyio.sleep(0.01)

    assert ends == ["answered"]


async def test_of_a_postgres_that_is_dead_every_call_that_waits_hears_at_once(
    postgres: ShopServer, tmp_path: Path
) -> None:
    """Each would try to connect by itself otherwise, one after the other."""
    tried = 0

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tried
        tried += 1
        await anyio.sleep(0.1)
        writer.close()

    ends: list[str] = []

    async def begin(guard: Guard) -> None:
        ends.append(await outcome(guard, "SELECT 1"))

    async with await asyncio.start_server(hang_up, "127.0.0.1") as dead:
        port = dead.sockets[0].getsockname()[1]
        login = replace(postgres.agent, host="127.0.0.1", port=port)
        async with guarding(tmp_path, login, SHOP) as (guard, place):
            async with anyio.create_task_group() as tasks:
                for _ in range(10):
                    tasks.start_soon(begin, guard)
            tried_for_all = tried
            ends.append(await outcome(guard, "SELECT 1"))

    assert ends == ["unavailable"] * 11
    assert tried == 2 * tried_for_all
    assert len(check_accounted(place)) == 11


CHANGES = {
    "a column more": (
        "ALTER TABLE shop.products ADD COLUMN ssn_of_maker text DEFAULT '900-11-2222'",
        "SELECT * FROM shop.products WHERE id = 1",
    ),
    "a column less": (
        "ALTER TABLE shop.reviews DROP COLUMN body",
        "SELECT * FROM shop.reviews WHERE id = 1",
    ),
    "names exchanged": (
        """
        ALTER TABLE shop.customers RENAME ssn TO swap;
        ALTER TABLE shop.customers RENAME country TO ssn;
        ALTER TABLE shop.customers RENAME swap TO country;
        """,
        "SELECT full_name FROM shop.customers WHERE id = 1",
    ),
    "another type": (
        "ALTER TABLE shop.reviews ALTER COLUMN title TYPE varchar(200)",
        "SELECT title FROM shop.reviews WHERE id = 1",
    ),
    "a view written anew": (
        """
        CREATE OR REPLACE VIEW shop.customer_contacts AS
        SELECT id, full_name, ssn AS contact_address, mail_domain, dialable_phone, card_ending,
               birth_year
        FROM (SELECT id, full_name, ssn, '' AS mail_domain, '' AS dialable_phone,
                     '' AS card_ending, 1 AS birth_year FROM shop.customers) AS people
        """,
        "SELECT contact_address FROM shop.customer_contacts WHERE id = 1",
    ),
    "a table below a view": (
        "ALTER TABLE shop.customers ADD COLUMN ssn_again text DEFAULT '900-11-2222'",
        "SELECT full_name FROM shop.customer_directory WHERE id = 1",
    ),
    "another relation of the same name": (
        """
        DROP VIEW shop.customer_directory;
        CREATE VIEW shop.customer_directory AS
        SELECT id, ssn AS full_name, 0 AS orders FROM shop.customers;
        """,
        "SELECT full_name FROM shop.customer_directory WHERE id = 1",
    ),
    "row security": (
        "ALTER TABLE shop.products ENABLE ROW LEVEL SECURITY",
        "SELECT name FROM shop.products WHERE id = 1",
    ),
    "a generated column written anew": (
        "ALTER TABLE shop.customers ALTER COLUMN initials SET EXPRESSION AS (ssn)",
        "SELECT initials FROM shop.customers WHERE id = 1",
    ),
}


@pytest.mark.parametrize(
    "change",
    [pytest.param(name, marks=pytest.mark.since(17 if "anew" in name else 0)) for name in CHANGES],
)
async def test_a_relation_that_changed_ends_the_call_and_the_next_one_sees_it(
    fresh_shop: Shop, tmp_path: Path, change: str
) -> None:
    sql, read = CHANGES[change]
    await execute(
        fresh_shop.admin,
        """
        ALTER TABLE shop.customers ADD COLUMN initials text
            GENERATED ALWAYS AS (left(full_name, 1)) STORED;
        UPDATE shop.customers SET ssn = '900-11-2222';
        """,
    )
    # No detector: what is held back is held back by the masks.
    policy = MASKED + "[mask.detectors]\nenabled = []\n"

    async with guarding(tmp_path, fresh_shop.agent, policy) as (guard, place):
        before = await ask(guard, read)
        await execute(fresh_shop.admin, sql)
        with pytest.raises(CatalogChanged) as caught:
            await ask(guard, read)
        after = await ask(guard, read)

    assert caught.value.code == "unavailable"
    assert "900-11-2222" not in f"{before}{after}"
    assert [end["outcome"] for end in check_accounted(place)] == [
        "answered",
        "unavailable",
        "answered",
    ]


async def test_a_view_cannot_be_written_anew_between_the_look_at_it_and_the_query(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    """What a query reads is locked first, and then looked at."""
    view = "CREATE OR REPLACE VIEW shop.shown AS SELECT {}::text AS shown FROM shop.customers"
    read = "SELECT min(shown) FROM shop.seen"
    await execute(fresh_shop.admin, view.format("country"))
    await execute(
        fresh_shop.admin,
        "CREATE VIEW shop.seen AS TABLE shop.shown; GRANT SELECT ON shop.seen TO agent_ro",
    )
    with proxied(fresh_shop.agent) as proxy:
        async with (
            guarding(tmp_path, proxy.login, MASKED) as (guard, _),
            connected(fresh_shop.admin, lock_timeout="100ms") as admin,
        ):
            before = await ask(guard, read)
            proxy.hold(PARSE)
            asked = asyncio.ensure_future(ask(guard, read))
            assert await run_sync(proxy.held.wait, 10)
            with pytest.raises(asyncpg.LockNotAvailableError):
                await admin.execute(view.format("ssn"))
            proxy.let_go()

            assert await asked == before


async def test_nothing_of_a_view_that_was_written_anew_runs(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    """Postgres computes what looks constant when it plans, so what is looked at is not planned."""
    view = "CREATE OR REPLACE VIEW shop.shown AS SELECT name FROM shop.products WHERE {}"
    trap = """
        CREATE FUNCTION shop.trap(integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE
            AS $$ BEGIN RAISE EXCEPTION 'sprung'; END $$
    """
    await execute(fresh_shop.admin, f"{trap}; {view.format('true')}")
    await execute(fresh_shop.admin, "GRANT SELECT ON shop.shown TO agent_ro")
    async with guarding(tmp_path, fresh_shop.agent) as (guard, _):
        await ask(guard, "TABLE shop.shown")
        await execute(fresh_shop.admin, view.format("shop.trap(1)"))
        with pytest.raises(CatalogChanged):
            await ask(guard, "TABLE shop.shown")


async def test_a_relation_that_is_gone_ends_the_call_as_one_that_changed(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    read = "SELECT name FROM shop.products"
    async with guarding(tmp_path, fresh_shop.agent) as (guard, _):
        await ask(guard, read)
        await execute(fresh_shop.admin, "ALTER TABLE shop.products RENAME TO goods")
        with pytest.raises(CatalogChanged):
            await ask(guard, read)
        with pytest.raises(Refused):
            await ask(guard, read)


async def test_a_plan_is_checked_against_changes_too(fresh_shop: Shop, tmp_path: Path) -> None:
    plan = "SELECT name FROM shop.products"
    async with guarding(tmp_path, fresh_shop.agent) as (guard, _):
        await pipeline.explain(call("explain", sql=plan), guard)
        await execute(fresh_shop.admin, "ALTER TABLE shop.products ADD COLUMN colour text")
        with pytest.raises(CatalogChanged):
            await pipeline.explain(call("explain", sql=plan), guard)

        assert "shop.products" in await pipeline.explain(call("explain", sql=plan), guard)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE shop.products SET name = name",
        "VACUUM ANALYZE shop.products",
        "CREATE INDEX ON shop.products (name)",
        "COMMENT ON COLUMN shop.products.name IS 'a name'",
        "ALTER TABLE shop.orders ADD COLUMN colour text",
        "GRANT SELECT ON shop.products TO PUBLIC",
    ],
)
async def test_what_changes_no_meaning_ends_no_call(
    fresh_shop: Shop, tmp_path: Path, sql: str
) -> None:
    async with guarding(tmp_path, fresh_shop.agent) as (guard, _):
        before = await ask(guard, "SELECT name FROM shop.products ORDER BY id")
        await execute(fresh_shop.admin, sql)

        assert await ask(guard, "SELECT name FROM shop.products ORDER BY id") == before


async def test_a_closed_and_a_missing_relation_are_refused_alike_before_and_after_a_renewal(
    fresh_shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_pass = a_clock(monkeypatch)
    texts = []
    async with guarding(tmp_path, fresh_shop.agent, CLOSED_TABLE) as (guard, _):
        for seconds in (0, 1, 5):
            for name in ("api_keys", "api_kayz"):
                let_pass(seconds)
                with pytest.raises(Refused) as caught:
                    await ask(guard, f"SELECT * FROM shop.{name}")
                texts.append(caught.value.as_text().replace(name, "NAME"))

    assert len(set(texts)) == 1
