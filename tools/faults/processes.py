"""Our own processes are ended: the second parser again and again, the server in mid-call.

Or they are stopped for a while, or may open no more files.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread
import httpx2
import psutil
from tests.postgres.databases import backends
from tests.support.asking import asking
from tests.support.postgres import connected
from tests.support.server import http_process
from tests.support.stdio_asking import stdio_asking

from tools.faults.ground import (
    NO_TRAIL,
    OTHER_MARKS,
    STATEMENT_SECONDS,
    Fault,
    check_ended,
    seconds_until_ended,
)
from tools.questions import SLOW, draw, nested

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from subprocess import Popen

    from tests.support.asking import Asker
    from tests.support.server import Place
    from tests.support.stdio_asking import StdioAsker

    from tools.faults.ground import Ground, Transport

    Process = Popen[bytes] | asyncio.subprocess.Process

_CLIENTS = 8
_KILLING_SECONDS = 5.0
_MOST_PAUSE_SECONDS = 1.0
_TIMES = 3
_AT_WORK_SECONDS = 0.3
_CLOSED_SECONDS = 2 * STATEMENT_SECONDS
_PARSER = "pg_guard_mcp.second_parser"
_GONE = (httpx2.TransportError, ConnectionResetError)
_SPARE_FILES = (0, 1, 2, 4, 8, 16)
_TIGHT_SECONDS = 0.7


async def kill_parsers(ground: Ground) -> None:
    """Kill the second parser again and again, at any moment, while most texts need it."""
    over = asyncio.Event()
    ends = {"answered": 0, "other": 0}

    async def client() -> None:
        while not over.is_set():
            question = nested(ground.random, ground.truth)
            answer = await ground.asker.call(question.tool, **question.arguments)
            ground.note(question, answer)
            ends["other" if answer.is_error else "answered"] += 1

    killed = 0
    async with ground.load(_CLIENTS), asyncio.TaskGroup() as tasks:
        for _ in range(_CLIENTS):
            tasks.create_task(client())
        until = time.monotonic() + _KILLING_SECONDS
        while time.monotonic() < until:
            await asyncio.sleep(ground.random.random() * _MOST_PAUSE_SECONDS)
            killed += _kill_parsers(ground)
        await ground.until_well()
        over.set()
    ground.remark = f"{killed} killed; {ends['answered']} of {sum(ends.values())} were read"


def _kill_parsers(ground: Ground) -> int:
    killed = 0
    for child in psutil.Process(ground.process_id).children():
        with suppress(psutil.NoSuchProcess):  # it has ended of itself
            if _PARSER in child.cmdline():
                child.kill()
                killed += 1
    return killed


async def end_server(ground: Ground, *, number: signal.Signals, transport: Transport) -> None:
    """End a server beside the first one, by a signal, while it has much to do; several times."""
    worst = 0.0
    for turn in range(_TIMES):
        place = replace(ground.place, stderr=ground.place.stderr.with_suffix(f".{turn}"))
        first = OTHER_MARKS * (turn + 1)
        async with (
            connected(ground.shop.admin) as admin,
            _another(place, transport, first) as (asker, process),
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(_until_gone(ground, asker, SLOW))
            await backends(admin, SLOW)
            for _ in range(_CLIENTS):
                tasks.create_task(_until_gone(ground, asker))
            await asyncio.sleep(_AT_WORK_SECONDS)
            started = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(number)
            worst = max(worst, await seconds_until_ended(admin))
            await _ended(process)
        if process.returncode != -number:
            ground.wrong.append(f"the server ended with {process.returncode}")
        _, left = await anyio.to_thread.run_sync(partial(psutil.wait_procs, started, timeout=10))
        if left:
            ground.wrong.append(f"{len(left)} processes of the server were left")
        ground.asker.sent.extend(asker.sent)
        ground.asker.told.update(asker.told)
        untold = set(asker.sent) - asker.told.keys()
        (ground.killed if number is signal.SIGKILL else ground.cut_off).update(untold)
        ground.wrong += place.crashes
    check_ended(ground, worst)
    untold = ground.killed | ground.cut_off
    ground.remark += f"; {len(untold)} calls were told nothing"


async def _until_gone(ground: Ground, asker: Asker | StdioAsker, sql: str = "") -> None:
    """Ask until nobody answers any more: once, or whatever is drawn again and again."""
    with suppress(*_GONE):
        while True:
            question = None if sql else draw(ground.random, ground.truth)
            if question is None:
                await asker.call("query", sql=sql)
                return
            answer = await asker.call(question.tool, **question.arguments)
            if answer.code != "cancelled":
                ground.note(question, answer)


@asynccontextmanager
async def _another(
    place: Place, transport: Transport, first_mark: int
) -> AsyncIterator[tuple[Asker | StdioAsker, Process]]:
    """Run another server."""
    if transport == "stdio":
        async with stdio_asking(place, first_mark=first_mark) as stdio_asker:
            yield stdio_asker, stdio_asker.process
        return
    token = secrets.token_urlsafe(32)
    with http_process(place, token) as (url, process):
        async with asking(url, token, first_mark) as asker:
            yield asker, process


async def _ended(process: Process) -> None:
    if isinstance(process, asyncio.subprocess.Process):
        await process.wait()
    else:
        await anyio.to_thread.run_sync(process.wait)


async def suspend(ground: Ground) -> None:
    """Stop the server as it is and let it go on, as when a laptop is closed and opened."""
    async with ground.load(_CLIENTS):
        struck = asyncio.ensure_future(ground.ask("query", sql=SLOW))
        async with connected(ground.shop.admin) as admin:
            await backends(admin, SLOW)
            os.kill(ground.process_id, signal.SIGSTOP)
            waiting = [asyncio.ensure_future(ground.ask()) for _ in range(_CLIENTS)]
            await asyncio.sleep(_CLOSED_SECONDS)
            os.kill(ground.process_id, signal.SIGCONT)
            await asyncio.gather(*waiting)
        if not ground.tolerates(await struck):
            ground.wrong.append(f"the call that was struck: {struck.result().text}")
        await ground.until_well()


async def exhaust_files(ground: Ground) -> None:
    """Leave the server so many file descriptors and no more, and end what it has open."""
    server = psutil.Process(ground.process_id)
    before = server.rlimit(psutil.RLIMIT_NOFILE)
    try:
        async with ground.load(_CLIENTS):
            for spare in _SPARE_FILES:
                most = _lowest_free(server.pid) + spare
                server.rlimit(psutil.RLIMIT_NOFILE, (most, before[1]))
                if not spare:
                    struck = await ground.ask("query", sql=SLOW)
                    if struck.code != NO_TRAIL:
                        ground.wrong.append(f"without a trail: {struck.text}")
                await ground.end_connections()
                _kill_parsers(ground)
                await asyncio.sleep(_TIGHT_SECONDS)
            server.rlimit(psutil.RLIMIT_NOFILE, before)
            await ground.until_well()
    finally:
        server.rlimit(psutil.RLIMIT_NOFILE, before)


def _lowest_free(process_id: int) -> int:
    """Find the number that the next file of a process would have."""
    used = {int(path.name) for path in Path(f"/proc/{process_id}/fd").iterdir()}
    return next(number for number in range(len(used) + 1) if number not in used)


def _no_files() -> str | None:
    return None if sys.platform == "linux" else "Linux"


def _of_server(name: str, number: signal.Signals, transport: Transport) -> Fault:
    return Fault(
        name=f"{name} ({transport})",
        happen=partial(end_server, number=number, transport=transport),
        tolerated=(),
    )


PROCESSES = (
    Fault(
        name="server suspended",
        happen=suspend,
        tolerated=("unavailable", "timeout", "busy"),
    ),
    Fault(name="second parser killed", happen=kill_parsers),
    _of_server("SIGTERM at work", signal.SIGTERM, "http"),
    _of_server("SIGTERM at work", signal.SIGTERM, "stdio"),
    _of_server("SIGKILL at work", signal.SIGKILL, "http"),
    _of_server("SIGKILL at work", signal.SIGKILL, "stdio"),
    Fault(
        name="no file descriptor left (HTTP)",
        happen=exhaust_files,
        tolerated=(NO_TRAIL, "unavailable", "busy"),
        needs=_no_files,
    ),
    Fault(
        name="no file descriptor left (stdio)",
        happen=exhaust_files,
        tolerated=(NO_TRAIL, "unavailable", "busy"),
        transport="stdio",
        needs=_no_files,
    ),
)
