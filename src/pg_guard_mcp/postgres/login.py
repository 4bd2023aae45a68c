"""One login, for an operator who wants to know why it fails."""

from __future__ import annotations

import ssl as tls
from typing import TYPE_CHECKING, Literal

import asyncpg

from pg_guard_mcp.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

_SECONDS = 5.0
_FIXES = {
    "28P01": "store the right password with `pg-guard-mcp credentials set`",
    "28000": "let the role log in from this host: pg_hba.conf, and ALTER ROLE ... LOGIN",
    "3D000": "correct the database's name in database.dsn",
    "42501": "GRANT CONNECT ON DATABASE to the role",
}


async def log_in(
    *,
    hosts: Sequence[str],
    ports: Sequence[int],
    user: str,
    database: str,
    password: str | None,
    ssl: tls.SSLContext | Literal["prefer"] | bool,
) -> None:
    """Log in and out again.

    Raises:
        Unavailable: it did not work; its words are for the operator, and name no secret.

    """
    try:
        connection = await asyncpg.connect(
            host=list(hosts),
            port=list(ports),
            user=user,
            database=database,
            password=password or "",
            ssl=ssl,
            timeout=_SECONDS,
            statement_cache_size=0,
        )
    except asyncpg.PostgresError as error:
        fix = _FIXES.get(error.sqlstate or "", "see the server's log")
        raise Unavailable(f"Postgres said {error.sqlstate}: {error}", fix) from None
    except tls.SSLError as error:
        raise Unavailable(
            f"TLS failed: {error.reason or error}",
            "check database.ssl and the server's certificate",
        ) from None
    except (OSError, asyncpg.InterfaceError, TimeoutError) as error:
        if "rejected SSL upgrade" in str(error):  # the driver has no type of its own for it
            raise Unavailable(
                "the server does not offer TLS", "check database.ssl and the server's certificate"
            ) from None
        raise Unavailable(
            f"the server does not answer: {type(error).__name__}",
            "check host and port in database.dsn, and that the server runs",
        ) from None
    await connection.close()
