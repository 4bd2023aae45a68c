"""A prepared statement in, as many rows as the caps let through out; large cells are left out."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pg_guard_mcp.postgres import inflow, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pg_guard_mcp.model import Limits
    from pg_guard_mcp.postgres.inflow import Inflow

_FIRST_ROWS = 10
_CHUNK_ROWS = 250
_CHUNK_BYTES = 1024 * 1024
_HELD_BYTES = 2 * 1024 * 1024
"""Cells are cut when shown, but are whole until the detectors have seen them."""


class _Portal:
    """A statement's rows, so many at a time; the first come in the round trip that binds it.

    asyncpg's own cursors bind in a round trip of their own, or fetch the same number every time.
    """

    def __init__(self, statement: Any, arguments: Sequence[str]) -> None:
        """Ask for nothing yet."""
        self._cursor: Any = aiter(statement.cursor(*arguments))

    async def fetch(self, count: int) -> list[Any]:
        """Fetch the next rows, none when there are no more."""
        cursor = self._cursor
        if cursor._exhausted:  # noqa: SLF001 - see the class
            return []
        fetch = cursor._exec if cursor._portal_name else cursor._bind_exec  # noqa: SLF001 - the same
        return list(await fetch(count, None))


async def read(
    connection: Any, statement: Any, arguments: Sequence[str], max_rows: int, limits: Limits
) -> tuple[list[tuple[str | None, ...]], Any]:
    """Fetch rows until a cap is reached, and say which.

    Raises:
        DatabaseError: rows are too large to be received; the connection is gone then.

    """
    with bounded(connection) as watched:
        return await _until_full(_Portal(statement, arguments), watched, max_rows, limits)


async def _until_full(
    portal: _Portal, watched: Inflow, max_rows: int, limits: Limits
) -> tuple[list[tuple[str | None, ...]], Any]:
    """Fetch until a cap is reached: rows, bytes that will be shown, or bytes held or received."""
    rows: list[tuple[str | None, ...]] = []
    shown = held = 0
    most_held = max(_HELD_BYTES, 4 * limits.max_result_bytes)
    chunk_rows = _FIRST_ROWS
    while True:
        chunk = await portal.fetch(min(chunk_rows, max_rows + 1 - len(rows)))
        for record in chunk:
            if len(rows) == max_rows:
                return rows, "rows"
            row = tuple(record)
            sizes = [len(cell) for cell in row if cell is not None]
            shown += sum(min(size, limits.max_cell_bytes) for size in sizes) + len(row)
            held += sum(map(_memory, row))
            rows.append(row)
            if shown > limits.max_result_bytes or held > most_held:
                return rows, "bytes"
        if not chunk:
            return rows, None
        if watched.row_bytes > inflow.MAX_BATCH_BYTES:
            return rows, "bytes"
        # As many as fit at the size seen so far: 250 rows of 4 MB took 1.1 GB.
        chunk_rows = max(1, min(_CHUNK_ROWS, _CHUNK_BYTES * len(rows) // (watched.row_bytes + 1)))


@contextmanager
def bounded(connection: Any) -> Iterator[Inflow]:
    """Have large cells left out.

    Raises:
        DatabaseError: rows are too large to be received; the connection is gone then.

    """
    watched = inflow.of(connection)
    try:
        with watched.leaving_out():
            yield watched
    except words.DRIVER_ERRORS:
        if watched.has_tripped:
            raise words.too_large() from None
        raise


def _memory(cell: str | None) -> int:
    """Return what a cell takes here at most: one character beyond ASCII may widen all of them."""
    return 0 if cell is None else len(cell) * (1 if cell.isascii() else 4)
