"""The second parser in a process of its own: SQL text in, what it saw out, within a deadline.

sqlglot can hang for hours on a kilobyte of text, and its compiled build can neither be interrupted
nor survive every text. The bounds keep out what is known of that. Whatever else there is happens
to a process that is ended and made anew, and only that one statement is refused. For a process that
somebody else has killed, or that cannot be had, no statement is to blame: that is `NoParser`.

Protocol: a number, a length (four bytes each) and the text in UTF-8 go in; a line of JSON with that
number comes back, and an answer to anything else is no answer. The process
reads while the caller reads by Postgres's grammar, and ends when its input does.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import sys
import time
from contextlib import asynccontextmanager
from typing import IO, TYPE_CHECKING, Any

import anyio

from pg_guard_mcp.guard.agreement import (
    Disagreement,
    Killed,
    NoAnswer,
    NoParser,
    NotParsed,
    Sighting,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# Nothing is imported from the working directory, which is the agent's to write.
_COMMAND = (sys.executable, "-P", "-m", "pg_guard_mcp.second_parser")
# What Python needs to start. The rest may hold a password.
_ENVIRONMENT = (
    "LANG",
    "LD_LIBRARY_PATH",
    "PATH",
    "PYTHONHOME",
    "PYTHONPATH",
    "SYSTEMROOT",
    "TMPDIR",
)
_START_SECONDS = 30.0
_DEADLINE_SECONDS = 3.0
_KILLED = -9
"""What is left of a process that SIGKILL ended: by hand, or by a system that is out of memory."""
_MEMORY_BYTES = 2 << 30
_NUMBER_BYTES = 4


class Parsers:
    """A few such processes, each started when the ones before it are all at work."""

    def __init__(self, processes: int = 2) -> None:
        """Start nothing yet."""
        self._idle = [SecondParser() for _ in range(processes)]
        self._all = tuple(self._idle)
        self._free = asyncio.Semaphore(processes)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[SecondParser]:
        """Give one of them for one statement, waiting for one that is idle.

        Raises:
            NoParser: none became idle in time, or it does not start.

        """
        try:
            await asyncio.wait_for(self._free.acquire(), _DEADLINE_SECONDS)
        except TimeoutError:
            raise NoParser from None
        process = self._idle.pop()
        try:
            await process.start()
            yield process
        finally:
            try:
                with anyio.CancelScope(shield=True):
                    await process.settle()
            finally:
                self._idle.append(process)
                self._free.release()

    async def warm_up(self) -> None:
        """Start the first, so that the first statement need not wait for it."""
        async with self.one():
            pass

    async def close(self) -> None:
        """End them all."""
        for process in self._all:
            await process.end()


class SecondParser:
    """One process; at most one caller at a time."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._process: asyncio.subprocess.Process | None = None
        self._deadline = 0.0
        self._owes = False  # a line that nobody has read yet
        self._number = 0  # of the last text

    async def start(self) -> None:
        """Start it, if it is not there, and wait until it listens.

        Raises:
            NoParser: it does not start.

        """
        is_running = self._process is not None and self._process.returncode is None
        if is_running and not self._owes:
            return
        await self.end()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *_COMMAND,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                limit=sys.maxsize,  # of a line; what it says of a text is shorter than the text
                # A Ctrl-C in the terminal is for the server alone: this one ends with its input.
                start_new_session=True,
            )
        except OSError:  # no file descriptor, process or memory is left
            raise NoParser from None
        self._owes = True  # the line that says it listens
        self._deadline = asyncio.get_running_loop().time() + _START_SECONDS
        try:
            await self._answer()
        except Killed:
            raise
        except NoAnswer:
            raise NoParser from None

    def begin(self, sql: str) -> None:
        """Hand it a text to read."""
        text = sql.encode()
        self._deadline = asyncio.get_running_loop().time() + _DEADLINE_SECONDS
        self._owes = True
        self._number = (self._number + 1) % (1 << 8 * _NUMBER_BYTES)
        header = self._number.to_bytes(_NUMBER_BYTES) + len(text).to_bytes(_NUMBER_BYTES)
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(header + text)

    async def finish(self) -> Sighting:
        """Wait for what it saw.

        Raises:
            NotParsed: it cannot read the text.
            NoAnswer: it took too long, or died; either way it is ended.
            Killed: somebody else ended it.
            Disagreement: the text holds what no read has.

        """
        answer: dict[str, Any] = json.loads(await self._answer())
        if answer.get("number") != self._number:
            await self.end()
            raise NoAnswer
        if "not_parsed" in answer:
            raise NotParsed(answer["not_parsed"])
        if "disagreement" in answer:
            raise Disagreement(answer["disagreement"])
        return Sighting(
            relations={(schema, name) for schema, name in answer["relations"]},
            spelled=set(answer["spelled"]),
            nodes=set(answer["nodes"]),
        )

    async def settle(self) -> None:
        """Take the line nobody waited for, so that the next caller gets its own."""
        if self._owes:
            with contextlib.suppress(NoAnswer):
                await self._answer()

    async def end(self) -> None:
        """End it, whatever it is doing."""
        process, self._process, self._owes = self._process, None, False
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    async def _answer(self) -> bytes:
        line, process, found = b"", self._process, None
        if process is not None and process.stdout is not None:
            with contextlib.suppress(TimeoutError, OSError):
                async with asyncio.timeout_at(self._deadline):
                    line = await process.stdout.readline()
                    if not line.endswith(b"\n"):
                        found = await process.wait()  # what it died of, before we kill it
        if not line.endswith(b"\n"):
            await self.end()
            raise Killed if found == _KILLED else NoAnswer  # no text makes it die of this signal
        self._owes = False
        return line


def serve(source: IO[bytes], answers: IO[bytes]) -> None:
    """Read texts until there are no more: what the process does all its life."""
    _limit()
    from pg_guard_mcp.guard import syntax

    gc.freeze()
    gc.disable()  # while the caller waits; between texts there is time
    answers.write(b"{}\n")
    answers.flush()
    while number := source.read(_NUMBER_BYTES):
        _limit_time()
        sql = source.read(int.from_bytes(source.read(_NUMBER_BYTES))).decode()
        answer: dict[str, object]
        try:
            seen = syntax.read(sql)
            answer = {
                "relations": list(seen.relations),
                "spelled": list(seen.spelled),
                "nodes": list(seen.nodes),
            }
        except NotParsed as error:
            answer = {"not_parsed": str(error)}
        except Disagreement as error:
            answer = {"disagreement": str(error)}
        answer["number"] = int.from_bytes(number)
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()
        gc.collect()


def _limit() -> None:
    """Let no text take the machine's memory, and leave no core of one on the disk."""
    with contextlib.suppress(ImportError, OSError, ValueError):  # where there are no such limits
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))


def _limit_time() -> None:
    """End with the text that takes too long, even when nobody is left to end it."""
    with contextlib.suppress(ImportError, OSError, ValueError):  # where there are no such limits
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_CPU)
        seconds = int(time.process_time() + 2 * _DEADLINE_SECONDS)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, most))


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
