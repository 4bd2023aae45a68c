"""One call against real Postgres: what is on the trail when, what runs, and what leaves."""

from __future__ import annotations

import re
import shutil
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from pg_guard_mcp import pipeline
from pg_guard_mcp.errors import (
    AuditUnavailable,
    Cancelled,
    DatabaseError,
    Refused,
    Unavailable,
)
from pg_guard_mcp.guard.classify import without_explain
from pg_guard_mcp.guard.plan import as_plan
from pg_guard_mcp.guard.render import render
from pg_guard_mcp.judging import judged
from pg_guard_mcp.model import Finding
from tests.guarding import (
    ENDLESS,
    FAILS_WHEN_RUN,
    SHOP,
    ask,
    call,
    execute,
    guarding,
    log_everything,
    outcome,
)
from tests.postgres.databases import backends, until_idle
from tests.support.postgres import connected
from tests.support.server import check_accounted

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import OwnServer, Shop, ShopServer
    from tests.support.server import Place

QUICK = SHOP + "[limits]\npool_size = 1\npool_wait_seconds = 0.1\nstatement_timeout_seconds = 1\n"
CARD = "4111 1111 1111 1111"


def outcomes(place: Place) -> list[str]:
    """Check that each call has one verdict and one end, and tell how they ended."""
    return [event["outcome"] for event in check_accounted(place)]


async def test_the_trail_says_admitted_before_postgres_hears_of_the_query(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    async with (
        guarding(tmp_path, fresh_shop.agent) as (guard, place),
        connected(fresh_shop.admin) as admin,
    ):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, guard, ENDLESS)
            await backends(admin, ENDLESS)
            while_running = [event["event"] for event in place.events]
            tasks.cancel_scope.cancel()
        await until_idle(admin)

    assert while_running == ["admitted"]
    assert outcomes(place) == ["cancelled"]


async def test_a_query_that_fails_in_postgres_was_admitted_before(
    postgres: ShopServer, tmp_path: Path
) -> None:
    async with guarding(tmp_path, postgres.agent) as (guard, place):
        with pytest.raises(DatabaseError, match="division by zero"):
            await ask(guard, FAILS_WHEN_RUN)

    admitted, finished = place.events
    assert (admitted["event"], admitted["relations"]) == ("admitted", ["shop.products"])
    assert (finished["outcome"], finished["sqlstate"]) == ("database-error", "22012")


async def test_without_a_trail_postgres_never_hears_of_the_query(
    own_postgres: OwnServer, fresh_shop: Shop, tmp_path: Path
) -> None:
    await log_everything(fresh_shop)
    async with guarding(tmp_path, fresh_shop.agent) as (guard, place):
        await ask(guard, "SELECT 'heard of'")
        shutil.rmtree(place.audit)
        with pytest.raises(AuditUnavailable):
            await ask(guard, "SELECT 'unheard of'")
        with pytest.raises(AuditUnavailable):
            await pipeline.explain(call("explain", sql="SELECT 'unheard of'"), guard)

    log = own_postgres.server.log.read_text(encoding="utf-8")
    assert "SELECT 'heard of'" in log
    assert "unheard of" not in log


async def test_every_kind_of_ending_leaves_one_verdict_and_one_finished(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    finding = Finding(rule="arguments", message="they do not fit", hint="")
    async with guarding(tmp_path, fresh_shop.agent, QUICK) as (guard, place):
        assert await outcome(guard, "SELECT 1") == "answered"
        assert await outcome(guard, "SELECT * FROM hr.salaries FOR UPDATE") == "refused"
        assert await outcome(guard, "SELEC 1") == "refused"
        with pytest.raises(Refused):
            pipeline.turn_away(call("query"), finding, guard)
        assert await outcome(guard, FAILS_WHEN_RUN) == "database-error"
        assert await outcome(guard, ENDLESS) == "timeout"
        await execute(fresh_shop.admin, "ALTER TABLE shop.products ADD COLUMN colour text")
        assert await outcome(guard, "SELECT name FROM shop.products") == "unavailable"
        await pipeline.list_schemas(call("list_schemas"), guard)
        await pipeline.describe_view(call("describe_view", name="shop.orders"), guard)
        await pipeline.explain(call("explain", sql=ENDLESS), guard)
        async with guard.database.transaction("holds the only connection"):
            assert await outcome(guard, "SELECT 1") == "busy"
        with pytest.raises(AttributeError):
            await ask(replace(guard, limits=None), "SELECT 1")  # type: ignore[arg-type]  # a defect of ours, to crash on
        assert await outcome(guard, "SELECT 1") == "answered"

    assert outcomes(place) == [
        *("answered", "refused", "refused", "refused", "database-error", "timeout"),
        *("unavailable", "answered", "answered", "answered", "busy", "internal", "answered"),
    ]


async def test_a_query_ended_by_an_administrator_is_on_the_trail_as_cancelled(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    async def end_it() -> None:
        (process,) = await backends(admin, ENDLESS)
        await admin.execute("SELECT pg_cancel_backend($1)", process)

    async with (
        guarding(tmp_path, fresh_shop.agent) as (guard, place),
        connected(fresh_shop.admin) as admin,
    ):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(end_it)
            with pytest.raises(Cancelled):
                await ask(guard, ENDLESS)
        assert await outcome(guard, "SELECT 1") == "answered"

    assert outcomes(place) == ["cancelled", "answered"]


async def test_a_login_that_fails_is_unavailable_and_never_admitted(
    postgres: ShopServer, tmp_path: Path
) -> None:
    stranger = replace(postgres.agent, password="wrong-horse")

    async with guarding(tmp_path, stranger) as (guard, place):
        with pytest.raises(Unavailable) as caught:
            await ask(guard, "SELECT 1")

    assert "wrong-horse" not in str(caught.value) + place.written.decode()
    assert [(event["event"], event["verdict"]) for event in place.events] == [
        ("refused", "none"),
        ("finished", "none"),
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "explain (analyze, buffers) {}",
        "EXPLAIN ANALYZE VERBOSE {}",
        "EXPLAIN EXPLAIN ANALYZE {}",
        "EXPLAIN (ANALYZE) (ANALYZE) {}",
        "/* EXPLAIN */ EXPLAIN ANALYZE {}",
        "(ANALYZE) {}",
        "ANALYZE {}",
    ],
)
async def test_explain_never_analyzes(postgres: ShopServer, tmp_path: Path, sql: str) -> None:
    async with guarding(tmp_path, postgres.agent) as (guard, place):
        with pytest.raises(Refused):
            await pipeline.explain(call("explain", sql=sql.format(FAILS_WHEN_RUN)), guard)

    assert outcomes(place) == ["refused"]


@pytest.mark.parametrize("sql", ["{}", "EXPLAIN {}", "/* ANALYZE */ {}", "  explain\n{}"])
async def test_what_explain_sends_is_our_prefix_and_the_guarded_query(
    postgres: ShopServer, tmp_path: Path, sql: str
) -> None:
    sql = without_explain(sql.format(FAILS_WHEN_RUN))
    async with guarding(tmp_path, postgres.agent) as (guard, _):
        policy = await guard.policy.current()
        guarded = await judged(sql, policy, guard.limits, guard.parsers)

    plan = as_plan(guarded)
    assert plan.sql == "EXPLAIN (FORMAT JSON, VERBOSE) " + guarded.sql
    assert "analyze" not in re.sub(r"/\*.*?\*/", "", plan.sql).lower()


async def test_explain_plans_a_query_and_does_not_run_it(
    own_postgres: OwnServer, fresh_shop: Shop, tmp_path: Path
) -> None:
    await log_everything(fresh_shop)
    logged_before = len(own_postgres.server.log.read_text(encoding="utf-8"))

    async with guarding(tmp_path, fresh_shop.agent, QUICK) as (guard, _):
        plans = [
            await pipeline.explain(call("explain", sql=prefix + sql), guard)
            for sql in (ENDLESS, FAILS_WHEN_RUN)
            for prefix in ("", "EXPLAIN ")
        ]

    assert all(plan.startswith("Planned, not run: ") for plan in plans)
    logged = own_postgres.server.log.read_text(encoding="utf-8")[logged_before:]
    assert "EXPLAIN (FORMAT JSON" in logged
    assert not re.search(r"(?i)EXPLAIN[^;]*ANALYZE[^;]*reviews", logged)


async def test_a_card_number_pasted_into_a_ticket_does_not_leave(
    postgres: ShopServer, tmp_path: Path
) -> None:
    pasted = "SELECT id, body FROM shop.support_tickets WHERE id = 366"
    undetected = SHOP + "[mask.detectors]\nenabled = []\n"

    async with guarding(tmp_path / "on", postgres.agent) as (guard, _):
        ((number, body),) = await ask(guard, pasted)
        ((in_json,),) = await ask(guard, pasted.replace("id, body", "jsonb_build_array(body)"))
        ((in_array,),) = await ask(guard, pasted.replace("id, body", "ARRAY[body, NULL]"))
    async with guarding(tmp_path / "off", postgres.agent, undetected) as (guard, _):
        ((_, bare),) = await ask(guard, pasted)

    assert bare is not None
    assert CARD in bare
    assert number == "366"
    for cell in (body, in_json, in_array):
        assert cell is not None
        assert CARD not in cell
        assert cell.strip('[]{}"').startswith("My card ")
        assert "was charged twice for the same order" in cell


async def test_a_large_answer_is_put_together_where_it_keeps_nobody_waiting(
    postgres: ShopServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten megabytes, which an operator may allow, take a second."""
    seen: list[bool] = []

    def watched(*arguments: Any) -> Any:
        seen.append(threading.current_thread() is threading.main_thread())
        return render(*arguments)

    monkeypatch.setattr(pipeline, "render", watched)
    async with guarding(tmp_path, postgres.agent) as (guard, _):
        await ask(guard, "SELECT id FROM shop.orders LIMIT 10")
        await ask(guard, "SELECT id, total FROM shop.orders LIMIT 1000")
        await ask(guard, "SELECT repeat('x', 2000) FROM shop.orders")

    assert seen == [True, True, False]


async def test_of_many_large_answers_two_are_worked_on_at_once(
    postgres: ShopServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads take turns with everybody else."""
    seen: list[int] = []
    let_go = threading.Event()

    def watched(*arguments: Any) -> Any:
        seen.append(1)
        let_go.wait(20)
        return render(*arguments)

    monkeypatch.setattr(pipeline, "render", watched)
    large = "SELECT repeat('x', 2000) FROM shop.orders"
    async with (
        guarding(tmp_path, postgres.agent) as (guard, _),
        anyio.create_task_group() as tasks,
    ):
        for _ in range(4):
            tasks.start_soon(ask, guard, large)
        waiting = guard.large_results.statistics
        while waiting().tasks_waiting < 2:  # noqa: ASYNC110 - it tells nobody
            await anyio.sleep(0.01)
        at_once = len(seen)
        let_go.set()

    assert at_once <= 2
    assert len(seen) == 4
