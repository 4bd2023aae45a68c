"""MCP requests in, tool results out: the low-level server, in both protocol eras.

Everything heavy (parsers, the driver, the keyring, telemetry's exporter) is imported after the
handshake was answered, in a thread, so that a client sees the tools at once.
"""

from __future__ import annotations

import getpass
import logging
import os
import uuid
from typing import TYPE_CHECKING, Any, cast

import anyio
import anyio.to_thread
import mcp.types as protocol
from mcp.server.caching import CacheHint
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from pg_guard_mcp import __version__
from pg_guard_mcp.errors import Cancelled, GuardError, Internal
from pg_guard_mcp.model import Client
from pg_guard_mcp.server import tools
from pg_guard_mcp.server.crashes import log_crash

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp.server.context import ServerRequestContext

    from pg_guard_mcp.model import Limits
    from pg_guard_mcp.pipeline import Guard

logger = logging.getLogger(__name__)

_TOOLS_SECONDS = 300_000
_WARM_UP_AFTER_SECONDS = 0.05
_GOODBYE_SECONDS = 5.0
_OPENING_SECONDS = 60.0


class Service:
    """Serves the four tools; makes the guard when it is first needed."""

    def __init__(
        self, *, limits: Limits, open_guard: Callable[[], Guard], subject: Callable[[], str | None]
    ) -> None:
        """Keep how to open the guard; `subject` names who asks, where the transport knows."""
        self._limits = limits
        self._open_guard = open_guard
        self._subject = subject
        self._user = _user()  # now: to look it up takes a file, and there may be none left
        self._session_id = uuid.uuid4().hex
        self._guard: Guard | None = None
        self._opening = anyio.Lock()
        self._calls: dict[anyio.CancelScope, anyio.Event] = {}
        self._asked = anyio.Event()
        self._is_ending = False
        self._tools = tools.definitions(max_rows=limits.max_rows)
        schemas = {tool.name: tool.input_schema for tool in self._tools}
        hint = CacheHint(ttl_ms=_TOOLS_SECONDS, scope="public")
        self.server: Server[Any] = Server(
            "pg-guard-mcp",
            version=__version__,
            instructions=tools.INSTRUCTIONS,
            on_list_tools=self._list_tools,
            # A plain dict is a result too, exact on the wire; the annotation does not say so.
            on_call_tool=cast("Any", self._call_tool),
            get_tool_input_schema=schemas.get,
            cache_hints={"tools/list": hint, "server/discover": hint},
        )

    async def warm_up(self) -> None:
        """Once the tools were listed, get ready for the first call: imports, pool, catalog."""
        await self._asked.wait()
        await anyio.sleep(_WARM_UP_AFTER_SECONDS)  # the answer goes first
        try:
            guard = await self._ready()
            await guard.parsers.warm_up()
            await guard.policy.current()
        except GuardError as error:
            logger.warning("not_ready %s", error.as_text().replace("\n", "; "))
        except Exception as error:  # noqa: BLE001 - getting ready early must not end the server
            log_crash("not_ready", error)

    async def close(self) -> None:
        """End every call, say goodbye to Postgres, and tell where the trail ends."""
        self._is_ending = True
        calls = tuple(self._calls.items())
        for scope, _ in calls:
            scope.cancel()
        with anyio.move_on_after(_GOODBYE_SECONDS, shield=True):
            for _, ended in calls:
                await ended.wait()
        if self._guard is not None:
            await self._guard.database.close()
            await self._guard.parsers.close()
            self._guard.trail.checkpoint()

    async def _list_tools(
        self, _context: ServerRequestContext[Any], _params: object
    ) -> protocol.ListToolsResult:
        self._asked.set()
        return protocol.ListToolsResult(tools=self._tools)

    async def _call_tool(
        self, context: ServerRequestContext[Any], params: protocol.CallToolRequestParams
    ) -> dict[str, Any]:
        if not tools.is_tool(params.name):
            raise MCPError(code=protocol.INVALID_PARAMS, message=f"Unknown tool: {params.name}")
        with anyio.CancelScope() as scope:
            ended = self._calls[scope] = anyio.Event()
            if self._is_ending:  # it gets onto the trail, and no further
                scope.cancel()
            try:
                return await self._result(context, params)
            finally:
                del self._calls[scope]
                ended.set()
        return _text(Cancelled("the server is ending", "Start it again.").as_text(), error=True)

    async def _result(
        self, context: ServerRequestContext[Any], params: protocol.CallToolRequestParams
    ) -> dict[str, Any]:
        try:
            return _text(await self._answer(context, params))
        except GuardError as error:
            return _text(error.as_text(), error=True)
        except Exception as error:  # noqa: BLE001 - the SDK would send its text on
            log_crash("tool_crashed", error)
            defect = Internal(
                "the server failed on this call",
                "Try something simpler; the operator's log has more.",
            )
            return _text(defect.as_text(), error=True)

    async def _answer(
        self, context: ServerRequestContext[Any], params: protocol.CallToolRequestParams
    ) -> str:
        call, finding = tools.call(
            params.name,
            params.arguments or {},
            call_id=uuid.uuid4().hex,
            client=self._client(context),
            max_rows=self._limits.max_rows,
        )
        guard = await self._ready()
        # Imported here: with the guard come the parsers and the driver.
        from pg_guard_mcp import pipeline

        if finding:
            return pipeline.turn_away(call, finding, guard)
        run = {
            "query": pipeline.query,
            "explain": pipeline.explain,
            "list_schemas": pipeline.list_schemas,
            "describe_view": pipeline.describe_view,
        }[call.tool]
        return await run(call, guard)

    def _client(self, context: ServerRequestContext[Any]) -> Client:
        """Name who asks: the client by its own word, the subject by ours."""
        parameters = context.session.client_params
        info = parameters.client_info if parameters else None
        name = info.name if info else "unknown"
        subject = self._subject()
        return Client(
            name=name,
            version=info.version if info else "",
            subject=subject or self._user,
            session_id=self._session_id,
            settings_name=subject or name,
        )

    async def _ready(self) -> Guard:
        """Return the guard, opening it first if nobody has.

        Not cut short by a cancellation: the trail comes with the guard, and a call that was heard
        of must get onto it.
        """
        if self._guard is not None:
            return self._guard
        with anyio.fail_after(_OPENING_SECONDS, shield=True):
            async with self._opening:
                if self._guard is None:
                    self._guard = await anyio.to_thread.run_sync(self._open_guard)
                return self._guard


def _user() -> str:
    """Name who runs the server; a container's user may have a number only."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"


def _text(text: str, *, error: bool = False) -> dict[str, Any]:
    """Write a result as exact text. `resultType` is required from 2026-07-28 on."""
    return {
        "content": [{"type": "text", "text": text}],
        "isError": error,
        "resultType": "complete",
    }
