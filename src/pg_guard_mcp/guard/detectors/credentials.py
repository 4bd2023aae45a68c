"""A text in, the tokens, private keys and cloud keys in it out.

Each has a prefix of its own, or stands beside a word that says what it is. Repetitions have an end,
and a search starts at a prefix only, so that time is linear however hostile the text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from pg_guard_mcp.guard.detectors.detector import Detector, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

_PART = r"[A-Za-z0-9_-]"

_JWT = re.compile(
    # A signed token has three parts, the last empty when unsigned; an encrypted one has five.
    rf"(?<![A-Za-z0-9])eyJ{_PART}{{8,2000}}+\."
    rf"(?:eyJ{_PART}{{2,16000}}+\.{_PART}{{0,2000}}+"
    rf"|{_PART}{{0,2000}}+\.{_PART}{{8,400}}+\.{_PART}{{2,16000}}+\.{_PART}{{8,400}}+)"
)

_PRIVATE_KEY = re.compile(
    # The body ends at the next five dashes or at a quote, so that a key cut short, or one inside a
    # document, takes nothing else along. What follows BEGIN always matches: no second reading.
    r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----(?:[^\"-]++|-(?!----))*"
    r"(?:-----END [A-Z0-9 ]{1,80}-----)?"
    r"|AGE-SECRET-KEY-1[A-Z0-9]{50,60}"
)


class _Key(NamedTuple):
    """One form of key: a text without any of `marks` cannot hold it.

    What is replaced is the group called `secret`, or the whole match where there is none.
    """

    marks: tuple[str, ...]
    pattern: re.Pattern[str]


def _key(marks: str, pattern: str, *, start: str = "(?<![A-Za-z0-9])") -> _Key:
    return _Key(tuple(marks.split()), re.compile(start + pattern))


_AWS_FORTY = r"(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"

_FAMILIES = (
    (
        re.compile(r"_[A-Za-z0-9]{16}"),
        (
            _key("ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9]{36,251}"),
            _key("github_pat_", r"github_pat_[A-Za-z0-9_]{22,244}"),
            _key("k_live_ k_test_", r"[rs]k_(?:live|test)_[A-Za-z0-9]{16,250}"),
            _key("whsec_", r"whsec_[A-Za-z0-9+/=]{32,64}"),
            _key("npm_", r"npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])"),
            _key("hf_", r"hf_[A-Za-z0-9]{34,40}(?![A-Za-z0-9])"),
            _key("_v1_", r"do[opr]_v1_[a-f0-9]{64}"),
            _key("shpat_ shpca_ shppa_ shpss_", r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
        ),
    ),
    (
        re.compile(rf"-{_PART}{{10}}"),
        (
            _key("xox xapp-", r"(?:xox[abceprs]|xapp)-[A-Za-z0-9-]{10,250}"),
            _key("glpat- glptt- gldt- glrt- glcbt-", rf"gl(?:pat|ptt|dt|rt|cbt)-{_PART}{{20,100}}"),
            _key("sk-", rf"sk-(?:ant|proj|svcacct|admin|or|None)-{_PART}{{20,250}}"),
            _key("sk-", r"sk-[A-Za-z0-9]{32,64}(?![A-Za-z0-9_-])"),
            _key("GOCSPX-", rf"GOCSPX-{_PART}{{28}}"),
            _key("pypi-", rf"pypi-AgE{_PART}{{50,500}}"),
        ),
    ),
    (
        re.compile(rf"A{_PART}{{15}}"),
        (
            _key("AKIA ASIA", r"A(?:KI|SI)A[A-Z2-7]{16}(?![A-Za-z0-9])"),
            _key("AKIA ASIA", rf"A(?:KI|SI)A[A-Z2-7]{{16}}[\"'\s,:;|]{{1,8}}{_AWS_FORTY}"),
            _key("AIza", rf"AIza{_PART}{{35}}(?!{_PART})"),
        ),
    ),
    (
        re.compile(rf"\.{_PART}{{16}}"),
        (
            _key("ya29.", rf"ya29\.{_PART}{{20,500}}"),
            _key("SG.", rf"SG\.{_PART}{{16,40}}\.{_PART}{{16,80}}"),
        ),
    ),
    (
        re.compile(r"K[0-9a-f]{32}"),
        (_key("SK", r"SK(?<![A-Za-z0-9]..)[0-9a-f]{32}(?![A-Za-z0-9])", start=""),),
    ),
)
"""Keys that are one long word, in families with a pattern none of its members can do without."""

_NAMED = (
    _key(
        "ecret ECRET", rf"(?i:secret_?-?access_?-?key|aws_?-?secret)[\"'\s:=>]{{1,8}}{_AWS_FORTY}"
    ),
    _key("AccountKey=", r"AccountKey=(?P<secret>[A-Za-z0-9+/]{86}==)"),
    _key("hooks.slack.com", r"hooks\.slack\.com/(?:services|workflows)/(?P<secret>[\w/]{20,120})"),
    _key(
        "://",
        r"://[^\s:/@\"'<>\\]{0,128}+:"
        # What is written in documentation in place of a password, and our own mark.
        r"(?!\*{1,64}@|\$\{?[A-Za-z_]{1,64}\}?@|[\[{][a-z_-]{1,64}[\]}]@|%s@)"
        r"(?P<secret>[^\s/?#\"'<>\\]{1,256})@",
        start="",
    ),
    _key(
        "d= D=",
        r"(?i:[?&;] ?(?:password|passwd|pwd)=)(?P<secret>[^\s&;\"'<>\\]{1,256})",
        start="",
    ),
    _key("host=", r"(?i:password ?= ?)(?P<secret>[^\s&;\"'<>\\]{1,256})"),
)
"""Keys told by what stands before them; in a connection string only the password is one."""

_LONG_WORD = b"A" * 20


def _may_hold_jwt(shape: Shape) -> bool:
    return "eyJ" in shape.text


def _jwts(text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for match in _JWT.finditer(text))


def _may_hold_private_key(shape: Shape) -> bool:
    return "PRIVATE KEY" in shape.text or "AGE-SECRET-KEY-1" in shape.text


def _private_keys(text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for match in _PRIVATE_KEY.finditer(text))


def _may_hold_cloud_key(shape: Shape) -> bool:
    return _LONG_WORD in shape.tokens or any(_marked(shape.text, key) for key in _NAMED)


def _cloud_keys(text: str) -> Iterator[tuple[int, int]]:
    likely = [key for sign, keys in _FAMILIES if sign.search(text) for key in keys]
    for key in (*likely, *_NAMED):
        if _marked(text, key):
            group = "secret" if "secret" in key.pattern.groupindex else 0
            yield from (match.span(group) for match in key.pattern.finditer(text))


def _marked(text: str, key: _Key) -> bool:
    return any(mark in text for mark in key.marks)


DETECTORS = (
    Detector("jwt", _may_hold_jwt, _jwts),
    Detector("private-key", _may_hold_private_key, _private_keys),
    Detector("cloud-key", _may_hold_cloud_key, _cloud_keys),
)
