"""A question to a keyring in, its answer out: asked in a thread, for a while, and never by many.

A locked keyring may wait for a person for hours, and whoever asked cannot take the question back:
the thread stays. So no more are asked while several are waiting.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread

from pg_guard_mcp.errors import ConfigurationError, Problem, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
MOST_WAITING = 8
_SECONDS = 15.0
_SILENT = Problem("the keyring does not answer", "unlock it, or use another source")

logger = logging.getLogger(__name__)


class KeyringDesk:
    """Asks for credentials and keys, on behalf of everybody."""

    def __init__(self) -> None:
        """Wait for nothing yet."""
        self._waiting: set[object] = set()

    async def ask(self, question: Callable[[], T]) -> T:
        """Ask, and have no patience with a keyring that waits for a person.

        Raises: Unavailable.
        """

        def asked() -> T:
            """Stand in line for as long as it takes, whoever has gone meanwhile."""
            ticket = object()
            self._waiting.add(ticket)
            try:
                return question()
            finally:
                self._waiting.discard(ticket)

        if len(self._waiting) >= MOST_WAITING:
            raise trouble(ConfigurationError([_SILENT]))
        try:
            with anyio.fail_after(_SECONDS):
                return await anyio.to_thread.run_sync(asked, abandon_on_cancel=True)
        except ConfigurationError as error:
            raise trouble(error) from None
        except TimeoutError:
            raise trouble(ConfigurationError([_SILENT])) from None


def trouble(error: ConfigurationError) -> Unavailable:
    """Tell the operator what is wrong, and the agent only that something is."""
    for problem in error.problems:
        logger.error("credential_problem %s; fix: %s", problem.message, problem.fix)
    return Unavailable(
        "the server has no usable database credential",
        "Tell the operator: `pg-guard-mcp credentials test` says what is missing.",
    )
