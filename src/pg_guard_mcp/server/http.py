"""Clients on this machine over Streamable HTTP, each with the bearer token."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import anyio
import uvicorn
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import AnyHttpUrl
from starlette.requests import ClientDisconnect

from pg_guard_mcp.errors import ConfigurationError, Problem
from pg_guard_mcp.server.crashes import listen_to_loop
from pg_guard_mcp.server.service import Service
from pg_guard_mcp.server.signals import end_on_signal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send

    from pg_guard_mcp.access.tokens import BearerToken
    from pg_guard_mcp.model import Limits
    from pg_guard_mcp.pipeline import Guard

SUBJECT = "bearer"
_NAMES_OF_HERE = ("127.0.0.1", "localhost", "[::1]")
_GOODBYE_SECONDS = 5
_IDLE_SECONDS = 75
"""After how long a connection is closed that nobody uses: later than clients do, for a call that is
on its way just then would be lost. HTTPX closes after 5 s, which is uvicorn's default, too."""


class _OneToken(TokenVerifier):
    """Knows one token."""

    def __init__(self, token: BearerToken) -> None:
        self._token = token

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return who holds `token`, or None."""
        if not self._token.matches(token):
            return None
        return AccessToken(token=SUBJECT, client_id=SUBJECT, scopes=[], subject=SUBJECT)


class _Server(uvicorn.Server):
    """Leaves signals to us: it would die of them before anything is closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


async def serve(
    *,
    host: str,
    port: int,
    token: BearerToken,
    limits: Limits,
    open_guard: Callable[[], Guard],
    farewell: Callable[[], None],
) -> None:
    """Serve on `host` and `port` until ended by a signal.

    Raises:
        ConfigurationError: `host` is not this machine alone.

    """
    _check_loopback(host)
    listening = _listen(host, port)
    listen_to_loop()
    service = Service(limits=limits, open_guard=open_guard, subject=_subject)
    app = service.server.streamable_http_app(
        auth=AuthSettings(
            issuer_url=AnyHttpUrl(f"http://{_in_url(host)}:{port}"), resource_server_url=None
        ),
        token_verifier=_OneToken(token),
        # Against DNS rebinding: a page in a browser must not reach the server under its own name.
        transport_security=TransportSecuritySettings(
            allowed_hosts=[f"{name}:*" for name in (*_NAMES_OF_HERE, _in_url(host))],
            allowed_origins=[],
        ),
    )
    config = uvicorn.Config(
        _without_the_gone(app),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_GOODBYE_SECONDS,
        timeout_keep_alive=_IDLE_SECONDS,
    )
    server = _Server(config)

    async def close() -> None:
        await service.close()
        farewell()

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(service.warm_up)
            tasks.start_soon(end_on_signal, close)
            await server.serve(sockets=[listening])
            tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await service.close()


def _without_the_gone(app: ASGIApp) -> ASGIApp:
    """Let clients hang up before they have said what they want: no crash, and nothing to log."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(ClientDisconnect):
            await app(scope, receive, send)

    return served


def _subject() -> str | None:
    token = get_access_token()
    return token.subject if token else None


def _listen(host: str, port: int) -> socket.socket:
    """Take the port. Raises: ConfigurationError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigurationError(
            [Problem(f"port {port} is not free: {error.strerror}", "choose another with --port")]
        ) from None


def _check_loopback(host: str) -> None:
    if host == "localhost":
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigurationError(
            [
                Problem(
                    f"http.host is {host}, which other machines can reach",
                    "use 127.0.0.1; this version speaks plain HTTP with one token",
                )
            ]
        )


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
