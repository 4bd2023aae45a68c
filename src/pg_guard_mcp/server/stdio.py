"""One client over standard input and output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import anyio
from mcp.server.stdio import stdio_server

from pg_guard_mcp.server.crashes import listen_to_loop
from pg_guard_mcp.server.lines import CheckedLines
from pg_guard_mcp.server.service import Service
from pg_guard_mcp.server.signals import end_on_signal

if TYPE_CHECKING:
    from collections.abc import Callable

    from pg_guard_mcp.model import Limits
    from pg_guard_mcp.pipeline import Guard


async def serve(
    *, limits: Limits, open_guard: Callable[[], Guard], farewell: Callable[[], None]
) -> None:
    """Serve until standard input ends, or a signal comes: then `farewell` frees the rest."""
    listen_to_loop()
    service = Service(limits=limits, open_guard=open_guard, subject=lambda: None)

    async def close() -> None:
        await service.close()
        farewell()

    lines = CheckedLines()
    transport = stdio_server(stdin=cast("Any", lines))  # it only iterates over lines
    try:
        async with anyio.create_task_group() as tasks, transport as (incoming, outgoing):
            lines.answer_through(outgoing)
            tasks.start_soon(service.warm_up)
            tasks.start_soon(end_on_signal, close)
            options = service.server.create_initialization_options()
            await service.server.run(incoming, outgoing, options)
            tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await service.close()
