"""What a detector is: an id, a cheap test whether a text may hold one, a search for them all.

The cheap test decides the speed. Most text holds nothing, so a column is looked at as a whole, and
by its shape: digits, letters and separators become one character each, and a substring search,
which runs at a gigabyte a second, takes the place of a regular expression, which runs at a tenth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DIGITS = b"0123456789"
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DASHES = b"-." + bytes(range(0x90, 0x96))
_SPACES = b" \xa0\xaf"
_LEADING = b"\xc2\xe2\x80"
"""What UTF-8 puts before the last byte of a no-break space (A0, AF) or a printed dash."""

_NUMBERS = bytes.maketrans(
    _DIGITS + _LETTERS + _DASHES + _SPACES,
    b"0" * len(_DIGITS) + b"A" * len(_LETTERS) + b"-" * len(_DASHES) + b" " * len(_SPACES),
)
_TOKENS = bytes.maketrans(
    _DIGITS + _LETTERS + b"_-", b"A" * (len(_DIGITS) + len(_LETTERS) + len(b"_-"))
)


class Shape(NamedTuple):
    """A text, and what it looks like from afar.

    In `numbers` digits are `0`, letters `A`, dashes and dots `-`, and printed dashes and spaces
    their plain kin. In `tokens` every character a key is made of is `A`.
    """

    text: str
    numbers: bytes
    tokens: bytes


class Detector(NamedTuple):
    """Finds one kind of value: `find` gives the start and end of each one in a text."""

    id: str
    may_hold: Callable[[Shape], bool]
    find: Callable[[str], Iterator[tuple[int, int]]]

    def finds_in(self, shape: Shape) -> bool:
        """Tell whether there is anything to find, as cheaply as that can be told."""
        return self.may_hold(shape) and next(self.find(shape.text), None) is not None


def shape_of(text: str) -> Shape:
    """Draw the outline of `text`, for the cheap tests."""
    data = text.encode("utf-8", "surrogatepass")
    return Shape(text, data.translate(_NUMBERS, _LEADING), data.translate(_TOKENS))
