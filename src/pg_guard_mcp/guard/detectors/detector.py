"""What a detector is: an id, and a search for all values of its kind in a text.

What is searched for first decides the speed. Most text holds nothing, so a column is looked at as a
whole: by substring searches, by patterns that begin with one rare character (which is searched for
at gigabytes a second), and for numbers by an outline, in which all digits are one character.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DIGITS = b"0123456789"
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SEPARATORS = b" -._/+"

_OUTLINE = bytes(
    ord("0")
    if byte in _DIGITS
    else ord("A")
    if byte in _LETTERS
    else ord("-")
    if byte in _SEPARATORS
    else ord("#")
    for byte in range(256)
)


class View(NamedTuple):
    """A text, and what it looks like from afar.

    In `outline`, which has a byte for each character, digits are `0`, letters `A`, and what
    groups digits (space, dash, dot, underscore, slash, plus) is `-`; all else is `#`.
    """

    text: str
    outline: bytes


class Detector(NamedTuple):
    """Finds one kind of value: `find` gives the start and end of each one in a text.

    No find reaches over a NUL, which Postgres has in no text and which stands between two cells.
    """

    id: str
    find: Callable[[View], Iterator[tuple[int, int]]]


def view_of(text: str) -> View:
    """Draw the outline of `text`."""
    return View(text, text.encode("ascii", "replace").translate(_OUTLINE))
