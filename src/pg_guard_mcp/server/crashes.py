"""What went wrong inside, in the log: where, and never with a message or a local, which hold rows.

The event loop has its own complaints, of what nobody waited for. It would print each with its
message, and, where no file descriptor is left for those who connect, two thousand of them a second.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import re
import time
import traceback
from typing import Any

logger = logging.getLogger(__name__)

_AT_MOST_EVERY_SECONDS = 1.0
_OUT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def log_crash(event: str, error: BaseException) -> None:
    """Log where it crashed."""
    frames = " > ".join(
        f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)
    )
    logger.error("%s %s at %s", event, type(error).__name__, frames)


def listen_to_loop() -> None:
    """Log the complaints of the running event loop in our own words."""
    asyncio.get_running_loop().set_exception_handler(_Listener().note)


class _Listener:
    """Says the same thing once a second at most."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def note(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log one complaint."""
        # Its first words are asyncio's own; what may follow is the text of arguments.
        words = re.match("[A-Za-z ]*", str(context.get("message")))
        what = words[0].strip().replace(" ", "_") if words else ""
        now = time.monotonic()
        if now - self._said.get(what, -_AT_MOST_EVERY_SECONDS) < _AT_MOST_EVERY_SECONDS:
            return
        self._said[what] = now
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in _OUT_OF_FILES:
            logger.error("out_of_resources %s %s", errno.errorcode[error.errno], what)
        elif isinstance(error, ConnectionError):
            # The driver says goodbye to connections that were given up, dead ones among them.
            logger.info("connection_lost %s %s", type(error).__name__, what)
        elif isinstance(error, BaseException):
            log_crash(f"loop_crashed {what}", error)
        else:
            logger.error("loop_crashed %s", what)
