"""A text in, the card, social security and account numbers in it out.

Each is recognised by its own checksum or forbidden ranges and by how it stands in the text, never
by length alone: order numbers, timestamps, hashes and bar codes are long numbers too. Every
pattern here is of bounded length, and starts at one kind of place, so time is linear in the text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pg_guard_mcp.guard.detectors.detector import Detector, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPACE = "[ .\\-\u00a0\u202f\u2010-\u2014]?"
"""What may stand between the groups of a card number, once."""

_CARD_STARTS = re.compile(
    rf"[2-69](?<![0-9+].)(?<![0-9]\..)(?=[0-9]{{3}}{_SPACE}"
    rf"(?:[0-9]{{4}}{_SPACE}[0-9]{{4}}{_SPACE}[0-9]|[0-9]{{6}}{_SPACE}[0-9]{{4}}))"
)
"""Looks ahead only: a card number may begin inside a stretch that was almost one."""

_CARD_FORMS = tuple(
    re.compile(rf"{form}(?![0-9])(?!\.[0-9])")
    for form in (
        "[0-9]{13,19}",
        _SPACE.join(["[0-9]{4}"] * 4) + _SPACE + "[0-9]{1,3}",
        _SPACE.join(["[0-9]{4}"] * 4),
        _SPACE.join(["[0-9]{4}", "[0-9]{6}", "[0-9]{4,5}"]),
    )
)

_CARD_OUTLINES = tuple(
    separator.join(groups)
    for separator in (b" ", b"-")
    for groups in ([b"0000"] * 4, [b"0000", b"000000", b"00000"], [b"0000", b"000000", b"0000"])
)

_ISSUERS = (
    (220000, 220499, range(16, 20)),  # Mir
    (222100, 272099, range(16, 17)),  # Mastercard
    (300000, 305999, (14, 16)),  # Diners Club
    (309500, 309599, (14, 16)),
    (340000, 349999, (15,)),  # American Express
    (352800, 358999, (16, 19)),  # JCB
    (360000, 369999, (14, 16, 19)),  # Diners Club
    (370000, 379999, (15,)),  # American Express
    (380000, 399999, (14, 16)),  # Diners Club
    (400000, 499999, (13, 16, 19)),  # Visa
    (501800, 501899, range(13, 20)),  # Maestro
    (501900, 501999, (16,)),  # Dankort
    (502000, 502099, range(13, 20)),  # Maestro
    (503800, 503899, range(13, 20)),
    (506000, 509999, (16, 18, 19)),  # Verve, Elo, RuPay
    (510000, 559999, (16,)),  # Mastercard
    (589300, 589399, range(13, 20)),  # Maestro
    (601100, 601199, (16, 19)),  # Discover
    (606000, 608999, (16,)),  # RuPay, Hipercard
    (620000, 629999, range(16, 20)),  # UnionPay
    (630400, 630499, range(13, 20)),  # Maestro
    (636200, 636399, (16,)),  # Elo
    (644000, 659999, (16, 19)),  # Discover, RuPay, Troy
    (675900, 676399, range(13, 20)),  # Maestro
    (679900, 679999, range(13, 20)),
    (979200, 979299, (16,)),  # Troy
)
"""First and last six digits of an issuer's range, and the lengths it issues."""

CARD_LENGTHS = range(13, 20)

_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_BAR_CODE_DIGITS = 13

_WORD_BEFORE = re.compile(r"[0-9A-Za-z]+\Z")
_WORD_AFTER = re.compile(r"[0-9A-Za-z]")
_WORD_CHARS = 12
_CARD_WORDS = {"amex", "card", "cards", "cc", "mastercard", "mc", "number", "pan", "visa"}

_DASH = "[-\u2010-\u2014]"
_SOCIAL_SECURITY = re.compile(
    r"[0-8](?<![0-9A-Za-z].)(?:(?<![0-9A-Za-z][-.].)|(?<=[sS][sS][nN]-.))"
    rf"[0-9]{{2}}(?<!000)(?<!666){_DASH}(?!00)[0-9]{{2}}{_DASH}(?!0000)[0-9]{{4}}"
    rf"(?![0-9A-Za-z])(?!{_DASH}[0-9A-Za-z])(?!\.[0-9])"
)

_IBAN_LENGTHS = {
    length: frozenset(countries.split())
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
}
_IBAN_OUTLINE = re.compile(rb"AA00(?<![0A]AA00)[0A ]{11}")
_IBAN_STARTS = re.compile(r"[A-Za-z](?<![0-9A-Za-z].)[A-Za-z][0-9]{2}(?=[ \u00a0]?[0-9A-Za-z]{4})")
_IBAN_GROUP = re.compile(r"[ \u00a0]?([0-9A-Za-z]{1,4})")
_IBAN_GROUP_CHARS = 4


def is_card(digits: str) -> bool:
    """Tell whether `digits` are a card number: an issuer's range and length, and the Luhn sum.

    Thirteen digits with a valid bar code sum are a bar code (EAN-13), which shops have by the
    million, while Visa gave up its thirteen digit cards.
    """
    if not _issued(int(digits[:6]), len(digits)):
        return False
    if len(digits) == _BAR_CODE_DIGITS and _is_bar_code(digits):
        return False
    numbers = [int(digit) for digit in reversed(digits)]
    return (sum(numbers[::2]) + sum(_DOUBLED[number] for number in numbers[1::2])) % 10 == 0


def _issued(prefix: int, length: int) -> bool:
    return any(first <= prefix <= last and length in lengths for first, last, lengths in _ISSUERS)


def _is_bar_code(digits: str) -> bool:
    numbers = [int(digit) for digit in reversed(digits)]
    return (sum(numbers[::2]) + 3 * sum(numbers[1::2])) % 10 == 0


def _may_hold_card(shape: Shape) -> bool:
    return b"0" * CARD_LENGTHS.start in shape.numbers or any(
        _stands(shape.numbers, form) for form in _CARD_OUTLINES
    )


def _stands(outline: bytes, form: bytes) -> bool:
    """Find `form` in `outline` with no word or number running into it, as one does in a UUID."""
    start = outline.find(form)
    while start >= 0:
        end = start + len(form)
        if not {outline[max(0, start - 1) : start], outline[end : end + 1]} & {b"0", b"A"}:
            return True
        start = outline.find(form, start + 3)
    return False


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for start in _CARD_STARTS.finditer(text):
        for form in _CARD_FORMS:
            match = form.match(text, start.start())
            if match and is_card(_digits(match[0])) and _alone(text, *match.span()):
                yield match.span()
                break


def _digits(text: str) -> str:
    return "".join(char for char in text if char in "0123456789")


def _alone(text: str, start: int, end: int) -> bool:
    """Tell a number from a part of a longer name, hash or product code.

    Letters right before it are a word for cards, or the `%B` a magnetic stripe begins with.
    """
    if _WORD_AFTER.match(text, end):
        return False
    before = _WORD_BEFORE.search(text, max(0, start - _WORD_CHARS), start)
    return before is None or before[0].lower() in _CARD_WORDS or text[start - 2 : start] == "%B"


def _may_hold_social_security(shape: Shape) -> bool:
    return _stands(shape.numbers, b"000-00-0000")


def _social_security(text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for match in _SOCIAL_SECURITY.finditer(text))


def _may_hold_iban(shape: Shape) -> bool:
    return _IBAN_OUTLINE.search(shape.numbers) is not None


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    for start in _IBAN_STARTS.finditer(text):
        country = start[0][:2].upper()
        length = next((n for n, countries in _IBAN_LENGTHS.items() if country in countries), 0)
        account, end = _take_groups(text, start.end(), length - len(start[0]))
        if length and account and _mod_97(account + start[0]) == 1:
            yield start.start(), end


def _take_groups(text: str, position: int, length: int) -> tuple[str, int]:
    """Read `length` characters in groups of four from `position`, ending with a word, or none."""
    taken = ""
    while len(taken) < length:
        group = _IBAN_GROUP.match(text, position)
        if not group or len(group[1]) != min(_IBAN_GROUP_CHARS, length - len(taken)):
            return "", position
        taken, position = taken + group[1], group.end()
    return ("", position) if _WORD_AFTER.match(text, position) else (taken, position)


def _mod_97(account: str) -> int:
    return int("".join(str(int(char, 36)) for char in account)) % 97


DETECTORS = (
    Detector("payment-card", _may_hold_card, _cards),
    Detector("us-ssn", _may_hold_social_security, _social_security),
    Detector("iban", _may_hold_iban, _ibans),
)
