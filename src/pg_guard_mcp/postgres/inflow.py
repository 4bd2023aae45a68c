"""What Postgres sends, before the driver keeps it: large values are left out on the way.

Postgres sends a value of up to a gigabyte whole, and the driver has it in memory, twice, before
anybody can look at it: measured, one of 800 MB took 1.5 GB here. So this stands between the socket
and the driver and follows the protocol's messages by their lengths. A cell that is too large is
replaced by a line that says so while it arrives, and nothing of it is kept. Where rows are larger
than is worth waiting for, it hangs up.

An error prints the value it is about, however large that is, and nobody here reads more of it than
its code and its place. So no more of it is handed on.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_CELL_BYTES = 1024 * 1024
"""Larger cells are left out whole: the detectors would hold up every other call over them."""
MAX_BATCH_BYTES = 64 * 1024 * 1024
"""More than that in rows at once is not waited for."""
_ROOM_BYTES = 2 * 1024 * 1024
"""What is kept of the rows of a batch; the driver and their text take several times as much."""
_SMALL_CELL_BYTES = 2_000
"""Cells that are kept where there is no room left."""
_MOST_KEPT_BYTES = 4 * _ROOM_BYTES
"""More than that in small cells at once is not held."""

_HEADER_BYTES = 5
"""A letter, and the length of what follows, itself included."""
_LENGTH_BYTES = 4
_COUNT_BYTES = 2
_ROW = ord("D")
_ERROR = ord("E")
_NOTICE = ord("N")
_ENDS_OF_ROWS = frozenset(b"sCZ")
"""Portal suspended, command complete, ready for query."""
_KEPT_FIELDS = frozenset(b"SVCPR")
"""Of an error: its severity, SQLSTATE, position, and the routine by which the driver tells some."""
_FIELD_BYTES = 100


class _LargeRow:
    """A row while it arrives: a count of cells, then the length of each cell, and the cell.

    (PostgreSQL manual, Frontend/Backend Protocol, Message Formats: DataRow.)
    """

    def __init__(self, length: int, room: int) -> None:
        """Expect so many bytes, of which `room` may be kept."""
        self._left = length
        self._room = room
        self._kept = bytearray()
        self._number = bytearray()
        self._number_bytes = _COUNT_BYTES
        self._to_keep = 0
        self._to_drop = 0

    @property
    def message(self) -> bytes | None:
        """The row without its large cells, once it is there."""
        if self._left:
            return None
        return b"D" + (len(self._kept) + _LENGTH_BYTES).to_bytes(_LENGTH_BYTES) + self._kept

    def take(self, data: bytes, position: int) -> int:
        """Take of `data` what is this row's, and return where that ends."""
        end = min(len(data), position + self._left)
        self._left -= end - position
        while position < end:
            if self._to_drop:
                step = min(self._to_drop, end - position)
                self._to_drop -= step
            elif self._to_keep:
                step = min(self._to_keep, end - position)
                self._kept += data[position : position + step]
                self._to_keep -= step
            else:
                step = min(self._number_bytes - len(self._number), end - position)
                self._number += data[position : position + step]
                if len(self._number) == self._number_bytes:
                    self._begin_cell()
            position += step
        return end

    def _begin_cell(self) -> None:
        number = int.from_bytes(self._number, signed=True)
        largest = MAX_CELL_BYTES if len(self._kept) + number <= self._room else _SMALL_CELL_BYTES
        if self._number_bytes == _COUNT_BYTES or number <= largest:
            self._kept += self._number
            self._to_keep = 0 if self._number_bytes == _COUNT_BYTES else max(0, number)
        else:
            said = f"[a value of {number} bytes, too large to show: select a part of it]".encode()
            self._kept += len(said).to_bytes(_LENGTH_BYTES) + said
            self._to_drop = number
        self._number.clear()
        self._number_bytes = _LENGTH_BYTES


class _Fields:
    """An error or a notice while it arrives: letters, each with a text that ends in NUL.

    (PostgreSQL manual, Frontend/Backend Protocol, Message Formats: ErrorResponse.)
    """

    def __init__(self, kind: int, length: int) -> None:
        """Expect so many bytes."""
        self._kind = kind
        self._left = length
        self._letter: int | None = None
        self._text = bytearray()
        self._kept = bytearray()

    @property
    def message(self) -> bytes | None:
        """The message with the fields that are kept, once it is there."""
        if self._left:
            return None
        content = bytes(self._kept) + b"\0"
        return (
            bytes([self._kind]) + (len(content) + _LENGTH_BYTES).to_bytes(_LENGTH_BYTES) + content
        )

    def take(self, data: bytes, position: int) -> int:
        """Take of `data` what is this message's, and return where that ends."""
        end = min(len(data), position + self._left)
        self._left -= end - position
        while position < end:
            if self._letter is None:
                self._letter = data[position]
                position += 1
                continue
            stop = data.find(b"\0", position, end)
            text_ends = end if stop < 0 else stop
            room = _FIELD_BYTES - len(self._text)
            self._text += data[position : min(text_ends, position + room)]
            position = text_ends + 1
            if stop >= 0:
                self._end_field(self._letter)
        return end

    def _end_field(self, letter: int) -> None:
        if letter in _KEPT_FIELDS:
            self._kept += bytes([letter]) + self._text + b"\0"
        self._letter = None
        self._text.clear()


class Inflow(asyncio.Protocol):
    """Hands on everything it receives, but for large cells where it is told to leave them out."""

    def __init__(self, driver: Any, transport: asyncio.Transport) -> None:
        """Stand before `driver`, between two messages."""
        self.has_tripped = False
        self.row_bytes = 0
        """How much of rows has arrived since `leaving_out` began."""
        self._driver = driver
        self._transport = transport
        self._leaves_out = False
        self._is_lost = False
        self._header = bytearray()
        self._left = 0
        self._batch_bytes = 0
        self._kept_bytes = 0
        self._shrinking: _LargeRow | _Fields | None = None
        self._last_kind = 0

    @property
    def has_said_goodbye(self) -> bool:
        """Whether Postgres ended an idle session: what it says last is else that it is ready."""
        return self._last_kind == _ERROR

    @contextmanager
    def leaving_out(self) -> Iterator[None]:
        """Leave large cells out, and hang up where a batch of rows is too large even so."""
        self._leaves_out = True
        self.row_bytes = 0
        try:
            yield
        finally:
            self._leaves_out = False

    def data_received(self, data: bytes) -> None:
        """Hand on what is not left out."""
        if self.has_tripped or self._is_lost:
            return
        try:
            passed = self._passed(data)
        except ValueError:
            self._is_lost = True
            self._transport.abort()
            return
        too_much = self._batch_bytes > MAX_BATCH_BYTES or self._kept_bytes > _MOST_KEPT_BYTES
        if self._leaves_out and too_much:
            self.has_tripped = True
            self._transport.abort()
        elif passed:
            self._driver.data_received(passed)

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

    def _passed(self, data: bytes) -> bytes:
        """Keep up with where messages begin, and return what the driver is to have of `data`.

        Raises: ValueError, if that cannot be Postgres.
        """
        parts: list[bytes] = []
        position = as_it_came = 0
        while position < len(data):
            if self._shrinking:
                position = as_it_came = self._shrinking.take(data, position)
                if message := self._shrinking.message:
                    parts.append(message)
                    self._kept_bytes += len(message)
                    self._shrinking = None
            elif self._left:
                step = min(self._left, len(data) - position)
                self._left -= step
                position += step
            else:
                parts.append(data[as_it_came:position])
                step = min(_HEADER_BYTES - len(self._header), len(data) - position)
                self._header += data[position : position + step]
                position += step
                as_it_came = position
                if len(self._header) == _HEADER_BYTES:
                    self._begin()
                    if not self._shrinking:
                        parts.append(bytes(self._header))
                    self._header.clear()
        parts.append(data[as_it_came:position])
        return b"".join(parts)

    def _begin(self) -> None:
        """Note what begins, and whether something of it is left out."""
        self._last_kind = kind = self._header[0]
        length = int.from_bytes(self._header[1:], signed=True) - _LENGTH_BYTES
        if length < 0:
            raise ValueError
        if kind in _ENDS_OF_ROWS:
            self._batch_bytes = self._kept_bytes = 0
        if kind == _ROW:
            self.row_bytes += length
            self._batch_bytes += length
            room = _ROOM_BYTES - self._kept_bytes
            if self._leaves_out and length > min(room, MAX_CELL_BYTES):
                self._shrinking = _LargeRow(length, room)
                return
            self._kept_bytes += length
        if kind in (_ERROR, _NOTICE) and length:
            self._shrinking = _Fields(kind, length)
            return
        self._left = length


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
