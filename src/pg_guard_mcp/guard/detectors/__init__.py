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
from dataclasses import replace
from typing import TYPE_CHECKING

from pg_guard_mcp.guard.detectors import contacts, credentials, identifiers
from pg_guard_mcp.guard.detectors.cells import mask_array, mask_document, mask_numbers, mask_text
from pg_guard_mcp.guard.detectors.detector import Detector, shape_of
from pg_guard_mcp.guard.detectors.escapes import meanings
from pg_guard_mcp.model import MaskedResult, ResultSet

if TYPE_CHECKING:
    from collections.abc import Sequence

_BY_ID = {
    detector.id: detector
    for detector in (*identifiers.DETECTORS, *contacts.DETECTORS, *credentials.DETECTORS)
}

DETECTORS = tuple(_BY_ID)
DEFAULT_DETECTORS = ("payment-card", "us-ssn", "iban", "jwt", "private-key", "cloud-key")

_TEXTLESS = re.compile(
    r"_?(bit|bool|box|cid|cidr|circle|inet|interval|line|lseg|macaddr8?|money|oid|path|pg_lsn|point"
    r"|polygon|uuid|varbit|xid8?|float[48]|int[24]|time(tz)?|date|timestamp(tz)?"
    r"|(int4|date|ts|tstz)(multi)?range)"
)
"""Types that cannot hold any of these values, and the arrays of them."""

_NUMERIC = re.compile(r"_?(int8|numeric|(int8|num)(multi)?range)")

_BY_TYPE = {
    "json": mask_document,
    "jsonb": mask_document,
    "_json": mask_array,
    "_jsonb": mask_array,
}
_CELL_SEPARATOR = "\0"
"""The one character Postgres has in no text."""


def mask(result: ResultSet, enabled: frozenset[str] | tuple[str, ...]) -> tuple[MaskedResult, int]:
    """Replace what the `enabled` detectors find, and count the cells that changed.

    Raises:
        KeyError: one of `enabled` is not among `DETECTORS`.
    """
    detectors = [_BY_ID[each] for each in sorted(enabled)]
    before = list(zip(*result.rows, strict=True))
    after = [
        _mask_column(column.type, cells, detectors)
        for column, cells in zip(result.columns, before, strict=False)
    ]
    changed = sum(
        old != new
        for old_cells, new_cells in zip(before, after, strict=True)
        for old, new in zip(old_cells, new_cells, strict=True)
    )
    if not changed:
        return MaskedResult(result), 0
    return MaskedResult(replace(result, rows=list(zip(*after, strict=True)))), changed


def _mask_column(
    type_name: str, cells: Sequence[str | None], detectors: Sequence[Detector]
) -> Sequence[str | None]:
    if _TEXTLESS.fullmatch(type_name):
        return cells
    if _NUMERIC.fullmatch(type_name):
        return mask_numbers(cells) if _BY_ID["payment-card"] in detectors else cells
    if type_name == "bytea" and all(cell is None or cell.startswith("\\x") for cell in cells):
        return _mask_bytes(cells, detectors)
    outlines = [
        shape_of(text) for text in meanings(_CELL_SEPARATOR.join(cell or "" for cell in cells))
    ]
    hitting = [each for each in detectors if any(each.finds_in(outline) for outline in outlines)]
    if not hitting:
        return cells
    mask_cell = _BY_TYPE.get(type_name, mask_text)
    return [mask_cell(cell, hitting) if cell else cell for cell in cells]


def _mask_bytes(cells: Sequence[str | None], detectors: Sequence[Detector]) -> Sequence[str | None]:
    """Look for text in binary values, which come as hexadecimal digits."""
    texts = [cell and _bytes_of(cell).decode("latin-1") for cell in cells]
    return [
        cell if new is None or new == old else "\\x" + new.encode("latin-1").hex()
        for cell, old, new in zip(cells, texts, _mask_column("text", texts, detectors), strict=True)
    ]


def _bytes_of(cell: str) -> bytes:
    digits = cell.removeprefix("\\x")
    return bytes.fromhex(digits[: len(digits) // 2 * 2])
