"""A cursor in, as many of its rows out as the caps let through; large cells are left out."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pg_guard_mcp.postgres import inflow, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.model import Limits
    from pg_guard_mcp.postgres.inflow import Inflow

_FIRST_ROWS = 10
_CHUNK_ROWS = 250
_CHUNK_BYTES = 1024 * 1024
_HELD_BYTES = 2 * 1024 * 1024
"""Cells are cut when shown, but are whole until the detectors have seen them."""


async def read(
    connection: Any, cursor: Any, max_rows: int, limits: Limits
) -> tuple[list[tuple[str | None, ...]], Any]:
    """Fetch rows until a cap is reached, and say which.

    Raises:
        DatabaseError: rows are too large to be received; the connection is gone then.

    """
    with _bounded_inflow(connection) as watched:
        return await _until_full(cursor, watched, max_rows, limits)


async def _until_full(
    cursor: Any, watched: Inflow, max_rows: int, limits: Limits
) -> tuple[list[tuple[str | None, ...]], Any]:
    """Fetch until a cap is reached: rows, bytes that will be shown, or bytes held or received."""
    rows: list[tuple[str | None, ...]] = []
    shown = held = 0
    most_held = max(_HELD_BYTES, 4 * limits.max_result_bytes)
    chunk_rows = _FIRST_ROWS
    while True:
        chunk = await cursor.fetch(min(chunk_rows, max_rows + 1 - len(rows)))
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
def _bounded_inflow(connection: Any) -> Iterator[Inflow]:
    """Have large cells left out. Raises: DatabaseError."""
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
