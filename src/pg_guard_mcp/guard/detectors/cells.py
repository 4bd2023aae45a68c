"""One cell in, the same cell with its hits replaced out: still valid JSON, array or number text."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from pg_guard_mcp.guard.detectors.escapes import layers
from pg_guard_mcp.guard.detectors.identifiers import CARD_LENGTHS, is_card

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from pg_guard_mcp.guard.detectors.detector import Detector

_STRING = re.compile(r'"(?:[^"\\]++|\\.)*"', re.DOTALL)
_BARE_START = " \t\r\n:,["
_BARE_END = " \t\r\n,]}"
_ELEMENT = re.compile(r'"((?:[^"\\]++|\\.)*)"|[^{},"]++', re.DOTALL)
_NUMBER = re.compile(r"-?[0-9.]+")


class _Hit(NamedTuple):
    start: int
    end: int
    detector: str


def mask_text(cell: str, detectors: Sequence[Detector]) -> str:
    """Replace the hits in `cell`, which may hold JSON although its type does not say so."""
    hits = _hits(cell, detectors, document=False)
    if not hits:
        return cell
    return mask_document(cell, detectors) if _is_document(cell) else _replaced(cell, hits)


def mask_document(cell: str, detectors: Sequence[Detector]) -> str:
    """Replace the hits in `cell`, which is JSON: in place of a bare number the marker is quoted."""
    hits = _hits(cell, detectors, document=True)
    if not hits:
        return cell
    strings = [match.span() for match in _STRING.finditer(cell)]
    quoted = {hit for hit in hits if _within(strings, hit.start)}
    bare = {hit for hit in hits if hit not in quoted and _is_bare_number(cell, hit)}
    return _replaced(cell, [hit for hit in hits if hit in quoted or hit in bare], bare)


def mask_array(cell: str, detectors: Sequence[Detector]) -> str:
    """Replace the hits in an array of JSON, element by element: quotes there are quoted again."""

    def masked(element: re.Match[str]) -> str:
        quoted = element[1] is not None
        before = re.sub(r"\\(.)", r"\1", element[1], flags=re.DOTALL) if quoted else element[0]
        after = mask_document(before, detectors)
        if after == before:
            return element[0]
        return '"' + after.replace("\\", "\\\\").replace('"', '\\"') + '"'

    return _ELEMENT.sub(masked, cell)


def mask_numbers(cells: Sequence[str | None]) -> Sequence[str | None]:
    """Replace the card numbers of a column of numbers, if more than half of its values are some.

    A column of numbers has no other sign of what it holds: of random numbers of sixteen digits one
    in thirty-four is a valid card number, and of a table's card numbers all are.
    """
    numbers = [number for cell in cells if cell for number in _NUMBER.findall(cell)]
    cards = {number for number in numbers if _is_card(number)}
    if 2 * sum(number in cards for number in numbers) <= len(numbers):
        return cells

    def masked(number: re.Match[str]) -> str:
        return "[payment-card]" if number[0] in cards else number[0]

    return [cell and _NUMBER.sub(masked, cell) for cell in cells]


def _is_card(number: str) -> bool:
    return len(number) in CARD_LENGTHS and number.isdecimal() and is_card(number)


def _replaced(cell: str, hits: Iterable[_Hit], bare: Container[_Hit] = ()) -> str:
    parts: list[str] = []
    position = 0
    for hit in hits:
        marker = f'"[{hit.detector}]"' if hit in bare else f"[{hit.detector}]"
        parts += (cell[position : hit.start], marker)
        position = hit.end
    return "".join((*parts, cell[position:]))


def _is_document(cell: str) -> bool:
    if not cell.lstrip().startswith(("{", "[", '"')):
        return False
    try:
        # Numbers stay text: an integer of 4,300 digits is JSON, and too long for Python's.
        json.loads(cell, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return False
    return True


def _hits(cell: str, detectors: Sequence[Detector], *, document: bool) -> list[_Hit]:
    """Find what to replace in `cell`, in order, overlapping finds made one."""
    found = sorted(
        _finds(cell, detectors, document=document), key=lambda hit: (hit.start, -hit.end)
    )
    hits: list[_Hit] = []
    for hit in found:
        if hits and hit.start < hits[-1].end:
            hits[-1] = hits[-1]._replace(end=max(hit.end, hits[-1].end))
        else:
            hits.append(hit)
    return hits


def _finds(cell: str, detectors: Iterable[Detector], *, document: bool) -> Iterator[_Hit]:
    """Search `cell` as it stands and with its escapes off.

    A document with escapes is not searched as it stands: half of an escape would be replaced.
    """
    unescaped = list(layers(cell))
    for detector in detectors:
        if not (document and unescaped):
            for start, end in detector.find(cell):
                yield _Hit(start, end, detector.id)
        for layer in unescaped:
            for start, end in detector.find(layer.text):
                yield _Hit(layer.original(start), layer.original(end), detector.id)


def _within(spans: Sequence[tuple[int, int]], position: int) -> bool:
    index = bisect_right(spans, position, key=lambda span: span[0]) - 1
    return index >= 0 and position < spans[index][1]


def _is_bare_number(cell: str, hit: _Hit) -> bool:
    """Tell a whole JSON number from the digits of a longer one, such as a negative one."""
    before, after = cell[: hit.start][-1:], cell[hit.end : hit.end + 1]
    return before in _BARE_START and after in _BARE_END
