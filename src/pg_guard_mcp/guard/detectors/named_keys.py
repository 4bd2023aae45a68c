"""A text in, the keys in it that stand beside a word or an address which says what they are out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Place(NamedTuple):
    """Where a secret stands, which is group 1: a text without `sign` and `mark` has none.

    The sign is one character, which is looked for ten times as fast.
    """

    sign: str
    mark: str
    pattern: re.Pattern[str]


_PLACES = (
    # A shared access signature: beside it stands until when it holds, or for what.
    _Place("=", "sig=", re.compile(r"sig=(?<=[?&; ]sig=)([A-Za-z0-9%+/]{40,90}={0,2})")),
    _Place(
        "/",
        "hooks.slack.com",
        re.compile(r"hooks\.slack\.com/(?:services|workflows|triggers)/([\w/]{20,120})"),
    ),
    _Place(
        "/",
        "/api/webhooks/",
        re.compile(r"/api/webhooks/[0-9]{17,20}/([A-Za-z0-9_-]{60,80})"),
    ),
)

_KINDS = ("key", "token", "secret")
_WHOSE = tuple(
    "api app application auth access secret client account consumer signing encryption subscription"
    " service storage".split()
)
_WHOSE_TOKEN = (*_WHOSE, "refresh", "session", "bot", "id")


def _separator(sign: str) -> re.Pattern[str]:
    """Match `sign` after a name that ends like key, token or secret, and a long word after it.

    The last letter is looked at first: most names have another.
    """

    def named(between: str) -> str:
        ends = "|".join(
            f"(?<={end}{between}{sign})" for end in ("[kK][eE][yY]", "[kK][eE][nN]", "[rR][eE][tT]")
        )
        return f"(?<=[yYnNtT]{between}{sign})(?:{ends})"

    quote = "[\"' ]"
    return re.compile(
        rf"{sign}(?:{named('')}|{named(quote)})>?[\"'\s]{{0,3}}([A-Za-z0-9_+/=.~%-]{{20,4000}}+)"
    )


_SEPARATORS = tuple(map(_separator, "=:"))
"""What stands between a name that ends like key, token or secret and a long word."""
_NAME_CHARS = 32
_RUN = re.compile(r"[A-Za-z0-9]{16,}+")
_LETTER = re.compile(r"[A-Za-z]")
_FEW_DIGITS = 1
_AWS_CHARS = 40
_BEARER = re.compile(r"Bearer ([A-Za-z0-9._~+/-]{24,4000}+={0,2})")


def named_keys(text: str) -> Iterator[tuple[int, int]]:
    """Give the start and end of each key in `text`."""
    for place in _PLACES:
        if place.sign in text and place.mark in text:
            yield from (match.span(1) for match in place.pattern.finditer(text))
    for separator in _SEPARATORS:
        for match in separator.finditer(text):
            if _is_named(text, match) and _is_random(match[1]):
                yield match.span(1)
    for match in _BEARER.finditer(text) if "B" in text else ():
        if _is_random(match[1]):
            yield match.span(1)


def _is_named(text: str, separator: re.Match[str]) -> bool:
    """Tell the name of a secret from that of a row, a page or a cache."""
    start = separator.start()
    name = text[max(0, start - _NAME_CHARS) : start].rstrip("\"' ").lower()
    kind = next((kind for kind in _KINDS if name.endswith(kind)), "")
    whose = name.removesuffix(kind)
    if kind == "secret" and not whose[-1:].isalpha():
        return True
    return whose.rstrip(" _-").endswith(_WHOSE_TOKEN if kind == "token" else _WHOSE)


def _is_random(word: str) -> bool:
    """Tell a key from a path, a reference or a name: it has a long run of letters and digits.

    What ends like base64, or has the length of Amazon's secrets, may have its slashes anywhere.
    A JWT has a detector of its own.
    """
    if word.startswith("eyJ") and "." in word:
        return False
    runs = [word] if word.endswith("=") or len(word) == _AWS_CHARS else _RUN.findall(word)
    return any(
        sum(char.isdecimal() for char in run) >= _FEW_DIGITS and _LETTER.search(run) for run in runs
    )
