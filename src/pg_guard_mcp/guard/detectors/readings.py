r"""A text in, everything it may be read as out, with the way back to where it stands.

`{"pan": "\u0034111..."}` is a card number to whoever reads the JSON, and is no digits in a row to
whoever reads the cell. So are `4111%20...` to a browser, `&#52;111...` to whoever reads XML, and a
number with invisible characters in it, or written with another script's digits, to a person.
Backslashes nest: JSON in a string of JSON, JSON in an element of an array.

Each reading is made twice. The quick one, of a whole column, only tells which cells to look at;
the exact one, of such a cell, knows for each place where it comes from.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from functools import cache
from html.entities import html5
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BACKSLASH = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_LONG = re.compile(r"\\u([0-9a-fA-F]{4})")
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_MAX_LAYERS = 4
"""An element of an array, holding JSON, holding a string of JSON, holding JSON."""

_PAIR = "\x02"
"""Stands for two backslashes while single ones are taken off.

It is no character JSON may hold, and a narrow one: a wide one would double the size of the text.
"""

_LONG_MEANINGS = {"\\u0000": "\x01", "\\u005c": _PAIR, "\\u005C": _PAIR}

_PERCENT = re.compile(
    # One character of UTF-8 at a time.
    r"%(?:[2-7][0-9a-fA-F]|[cdCD][0-9a-fA-F]%[89abAB][0-9a-fA-F]"
    r"|[eE][0-9a-fA-F](?:%[89abAB][0-9a-fA-F]){2})"
)
_ENTITY = re.compile(r"&(?:#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z]{2,8}));")

_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043\ufe58\ufe63\uff0d"
_SPACES = (
    "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f"
    "\u3000"
)
_INVISIBLE = (
    "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060"
    "\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufe0e\ufe0f\ufeff"
)
_MATHEMATICAL_DIGITS = "\U0001d7ce-\U0001d7ff"
_BEYOND_ASCII, _PLANE, _LAST_CODE = 0x80, 0x10000, 0x10FFFF


class Layer(NamedTuple):
    """A reading of a text, and the text it is a reading of.

    `here` are the places in `text` after which both run side by side, and `there` the same places
    in the text below.
    """

    text: str
    here: tuple[int, ...] = (0,)
    there: tuple[int, ...] = (0,)
    below: Layer | None = None

    def original(self, position: int) -> int:
        """Give the place in the lowest text where `position` comes from.

        The end of a stretch is where the character after it begins, so no escape is ever cut.
        """
        index = bisect_right(self.here, position) - 1
        place = self.there[index] + position - self.here[index]
        return self.below.original(place) if self.below else place


def readings(text: str, *, document: bool) -> Iterator[Layer]:
    """Yield what `text` may be read as, with the way back.

    A document with escapes is not read as it stands: half of an escape would be replaced.
    """
    layer = Layer(text)
    if not (document and "\\" in text):
        yield from _plainly(layer)
    for _ in range(_MAX_LAYERS):
        if "\\" not in layer.text:
            return
        layer = _read(layer, _BACKSLASH, _backslash)
        yield from _plainly(layer)


def quick_readings(text: str, *, document: bool) -> Iterator[str]:
    """Yield what `readings` yields, or more, without the way back: ten times as fast."""
    if not (document and "\\" in text):
        yield from _quick_plainly(text)
    for _ in range(_MAX_LAYERS):
        if "\\" not in text:
            return
        text = _without_backslashes(text)
        yield from _quick_plainly(text)


def _plainly(layer: Layer) -> Iterator[Layer]:
    """Yield `layer` in plain characters, and then with the web's escapes off, if it has some."""
    yield _in_plain_characters(layer)
    if _PERCENT.search(layer.text) or _ENTITY.search(layer.text):
        yield _in_plain_characters(_read(_read(layer, _PERCENT, _percent), _ENTITY, _entity))


def _in_plain_characters(layer: Layer) -> Layer:
    if layer.text.isascii() or not _odd_characters().search(layer.text):
        return layer
    return _read(layer, _odd_characters(), _plain)


def _quick_plainly(text: str) -> Iterator[str]:
    yield _quick_in_plain_characters(text)
    if _PERCENT.search(text) or _ENTITY.search(text):
        yield _quick_in_plain_characters(_ENTITY.sub(_entity, _PERCENT.sub(_percent, text)))


def _quick_in_plain_characters(text: str) -> str:
    return text if text.isascii() else _odd_characters().sub(_plain, text)


def _read(layer: Layer, escapes: re.Pattern[str], meaning: Callable[[re.Match[str]], str]) -> Layer:
    """Put its meaning, which is at most one character, in place of each of `escapes`."""
    parts: list[str] = []
    here, there = [0], [0]
    length = position = 0
    for escape in escapes.finditer(layer.text):
        before, meant = layer.text[position : escape.start()], meaning(escape)
        parts += (before, meant)
        length, position = length + len(before) + len(meant), escape.end()
        here += (length - len(meant), length)
        there += (escape.start(), position)
    parts.append(layer.text[position:])
    return Layer("".join(parts), tuple(here), tuple(there), layer)


def _without_backslashes(text: str) -> str:
    """Take one layer of backslashes off, by a few replacements at the speed of memory."""
    text = text.replace("\\\\", _PAIR)
    if "\\u" in text:
        text = _LONG.sub(_long, text)
    for letter, control in _CONTROLS.items():
        text = text.replace("\\" + letter, control)
    return text.replace("\\", "").replace(_PAIR, "\\")


def _long(escape: re.Match[str]) -> str:
    return _LONG_MEANINGS.get(escape[0]) or chr(int(escape[1], 16))


def _backslash(escape: re.Match[str]) -> str:
    """Give the one character that `escape` stands for, and never a NUL."""
    if escape[1]:
        return chr(int(escape[1], 16)) if int(escape[1], 16) else "\x01"
    return _CONTROLS.get(escape[2], escape[2])


def _percent(escape: re.Match[str]) -> str:
    return bytes.fromhex(escape[0].replace("%", "")).decode("utf-8", "replace")[0]


def _entity(escape: re.Match[str]) -> str:
    """Give the one character that `escape` stands for; an unknown name stands for itself."""
    decimal, hexadecimal, name = escape.groups()
    if name:
        return html5.get(f"{name};", " ")[0]
    code = int(decimal or hexadecimal, 10 if decimal else 16)
    return chr(code) if 0 < code <= _LAST_CODE else " "


@cache
def _odd_characters() -> re.Pattern[str]:
    """Match what is a digit, a space or a dash beyond ASCII, or cannot be seen."""
    digits = (chr(code) for code in range(_BEYOND_ASCII, _PLANE) if chr(code).isdecimal())
    return re.compile(f"[{''.join(digits)}{_MATHEMATICAL_DIGITS}{_DASHES}{_SPACES}{_INVISIBLE}]")


def _plain(odd: re.Match[str]) -> str:
    character = odd[0]
    if character in _INVISIBLE:
        return ""
    if character in _SPACES:
        return " "
    if character in _DASHES:
        return "-"
    return str(unicodedata.decimal(character))
