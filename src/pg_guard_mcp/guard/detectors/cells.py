"""One cell in, the same cell with its hits replaced out: still valid in the form it has.

That is JSON, an array, a composite, a range, a number or a text.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from pg_guard_mcp.guard.detectors.cards import CARD_LENGTHS, is_card
from pg_guard_mcp.guard.detectors.detector import view_of
from pg_guard_mcp.guard.detectors.readings import readings

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence

    from pg_guard_mcp.guard.detectors.detector import Detector

    MaskCell = Callable[[str, Sequence[Detector]], str]

_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_BARE_START = " \t\r\n:,["
_BARE_END = " \t\r\n,]}"
_ELEMENT = re.compile(r'"((?:[^"\\]++|\\.)*+)"|[^{},"]++', re.DOTALL)
_NUMBER = re.compile(r"-?[0-9.]+(?:e[+-][0-9]+)?")
_WHOLE = re.compile(r"([0-9])(?:\.([0-9]+))?e\+([0-9]{2})")
_RANGE = re.compile(r"\{?[\[(].*[\])]\}?", re.DOTALL)
HEXADECIMAL = re.compile(r"\\x((?:[0-9a-fA-F]{2}){9,})")


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


def mask_value(cell: str, detectors: Sequence[Detector]) -> str:
    """Replace the hits in `cell`, which is of a user's type: of a range, where brackets mean much.

    In composites and ranges a part of a field may be quoted; a text that only looks like one of
    them does not suffer from it.
    """
    hits = _hits(cell, detectors, document=False)
    if not hits or not _RANGE.fullmatch(cell):
        return mask_text(cell, detectors)
    strings = [match.span() for match in _STRING.finditer(cell)]
    bare = {hit for hit in hits if not _within(strings, hit.start)}
    return _replaced(cell, hits, bare)


def mask_array(cell: str, detectors: Sequence[Detector], mask_element: MaskCell) -> str:
    """Replace the hits in an array, element by element: what is quoted there is quoted again."""

    def masked(element: re.Match[str]) -> str:
        quoted = element[1] is not None
        before = re.sub(r"\\(.)", r"\1", element[1], flags=re.DOTALL) if quoted else element[0]
        after = mask_element(before, detectors)
        if after == before:
            return element[0]
        return '"' + after.replace("\\", "\\\\").replace('"', '\\"') + '"'

    return _ELEMENT.sub(masked, cell)


def mask_hexadecimal(cell: str, detectors: Sequence[Detector]) -> str:
    r"""Replace the hits in the bytes that `cell` writes as `\x` and digits, wherever it does."""

    def masked(run: re.Match[str]) -> str:
        before = text_of(run[1])
        after = mask_text(before, detectors)
        start = cell[run.start() : run.start(1)]
        return run[0] if after == before else start + after.encode("latin-1").hex()

    return HEXADECIMAL.sub(masked, cell)


def text_of(digits: str) -> str:
    """Read bytes as text, a character for each; half a byte at the end is none."""
    return bytes.fromhex(digits[: len(digits) // 2 * 2]).decode("latin-1")


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
    """Tell whether a number is a card's, which floating point writes as `4.111111111111111e+15`."""
    whole = _WHOLE.fullmatch(number)
    if whole:
        number = (whole[1] + (whole[2] or "")).ljust(int(whole[3]) + 1, "0")
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
    """Search everything `cell` may be read as."""
    for layer in readings(cell, document=document):
        view = view_of(layer.text)
        for detector in detectors:
            for start, end in detector.find(view):
                yield _Hit(layer.original(start), layer.original(end), detector.id)


def _within(spans: Sequence[tuple[int, int]], position: int) -> bool:
    index = bisect_right(spans, position, key=lambda span: span[0]) - 1
    return index >= 0 and position < spans[index][1]


def _is_bare_number(cell: str, hit: _Hit) -> bool:
    """Tell a whole JSON number from the digits of a longer one, such as a negative one."""
    before, after = cell[: hit.start][-1:], cell[hit.end : hit.end + 1]
    return before in _BARE_START and after in _BARE_END
