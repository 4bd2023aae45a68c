"""One login at every host, for an operator who wants to know why it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import asyncpg

from pg_guard_mcp.errors import Unavailable
from pg_guard_mcp.postgres import failures, hosts

if TYPE_CHECKING:
    from pg_guard_mcp.settings import ConnectionTarget, Tls

_SECONDS = 5.0


async def log_in(target: ConnectionTarget, *, password: str | None, tls: Tls) -> None:
    """Log in at each host, and out again.

    Raises:
        Unavailable: it did not work; its words are for the operator, and name no secret.

    """
    options = {
        "user": target.user,
        "database": target.database,
        "password": lambda: password or "",
    }
    for place in zip(target.hosts, target.ports, strict=True):
        try:
            with anyio.fail_after(_SECONDS):
                connection = await hosts.connect(place, tls, options)
        except hosts.LOGIN_ERRORS as error:
            raise _explained(error, *place, is_alone=len(target.hosts) == 1) from None
        await connection.close()


def _explained(error: Exception, host: str, port: int, *, is_alone: bool) -> Unavailable:
    message, fix = failures.reason(error)
    if isinstance(error, asyncpg.PostgresError) and str(error.sqlstate) in message:
        message = f"{message}: {error}"
    return Unavailable(message if is_alone else f"{host} port {port}: {message}", fix)
