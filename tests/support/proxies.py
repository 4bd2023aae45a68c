"""A proxy in front of Postgres that can be told to be slow or silent, as networks are.

    with proxied(shop.agent) as proxy:
        proxy.hold(BIND)           # the first message of that kind waits ...
        proxy.let_go()             # ... until then
        proxy.stall_behind(b"x")   # nothing comes back behind these bytes, not even half a row
        proxy.mend()

It lives in a thread.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio.from_thread

from tests.support.dialling import dial

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.demo.cluster import Login

BIND, PARSE, QUERY = b"B", b"P", b"Q"
"""Messages of a client, by their first byte."""
_CHUNK = 65_536
_CANCEL_REQUEST = (80_877_102).to_bytes(4)
_WAIT_SECONDS = 20.0
_LOOK_SECONDS = 0.005


class Proxy:
    """Where clients connect instead, and what is done to them there."""

    def __init__(self, login: Login) -> None:
        """Do nothing to anybody; made by `proxied`."""
        self.login = login
        self.held = threading.Event()
        self.stalled = threading.Event()
        self.cancels = 0
        """How many requests to cancel have been passed on, and were taken by Postgres."""
        self._hold: tuple[bytes, bytes] | None = None
        self._marker: bytes | None = None
        self._is_silent = False
        self._server: asyncio.Server | None = None
        self._served: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self._upstream = login

    def hold(self, kind: bytes, text: bytes = b"") -> None:
        """Keep back the next that a client sends if it begins with a message of this kind.

        And if `text` is in it.
        """
        self._hold = kind, text

    def let_go(self) -> None:
        """Pass on what was held."""
        self._hold = None

    def stall_behind(self, marker: bytes) -> None:
        """Fall silent on a connection when Postgres has sent `marker`."""
        self._marker = marker

    def fall_silent(self) -> None:
        """Pass nothing on any more, and let new clients connect all the same."""
        self._is_silent = True

    def mend(self) -> None:
        """Be a good proxy again for new connections; what stalled stays so."""
        self._marker = None
        self._is_silent = False

    def until_cancelled(self, times: int) -> None:
        """Wait until so many requests to cancel went through."""
        pause = threading.Event()
        for _ in range(int(_WAIT_SECONDS / _LOOK_SECONDS)):
            if self.cancels >= times:
                return
            pause.wait(_LOOK_SECONDS)
        raise AssertionError("nobody asked to cancel")

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.login = replace(self.login, host="127.0.0.1", port=port)

    async def stop(self) -> None:
        """Listen no more, and hang up on both sides."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        if self._served:
            await asyncio.wait(self._served, timeout=_WAIT_SECONDS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            self._served.add(task)
        self._writers.append(writer)
        with suppress(OSError):
            first = await reader.read(_CHUNK)
            await self._while_silent()
            upstream, downstream = await dial(self._upstream)
            self._writers.append(downstream)
            downstream.write(first)
            back = asyncio.ensure_future(self._back(upstream, writer))
            await self._forth(reader, downstream)
            await back
            self.cancels += first[4:8] == _CANCEL_REQUEST

    async def _forth(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                while self._is_held(data):
                    self.held.set()
                    await asyncio.sleep(_LOOK_SECONDS)
                await self._while_silent()
                writer.write(data)
                await writer.drain()
        writer.close()

    def _is_held(self, data: bytes) -> bool:
        return self._hold is not None and data.startswith(self._hold[0]) and self._hold[1] in data

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._while_silent()
                if self._marker is not None and self._marker in data:
                    writer.write(data[: data.index(self._marker) + len(self._marker)])
                    await writer.drain()
                    self.stalled.set()
                    await reader.read()  # until Postgres itself hangs up
                    break
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _while_silent(self) -> None:
        while self._is_silent:  # noqa: ASYNC110 - it is set from another thread
            await asyncio.sleep(_LOOK_SECONDS)


@contextmanager
def proxied(login: Login) -> Iterator[Proxy]:
    """Run a proxy before the server of `login`; `proxy.login` leads through it."""
    with anyio.from_thread.start_blocking_portal() as portal:
        proxy = Proxy(login)
        portal.call(proxy.start)
        try:
            yield proxy
        finally:
            proxy.mend()
            proxy.let_go()
            portal.call(proxy.stop)
