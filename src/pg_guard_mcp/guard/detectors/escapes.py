r"""A text with backslash escapes in, what it says out, with the way back to where it says it.

`{"pan": "\u0034111..."}` is a card number to whoever reads the JSON, and is no digits in a row to
whoever reads the cell. Escapes nest: JSON in a string of JSON, JSON in an element of an array.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_MAX_LAYERS = 4
"""An element of an array, holding JSON, holding a string of JSON, holding JSON."""


class Layer(NamedTuple):
    """What a text says once a layer of escapes is off it, and the text below that had them.

    `here` are the places in `text` after which both run side by side, and `there` the same places
    in the text below.
    """

    text: str
    here: tuple[int, ...]
    there: tuple[int, ...]
    below: Layer | None

    def original(self, position: int) -> int:
        """Give the place in the lowest text where `position` comes from.

        The end of a stretch is where the character after it begins, so no escape is ever cut.
        """
        index = bisect_right(self.here, position) - 1
        place = self.there[index] + position - self.here[index]
        return self.below.original(place) if self.below else place


def layers(text: str) -> Iterator[Layer]:
    """Yield `text` with one layer of escapes off, then two, until none is left."""
    layer = None
    for _ in range(_MAX_LAYERS):
        if "\\" not in text:
            return
        layer = _without_escapes(text, layer)
        text = layer.text
        yield layer


def meanings(text: str) -> Iterator[str]:
    """Yield `text` and then what `layers` yields, without the way back: several times as fast."""
    yield text
    for _ in range(_MAX_LAYERS):
        if "\\" not in text:
            return
        text = _ESCAPE.sub(_meaning, text)
        yield text


def _without_escapes(text: str, below: Layer | None) -> Layer:
    parts: list[str] = []
    here, there = [0], [0]
    length = position = 0
    for escape in _ESCAPE.finditer(text):
        before = text[position : escape.start()]
        parts += (before, _meaning(escape))
        length, position = length + len(before) + 1, escape.end()
        here += (length - 1, length)
        there += (escape.start(), position)
    parts.append(text[position:])
    return Layer("".join(parts), tuple(here), tuple(there), below)


def _meaning(escape: re.Match[str]) -> str:
    """Give the one character that `escape` stands for."""
    return chr(int(escape[1], 16)) if escape[1] else _CONTROLS.get(escape[2], escape[2])
