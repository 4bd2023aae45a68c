"""A text in, the e-mail addresses and phone numbers in it out.

Both are off by default: a table of customers is of little use to an agent without them, and a mask
on the column is the better lock where they must not be seen.

A phone number is found by its form and confirmed by `phonenumbers`, Google's number plans, which
are loaded when first needed. A number with its country's code has to be one that country could
have; one without, which may be any country's, has to be in use in one of those that write theirs
in that form. So order numbers and measurements in groups stay.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pg_guard_mcp.guard.detectors.detector import Detector, View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_DOMAIN = re.compile(
    rf"@(?:{_LABEL}\.){{1,8}}(?:[^\W\d_]{{2,24}}|xn--[A-Za-z0-9-]{{2,59}})(?![\w-])"
)
_LOCAL_PART = re.compile(r"(?<![\w.%+-])(?<!\w')[\w.%+-][\w.%+'-]{0,63}+\Z")
_LOCAL_CHARS = 65
_NO_ADDRESS = re.compile(
    # An image for a screen of twice the density; git over ssh, which puts a path after a colon.
    r"@[1-9]x\.(?:png|jpe?g|gif|webp|svg|avif)|@[\w.-]{1,253}:[\w~.-]{1,80}/"
)
_USER_OF_A_LINK = re.compile(r"://[^\s\0/?#\"'<>]*+\Z")
_LINK_CHARS = 300

_INTERNATIONAL = re.compile(r"\+[1-9](?:[ .()/-]{0,2}[0-9]){7,14}(?![0-9])")
_DECIMAL = re.compile(r"\+[0-9]{1,4}\.[0-9]+")
_AFTER = r"(?![0-9A-Za-z_])(?![.-][0-9])"
_ENDED = r"(?![0-9A-Za-z_])(?![ .-][0-9])"

_NORTH_AMERICA = re.compile(
    # An area and an exchange never start with 0 or 1.
    r"(?<![0-9A-Za-z+_])(?<![0-9][./-])(?:1[ .-])?"
    r"(?:\([2-9][0-9]{2}\)[ -]?[2-9][0-9]{2}[ .-]|[2-9][0-9]{2}([ .-])[2-9][0-9]{2}\1)"
    rf"[0-9]{{4}}{_AFTER}"
)
_END_OF_NORTH_AMERICA = b"000-0000"
_NORTH_AMERICA_CHARS_BEFORE = len("1-(234) ")

_ALONE = r"(?<![0-9A-Za-z+_]0)(?<![0-9A-Za-z][./-]0)(?<![0-9] 0)"
_SPACED = r"[0-9]{3,4}(?:[ -]?[0-9]{2,4}){1,2}"
_DASHED = r"(?:[0-9]{3,4}-[0-9]{4}|[0-9]{6,8})"
_TRUNK = re.compile(
    # A trunk zero and an area code, kept apart from the number; France and others: pairs.
    rf"(?:0{_ALONE}[1-9][0-9]{{1,4}}[ /]{_SPACED}|0{_ALONE}[1-9](?:[ .-][0-9]{{2}}){{4}}){_ENDED}"
)
_TRUNK_IN_BRACKETS = re.compile(rf"\(0[1-9][0-9]{{0,4}}\) ?{_SPACED}{_ENDED}")
_TRUNK_WITH_DASHES = re.compile(rf"0{_ALONE}[1-9][0-9]{{0,4}}-{_DASHED}{_ENDED}")
_BY_ZEROS = re.compile(rf"0{_ALONE}0[1-9](?:[ ()/-]{{0,2}}[0-9]){{8,13}}{_ENDED}")

_FICTION = re.compile(r"\+?(?:1[ .-])?\(?[2-9][0-9]{2}\D{1,2}555|\+?(?:1[ .-]?)?\(?555")
"""Area or exchange 555, which North America keeps for films, examples and tests."""

_COUNTRIES = (44, 49, 33, 31, 61, 41, 43, 32, 353, 91, 46, 64, 27)
_COUNTRIES_WITH_DASHES = (81, 31, 49, 46)
"""The codes of countries that write a trunk zero: who may be meant where none is named."""
_SHORTEST_NATIONAL = 9

_CONFIRMATIONS = 20
_CHARS_PER_CONFIRMATION = 10_000
"""A number plan is asked for a number at most so often; after that its form is enough.

It takes 20 us for each plan, and an answer may hold a million numbers in the form of one.
"""


def _emails(view: View) -> Iterator[tuple[int, int]]:
    text = view.text
    for domain in _DOMAIN.finditer(text):
        at = domain.start()
        local = _LOCAL_PART.search(text, max(0, at - _LOCAL_CHARS), at)
        if not local or _NO_ADDRESS.match(text, at):
            continue
        start = local.start()
        if not _USER_OF_A_LINK.search(text, max(0, start - _LINK_CHARS), start):
            yield start, domain.end()


def _phones(view: View) -> Iterator[tuple[int, int]]:
    left = _CONFIRMATIONS + len(view.text) // _CHARS_PER_CONFIRMATION
    for find, is_number in _FORMS:
        for match in find(view):
            left -= 1
            if left < 0 or is_number(match[0]):
                yield match.span()


def _international(view: View) -> Iterator[re.Match[str]]:
    return _INTERNATIONAL.finditer(view.text)


def _north_american(view: View) -> Iterator[re.Match[str]]:
    place = view.outline.find(_END_OF_NORTH_AMERICA)
    while place >= 0:
        end = place + len(_END_OF_NORTH_AMERICA)
        start = max(0, place - _NORTH_AMERICA_CHARS_BEFORE)
        match = _NORTH_AMERICA.search(view.text, start, end + 1)
        if match and match.end() == end:
            yield match
        place = view.outline.find(_END_OF_NORTH_AMERICA, place + 1)


def _with_trunk_code(view: View) -> Iterator[re.Match[str]]:
    yield from _TRUNK.finditer(view.text)
    yield from _TRUNK_IN_BRACKETS.finditer(view.text)


def _with_dashes(view: View) -> Iterator[re.Match[str]]:
    return _TRUNK_WITH_DASHES.finditer(view.text)


def _by_zeros(view: View) -> Iterator[re.Match[str]]:
    return _BY_ZEROS.finditer(view.text)


def _is_international(written: str) -> bool:
    """Tell a number some country could have from a measurement with its sign."""
    from phonenumbers import NumberParseException, is_possible_number, parse

    if _DECIMAL.fullmatch(written):
        return False
    try:
        return is_possible_number(parse(written))
    except NumberParseException:
        return False


def _is_north_american(written: str) -> bool:
    return _FICTION.match(written) is not None or _is_valid(1, written.removeprefix("1"))


def _is_anywhere(written: str) -> bool:
    return _is_long_enough(written) and any(_is_valid(code, written) for code in _COUNTRIES)


def _is_where_dashes_are_written(written: str) -> bool:
    return _is_long_enough(written) and any(
        _is_valid(code, written) for code in _COUNTRIES_WITH_DASHES
    )


def _is_long_enough(written: str) -> bool:
    """Tell a number with its area code from a badge or a room; both may begin with a zero."""
    return sum(char.isdecimal() for char in written) >= _SHORTEST_NATIONAL


def _is_international_by_zeros(written: str) -> bool:
    return _is_international(f"+{written[2:]}")


def _is_valid(country: int, written: str) -> bool:
    from phonenumbers import PhoneNumber, is_valid_number

    digits = "".join(char for char in written if char.isdecimal())
    return is_valid_number(PhoneNumber(country_code=country, national_number=int(digits)))


_FORMS: tuple[
    tuple[Callable[[View], Iterator[re.Match[str]]], Callable[[str], bool]],
    ...,
] = (
    (_international, _is_international),
    (_north_american, _is_north_american),
    (_with_trunk_code, _is_anywhere),
    (_with_dashes, _is_where_dashes_are_written),
    (_by_zeros, _is_international_by_zeros),
)

DETECTORS = (
    Detector("email", _emails),
    Detector("phone", _phones),
)
