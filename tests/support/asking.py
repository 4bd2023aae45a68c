"""Many clients at once over HTTP, each call marked so that the trail can be held against it.

    async with asking(url, token) as asker:
        told = await asker.call("query", sql="SELECT 1")

The SDK's own client takes longer over a call than the server does, so these write the requests
of the protocol's 2026-07-28 by hand; there, to close the connection is to cancel. The mark stands
where a client gives its version, which the trail keeps for every call.
"""

from __future__ import annotations

import itertools
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
from mcp.types import CallToolResult

from tests.support.answers import Answer, answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

VERSION = "2026-07-28"
CLIENT_NAME = "asker"
_ANSWER_SECONDS = 60.0
_EVENT = "data: "


class Asker:
    """Calls tools of one server; may be used by any number of tasks."""

    def __init__(self, client: httpx2.AsyncClient, url: str, marks: Iterator[int]) -> None:
        """Hold the connections; made by `asking`."""
        self._client = client
        self._url = url
        self._marks = marks
        self.sent: list[str] = []
        """The mark of every call, in the order they were sent."""
        self.told: dict[str, Answer] = {}
        """What each was told."""

    async def call(self, tool: str, **arguments: object) -> Answer:
        """Call a tool; a cancellation of this hangs up, which cancels the call."""
        mark = str(next(self._marks))
        self.sent.append(mark)
        return await self.call_marked(mark, tool, **arguments)

    async def call_marked(self, mark: str, tool: str, **arguments: object) -> Answer:
        """Call a tool under a mark of the caller's own."""
        response = await self._client.post(
            self._url, content=request(tool, mark, arguments), headers={"Mcp-Name": tool}
        )
        body = response.text
        if response.headers["content-type"].startswith("text/event-stream"):
            # A call that takes long is answered as a stream of events; the last one counts.
            body = [line for line in body.splitlines() if line.startswith(_EVENT)][-1]
        message = json.loads(body.removeprefix(_EVENT))
        told = self.told[mark] = answer(CallToolResult.model_validate(message["result"]))
        return told


@asynccontextmanager
async def asking(url: str, token: str, first_mark: int = 1) -> AsyncIterator[Asker]:
    """Hold as many connections as there are calls at once."""
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
        "MCP-Protocol-Version": VERSION,
        "Mcp-Method": "tools/call",
    }
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx2.AsyncClient(
        headers=headers, timeout=_ANSWER_SECONDS, limits=limits, trust_env=False
    ) as client:
        yield Asker(client, url, itertools.count(first_mark))


def mark_of(event: dict[str, Any]) -> str:
    """Give the mark of the call that an event of the trail is about."""
    return str(event["client"]["version"])


def request(tool: str, mark: str, arguments: Mapping[str, object]) -> bytes:
    """Write a call of a tool, with its mark."""
    return json.dumps(
        {
            "jsonrpc": "2.0",
            "id": int(mark),
            "method": "tools/call",
            "params": {
                "name": tool,
                "arguments": arguments,
                "_meta": {
                    "io.modelcontextprotocol/protocolVersion": VERSION,
                    "io.modelcontextprotocol/clientInfo": {"name": CLIENT_NAME, "version": mark},
                    "io.modelcontextprotocol/clientCapabilities": {},
                },
            },
        }
    ).encode()
