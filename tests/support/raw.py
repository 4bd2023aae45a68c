"""A server whose stdin is written by hand, for what no SDK would send.

    with raw(configure(tmp_path, postgres.agent)) as server:
        server.write(b"[")
        assert not server.call("query", {"sql": "SELECT 1"}).is_error

Every byte the server wrote is kept. `start_in_vain` is for a server that does not get so far.
"""

from __future__ import annotations

import json
import subprocess
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from mcp.types import CallToolResult

from tests.support.answers import Answer, answer
from tests.support.server import environment_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.server import Place

_ANSWER_SECONDS = 60.0
_EXIT_SECONDS = 10.0


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

    def end_input(self) -> None:
        """Close the server's stdin, as a client does that leaves."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.stdin = None

    def read(self) -> dict[str, Any]:
        """Read one message; the server's death, or its silence, is an assertion."""
        assert self.process.stdout
        watchdog = threading.Timer(_ANSWER_SECONDS, self.process.kill)
        watchdog.start()
        try:
            line = self.process.stdout.readline()
        finally:
            watchdog.cancel()
        assert line, f"the server has gone: {self._place.stderr.read_bytes()[-2000:]!r}"
        with self._place.stdout.open("ab") as copy:
            copy.write(line)
        return cast("dict[str, Any]", json.loads(line))

    def request(self, method: str, parameters: Mapping[str, object]) -> dict[str, Any]:
        """Send a request, and read up to the response to it."""
        request_id = self.send(method, parameters)
        while (response := self.read()).get("id") != request_id:
            pass
        return response

    def send(self, method: str, parameters: Mapping[str, object]) -> int:
        """Send a request without reading the response; give its id."""
        self._next_id += 1
        message = {
            "jsonrpc": "2.0",
            "id": self._next_id,
            "method": method,
            "params": parameters,
        }
        self.write(json.dumps(message).encode())
        return self._next_id

    def call(self, tool: str, arguments: Mapping[str, object]) -> Answer:
        """Call a tool."""
        response = self.request("tools/call", {"name": tool, "arguments": arguments})
        return answer(CallToolResult.model_validate(response["result"]))


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
            env=environment_of(place),
        )
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
        with suppress(subprocess.TimeoutExpired, BrokenPipeError):
            process.communicate(timeout=_EXIT_SECONDS)
        process.kill()
        process.wait()


def start_in_vain(
    place: Place, *flags: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Start a server that cannot run, with nobody at its stdin."""
    return subprocess.run(
        [*place.command, *flags],
        cwd=place.project,
        env=environment_of(place) | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_ANSWER_SECONDS,
    )
