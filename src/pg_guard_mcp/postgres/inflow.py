"""What Postgres sends, counted before the driver keeps it: rows too large end the connection.

Postgres sends a value of up to a gigabyte whole, and the driver has it in memory before anybody can
look at it: measured, one of 800 MB took 1.5 GB here. So this stands between the socket and the
driver, follows the protocol's messages by their lengths, and hangs up on the first that would be
too much. Nothing of it is kept.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER_BYTES = 5
"""A letter, and the length of what follows, itself included."""
_LENGTH_BYTES = 4
_ROW = ord("D")
_ERROR = ord("E")
_ENDS_OF_ROWS = frozenset(b"sCZ")
"""Portal suspended, command complete, ready for query."""


class Inflow(asyncio.Protocol):
    """Hands on everything it receives, as long as a batch of rows keeps to its limit."""

    def __init__(self, driver: Any, transport: asyncio.Transport) -> None:
        """Stand before `driver`, between two messages, without a limit."""
        self.has_tripped = False
        self._driver = driver
        self._transport = transport
        self._limit: int | None = None
        self._header = bytearray()
        self._left = 0
        self._row_bytes = 0
        self._last_kind = 0

    @property
    def has_said_goodbye(self) -> bool:
        """Whether Postgres ended an idle session: what it says last is else that it is ready."""
        return self._last_kind == _ERROR

    @contextmanager
    def limited_to(self, row_bytes: int) -> Iterator[None]:
        """Hang up when the rows of one batch have more bytes than that."""
        self._limit = row_bytes
        try:
            yield
        finally:
            self._limit = None

    def data_received(self, data: bytes) -> None:
        """Count what arrived, then hand it on."""
        if self.has_tripped:
            return
        self._follow(data)
        if self._limit is not None and self._row_bytes > self._limit:
            self.has_tripped = True
            self._transport.abort()
            return
        self._driver.data_received(data)

    def eof_received(self) -> bool | None:
        """Hand it on."""
        answer: bool | None = self._driver.eof_received()
        return answer

    def connection_lost(self, error: Exception | None) -> None:
        """Hand it on."""
        self._driver.connection_lost(error)

    def pause_writing(self) -> None:
        """Hand it on."""
        self._driver.pause_writing()

    def resume_writing(self) -> None:
        """Hand it on."""
        self._driver.resume_writing()

    def _follow(self, data: bytes) -> None:
        """Keep up with where messages begin, and with how much of them is rows."""
        position = 0
        while position < len(data):
            if self._left:
                step = min(self._left, len(data) - position)
                self._left -= step
            else:
                step = min(_HEADER_BYTES - len(self._header), len(data) - position)
                self._header += data[position : position + step]
                if len(self._header) == _HEADER_BYTES:
                    self._begin(self._header[0], int.from_bytes(self._header[1:]) - _LENGTH_BYTES)
            position += step

    def _begin(self, kind: int, length: int) -> None:
        self._header.clear()
        self._left = length
        self._last_kind = kind
        if kind == _ROW:
            self._row_bytes += length
        elif kind in _ENDS_OF_ROWS:
            self._row_bytes = 0


def watch(connection: Any) -> None:
    """Stand before the driver of a connection on which nothing is under way."""
    transport = connection._transport  # noqa: SLF001 - asyncpg shows nobody its socket
    transport.set_protocol(Inflow(transport.get_protocol(), transport))


def of(connection: Any) -> Inflow:
    """Return what stands before the driver of a connection."""
    protocol = connection._transport.get_protocol()  # noqa: SLF001 - see above
    if not isinstance(protocol, Inflow):
        raise TypeError("nobody watches this connection")
    return protocol
