"""A text in, the passwords in it that stand where a connection or a request has one out.

Of a connection string only the password goes: host, user and database are what an agent needs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Place(NamedTuple):
    """Where a secret stands: a text without any of `marks` has none. Group 1 is the secret."""

    marks: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...]


_STAND_IN = (
    # What is written in place of a password: stars, variables, and our own mark.
    r"(?!\*{1,64}@|[xX]{3,64}@|\$\{?[A-Za-z_]{1,64}\}?@|(?:[\[{<]|&lt;)[A-Za-z_-]{1,64}(?:[\]}>]|&gt;)@|%s@)"
)

_PLACES = (
    _Place(
        ("://",),
        (
            re.compile(rf"://[^\s\0:/@\"'<>\\]{{0,128}}+:{_STAND_IN}([^\s\0/?#\"'<>\\]{{1,256}})@"),
            # A slash or a question mark in a password is wrong there, and happens.
            re.compile(
                rf"://[^\s\0:/@\"'<>\\]{{1,128}}+:(?![0-9]{{1,5}}[/?]){_STAND_IN}"
                r"([^\s\0@\"'<>\\]{1,128}+)@[\w.-]{1,253}+:[0-9]{2,5}(?![0-9])"
            ),
        ),
    ),
    _Place(("'",), (re.compile(r"'(?<=[dD] ')(?<=PASSWORD '|password ')([^'\0]{1,256})'"),)),
    _Place(
        # A line of .pgpass: host, port, database, user, password.
        ("432:",),
        (
            re.compile(
                r"(?<![\w.:*-])[\w.*-]{1,253}+:[56]432:[^\s\0:]{1,63}:[^\s\0:]{1,63}:"
                r"([^\s\0:\"<>]{1,256}?)(?=[)',;]{0,2}(?:[\s\0:\"<>]|\Z))"
            ),
        ),
    ),
    _Place(
        ("uthorization", "UTHORIZATION"),
        (
            re.compile(
                r"(?i:uthorization)[\"']?\s{0,2}(?:[:=]|=>)\s{0,2}[\"']?"
                r"(?i:basic|bearer|token|bot|apikey|ssws) ([A-Za-z0-9._~+/=-]{8,4000})"
            ),
        ),
    ),
)

_PASSWORD = tuple(
    re.compile(
        rf"{separator}(?:(?<=[rRwW][dD]{separator})|(?<=[rRwW][dD][\"' ]{separator}))"
        r">?\s{0,2}(?:\"([^\"\0]{1,256})\"|'([^'\0]{1,256})'|([^\s\0&;\"'<>\\,}]{1,256}))"
    )
    for separator in "=:"
)
_PASSWORD_NAME = re.compile(r"(?i:([?&;] ?|)(?:password|passwd|pwd))[\"' ]?\Z")
_VARIABLE = re.compile(r"(?:PG|[A-Z]_)(?:PASSWORD|PASSWD|PWD)\Z")
_NO_PASSWORD = re.compile(
    r"\*{3}|\$[{A-Za-z_]|[\[{<(]|%s|[xX]{3}|(?i:null|none|true|false|required)\Z"
)
_BESIDE = re.compile(r"(?i:host|hostname|server|dbname|database)[\"' ]{0,2}[=:]")

_NAME_CHARS = 32
_NEAR_CHARS = 200


def passwords(text: str) -> Iterator[tuple[int, int]]:
    """Give the start and end of each password in `text`."""
    if not any(sign in text for sign in "=:'/"):
        return
    for place in _PLACES:
        if any(mark in text for mark in place.marks):
            for pattern in place.patterns:
                yield from (match.span(1) for match in pattern.finditer(text))
    yield from _named_passwords(text)


def _named_passwords(text: str) -> Iterator[tuple[int, int]]:
    for separator in _PASSWORD:
        for match in separator.finditer(text):
            if _is_password(text, match):
                start, end = match.span(match.lastindex or 0)
                yield start, end - _closing(text[start:end])


def _is_password(text: str, match: re.Match[str]) -> bool:
    """Tell a password of a connection from the word in a sentence or a form."""
    start = match.start()
    name = _PASSWORD_NAME.search(text, max(0, start - _NAME_CHARS), start)
    if not name or _NO_PASSWORD.match(match[match.lastindex or 0]):
        return False
    if name[1] or _VARIABLE.search(text, max(0, start - _NAME_CHARS), start):
        return True
    around = text[max(0, start - _NEAR_CHARS) : match.end() + _NEAR_CHARS]
    return _BESIDE.search(around) is not None


def _closing(value: str) -> int:
    """Count what closes the sentence around a value and is no part of it."""
    return int(value.endswith(")") and "(" not in value)
