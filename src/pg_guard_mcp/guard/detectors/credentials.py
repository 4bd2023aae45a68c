"""A text in, the tokens and private keys in it out.

Repetitions have an end or give nothing back, and a search starts at a rare text only, so that time
is linear however hostile the text.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING

from pg_guard_mcp.guard.detectors.detector import Detector, View

if TYPE_CHECKING:
    from collections.abc import Iterator

_PART = r"[A-Za-z0-9_-]"

_JWT = re.compile(
    # A signed token has three parts, the last empty when unsigned; an encrypted one has five.
    rf"eyJ(?<![A-Za-z0-9]eyJ){_PART}{{8,2000}}+\."
    rf"(?:eyJ{_PART}{{2,16000}}+\.{_PART}{{0,2000}}+"
    rf"|{_PART}{{0,2000}}+\.{_PART}{{8,400}}+\.{_PART}{{2,16000}}+\.{_PART}{{8,400}}+)"
)

_ARMOURED = re.compile(
    # The body ends at the next five dashes or at a quote, so that a key cut short, or one inside a
    # document, takes nothing else along. What follows BEGIN always matches: no second reading.
    r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----(?:[^\"\0-]++|-(?!----))*+"
    r"(?:-----END [A-Z0-9 ]{1,80}-----)?"
)
_KEYS = (
    ("K", "PRIVATE KEY", _ARMOURED),
    ("K", "AGE-SECRET-KEY-", re.compile(r"AGE-SECRET-KEY-(?:PQ-)?1[A-Z0-9]{50,200}")),
    (
        "K",
        "ENCRYPTED PRIVATE KEY ----",
        re.compile(
            r"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----(?:[^\"\0-]++|-(?!---))*+"
            r"(?:---- END SSH2 ENCRYPTED PRIVATE KEY ----)?"
        ),
    ),
    (
        "K",
        "PuTTY-User-Key-File-",
        re.compile(
            r"PuTTY-User-Key-File-[1-9]: (?:(?!Private-MAC:|PuTTY-)[^\"\0])*+"
            r"(?:Private-MAC: ?[0-9a-f]{40,64})?"
        ),
    ),
    (
        "K",
        "PrivateKey",
        re.compile(r"PrivateKey\s{0,4}=\s{0,4}([A-Za-z0-9+/]{43}=)(?![A-Za-z0-9+/=])"),
    ),
    (
        '"',
        # The private parts of a JSON Web Key (RFC 7517, RFC 7518).
        '"kty"',
        re.compile(rf'"(?:d|p|q|dp|dq|qi|k)"\s{{0,4}}:\s{{0,4}}"({_PART}{{20,1400}})"'),
    ),
)
"""Forms of private keys, each with a character and a text it cannot do without.

Group 1 is the key, if there is one.
"""

_ARMOUR_IN_BASE64 = "LS0tLS1CRUdJTi"
_IN_BASE64 = re.compile(
    # Lines of it are long, so that a word on the next line is none.
    rf"{_ARMOUR_IN_BASE64}[A-Za-z0-9+/]*+(?:\r?\n[A-Za-z0-9+/]{{40,}}+)*+"
    r"(?:\r?\n[A-Za-z0-9+/]{1,76}(?==))?={0,2}"
)
_HEAD_CHARS = 64


def _jwts(view: View) -> Iterator[tuple[int, int]]:
    if "J" in view.text:
        yield from (match.span() for match in _JWT.finditer(view.text))


def _private_keys(view: View) -> Iterator[tuple[int, int]]:
    for sign, mark, pattern in _KEYS:
        if sign in view.text and mark in view.text:
            yield from (match.span(pattern.groups) for match in pattern.finditer(view.text))
    for match in _IN_BASE64.finditer(view.text) if "L" in view.text else ():
        if _is_armoured(match[0]):
            yield match.span()


def _is_armoured(encoded: str) -> bool:
    """Tell a private key in base64, as configurations hold it, from a certificate."""
    head = "".join(encoded[:_HEAD_CHARS].split()).rstrip("=")
    return b"PRIVATE KEY" in b64decode(head[: len(head) // 4 * 4])


DETECTORS = (
    Detector("jwt", _jwts),
    Detector("private-key", _private_keys),
)
