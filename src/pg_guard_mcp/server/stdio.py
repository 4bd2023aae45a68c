"""One client over standard input and output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from mcp.server.stdio import stdio_server

from pg_guard_mcp.server.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable

    from pg_guard_mcp.model import Limits
    from pg_guard_mcp.pipeline import Guard


async def serve(*, limits: Limits, open_guard: Callable[[], Guard]) -> None:
    """Serve until standard input ends."""
    service = Service(limits=limits, open_guard=open_guard, subject=lambda: None)
    try:
        async with anyio.create_task_group() as tasks, stdio_server() as (incoming, outgoing):
            tasks.start_soon(service.warm_up)
            options = service.server.create_initialization_options()
            await service.server.run(incoming, outgoing, options)
            tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await service.close()
