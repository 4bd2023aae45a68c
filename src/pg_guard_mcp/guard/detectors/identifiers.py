"""A text in, the US social security numbers and the bank account numbers (IBAN) in it out.

Which countries have IBANs, how long they are and how they are made is asked of `python-stdnum`,
which follows the registry. It is licensed under the LGPL, which asks nothing of a program that
imports it as it is. For social security numbers it is not asked: it knows three numbers that were
never issued, which are the ones people write into examples, and a mask should hide those too.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import product
from string import ascii_uppercase
from typing import TYPE_CHECKING

from pg_guard_mcp.guard.detectors.detector import Detector, View

if TYPE_CHECKING:
    from collections.abc import Iterator

_NUMBER = r"[0-8][0-9]{2}(?<!000)(?<!666)-(?!00)[0-9]{2}-(?!0000)[0-9]{4}"
_SOCIAL_SECURITY = re.compile(
    rf"{_NUMBER}(?![0-9A-Za-z])(?!-[0-9A-Za-z])(?!\.[0-9])",
)
_WORD = (b"0", b"A")
_NAMED_BEFORE = re.compile(r"[sS][sS][nN]-?\Z")
_SOCIAL_SECURITY_OUTLINE = b"000-00-0000"

_NAMED = re.compile(
    r"(?:ssn|SSN|Ssn|ocial[ _-][sS]ecurity|OCIAL[ _-]SECURITY)"
    r"(?:[ _-]?(?:no|No|NO|num|number|Number|NUMBER|nbr)\b\.?)?[\"']?[ :=#>(]{0,3}"
    r"(?:is |was )?[\"']?"
    r"([0-8][0-9]{2}(?<!000)(?<!666)([ ./]?)(?!00)[0-9]{2}\2(?!0000)[0-9]{4})(?![0-9A-Za-z])"
)
"""Nine digits with a word that says what they are need no dashes."""
_NAMES = ("ssn", "SSN", "Ssn", "ocial", "OCIAL")
_NINE_DIGITS = (b"000000000", b"000-00-0000")

_IBAN_OUTLINES = tuple(
    # Literal to the fifth character: it halves the time of a search.
    re.compile(before + rb"AA00(?=[0A]{11}|-[0A]{4}-[0A]{4}-[0A]{3,4}(?![0A]))")
    for before in (b"-", b"#")
)
_IBAN = re.compile(r"[A-Za-z]{2}[0-9]{2}(?:[ .-]?[0-9A-Za-z]{4}){2,7}(?:[ .-]?[0-9A-Za-z]{1,3})?")
_SEPARATORS = " .-"
_LETTERS_OF_COUNTRY = 2
_HEAD = 4
_LENGTH = re.compile(r"([0-9]+)!")
_CONFIRMATIONS = 1_000
"""The registry is asked for a number at most so often in a text: it takes 20 us each time."""
_WORD_CHARACTER = re.compile(r"[0-9A-Za-z]")


def _social_security(view: View) -> Iterator[tuple[int, int]]:
    if not any(digits in view.outline for digits in _NINE_DIGITS):
        return
    start = view.outline.find(_SOCIAL_SECURITY_OUTLINE)
    while start >= 0:
        match = _stands_alone(view, start) and _SOCIAL_SECURITY.match(view.text, start)
        if match:
            yield match.span()
        start = view.outline.find(_SOCIAL_SECURITY_OUTLINE, start + 1)
    names = _NAMES if "s" in view.text or "S" in view.text else ()
    for name in names:
        place = view.text.find(name)
        while place >= 0:
            match = _NAMED.match(view.text, place)
            if match and (place == 0 or not view.text[place - 1].isalpha() or name in "ocialOCIAL"):
                yield match.span(1)
            place = view.text.find(name, place + 1)


def _stands_alone(view: View, start: int) -> bool:
    """Tell a number from the end of a longer code, which a dash or a dot joins to it."""
    before = view.outline[max(0, start - 2) : start]
    if before[-1:] in _WORD:
        return False
    if before[:1] not in _WORD or view.text[start - 1] not in "-.":
        return True
    return _NAMED_BEFORE.search(view.text, max(0, start - _HEAD), start) is not None


def _ibans(view: View) -> Iterator[tuple[int, int]]:
    # Before the first character there is none, and a search that looks for one must find it.
    outline = b"#" + view.outline
    left = _CONFIRMATIONS
    for pattern in _IBAN_OUTLINES:
        for likely in pattern.finditer(outline):
            start = likely.start()
            country = view.text[start : start + _LETTERS_OF_COUNTRY].upper()
            end = _iban_end(view.text, start) if country in _iban_lengths() else 0
            if end:
                left -= 1
                if left < 0 or _is_structured(view.text[start:end]):
                    yield start, end


def _iban_end(text: str, start: int) -> int:
    """Tell where the account number that starts at `start` ends, or 0."""
    match = _IBAN.match(text, start)
    if not match:
        return 0
    length = _iban_lengths()[text[start : start + _LETTERS_OF_COUNTRY].upper()]
    places = [place for place, char in enumerate(match[0]) if char not in _SEPARATORS][:length]
    end = start + places[-1] + 1
    if len(places) < length or _WORD_CHARACTER.match(text, end):
        return 0
    number = "".join(match[0][place] for place in places)
    return end if _has_the_sum(number) else 0


@cache
def _iban_lengths() -> dict[str, int]:
    """Give the length of each country's account numbers."""
    from stdnum import numdb

    registry = numdb.get("iban")
    lengths = {}
    for country in map("".join, product(ascii_uppercase, repeat=_LETTERS_OF_COUNTRY)):
        for part, properties in registry.info(country):
            if part == country and "bban" in properties:
                lengths[country] = _HEAD + sum(map(int, _LENGTH.findall(properties["bban"])))
    return lengths


def _has_the_sum(number: str) -> bool:
    return int("".join(str(int(char, 36)) for char in number[_HEAD:] + number[:_HEAD])) % 97 == 1


def _is_structured(written: str) -> bool:
    """Check how the country makes its numbers: which places hold letters, and which digits.

    Not what a country's banks check beyond that: what is no account yet is still written as one.
    """
    from stdnum import iban

    return iban.is_valid(written, check_country=False)


DETECTORS = (
    Detector("us-ssn", _social_security),
    Detector("iban", _ibans),
)
