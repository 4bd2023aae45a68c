"""A text in, the keys in it whose first letters say whose they are out.

A key is a prefix, as its vendor documents it, and a run of characters of an alphabet. A search goes
from separator to separator, or from one capital A to the next, and looks only there: an underscore
is found at gigabytes a second, while a pattern that may begin with any of a hundred prefixes would
run at a hundredth of that.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pg_guard_mcp.guard.detectors.key_prefixes import (
    AFTER_DASH,
    AFTER_DOT,
    AFTER_UNDERSCORE,
    Key,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

# A key has a digit or a capital among its first characters; a name made of words seldom has.
_UNDERSCORE = re.compile(r"_(?=[a-z_-]{0,15}[A-Z0-9])(?=[A-Za-z0-9_-]{16})")
_DASH = re.compile(
    # What comes before the dashes of a UUID is none of these.
    r"-(?:(?<=[g-zG-Z]-)|(?<=[xnliau][a-f12]-)(?<=xox[a-f]-|None-|k-lf-|ysib-|psib-|-na1-|-na2-|-eu1-))"
    r"(?=[A-Za-z0-9_-]{8})"
)
_DOT = re.compile(r"\.(?=[A-Za-z0-9_-]{15})")
_SEARCHES = tuple(
    (sign, separator, tuple(keys), keys)
    for sign, separator, keys in (
        ("_", _UNDERSCORE, AFTER_UNDERSCORE),
        ("-", _DASH, AFTER_DASH),
        (".", _DOT, AFTER_DOT),
    )
)
_PREFIX_LENGTHS = sorted(
    {len(prefix) for _, _, prefixes, _ in _SEARCHES for prefix in prefixes}, reverse=True
)
_LETTER_OR_DIGIT = re.compile(r"[A-Za-z0-9]")
_DIGIT_OR_CAPITAL = re.compile(r"[A-Z0-9]")

_FORTY = r"[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"
_AFTER_A = re.compile(r"A(?:KIA|SIA|BSK|Iza|TATT3|TCTT3|TBB|KC)")
_FORMS_WITH_A = tuple(
    ("A", re.compile(rf"A(?<![A-Za-z0-9]A){form}"))
    for form in (
        # Amazon: a key's name, which is no secret and tells that one is near, and the key.
        r"(?:KI|SI)A[A-Z2-7]{16}(?![A-Za-z0-9])",
        rf"(?:KI|SI)A[A-Z2-7]{{16}}[\"'\s,:;|]{{1,8}}({_FORTY})",
        r"BSK[A-Za-z0-9+/]{109,269}={0,2}",
        # Google; Atlassian; Bitbucket; Artifactory.
        r"Iza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])",
        r"T[AC]TT3[A-Za-z0-9_-]{100,500}(?:=[0-9A-F]{8})?",
        r"TBB[A-Za-z0-9]{28,40}(?![A-Za-z0-9])",
        r"KC[a-zA-Z0-9]{64,80}(?![A-Za-z0-9])",
    )
)
_FORMS = tuple(
    (sign, re.compile(form))
    for sign, form in (
        # Amazon's session tokens; Twilio's keys; SendGrid; Databricks; Airtable; Google's refresh.
        ("Q", r"IQoJb3JpZ2lu[A-Za-z0-9+/=]{80,4000}"),
        ("F", r"FwoGZXIvYXdzE[A-Za-z0-9+/=]{80,4000}"),
        ("K", r"SK(?<![A-Za-z0-9]SK)[0-9a-f]{32}(?![A-Za-z0-9])"),
        ("G", r"SG\.(?<![A-Za-z0-9]SG\.)[A-Za-z0-9_-]{16,40}\.[A-Za-z0-9_-]{16,80}"),
        ("p", r"dapi(?<![A-Za-z0-9]dapi)[0-9a-f]{32}(?:-[0-9])?(?![A-Za-z0-9])"),
        ("p", r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}(?![A-Za-z0-9])"),
        ("/", r"//0(?<=1//0)(?<![A-Za-z0-9]1//0)([A-Za-z0-9_-]{40,200})"),
    )
)
"""Forms with more than a separator after their prefix, or none; group 1 is the key, if any."""

_MARKED = tuple(
    (sign, re.compile(rf"{before}\Z"), re.compile(mark))
    for sign, before, mark in (
        # Telegram's bots; Discord's; Mailchimp; Terraform.
        (":", r"(?<![0-9])[0-9]{8,10}", r":AA[A-Za-z0-9_-]{32,33}(?![A-Za-z0-9_-])"),
        (
            ".",
            r"(?<![A-Za-z0-9_-])[MNO][A-Za-z0-9_-]{22,27}",
            r"\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}(?![A-Za-z0-9_.-])",
        ),
        ("u", r"(?<![0-9A-Za-z])[0-9a-f]{32}", r"-us[0-9]{1,2}(?![A-Za-z0-9])"),
        (".", r"(?<![A-Za-z0-9])[A-Za-z0-9]{14}", r"\.atlasv1\.[A-Za-z0-9_-]{60,80}"),
        # Azure: AI services, DevOps, Entra.
        ("Q", r"(?<![A-Za-z0-9])[A-Za-z0-9]{52}", r"JQQJ9[9D][A-Za-z0-9]{26}(?![A-Za-z0-9])"),
        ("Z", r"(?<![A-Za-z0-9])[A-Za-z0-9]{76}", r"AZDO[A-Za-z0-9]{4}(?![A-Za-z0-9])"),
        (
            "~",
            r"(?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.-]{3}[0-9]",
            r"Q~[A-Za-z0-9_~.-]{31,34}(?![A-Za-z0-9_~-])",
        ),
    )
)
"""Forms told by a mark in their midst: what comes before it, and what begins with it."""
_MOST_BEFORE = 80
_MORE = 80
"""How far a run is followed beyond the longest key: one that goes on there is none."""


def vendor_keys(text: str) -> Iterator[tuple[int, int]]:
    """Give the start and end of each key in `text`."""
    yield from _by_prefix(text)
    yield from _by_form(text)
    yield from _by_mark(text)


def _by_prefix(text: str) -> Iterator[tuple[int, int]]:
    for sign, separator, prefixes, keys in _SEARCHES:
        if sign not in text:
            continue
        for place in separator.finditer(text):
            body = place.end()
            if text.endswith(prefixes, max(0, body - _PREFIX_LENGTHS[0]), body):
                yield from _key_at(text, body, keys)


def _by_form(text: str) -> Iterator[tuple[int, int]]:
    likely = _FORMS + (_FORMS_WITH_A if "A" in text and _AFTER_A.search(text) else ())
    for sign, form in likely:
        if sign in text:
            yield from (match.span(form.groups) for match in form.finditer(text))


def _by_mark(text: str) -> Iterator[tuple[int, int]]:
    for sign, before, mark in _MARKED:
        for match in mark.finditer(text) if sign in text else ():
            start = before.search(text, max(0, match.start() - _MOST_BEFORE), match.start())
            if start:
                yield start.start(), match.end()


def _key_at(text: str, body: int, keys: dict[str, Key]) -> Iterator[tuple[int, int]]:
    """Read the key whose prefix ends where `body` starts, if it is one."""
    key = next(
        keys[prefix]
        for length in _PREFIX_LENGTHS
        if (prefix := text[max(0, body - length) : body]) in keys
    )
    start = body - len(key.prefix)
    if start and _LETTER_OR_DIGIT.match(text, start - 1):
        return
    # Not to the end of the run: `glpat-glpat-glpat-` is one for each of its prefixes.
    run = key.alphabet.match(text, body, body + key.longest + _MORE)
    end = body + len(run[0].rstrip(".-")) if run else body
    if (
        key.shortest <= end - body <= key.longest
        and _DIGIT_OR_CAPITAL.search(text, body, end)
        and not _LETTER_OR_DIGIT.match(text, end)
    ):
        yield start, end
