"""The lexical gate: SQL text in, findings out, before any parser sees it.

A parser is code that can be attacked. sqlglot needs time exponential in the nesting of
`type(` and `ARRAY[` (measured on 30.30: 12 levels, 60 bytes, 20 ms, doubling with each level),
and its compiled build dies with SIGSEGV on 14.6 kB of open brackets. libpg_query sees only what
stands before a NUL byte. Real statements are nowhere near these limits: over 4,774 queries written
by agents the deepest nesting was 6, and the longest analytical read we know of has 34,000 bytes.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import TYPE_CHECKING

from sqlglot.dialects.postgres import Postgres

from pg_guard_mcp.guard.lexer import Kind, Token, Unterminated, tokens
from pg_guard_mcp.model import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 32
"""Open brackets, and CASE without its END, at any point."""
MAX_CALL_DEPTH = 20
"""`name(` inside one another; agents reach 6."""
MAX_TYPE_DEPTH = 6
"""`type(`, `type[` and `ARRAY[` inside one another."""
MAX_TYPE_WORK = 4_096
"""The sum of two to the power of type depth, over all such openings."""
MAX_SUBSCRIPTS = 16
"""Subscripts after the first in one chain, such as `a[1][1]` or `a[1].b[1]`."""
MAX_PREFIXES = 16
"""Prefix operators and NOT in a row, with nothing between them."""
MAX_TOKENS = 20_000

# Upper-case first and last words of every type name that sqlglot's parser tries before a call.
_TYPE_WORDS = frozenset(
    keyword.rpartition(" ")[2].encode()
    for keyword, token in Postgres.Tokenizer.KEYWORDS.items()
    if token in Postgres.Parser.TYPE_TOKENS
) | {b"ARRAY"}
_PREFIX_WORDS = frozenset({b"NOT"})
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")
# Where neither of these finds anything, the slower scans below cannot either.
_ODD = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f-\xff]|[uU]&")
_RUNNING = re.compile(rb"[+\-*/<>=~!@#%^&|`?\[]|not", re.IGNORECASE)
_INVISIBLE = frozenset({"Zs", "Zl", "Zp", "Cf", "Cc", "Co", "Cn", "Cs"})
_OPENINGS = {b"(": b")", b"[": b"]"}
_CLOSINGS = frozenset(_OPENINGS.values())


def encode(sql: str, max_bytes: int) -> tuple[bytes, Finding | None]:
    """Return the statement's UTF-8 bytes, or why it cannot be one."""
    # A character takes at least one byte: a 10 MB text is refused before it is copied.
    if len(sql) > max_bytes:
        return b"", _too_long(max_bytes)
    try:
        text = sql.encode()
    except UnicodeEncodeError:
        return b"", _bound("the statement is not valid Unicode", "Send plain UTF-8 text.")
    if len(text) > max_bytes:
        return b"", _too_long(max_bytes)
    if b"\x00" in text:
        return b"", _bound("the statement holds a NUL byte", "Send plain text without NUL bytes.")
    return text, None


def check(text: bytes) -> tuple[list[Token], Finding | None]:
    """Return the statement's tokens without comments, and the first bound it breaks."""
    found: list[Token] = []
    try:
        for token in tokens(text):
            if token.kind is Kind.COMMENT:
                continue
            found.append(token)
            if len(found) > MAX_TOKENS:
                return found, _bound(
                    f"the statement has over {MAX_TOKENS:,} tokens", "Split the question."
                )
    except Unterminated:
        return found, Finding(
            rule="syntax",
            message="a quote or a comment is never closed",
            hint="Close every quote and comment.",
        )
    return found, next(_broken(text, found), None)


def _broken(text: bytes, found: list[Token]) -> Iterator[Finding]:
    """Yield the bounds that the tokens of `text` break."""
    if _ODD.search(text):
        yield from _odd_tokens(found)
    yield from _nesting(found)
    if len(_RUNNING.findall(text)) > min(MAX_SUBSCRIPTS, MAX_PREFIXES):
        yield from _runs(found)


def _odd_tokens(found: list[Token]) -> Iterator[Finding]:
    """Refuse spellings on which Postgres, its parser library and a reader could differ."""
    for token in found:
        if token.kind is Kind.LITERAL:
            continue
        if _CONTROL.search(token.text):
            yield _bound(
                "the statement holds a control character", "Use spaces, tabs and line breaks only."
            )
        if not token.text.isascii() and any(
            unicodedata.category(character) in _INVISIBLE for character in token.text.decode()
        ):
            yield _bound(
                "the statement holds an invisible or exotic space outside a literal",
                "Use ordinary spaces between words.",
            )
    for word, ampersand in pairwise(found):
        if word.text in {b"u", b"U"} and ampersand.text == b"&" and word.end == ampersand.start:
            yield _bound(
                "U& escapes are not available", "Write the characters themselves, in plain quotes."
            )


def _nesting(found: list[Token]) -> Iterator[Finding]:
    """Refuse nesting deeper than any real statement has."""
    nest = _Nest()
    for token in found:
        nest.step(token)
        if nest.deepest > MAX_DEPTH or nest.deepest_call > MAX_CALL_DEPTH:
            yield _bound(
                f"brackets or CASE are nested deeper than {MAX_DEPTH}, or calls than"
                f" {MAX_CALL_DEPTH}",
                "Flatten the statement, with WITH for the inner queries.",
            )
            return
        if nest.deepest_type > MAX_TYPE_DEPTH or nest.type_work > MAX_TYPE_WORK:
            yield _bound(
                f"type calls or ARRAY[ are nested deeper than {MAX_TYPE_DEPTH}, or too many",
                "Cast with x::type instead of type(x), and nest less.",
            )
            return


class _Nest:
    """What is open at one point of a scan, and how deep it has been."""

    def __init__(self) -> None:
        self.deepest = self.deepest_call = self.deepest_type = self.type_work = 0
        self._closers: list[bytes] = []
        self._calls: list[int] = []
        self._types: list[int] = []
        self._previous = b""  # the word before the next token, if that was a word

    def step(self, token: Token) -> None:
        """Take in the next token."""
        kind, _, _, text = token
        if kind is Kind.SYMBOL:
            if text in _OPENINGS:
                self._open(_OPENINGS[text], self._previous)
            elif text in _CLOSINGS:
                self._close(text)
            self._previous = b""
        elif kind is Kind.WORD:
            self._previous = text.upper()
            if self._previous == b"CASE":
                self._open(b"END", b"")
            elif self._previous == b"END":
                self._close(b"END")
        else:
            self._previous = text if kind is Kind.QUOTED else b""

    def _open(self, closer: bytes, previous: bytes) -> None:
        """Take in what `closer` will close; `previous` is the word before it, if that was one."""
        depth = len(self._closers)
        if previous:
            if closer == b")":
                self._calls.append(depth)
                self.deepest_call = max(self.deepest_call, len(self._calls))
            if previous in _TYPE_WORDS:
                self._types.append(depth)
                self.deepest_type = max(self.deepest_type, len(self._types))
                self.type_work += 2 ** len(self._types)
        self._closers.append(closer)
        self.deepest = max(self.deepest, depth + 1)

    def _close(self, closer: bytes) -> None:
        """Take in a closing token; one that closes nothing is the parser's to refuse."""
        if not self._closers or self._closers[-1] != closer:
            return
        self._closers.pop()
        depth = len(self._closers)
        for openings in (self._calls, self._types):
            if openings and openings[-1] == depth:
                openings.pop()


def _runs(found: list[Token]) -> Iterator[Finding]:
    """Refuse long chains that cost a parser more than a person could mean."""
    chains = _Chains()
    prefixes = 0
    for token in found:
        chains.step(token)
        prefixed = token.kind is Kind.OPERATOR or token.text.upper() in _PREFIX_WORDS
        prefixes = prefixes + 1 if prefixed else 0
        if chains.longest > MAX_SUBSCRIPTS + 1:
            yield _bound(
                f"more than {MAX_SUBSCRIPTS} subscripts follow each other", "Use fewer subscripts."
            )
            return
        if prefixes > MAX_PREFIXES:
            yield _bound(
                f"more than {MAX_PREFIXES} operators stand in a row", "Simplify the expression."
            )
            return


class _Chains:
    """Counts subscripts that hang on one value, at each depth of brackets.

    sqlglot takes time quadratic in them: 3,000 of `a[1].b[1]` took 71 s.
    """

    def __init__(self) -> None:
        self.longest = 0
        self._counts = [0]
        self._previous = b""

    def step(self, token: Token) -> None:
        """Take in the next token."""
        text = token.text
        if token.kind is Kind.SYMBOL and text in _OPENINGS:
            if text == b"[":
                self._counts[-1] += 1
                self.longest = max(self.longest, self._counts[-1])
            self._counts.append(0)
        elif token.kind is Kind.SYMBOL and text in _CLOSINGS:
            if len(self._counts) > 1:
                self._counts.pop()
        elif text != b"." and self._previous != b".":
            self._counts[-1] = 0
        self._previous = text


def _too_long(max_bytes: int) -> Finding:
    return _bound(
        f"the statement is longer than {max_bytes:,} bytes",
        "Ask for less at once, or put a long list of values into fewer calls.",
    )


def _bound(message: str, hint: str) -> Finding:
    return Finding(rule="bounds", message=message, hint=hint)
