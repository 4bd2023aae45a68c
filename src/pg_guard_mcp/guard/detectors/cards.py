"""A text in, the payment card numbers in it out.

A card number is known by its issuer's range and length, the Luhn sum, and how it stands in the
text, never by length alone: order numbers, timestamps, hashes and bar codes are long numbers too.

The sums are a few lines of our own. `stdnum.luhn` was measured at five times the time a number,
and there may be a million in an answer; a library with the ranges of the issuers is not among the
well-kept ones.
"""

from __future__ import annotations

import re
from heapq import merge
from typing import TYPE_CHECKING

from pg_guard_mcp.guard.detectors.detector import Detector, View

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
_LEADING = "235469"
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_BAR_CODE_DIGITS = 13

_LONG_NUMBER = b"0" * CARD_LENGTHS.start
_GAPS = tuple(b"0000" + b"-" * length + b"0000" for length in (1, 2, 3))
"""What every grouping of a card number has in it."""
_DIGIT_BY_DIGIT = b"-".join([b"0"] * CARD_LENGTHS.start)

_RUN_BEFORE = re.compile(rb"(?<!0)0++\Z")
_FORMS = tuple(
    re.compile(form)
    for form in (
        rb"0{13,19}+(?!0)",
        rb"0000-{0,3}0000-{0,3}0000-{0,3}0000-{1,3}0{1,3}(?!0)",
        rb"0000-{0,3}0000-{0,3}0000-{0,3}0000(?!0)",
        rb"0000-{0,3}000000-{0,3}0{4,5}(?!0)",
        rb"0(?:-0){12,18}(?!-?0)",
    )
)
_SEPARATORS = re.compile(r"[^0-9]+")
_GROUPINGS = frozenset(((4, 4, 4, 4), (4, 6, 5), (4, 6, 4), *((4, 4, 4, 4, n) for n in (1, 2, 3))))
_ONE_SEPARATOR = frozenset(" -.")
"""Of these one may follow another in a number; other separators are the same throughout."""
_EVEN_SEPARATORS = frozenset(("  ", " - ", "_", "/", "+"))

_IBAN_HEAD = re.compile(r"(?<![0-9A-Za-z])[A-Z]{2}[0-9]{2} ")
_IBAN_HEAD_CHARS = 5
_WORD_BEFORE = re.compile(r"[0-9A-Za-z]+\Z")
_WORD_AFTER = re.compile(r"[0-9A-Za-z]|\.[0-9]")
_WORD_CHARS = 12
_CARD_WORDS = {"amex", "card", "cards", "cc", "mastercard", "mc", "number", "pan", "visa"}

_FEW_NUMBERS = 20
_RARE = 5


def is_card(digits: str) -> bool:
    """Tell whether `digits` are a card number: an issuer's range and length, and the Luhn sum.

    Thirteen digits with a valid bar code sum are a bar code (EAN-13), which shops have by the
    million, while Visa gave up its thirteen digit cards.
    """
    if digits[0] not in _LEADING or not _issued(int(digits[:6]), len(digits)):
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


def are_numbered_things(cells: Sequence[str | None]) -> bool:
    """Tell a column of order numbers, some of which look like cards, from anything else.

    One in ten numbers that begin like a card has a valid Luhn sum by chance, of card numbers all
    have. Only a column of nothing but numbers of one length is taken for such, and only if it is
    long enough to tell.
    """
    numbers = [cell for cell in cells if cell]
    if len(numbers) < _FEW_NUMBERS or len(numbers[0]) not in CARD_LENGTHS:
        return False
    if any(
        len(number) != len(numbers[0]) or not (number.isascii() and number.isdecimal())
        for number in numbers
    ):
        return False
    return sum(map(is_card, numbers)) * _RARE < len(numbers)


def _cards(view: View) -> Iterator[tuple[int, int]]:
    end = 0
    for start in _starts(view):
        if start < end or not _may_start(view.text, start):
            continue
        for form in _FORMS:
            match = form.match(view.outline, start)
            if match and _is_one(view.text, start, match.end()):
                end = match.end()
                yield start, end
                break


def _starts(view: View) -> Iterator[int]:
    """Go through the places where a number may start, in order."""
    outline = view.outline
    gaps = [gap for gap in (_GAPS if b"--" in outline else _GAPS[:1]) if gap in outline]
    if _DIGIT_BY_DIGIT in outline:
        gaps.append(_DIGIT_BY_DIGIT)
    if not gaps:
        return _long_starts(view)
    return merge(_long_starts(view), *(_grouped_starts(view, gap) for gap in gaps))


def _long_starts(view: View) -> Iterator[int]:
    """Go from one long number to the next, past those that begin like no card."""
    outline, digits = view.outline, len(_LONG_NUMBER)
    start = outline.find(_LONG_NUMBER)
    while start >= 0:
        if view.text[start] in _LEADING and outline[start - 1 : start] != b"0":
            yield start
        start = outline.find(_LONG_NUMBER, start + digits)


def _grouped_starts(view: View, gap: bytes) -> Iterator[int]:
    """Go from gap to gap, and from each to where the digits before it start."""
    outline = view.outline
    place = outline.find(gap)
    while place >= 0:
        # The third group of a UUID is often followed by letters.
        if outline[place + len(gap) : place + len(gap) + 1] != b"A":
            start = place
            if outline[place - 1 : place] == b"0":
                before = _RUN_BEFORE.search(outline, max(0, place - CARD_LENGTHS.stop), place)
                start = before.start() if before else place
            if view.text[start] in _LEADING:
                yield start
        place = outline.find(gap, place + 1)


def _may_start(text: str, start: int) -> bool:
    """Tell the first digit of a number from what follows a plus, a point or an IBAN's head."""
    last = text[start - 1 : start]
    if last == "+" or (last == "." and text[start - 2 : start - 1].isdecimal()):
        return False
    return last != " " or not _IBAN_HEAD.match(text, max(0, start - _IBAN_HEAD_CHARS))


def _is_one(text: str, start: int, end: int) -> bool:
    written = text[start:end]
    digits = written
    if not written.isdecimal():
        if written[4:5] == "-" == text[start - 1 : start] and text[start - 2].isdecimal():
            return False  # the end of a longer number in groups
        groups = _SEPARATORS.split(written)
        digits = "".join(groups)
        if not _is_grouping([len(group) for group in groups], _SEPARATORS.findall(written)):
            return False
    return len(digits) in CARD_LENGTHS and is_card(digits) and _is_alone(text, start, end)


def _is_grouping(lengths: Sequence[int], separators: Sequence[str]) -> bool:
    """Tell groups people write from parts of a UUID, which may be digits, too."""
    if max(lengths) == 1:
        return set(separators) in ({" "}, {"-"})
    if tuple(lengths) not in _GROUPINGS:
        return set(separators) == {" "}
    return _ONE_SEPARATOR.issuperset(separators) or (
        separators[0] in _EVEN_SEPARATORS and len(set(separators)) == 1
    )


def _is_alone(text: str, start: int, end: int) -> bool:
    """Tell a number from a part of a longer name, hash or product code.

    Letters right before it are a word for cards, or the `%B` a magnetic stripe begins with.
    """
    if _WORD_AFTER.match(text, end):
        return False
    before = _WORD_BEFORE.search(text, max(0, start - _WORD_CHARS), start)
    return before is None or before[0].lower() in _CARD_WORDS or text[start - 2 : start] == "%B"


DETECTORS = (Detector("payment-card", _cards),)
