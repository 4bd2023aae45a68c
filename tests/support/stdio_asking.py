"""One client with many calls at once over stdio, each marked as in `tests.support.asking`.

    async with stdio_asking(place) as asker:
        told = await asker.call("query", sql="SELECT 1")

The server may be started by another command, inside a network namespace for instance.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from mcp.types import CallToolResult

from tests.support.answers import Answer, answer
from tests.support.asking import request
from tests.support.server import environment_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.support.server import Place

_EXIT_SECONDS = 10.0
_MOST_BUFFERED = 512 * 1024
"""Longer than any answer here, and short enough that who does not read holds the server up."""


class StdioAsker:
    """Calls tools of one server over its standard input and output."""

    def __init__(self, process: asyncio.subprocess.Process, first_mark: int) -> None:
        """Hold the process; made by `stdio_asking`."""
        self.process = process
        self.sent: list[str] = []
        self.told: dict[str, Answer] = {}
        self.reads = asyncio.Event()
        """Whether the client reads what the server writes."""
        self.reads.set()
        self._marks = itertools.count(first_mark)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._is_gone = False

    async def call(self, tool: str, **arguments: object) -> Answer:
        """Call a tool; a cancellation of this cancels the call."""
        mark = self.send(tool, **arguments)
        try:
            return await self.answer_to(mark)
        except asyncio.CancelledError:
            cancel = {
                "jsonrpc": "2.0",
                "method": "notifications/cancelled",
                "params": {"requestId": int(mark)},
            }
            self._write(json.dumps(cancel).encode())
            raise

    def send(self, tool: str, **arguments: object) -> str:
        """Send a call; give its mark."""
        if self._is_gone:
            raise ConnectionResetError("the server has gone")
        mark = str(next(self._marks))
        self.sent.append(mark)
        self._waiting[int(mark)] = asyncio.get_running_loop().create_future()
        self._write(request(tool, mark, arguments))
        return mark

    async def answer_to(self, mark: str) -> Answer:
        """Wait for the answer to a call that was sent."""
        try:
            told = self.told[mark] = await self._waiting[int(mark)]
        finally:
            del self._waiting[int(mark)]
        return told

    async def read(self) -> None:
        """Hand out answers for as long as there are any."""
        assert self.process.stdout
        while line := await self.process.stdout.readline():
            await self.reads.wait()
            message = json.loads(line)
            waiting = self._waiting.get(message.get("id"))
            if waiting is None or waiting.done():
                continue
            if "result" in message:
                waiting.set_result(answer(CallToolResult.model_validate(message["result"])))
            else:
                waiting.set_exception(AssertionError(message["error"]["message"]))
        self._is_gone = True
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionResetError("the server has gone"))
                waiting.exception()  # nobody need wait for it

    def end_input(self) -> None:
        """Leave, as a client does."""
        assert self.process.stdin
        self.process.stdin.close()

    def _write(self, line: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + b"\n")


@asynccontextmanager
async def stdio_asking(
    place: Place, *, through: Sequence[str] = (), first_mark: int = 1
) -> AsyncIterator[StdioAsker]:
    """Run the server for as long as this block, by the command `through` if there is one."""
    with place.stderr.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *through,
            *place.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            cwd=place.project,
            env=environment_of(place),
            limit=_MOST_BUFFERED,
        )
    asker = StdioAsker(process, first_mark)
    reader = asyncio.ensure_future(asker.read())
    try:
        yield asker
    finally:
        asker.end_input()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _EXIT_SECONDS)
        with suppress(ProcessLookupError):
            process.kill()
        asker.reads.set()
        await asyncio.wait([reader])
