"""The second parser in its own process: it answers as in this one, and nothing it meets gets out.

The texts that hang or kill it are handed to it directly: the bounds refuse most of them before.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import psutil
import pytest

from pg_guard_mcp import second_parser
from pg_guard_mcp.errors import Refused, Unavailable
from pg_guard_mcp.guard import syntax
from pg_guard_mcp.guard.agreement import Disagreement, NoAnswer, NoParser, NotParsed, Sighting
from pg_guard_mcp.guard.policy import shape_only
from pg_guard_mcp.judging import judged
from pg_guard_mcp.model import Limits
from pg_guard_mcp.second_parser import Parsers
from tests.support.corpus import load_cases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from pg_guard_mcp.model import GuardedQuery

# Each join without its ON doubles the time: 30 of them take days.
HANGS = "SELECT 1 FROM t" + " LEFT JOIN t NATURAL JOIN t ON true" * 30
NESTED = "SELECT ((((((CASE WHEN (((a)) = 1) THEN ((((b)))) END)))))) FROM t WHERE ((((a)))) = 1"
KILLS = "SELECT 1 FROM " + "(" * 40_000


@pytest.fixture
async def parsers() -> AsyncIterator[Parsers]:
    """Give one process that nobody else uses."""
    found = Parsers(1)
    yield found
    await found.close()


async def see(parsers: Parsers, sql: str) -> Sighting:
    """Have `sql` read in the other process."""
    async with parsers.one() as parser:
        parser.begin(sql)
        return await parser.finish()


async def judge(parsers: Parsers, sql: str) -> GuardedQuery:
    """Judge `sql` by its shape."""
    return await judged(sql, shape_only(), Limits(), parsers)


def process_id() -> int:
    """Find the one child of this process that reads SQL."""
    (found,) = (
        child.pid
        for child in psutil.Process().children()
        if "pg_guard_mcp.second_parser" in child.cmdline()
    )
    return found


async def test_it_sees_what_is_seen_in_this_process(parsers: Parsers) -> None:
    for case in load_cases():
        with suppress(NotParsed, Disagreement):
            assert await see(parsers, case.sql) == syntax.read(case.sql)


@pytest.mark.parametrize(
    ("sql", "error"), [("SELECT (", NotParsed), ("DROP TABLE t", Disagreement)]
)
async def test_what_it_cannot_read_is_told_as_in_this_process(
    parsers: Parsers, sql: str, error: type[ValueError]
) -> None:
    with pytest.raises(error) as there:
        await see(parsers, sql)
    with pytest.raises(error) as here:
        syntax.read(sql)

    assert str(there.value) == str(here.value)


@pytest.mark.parametrize("sql", [HANGS, KILLS], ids=["hangs", "dies"])
async def test_a_text_that_it_does_not_survive_is_refused_and_the_next_one_read(
    parsers: Parsers, sql: str
) -> None:
    with pytest.raises(NoAnswer) as caught:
        await see(parsers, sql)

    assert caught.type is NoAnswer
    assert (await see(parsers, "SELECT a FROM t")).relations == {(None, "t")}


async def test_a_statement_within_all_bounds_that_would_hang_it_is_refused_with_a_way_out(
    parsers: Parsers,
) -> None:
    with pytest.raises(Refused) as refusal:
        await judge(parsers, HANGS)

    (finding,) = refusal.value.findings
    assert (finding.rule, "plainer SQL" in finding.hint) == ("bounds", True)


async def test_while_one_statement_hangs_it_others_are_judged() -> None:
    parsers = Parsers(2)
    order: list[str] = []

    async def refused() -> None:
        with pytest.raises(Refused):
            await judge(parsers, HANGS)
        order.append("refused")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(refused)
        await anyio.wait_all_tasks_blocked()
        assert (await see(parsers, "SELECT 1")).relations == set()
        await judge(parsers, "SELECT 1")
        order.append("judged")
    await parsers.close()

    assert order == ["judged", "refused"]


async def test_a_process_that_was_killed_while_idle_is_made_anew(parsers: Parsers) -> None:
    await see(parsers, "SELECT 1")
    psutil.Process(process_id()).kill()

    with suppress(NoAnswer):  # the one text that finds it gone
        await see(parsers, "SELECT 1")

    assert (await see(parsers, "SELECT a FROM t")).relations == {(None, "t")}


async def test_an_answer_nobody_waited_for_is_not_the_next_ones(parsers: Parsers) -> None:
    async with parsers.one() as parser:
        parser.begin("SELECT a FROM first")

    assert (await see(parsers, "SELECT a FROM second")).relations == {(None, "second")}


async def test_an_answer_to_another_text_is_none(parsers: Parsers) -> None:
    async with parsers.one() as parser:
        parser.begin("SELECT a FROM first")
        parser._number += 1
        with pytest.raises(NoAnswer):
            await parser.finish()

    assert (await see(parsers, "SELECT a FROM second")).relations == {(None, "second")}


async def test_a_cancelled_call_leaves_its_answer_to_nobody(parsers: Parsers) -> None:
    await parsers.warm_up()
    with anyio.CancelScope() as scope:
        async with parsers.one() as parser:
            parser.begin("SELECT a FROM first")
            scope.cancel()
            await parser.finish()

    assert scope.cancelled_caught
    assert (await see(parsers, "SELECT a FROM second")).relations == {(None, "second")}


async def test_a_call_cancelled_while_it_starts_leaves_the_next_its_own_answer(
    parsers: Parsers,
) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(parsers.warm_up)
        while not psutil.Process().children():
            await anyio.lowlevel.checkpoint()
        for _ in range(50):  # Python takes far longer to start: now the call waits for its word
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()

    assert (await see(parsers, "SELECT a FROM first")).relations == {(None, "first")}
    assert (await see(parsers, "SELECT a FROM second")).relations == {(None, "second")}


async def test_a_task_cancelled_without_mercy_leaves_the_next_its_own_answer(
    parsers: Parsers,
) -> None:
    await parsers.warm_up()
    task = asyncio.create_task(see(parsers, HANGS))
    await anyio.wait_all_tasks_blocked()
    task.cancel()
    await anyio.wait_all_tasks_blocked()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (await see(parsers, "SELECT a FROM second")).relations == {(None, "second")}


ENDS_ITSELF = "import os; os.kill(os.getpid(), {number})"


@pytest.mark.parametrize(
    "command",
    [
        ["no/such/program"],
        [sys.executable, "-c", "pass"],
        [sys.executable, "-c", ENDS_ITSELF.format(number=signal.SIGTERM.value)],
        [sys.executable, "-c", ENDS_ITSELF.format(number=signal.SIGKILL.value)],
    ],
)
async def test_where_no_process_can_be_made_no_statement_is_to_blame(
    parsers: Parsers, monkeypatch: pytest.MonkeyPatch, command: Sequence[str]
) -> None:
    monkeypatch.setattr(second_parser, "_COMMAND", command)

    with pytest.raises(Unavailable):
        await judge(parsers, HANGS)


async def test_a_statement_whose_process_is_killed_is_read_by_the_next(parsers: Parsers) -> None:
    await parsers.warm_up()
    first = process_id()
    os.kill(first, signal.SIGSTOP)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(judge, parsers, NESTED)
        await anyio.wait_all_tasks_blocked()
        os.kill(first, signal.SIGKILL)

    assert process_id() != first


async def test_many_callers_share_few_processes_and_each_gets_its_own_answer() -> None:
    parsers = Parsers(2)
    seen: dict[str, Sighting] = {}

    async def look(name: str) -> None:
        seen[name] = await see(parsers, f"SELECT a FROM {name}")

    async with anyio.create_task_group() as tasks:
        for number in range(200):
            tasks.start_soon(look, f"t{number}")
    await parsers.close()

    assert {name: sight.relations for name, sight in seen.items()} == {
        f"t{number}": {(None, f"t{number}")} for number in range(200)
    }


async def test_while_all_are_at_work_a_caller_waits_for_a_while_only(parsers: Parsers) -> None:
    async with parsers.one():
        with pytest.raises(NoParser):
            await see(parsers, "SELECT 1")


@pytest.mark.parametrize("sql", ["SELECT (", "SELECT 1; SELECT 2", "DROP TABLE t"])
async def test_what_is_refused_before_it_answers_leaves_it_ready(
    parsers: Parsers, sql: str
) -> None:
    with pytest.raises(Refused):
        await judge(parsers, sql)

    assert (await judge(parsers, "SELECT 1")).sql == "SELECT 1"


async def test_nothing_is_left_of_it_after_the_end() -> None:
    parsers = Parsers(1)
    await see(parsers, "SELECT 1")
    process = psutil.Process(process_id())
    await parsers.close()

    assert not process.is_running()


def test_it_ends_when_its_server_is_killed() -> None:
    program = """
import anyio, psutil, sys
from pg_guard_mcp.second_parser import Parsers

async def wait():
    parsers = Parsers(1)
    await parsers.warm_up()
    print(psutil.Process().children()[0].pid, flush=True)
    sys.stdin.read()

anyio.run(wait)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None
        child = psutil.Process(int(server.stdout.readline()))
        os.kill(server.pid, signal.SIGKILL)

    child.wait(timeout=20)
    assert not child.is_running()


async def test_it_may_take_little_and_hears_nothing_of_the_terminal(parsers: Parsers) -> None:
    await see(parsers, "SELECT 1")
    process = psutil.Process(process_id())

    assert process.rlimit(psutil.RLIMIT_AS) == (2 << 30, 2 << 30)
    assert process.rlimit(psutil.RLIMIT_CORE) == (0, 0)
    assert 0 < process.rlimit(psutil.RLIMIT_CPU)[0] < 60
    assert os.getsid(process.pid) == process.pid


async def test_it_is_told_no_secret(parsers: Parsers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PG_GUARD_PASSWORD", "hunter-two")
    await parsers.warm_up()

    process = psutil.Process(process_id())
    assert "hunter-two" not in process.environ().values()
    assert "hunter-two" not in " ".join(process.cmdline())


async def test_a_module_that_lies_in_the_working_directory_is_not_imported(
    parsers: Parsers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sqlglot.py").write_text("raise SystemExit('taken over')")
    monkeypatch.chdir(tmp_path)

    assert (await see(parsers, "SELECT a FROM t")).relations == {(None, "t")}
