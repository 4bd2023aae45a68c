"""Rows in, the same rows without the values nobody may see out: the second lock on the way out.

The first lock is the mask on a column, which sits at the source and cannot be got around. This one
knows no columns. It finds a card number or a key by what it is, wherever it turned up: in a note, a
log line, a JSON document. It takes nothing from a column's name, which is the agent's to choose.

A hit becomes its detector's id in brackets, and nothing else of the cell changes. Where a bare JSON
number is replaced the marker gets quotes, so that JSON stays JSON.

What it leaves alone, on purpose:

- A number in an integer or numeric column, unless more than half of the column's values are card
  numbers. One in thirty-four random numbers of sixteen digits is a valid card number, so a column
  of ids has some; a column of cards has nothing else.
- A value an agent takes apart (`reverse`, `substr`): only a mask at the source withstands that.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pg_guard_mcp.guard.detectors import cards, cloud_keys, contacts, credentials, identifiers
from pg_guard_mcp.guard.detectors.cells import (
    HEXADECIMAL,
    mask_array,
    mask_document,
    mask_hexadecimal,
    mask_numbers,
    mask_text,
    mask_value,
    text_of,
)
from pg_guard_mcp.guard.detectors.detector import Detector, view_of
from pg_guard_mcp.guard.detectors.readings import quick_readings
from pg_guard_mcp.model import MaskedResult, ResultSet

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from pg_guard_mcp.guard.detectors.cells import MaskCell

_BY_ID = {
    detector.id: detector
    for module in (cards, identifiers, contacts, credentials, cloud_keys)
    for detector in module.DETECTORS
}

DETECTORS = tuple(_BY_ID)
DEFAULT_DETECTORS = ("payment-card", "us-ssn", "iban", "jwt", "private-key", "cloud-key")

_TEXTLESS = re.compile(
    r"_?(bit|bool|box|cid|cidr|circle|inet|interval|line|lseg|macaddr8?|money|oid|path|pg_lsn|point"
    r"|polygon|uuid|varbit|xid8?|float4|int[24]|time(tz)?|date|timestamp(tz)?"
    r"|(int4|date|ts|tstz)(multi)?range)"
)
"""Types that cannot hold any of these values, and the arrays of them."""

_NUMERIC = re.compile(r"_?(float8|int8|numeric|(int8|num)(multi)?range)")
_TEXTS = re.compile(r"_?(text|varchar|bpchar|char|name|citext|xml|hstore|tsvector|tsquery|bytea)")
_DOCUMENTS = ("json", "jsonb")

_CELL_SEPARATOR = "\0"
"""The one character Postgres has in no text."""


def mask(result: ResultSet, enabled: frozenset[str] | tuple[str, ...]) -> tuple[MaskedResult, int]:
    """Replace what the `enabled` detectors find, and count the cells that changed.

    Raises:
        KeyError: one of `enabled` is not among `DETECTORS`.
    """
    detectors = [_BY_ID[each] for each in sorted(enabled)]
    before = list(zip(*result.rows, strict=True))
    cut = [{row for row, at in result.cut if at == index} for index in range(len(before))]
    after = [
        _mask_column(column.type, cells, detectors, cut_cells)
        for column, cells, cut_cells in zip(result.columns, before, cut, strict=False)
    ]
    changed = sum(
        old != new
        for old_cells, new_cells in zip(before, after, strict=True)
        if old_cells is not new_cells
        for old, new in zip(old_cells, new_cells, strict=True)
    )
    if not changed:
        return MaskedResult(result), 0
    return MaskedResult(replace(result, rows=list(zip(*after, strict=True)))), changed


def _mask_column(
    type_name: str,
    cells: Sequence[str | None],
    detectors: Sequence[Detector],
    cut: Container[int] = (),
) -> Sequence[str | None]:
    """Mask the cells of a column; one that was cut has no form any more, and is a text."""
    if _TEXTLESS.fullmatch(type_name):
        return cells
    if _NUMERIC.fullmatch(type_name):
        return mask_numbers(cells) if _BY_ID["payment-card"] in detectors else cells
    if type_name == "bytea" and all(cell is None or cell.startswith("\\x") for cell in cells):
        return _mask_bytes(cells, detectors)
    hitting, suspects = _suspects(type_name, cells, detectors)
    if not suspects:
        return cells
    mask_cell = _mask_of(type_name)
    masked = list(cells)
    for index in suspects:
        cell = mask_hexadecimal(cells[index] or "", hitting)
        masked[index] = (mask_text if index in cut else mask_cell)(cell, hitting)
    return masked


def _suspects(
    type_name: str, cells: Sequence[str | None], detectors: Sequence[Detector]
) -> tuple[list[Detector], Iterable[int]]:
    """Tell which detectors may find something in a column, and in which cells.

    The column is looked at as one text, in which a place tells the cell.
    """
    joined = _CELL_SEPARATOR.join([cell or "" for cell in cells])
    if joined.count(_CELL_SEPARATOR) >= max(1, len(cells)):
        # Bytes have NULs.
        joined = _CELL_SEPARATOR.join([(cell or "").replace("\0", " ") for cell in cells])
    hitting = []
    suspects: set[int] = set()
    views = [view_of(text) for text in _texts(joined, document=type_name in _DOCUMENTS)]
    for detector in detectors:
        found = {
            index
            for view in views
            for index in _cells_of(view.text, [start for start, _ in detector.find(view)])
        }
        if found and not (detector.id == "payment-card" and cards.are_numbered_things(cells)):
            hitting.append(detector)
            suspects |= found
    return hitting, sorted(suspects)


def _texts(joined: str, *, document: bool) -> Iterator[str]:
    """Yield the readings of a column, and the texts in bytes it writes as digits."""
    yield from quick_readings(joined, document=document)
    if "\\" in joined and "\\x" in joined:
        cells = (
            " ".join(text_of(run[1]) for run in HEXADECIMAL.finditer(cell)).replace("\0", " ")
            for cell in joined.split(_CELL_SEPARATOR)
        )
        yield from quick_readings(_CELL_SEPARATOR.join(cells), document=False)


def _cells_of(text: str, places: Sequence[int]) -> set[int]:
    """Tell in which cells of a column's text these places are."""
    if not places:
        return set()
    ends = [end.start() for end in re.finditer(_CELL_SEPARATOR, text)]
    return {bisect_right(ends, place) for place in places}


def _mask_of(type_name: str) -> MaskCell:
    """Choose how a cell of a type is written."""
    element = type_name.removeprefix("_")
    if element in _DOCUMENTS:
        mask_cell = mask_document
    elif _TEXTS.fullmatch(type_name):
        return mask_text
    else:
        mask_cell = mask_value
    return mask_cell if element == type_name else partial(mask_array, mask_element=mask_cell)


def _mask_bytes(cells: Sequence[str | None], detectors: Sequence[Detector]) -> Sequence[str | None]:
    """Look for text in binary values, which come as hexadecimal digits."""
    texts = [cell and text_of(cell.removeprefix("\\x")) for cell in cells]
    return [
        cell if new is None or new == old else "\\x" + new.encode("latin-1").hex()
        for cell, old, new in zip(cells, texts, _mask_column("text", texts, detectors), strict=True)
    ]
