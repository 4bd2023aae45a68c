"""The real server as its clients meet it: a process of its own, spoken to over stdio or HTTP.

    place = configure(tmp_path, postgres.agent)
    with serving(place, "legacy") as server:
        answer = server.call("query", sql="SELECT 1")

`serving` uses the SDK's own client, in either protocol era or over HTTP; the client lives in a
thread, so that tests are plain functions and may share one server. `raw` writes lines of its own
making to the server's stdin, for what no SDK would send. Both keep every byte the server wrote.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

import anyio.from_thread
import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, Implementation, TextContent

from pg_guard_mcp.record.verify import verify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from concurrent.futures import Future
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from anyio.from_thread import BlockingPortal

    from pg_guard_mcp.demo.cluster import Login

Era = Literal["legacy", "modern", "http"]
"""How to speak to the server: the handshake of old, 2026-07-28, or the latter over HTTP."""

ERAS: tuple[Era, ...] = ("legacy", "modern")
"""The protocol eras, over stdio."""

CLIENT = Implementation(name="test-client", version="1.0")

_ANSWER_SECONDS = 60.0
_START_SECONDS = 30.0
_EXIT_SECONDS = 10.0
_SHOP_ACCESS = """
[access]
schemas = ["shop"]
"""
# The shell tees what the server says to the client; `$0` is where to.
_TEE = '"$@" | tee "$0"'
_UNESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}


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
    def written(self) -> bytes:
        """Every byte the server left: on stdout, on stderr and on the trail."""
        streams = (path.read_bytes() for path in (self.stdout, self.stderr) if path.exists())
        return b"".join([*streams, self.trail])


class Answer(NamedTuple):
    """What a tool answered, as the model reads it."""

    text: str
    is_error: bool

    @property
    def code(self) -> str:
        """The stable code of a failure; empty for an answer."""
        return self.text.partition(":")[0] if self.is_error else ""

    @property
    def rules(self) -> list[str]:
        """The rules that refused the call, in the order reported."""
        return re.findall(r"^refused: \[([a-z-]+)\]", self.text, re.MULTILINE)

    @property
    def hint(self) -> str:
        """What to try next, if the answer says."""
        found = re.search(r"^hint: (.+)$", self.text, re.MULTILINE)
        return found.group(1) if found else ""

    @property
    def lines(self) -> list[str]:
        """The rows as they stand between the fences, without the line of column names."""
        fenced = re.search(
            r"^<data (\w+)>\n(.*)\n</data \1>\Z", self.text, re.MULTILINE | re.DOTALL
        )
        assert fenced, self.text
        return fenced.group(2).split("\n")[1:]

    @property
    def rows(self) -> list[tuple[str | None, ...]]:
        """The rows, every cell read back from COPY's text format."""
        return [tuple(map(_cell, line.split("\t"))) for line in self.lines]


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
    database = {"dsn": login.dsn(), "credential": f"file:{credential}"}
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
        return _answer(self._portal.call(self._call, tool, arguments))

    def query(self, sql: str, **arguments: object) -> Answer:
        """Call `query`."""
        return self.call("query", sql=sql, **arguments)

    def begin(self, tool: str, **arguments: object) -> Future[CallToolResult]:
        """Call a tool without waiting; `cancel()` of the future cancels it as a client does."""
        return self._portal.start_task_soon(self._call, tool, arguments)

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
            env=_environment(place) | {"PG_GUARD_HTTP_TOKEN": token},
        )
    try:
        _wait_until_listening(port, process)
        yield f"http://127.0.0.1:{port}/mcp"
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


class Raw:
    """A server whose stdin is written by hand."""

    def __init__(self, process: subprocess.Popen[bytes], place: Place) -> None:
        """Hold the process; made by `raw`."""
        self.process = process
        self._place = place
        self._next_id = 0

    def write(self, line: bytes) -> None:
        """Write one line as it is."""
        assert self.process.stdin
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        """Read one message; the server's death is an assertion."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, f"the server has gone: {self._place.stderr.read_bytes()[-2000:]!r}"
        with self._place.stdout.open("ab") as copy:
            copy.write(line)
        return cast("dict[str, Any]", json.loads(line))

    def request(self, method: str, parameters: Mapping[str, object]) -> dict[str, Any]:
        """Send a request, and read up to the response to it."""
        self._next_id += 1
        message = {
            "jsonrpc": "2.0",
            "id": self._next_id,
            "method": method,
            "params": parameters,
        }
        self.write(json.dumps(message).encode())
        while (response := self.read()).get("id") != self._next_id:
            pass
        return response

    def call(self, tool: str, arguments: Mapping[str, object]) -> Answer:
        """Call a tool."""
        response = self.request("tools/call", {"name": tool, "arguments": arguments})
        return _answer(CallToolResult.model_validate(response["result"]))


@contextmanager
def raw(place: Place, client_name: str = "raw-client") -> Iterator[Raw]:
    """Run the server and shake hands with it in the old era, by hand."""
    with place.stderr.open("ab") as stderr:
        process = subprocess.Popen(
            place.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=place.project,
            env=_environment(place),
        )
    # What never answers is killed, so that reading ends.
    watchdog = threading.Timer(_ANSWER_SECONDS, process.kill)
    watchdog.start()
    try:
        server = Raw(process, place)
        server.request(
            "initialize",
            {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": client_name, "version": "1.0"},
            },
        )
        server.write(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}')
        yield server
    finally:
        watchdog.cancel()
        with suppress(subprocess.TimeoutExpired, ValueError, BrokenPipeError):
            process.communicate(timeout=_EXIT_SECONDS)
        process.kill()
        process.wait()


def check_accounted(place: Place) -> list[dict[str, Any]]:
    """Assert that the trail is whole and has a verdict and an end for every call; give the ends."""
    assert verify(place.audit).problems == ()
    events = place.events
    verdicts = [event["call_id"] for event in events if event["event"] in {"admitted", "refused"}]
    ends = [event for event in events if event["event"] == "finished"]
    assert sorted(verdicts) == sorted(event["call_id"] for event in ends)
    assert len(set(verdicts)) == len(verdicts)
    return ends


def _environment(place: Place) -> dict[str, str]:
    inherited = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("OTEL_", "PG_GUARD_", "PG"))
    }
    return inherited | dict(place.environment)


def _answer(result: CallToolResult) -> Answer:
    (content,) = result.content
    assert isinstance(content, TextContent)
    assert result.structured_content is None
    return Answer(content.text, bool(result.is_error))


def _cell(text: str) -> str | None:
    if text == r"\N":
        return None
    if "\\" not in text:
        return text
    unescaped = re.sub(
        rb"\\(?:x([0-9a-f]{2})|(.))",
        lambda match: (
            bytes.fromhex(match[1].decode()) if match[1] else _UNESCAPED[match[2].decode()].encode()
        ),
        text.encode(),
    )
    return unescaped.decode()
