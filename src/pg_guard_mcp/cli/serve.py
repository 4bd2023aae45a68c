"""`pg-guard-mcp serve`: the server, over stdio or Streamable HTTP."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from pg_guard_mcp import __version__
from pg_guard_mcp.cli import configuration
from pg_guard_mcp.errors import ConfigurationError, on_one_line
from pg_guard_mcp.settings import require_database

if TYPE_CHECKING:
    import argparse

    from pg_guard_mcp.access.tokens import BearerToken
    from pg_guard_mcp.pipeline import Guard
    from pg_guard_mcp.settings import Settings

_NOISY = ("mcp", "httpx", "uvicorn")
# Its warnings quote the text it reads, literals included.
_INDISCREET = "sqlglot"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command to the argument parser."""
    parser = subparsers.add_parser(
        "serve",
        help="the server",
        description="Serve the four tools: query, explain, list_schemas, describe_view.",
    )
    configuration.add_flags(parser)
    parser.add_argument(
        "--demo", action="store_true", help="serve the demo shop, on a database of its own"
    )
    parser.add_argument("--transport", choices=("stdio", "http"), default="stdio")
    parser.add_argument("--host", metavar="HOST", help="for http: loopback only (127.0.0.1)")
    parser.add_argument("--port", type=int, metavar="PORT", help="for http (8765)")


def run(arguments: argparse.Namespace) -> int:
    """Serve until the client leaves or a signal comes.

    Raises:
        ConfigurationError: the configuration cannot be used; every problem at once.

    """
    _log_to_stderr()
    with ExitStack() as stack:
        if arguments.demo:
            from pg_guard_mcp.demo.stage import demo_stage

            arguments.policy = str(stack.enter_context(demo_stage()).policy_file)
        flags = {"http.host": arguments.host, "http.port": arguments.port}
        settings = configuration.load(arguments, **flags)
        _check(settings)
        open_guard = partial(_open_guard, settings, stack)
        if arguments.transport == "http":
            _serve_http(settings, open_guard, stack)
        else:
            _serve_stdio(settings, open_guard, stack)
    return 0


class _OneLine(logging.Formatter):
    """Keeps a message on its line, whatever names stand in it; a traceback has lines of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging calls it so
        """Write the line."""
        return on_one_line(super().formatMessage(record))


def _log_to_stderr() -> None:
    """Send every log line to stderr: standard output belongs to the protocol."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger(_INDISCREET).disabled = True


def _check(settings: Settings) -> None:
    """Find what can be found wrong before anybody asks. Raises: ConfigurationError."""
    from pg_guard_mcp.record.trail import check_directory

    require_database(settings)
    if problem := check_directory(configuration.audit_directory(settings), Path.cwd()):
        raise ConfigurationError([problem])


def _open_guard(settings: Settings, stack: ExitStack) -> Guard:
    """Import what is heavy and put it together; runs in a thread, after the handshake."""
    from pg_guard_mcp.record import telemetry
    from pg_guard_mcp.server import assembly

    guard = assembly.open_guard(
        settings, os.environ, audit_directory=configuration.audit_directory(settings)
    )
    stack.callback(telemetry.configure(os.environ, __version__))
    return guard


def _serve_stdio(settings: Settings, open_guard: partial[Guard], stack: ExitStack) -> None:
    from pg_guard_mcp.server import stdio

    anyio.run(
        partial(
            stdio.serve,
            limits=settings.call_limits(),
            open_guard=open_guard,
            farewell=stack.close,
        )
    )


def _serve_http(settings: Settings, open_guard: partial[Guard], stack: ExitStack) -> None:
    from pg_guard_mcp.server import http

    anyio.run(
        partial(
            http.serve,
            host=settings.http.host,
            port=settings.http.port,
            token=_bearer_token(settings),
            limits=settings.call_limits(),
            open_guard=open_guard,
            farewell=stack.close,
        )
    )


def _bearer_token(settings: Settings) -> BearerToken:
    """Take the token from the environment, or make one. Raises: ConfigurationError."""
    from pg_guard_mcp.access import tokens

    token = tokens.from_environment(os.environ)
    if token is None:
        secret = tokens.generate()
        token = tokens.BearerToken(secret)
        _keep_token(settings, secret.get_secret_value())
    return token


def _keep_token(settings: Settings, token: str) -> None:
    """Put a generated token where its owner alone can read it, and say where."""
    from platformdirs import user_state_path

    directory = user_state_path("pg-guard-mcp")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / f"http-token-{settings.profile}"
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token + "\n")
    sys.stderr.write(f"PG_GUARD_HTTP_TOKEN is not set, so a token was made: it is in {path}\n")
