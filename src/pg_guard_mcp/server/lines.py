"""Standard input in, the lines of the protocol out, each checked before the SDK reads it.

The SDK replaces bytes that are no UTF-8 and goes on, so that other SQL would run than was sent,
and it drops a message it cannot read without a word, so that the client waits for ever. Here a
bad line gets the answer JSON-RPC has for it, with the request's id where one can be made out.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import mcp.types as protocol
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

if TYPE_CHECKING:
    from typing import Self

MAX_LINE_BYTES = 32 * 1024 * 1024
"""Longer than any call can be: SQL alone is refused at a fraction of it."""


class CheckedLines:
    """Yields one message a line, as the SDK's transport expects of a text file."""

    def __init__(self) -> None:
        """Read from standard input; answer nobody yet."""
        self._input = sys.stdin.buffer
        self._outgoing: Any = None
        self._connected = anyio.Event()

    def answer_through(self, outgoing: Any) -> None:
        """Send the answers to bad lines into the transport's own stream."""
        self._outgoing = outgoing
        self._connected.set()

    def __aiter__(self) -> Self:
        """Iterate over the messages to come."""
        return self

    async def __anext__(self) -> str:
        """Return the next line that is a message."""
        while True:
            line = await anyio.to_thread.run_sync(self._read_line, abandon_on_cancel=True)
            if not line:
                raise StopAsyncIteration
            fault = find_fault(line)
            if fault is None:
                return line.decode()
            await self._connected.wait()
            await self._outgoing.send(SessionMessage(fault))

    def _read_line(self) -> bytes:
        """Read a line; of one that is too long only as much as shows that it is."""
        line = self._input.readline(MAX_LINE_BYTES)
        if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            while (rest := self._input.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
        return line


def find_fault(line: bytes) -> protocol.JSONRPCError | None:
    """Return the answer to a line that is no message of the protocol, or None if it is one."""
    if len(line) >= MAX_LINE_BYTES:
        return _error(None, protocol.INVALID_REQUEST, "the message is too long")
    try:
        message = protocol.jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValidationError:
        return _explain(line)
    # With an id that is none, a request would pass for a notification, and never be answered.
    if isinstance(message, protocol.JSONRPCNotification) and b'"id"' in line and _has_id(line):
        return _error(None, protocol.INVALID_REQUEST, "the id is neither text nor a whole number")
    return None


def _has_id(line: bytes) -> bool:
    return "id" in json.loads(line)


def _explain(line: bytes) -> protocol.JSONRPCError:
    try:
        json.loads(line.decode())
    except UnicodeDecodeError:
        return _error(_id(line), protocol.PARSE_ERROR, "the message is not UTF-8")
    except (ValueError, RecursionError):
        return _error(None, protocol.PARSE_ERROR, "the message is not JSON")
    return _error(_id(line), protocol.INVALID_REQUEST, "the message is not a JSON-RPC message")


def _id(line: bytes) -> str | int | None:
    """Make out the id of a request that cannot be read otherwise."""
    try:
        message = json.loads(line.decode(errors="replace"))
    except (ValueError, RecursionError):
        return None
    found = message.get("id") if isinstance(message, dict) else None
    if isinstance(found, str):
        # A lone surrogate could not be written back.
        return found if found.isprintable() else None
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _error(request_id: str | int | None, code: int, message: str) -> protocol.JSONRPCError:
    return protocol.JSONRPCError(
        jsonrpc="2.0", id=request_id, error=protocol.ErrorData(code=code, message=message)
    )
