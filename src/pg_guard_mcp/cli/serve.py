"""`pg-guard-mcp serve`: the server, over stdio or Streamable HTTP."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import anyio

from pg_guard_mcp import __version__
from pg_guard_mcp.cli import configuration

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from pg_guard_mcp.pipeline import Guard
    from pg_guard_mcp.settings import Settings


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
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s %(message)s"
    )
    for noisy in ("mcp", "httpx", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    with ExitStack() as stack:
        environment: Mapping[str, str] = os.environ
        if arguments.demo:
            from pg_guard_mcp.demo.stage import demo_stage

            stage = stack.enter_context(demo_stage())
            arguments.policy = str(stage.policy_file)
        settings = configuration.load(
            arguments, **{"http.host": arguments.host, "http.port": arguments.port}
        )
        _check(settings)
        open_guard = partial(_open_guard, settings, environment, stack)
        if arguments.transport == "http":
            _serve_http(settings, environment, open_guard)
        else:
            from pg_guard_mcp.server import stdio

            anyio.run(partial(stdio.serve, limits=settings.call_limits(), open_guard=open_guard))
    return 0


def _check(settings: Settings) -> None:
    """Find what can be found wrong before anybody asks. Raises: ConfigurationError."""
    from pathlib import Path

    from pg_guard_mcp.errors import ConfigurationError
    from pg_guard_mcp.record.trail import check_directory, default_directory
    from pg_guard_mcp.settings import require_database

    require_database(settings)
    directory = (
        Path(settings.audit.directory)
        if settings.audit.directory
        else default_directory(settings.profile)
    )
    if problem := check_directory(directory, Path.cwd()):
        raise ConfigurationError([problem])


def _open_guard(settings: Settings, environment: Mapping[str, str], stack: ExitStack) -> Guard:
    """Import what is heavy and put it together; runs in a thread, after the handshake."""
    from pg_guard_mcp.record import telemetry
    from pg_guard_mcp.server.assembly import open_guard

    stack.callback(telemetry.configure(environment, __version__))
    return open_guard(settings, environment)


def _serve_http(
    settings: Settings, environment: Mapping[str, str], open_guard: Callable[[], Guard]
) -> None:
    from pg_guard_mcp.access import tokens
    from pg_guard_mcp.server import http

    token = tokens.from_environment(environment)
    if token is None:
        secret = tokens.generate()
        token = tokens.BearerToken(secret)
        _keep_token(settings, secret.get_secret_value())
    anyio.run(
        partial(
            http.serve,
            host=settings.http.host,
            port=settings.http.port,
            token=token,
            limits=settings.call_limits(),
            open_guard=open_guard,
        )
    )


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
