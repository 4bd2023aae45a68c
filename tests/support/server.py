"""The real server as its clients meet it: a process of its own, spoken to over stdio or HTTP.

    place = configure(tmp_path, postgres.agent)
    with serving(place, "legacy") as server:
        answer = server.call("query", sql="SELECT 1")

`serving` uses the SDK's own client, in either protocol era or over HTTP; the client lives in a
thread, so that tests are plain functions and may share one server. Every byte the server wrote is
kept. What no SDK would send is sent by `tests.support.raw`.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import anyio.from_thread
import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import Implementation

from pg_guard_mcp.record.verify import verify
from tests.support.answers import Answer, answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from concurrent.futures import Future
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from anyio.from_thread import BlockingPortal
    from mcp.types import CallToolResult

    from pg_guard_mcp.demo.cluster import Login

Era = Literal["legacy", "modern", "http"]
"""How to speak to the server: the handshake of old, 2026-07-28, or the latter over HTTP."""

ERAS: tuple[Era, ...] = ("legacy", "modern")
"""The protocol eras, over stdio."""

CLIENT = Implementation(name="test-client", version="1.0")

SLOW = "SELECT count(*) FROM shop.orders AS a, shop.orders AS b, shop.orders AS c"
"""A query the guard admits, and that would run for days."""

_ANSWER_SECONDS = 60.0
_START_SECONDS = 30.0
_EXIT_SECONDS = 10.0
_SHOP_ACCESS = """
[access]
schemas = ["shop"]
"""
# The shell tees what the server says to the client; `$0` is where to.
_TEE = '"$@" | tee "$0"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a server starts from, and where what it leaves is found."""

    project: Path
    policy: Path
    credential: Path
    audit: Path
    stdout: Path
    stderr: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def command(self) -> list[str]:
        """The command that starts the server."""
        return [sys.executable, "-m", "pg_guard_mcp", "serve", "--policy", str(self.policy)]

    @property
    def trail(self) -> bytes:
        """Every byte of the trail."""
        return b"".join(path.read_bytes() for path in sorted(self.audit.glob("*.jsonl")))

    @property
    def events(self) -> list[dict[str, Any]]:
        """The trail's events, oldest first."""
        return [json.loads(line) for line in self.trail.splitlines()]

    @property
    def crashes(self) -> list[str]:
        """The lines of its log that say that it, or its event loop, met what nobody foresaw."""
        log = self.stderr.read_text(encoding="utf-8", errors="replace")
        return [line for line in log.splitlines() if "_crashed" in line or "Traceback" in line]

    @property
    def written(self) -> bytes:
        """Every byte the server left: on stdout, on stderr and on the trail."""
        streams = (path.read_bytes() for path in (self.stdout, self.stderr) if path.exists())
        return b"".join([*streams, self.trail])


OVERPRIVILEGED = {"postgres"}
"""Roles that may do more than read; a server is told so, or it would not serve with one."""


def configure(
    directory: Path,
    login: Login,
    tables: str = _SHOP_ACCESS,
    *,
    password: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Place:
    """Write what a server of `login`'s database starts from; `tables` is the rest of its policy."""
    project = directory / "project"
    project.mkdir(parents=True)
    credential = directory / "password"
    credential.touch(mode=0o600)
    credential.write_text(password or login.password, encoding="ascii")
    place = Place(
        project=project,
        policy=project / "pg-guard.toml",
        credential=credential,
        audit=directory / "audit",
        stdout=directory / "stdout",
        stderr=directory / "stderr",
        environment=environment or {},
    )
    database: dict[str, object] = {"dsn": login.dsn(), "credential": f"file:{credential}"}
    if not login.host.startswith(("/", "127.")):
        database["ssl"] = "disable"  # a throw-away Postgres has no certificate
    if login.user in OVERPRIVILEGED:
        database["allow_overprivileged_role"] = True
    lines = [f"{key} = {json.dumps(value)}" for key, value in database.items()]
    place.policy.write_text(
        "\n".join(["[database]", *lines, "[audit]", f"directory = {json.dumps(str(place.audit))}"])
        + f"\n{tables}",
        encoding="utf-8",
    )
    return place


class Server:
    """A running server, and the SDK's client that speaks to it."""

    def __init__(self, place: Place, client: Client, portal: BlockingPortal) -> None:
        """Hold both; made by `serving`."""
        self.place = place
        self._client = client
        self._portal = portal

    def call(self, tool: str, **arguments: object) -> Answer:
        """Call a tool and wait for what it says."""
        return answer(self._portal.call(self._call, tool, arguments))

    def query(self, sql: str, **arguments: object) -> Answer:
        """Call `query`."""
        return self.call("query", sql=sql, **arguments)

    def begin(self, tool: str, **arguments: object) -> Future[CallToolResult]:
        """Call a tool without waiting; `cancel()` of the future cancels it as a client does."""
        return self._portal.start_task_soon(self._call, tool, arguments)

    def wait(self, call: Future[CallToolResult]) -> Answer:
        """Wait for what a call that was begun says."""
        return answer(call.result(_ANSWER_SECONDS))

    def instructions(self) -> str | None:
        """Give what the server says of itself to whoever connects."""
        return self._client.instructions

    def tools(self) -> list[dict[str, Any]]:
        """List the tools, as they stand on the wire."""
        listed = self._portal.call(self._client.list_tools)
        return [tool.model_dump(by_alias=True, exclude_none=True) for tool in listed.tools]

    async def _call(self, tool: str, arguments: dict[str, object]) -> CallToolResult:
        return await self._client.call_tool(tool, arguments)


@contextmanager
def serving(place: Place, era: Era, client_info: Implementation = CLIENT) -> Iterator[Server]:
    """Run the server for as long as a client is connected to it."""
    with ExitStack() as stack:
        if era == "http":
            transport = stack.enter_context(_http(place))
        else:
            errors = stack.enter_context(place.stderr.open("a", encoding="utf-8"))
            parameters = StdioServerParameters(
                command="/bin/sh",
                args=["-c", _TEE, str(place.stdout), *place.command],
                env=dict(place.environment),
                cwd=place.project,
            )
            transport = stdio_client(parameters, errlog=errors)
        portal = stack.enter_context(anyio.from_thread.start_blocking_portal())
        client = portal.call(_client, transport, era, client_info)
        stack.enter_context(portal.wrap_async_context_manager(client))
        yield Server(place, client, portal)


async def _client(transport: Any, era: Era, client_info: Implementation) -> Client:
    return Client(
        transport,
        mode="legacy" if era == "legacy" else "auto",
        client_info=client_info,
        read_timeout_seconds=_ANSWER_SECONDS,
        # The server itself is to be asked each time.
        cache=None,
    )


@contextmanager
def _http(place: Place) -> Iterator[AbstractAsyncContextManager[Any]]:
    """Run the server on a free port, and give the transport that reaches it."""
    token = secrets.token_urlsafe(32)
    with http_server(place, token) as url:

        def authorised() -> httpx2.AsyncClient:
            return httpx2.AsyncClient(
                headers={"Authorization": f"Bearer {token}"}, timeout=_ANSWER_SECONDS
            )

        yield _http_transport(url, authorised)


def _http_transport(
    url: str, make_client: Callable[[], httpx2.AsyncClient]
) -> AbstractAsyncContextManager[Any]:
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def transport() -> AsyncIterator[Any]:
        # The HTTP client is made where its event loop runs.
        async with make_client() as client, streamable_http_client(url, http_client=client) as both:
            yield both

    return transport()


@contextmanager
def http_server(place: Place, token: str) -> Iterator[str]:
    """Run `serve --transport http` on a free port; give its URL."""
    with http_process(place, token) as (url, _):
        yield url


@contextmanager
def http_process(place: Place, token: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run `serve --transport http` on a free port; give its URL, and the process itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*place.command, "--transport", "http", "--port", str(port)]
    with place.stdout.open("ab") as stdout, place.stderr.open("ab") as stderr:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd=place.project,
            env=environment_of(place) | {"PG_GUARD_HTTP_TOKEN": token},
        )
    try:
        _wait_until_listening(port, process)
        yield f"http://127.0.0.1:{port}/mcp", process
    finally:
        process.terminate()
        process.wait(_EXIT_SECONDS)


def _wait_until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        threading.Event().wait(0.02)
    raise AssertionError("the HTTP server did not start")


def check_accounted(place: Place) -> list[dict[str, Any]]:
    """Assert that the trail is whole and has a verdict and an end for every call; give the ends."""
    assert verify(place.audit).problems == ()
    events = place.events
    verdicts = [event["call_id"] for event in events if event["event"] in {"admitted", "refused"}]
    ends = [event for event in events if event["event"] == "finished"]
    assert sorted(verdicts) == sorted(event["call_id"] for event in ends)
    assert len(set(verdicts)) == len(verdicts)
    return ends


def environment_of(place: Place) -> dict[str, str]:
    """Give the environment a server starts in, without what the machine says of Postgres or us."""
    inherited = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("OTEL_", "PG_GUARD_", "PG"))
    }
    return inherited | dict(place.environment)
