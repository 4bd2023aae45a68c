r"""A masked result in, the text a model reads out.

A first line says what came and what was cut; the data follows in Postgres's COPY text format
(PostgreSQL manual, COPY, File Formats: tab-separated, `\N` for NULL, backslash escapes) between
two fence lines. The fence carries a tag drawn for this answer, and no cell can hold a line break,
so no cell can close it: what stands between the fences is data, whatever it says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pg_guard_mcp.model import Limits, MaskedResult, ResultSet

_ESCAPES = {
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}
# Control characters, line separators and bidirectional overrides: what could break a line, move a
# terminal's cursor or show text in another order than it is read.
_SPECIAL = re.compile("[\\\\\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")

MARGIN = 20_000
"""The longest value a detector knows, a token, has 16,000 characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The text of an answer, with what the trail wants to know about it."""

    text: str
    rows: int
    truncated: str = ""
    """The cap that cut it: rows, bytes or cell; empty if none did."""


def shortened(result: ResultSet, limits: Limits) -> ResultSet:
    """Leave off the ends of cells that will be cut: the detectors need not look through them.

    They look somewhat farther than what is shown, for a value may begin there and end beyond.
    """
    most = limits.max_cell_bytes + MARGIN
    cut = {
        (row, column): len(cell[most:].encode())
        for row, cells in enumerate(result.rows)
        for column, cell in enumerate(cells)
        if cell is not None and len(cell) > most
    }
    if not cut:
        return result
    rows = [tuple(cell and cell[:most] for cell in cells) for cells in result.rows]
    return replace(result, rows=rows, cut=cut)


def render(result: MaskedResult, limits: Limits, max_rows: int, tag: str) -> Rendered:
    """Write `result` as text of at most `limits.max_result_bytes` bytes, plus the frame.

    `tag` must be new for every answer and must not be guessable.
    """
    names = [escape(column.name) for column in result.columns]
    lines = ["\t".join(names)]
    size = len(lines[0].encode()) + 1
    if size > limits.max_result_bytes:
        return _too_wide(names, limits, tag)
    cut_cells = 0
    cap = result.cap
    for number, row in enumerate(result.rows[:max_rows]):
        cells = [
            _cell(cell, limits.max_cell_bytes, result.cut.get((number, column), 0))
            for column, cell in enumerate(row)
        ]
        line = "\t".join(text for text, _ in cells)
        size += len(line.encode()) + 1
        if size > limits.max_result_bytes:
            cap = "bytes"
            break
        cut_cells += sum(cut for _, cut in cells)
        lines.append(line)
    count = len(lines) - 1
    header = _headline(count, cap, max_rows, limits)
    if cut_cells:
        header += (
            f" {cut_cells} cells were cut at {limits.max_cell_bytes} bytes:"
            " select a part of the value, with substr or a JSON path."
        )
    return framed(header, lines, tag, rows=count, truncated=cap or ("cell" if cut_cells else ""))


def _too_wide(names: Sequence[str], limits: Limits, tag: str) -> Rendered:
    """Show as many names of columns as fit, and no rows: 1,600 of them can be 100,000 bytes."""
    most = limits.max_result_bytes
    shown = fitting(names, most)
    header = (
        f"0 rows, cut at {most} bytes: the names of {len(names)} columns do not fit,"
        f" {len(shown)} are shown. Select fewer columns."
    )
    return framed(header, ["\t".join(shown)], tag, rows=0, truncated="bytes")


def fitting(texts: Sequence[str], most_bytes: int) -> list[str]:
    """Return the first of `texts`, as many as fit with a separator behind each."""
    ends = accumulate(len(text.encode()) + 1 for text in texts)
    return [text for text, end in zip(texts, ends, strict=True) if end <= most_bytes]


def framed(
    header: str, lines: Sequence[str], tag: str, *, rows: int, truncated: str = ""
) -> Rendered:
    """Put `lines` of data between fences under a `header` of ours."""
    text = "\n".join([header, f"<data {tag}>", *lines, f"</data {tag}>"])
    return Rendered(text=text, rows=rows, truncated=truncated)


def escape(value: str) -> str:
    """Write one cell so that it stays on its line; COPY FROM would read it back as it was."""
    return _SPECIAL.sub(_escape_one, value)


def _escape_one(match: re.Match[str]) -> str:
    character = match.group()
    return _ESCAPES.get(character) or "".join(f"\\x{byte:02x}" for byte in character.encode())


def _cell(value: str | None, max_bytes: int, cut_bytes: int) -> tuple[str, bool]:
    if value is None:
        return "\\N", False
    is_whole = not cut_bytes
    if is_whole and (len(value) <= max_bytes // 4 or len(value.encode()) <= max_bytes):
        return escape(value), False
    kept = value.encode()[:max_bytes].decode(errors="ignore")
    rest = len(value.encode()) - len(kept.encode()) + cut_bytes
    return f"{escape(kept)}...[{rest} bytes cut]", True


def _headline(count: int, cap: str | None, max_rows: int, limits: Limits) -> str:
    noun = "row" if count == 1 else "rows"
    if cap == "rows":
        return (
            f"{count} {noun}, cut at max_rows = {max_rows}: there are more."
            " Aggregate, filter or use LIMIT and OFFSET with ORDER BY."
        )
    if cap == "bytes":
        return (
            f"{count} {noun}, cut at {limits.max_result_bytes} bytes: there are more."
            " Select fewer columns, aggregate or filter."
        )
    return f"{count} {noun}."
