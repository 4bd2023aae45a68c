"""A text in, the e-mail addresses and phone numbers in it out.

Both are off by default: a table of customers is of little use to an agent without them, and a mask
on the column is the better lock where they must not be seen.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pg_guard_mcp.guard.detectors.detector import Detector, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

_EMAIL = re.compile(
    r"(?<![\w.%+'-])[\w.%+'-]{1,64}+@(?:[\w-]{1,63}\.){1,8}(?:[A-Za-z]{2,24}|xn--[A-Za-z0-9-]{2,59})"
    r"(?![\w-])"
)

_BEFORE = r"(?<![0-9A-Za-z+])(?<![0-9][./-])"
_AFTER = r"(?![0-9A-Za-z])(?![.-][0-9])"

_PHONES = (
    # International: a plus and eight to fifteen digits, grouped anyhow.
    re.compile(r"\+[1-9](?:[ .()/-]{0,2}[0-9]){7,14}(?![0-9])"),
    # North America: an area and an exchange never start with 0 or 1.
    re.compile(
        rf"{_BEFORE}(?:1[ .-])?(?:\([2-9][0-9]{{2}}\) ?|[2-9][0-9]{{2}}[ .-])"
        rf"[2-9][0-9]{{2}}[ .-][0-9]{{4}}{_AFTER}"
    ),
    # Elsewhere: a trunk zero and an area code, kept apart from the number.
    re.compile(
        rf"{_BEFORE}(?:\(0[1-9][0-9]{{1,4}}\) ?|0[1-9][0-9]{{1,4}}[ /-])"
        rf"[0-9]{{3,4}}(?:[ -]?[0-9]{{2,4}}){{1,2}}{_AFTER}"
    ),
    # France: five pairs.
    re.compile(rf"{_BEFORE}0[1-9](?:[ .-][0-9]{{2}}){{4}}{_AFTER}"),
)
_OUTLINES = (b"+0", b"000 0000", b"000-0000", b"0 000", b"0-000", b"00/", b"00 00 00", b"00-00-00")


def _may_hold_email(shape: Shape) -> bool:
    return "@" in shape.text


def _emails(text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for match in _EMAIL.finditer(text))


def _may_hold_phone(shape: Shape) -> bool:
    return any(form in shape.numbers for form in _OUTLINES)


def _phones(text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for pattern in _PHONES for match in pattern.finditer(text))


DETECTORS = (
    Detector("email", _may_hold_email, _emails),
    Detector("phone", _may_hold_phone, _phones),
)
