"""A wire between a client and Postgres that can be cut without a word, and counts what goes over.

async with relaying(postgres.agent) as relay:
    async with opened(relay.login) as database: ...
    relay.freeze()   # as when a packet filter drops everything
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import anyio

from tests.support.dialling import dial

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pg_guard_mcp.demo.cluster import Login

_LOOPBACK = "127.0.0.1"


@dataclass(slots=True, kw_only=True)
class Relay:
    """A wire; `login` is the way over it."""

    login: Login
    turns: int = 0
    """How often a client has spoken after the server had."""
    _open: anyio.Event = field(default_factory=anyio.Event)
    _client_speaks: bool = False

    def freeze(self) -> None:
        """Let nothing through any more, and close nothing."""
        self._open = anyio.Event()

    def thaw(self) -> None:
        """Let everything through."""
        self._open.set()

    async def carry(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, from_client: bool
    ) -> None:
        """Carry what one side says to the other."""
        with suppress(OSError):
            while data := await source.read(65_536):
                await self._open.wait()
                self.turns += from_client and not self._client_speaks
                self._client_speaks = from_client
                target.write(data)
                await target.drain()
        await self._open.wait()
        target.close()


@asynccontextmanager
async def relaying(login: Login) -> AsyncIterator[Relay]:
    """Lay a wire to the server of `login`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await dial(login)
        tasks.start_soon(partial(relay.carry, reader, far_writer, from_client=True))
        tasks.start_soon(partial(relay.carry, far_reader, writer, from_client=False))

    server = await asyncio.start_server(serve, _LOOPBACK)
    port = server.sockets[0].getsockname()[1]
    relay = Relay(login=replace(login, host=_LOOPBACK, port=port))
    relay.thaw()
    async with server, anyio.create_task_group() as tasks:
        try:
            yield relay
        finally:
            relay.thaw()
            tasks.cancel_scope.cancel()
