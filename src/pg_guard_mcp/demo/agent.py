"""The agent's part in the demo: starts the real server as any MCP client would, and calls it."""

from __future__ import annotations

import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.types import Implementation, TextContent

from pg_guard_mcp import __version__

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from pg_guard_mcp.demo.stage import Stage

NAME = "pg-guard-demo"
_READ_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back from a call; `is_error` says that it is a refusal or a failure."""

    text: str
    is_error: bool
    seconds: float


class Agent:
    """Calls tools, and remembers every answer."""

    def __init__(self, client: Client) -> None:
        """Speak through `client`."""
        self._client = client
        self.heard: list[Answer] = []

    async def call(self, tool: str, arguments: Mapping[str, str]) -> Answer:
        """Call one tool."""
        started = time.monotonic()
        result = await self._client.call_tool(tool, dict(arguments))
        seconds = time.monotonic() - started
        text = "\n".join(part.text for part in result.content if isinstance(part, TextContent))
        answer = Answer(text=text, is_error=bool(result.is_error), seconds=seconds)
        self.heard.append(answer)
        return answer

    async def tools(self) -> list[str]:
        """List the tools the server offers."""
        return [tool.name for tool in (await self._client.list_tools()).tools]


@asynccontextmanager
async def agent_on(stage: Stage, environment: Mapping[str, str], log: Path) -> AsyncIterator[Agent]:
    """Start `pg-guard-mcp serve` over stdio; what it writes to stderr goes to `log`.

    It gets no more of our environment than any MCP client would give it, and a project directory
    of its own, so that no `.env` of the reader's has a say.
    """
    project = stage.directory / "project"
    project.mkdir(exist_ok=True)
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "pg_guard_mcp", "serve", "--policy", str(stage.policy_file)],
        env=dict(environment),
        cwd=project,
    )
    with log.open("w", encoding="utf-8") as stderr:
        async with Client(
            stdio_client(server, errlog=stderr),
            client_info=Implementation(name=NAME, version=__version__),
            read_timeout_seconds=_READ_SECONDS,
        ) as client:
            yield Agent(client)
