"""A polite end: a signal closes what is open before it ends the process."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def end_on_signal(close: Callable[[], Awaitable[None]]) -> None:
    """Wait for SIGTERM or SIGINT, call `close`, and die of the signal as anybody would expect.

    The transport's thread may sit in a read of standard input that nothing interrupts, so
    unwinding the event loop could wait for ever.
    """
    if sys.platform == "win32":
        return
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            with anyio.CancelScope(shield=True):
                await close()
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
