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

from pg_guard_mcp.guard.lexer import (
    MAX_COMMENT_DEPTH,
    Kind,
    Token,
    TooNested,
    Unterminated,
    tokens,
)
from pg_guard_mcp.guard.nesting import (
    CASE,
    CLOSINGS,
    END,
    JOIN,
    OPENINGS,
    PREFIX_WORDS,
    STRUCTURE,
    Chains,
    Nest,
)
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
MAX_COMMENTS = 500
"""Those inside others included: libpg_query takes time quadratic in `/**/`, 2.5 s for 10,000."""
MAX_OPERATOR_BYTES = 63
"""As in Postgres. libpg_query took 4.3 s to refuse one of 20,000."""
PLAIN_TOKENS, PLAIN_DEPTH, PLAIN_JOINS = 200, 4, 6
"""Up to here a text is plain: no way of writing it is known that takes a parser long.

Of 2,764 reads that agents wrote, 92% are.
"""

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")
# Where this finds nothing, the slower scan for odd tokens cannot either.
_ODD = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f-\xff]|[uU]&")
_INVISIBLE = frozenset({"Zs", "Zl", "Zp", "Cf", "Cc", "Co", "Cn", "Cs"})


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
    comments = 0
    try:
        for token in tokens(text):
            if token.kind is Kind.COMMENT:
                comments += max(token.text.count(b"/*"), 1)
                if comments > MAX_COMMENTS:
                    return found, _bound(
                        f"the statement has over {MAX_COMMENTS:,} comments", "Leave them out."
                    )
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
    except TooNested:
        return found, _bound(
            f"comments are nested deeper than {MAX_COMMENT_DEPTH}", "Leave the comments out."
        )
    return found, next(_broken(text, found), None)


def is_plain(found: list[Token]) -> bool:
    """Tell whether the tokens of a text within all bounds are few and hardly nested.

    A parser that tries several readings takes time exponential in what is nested or repeated, and
    joins nest without a bracket: 16 of `LEFT JOIN t NATURAL JOIN t ON true` took sqlglot 0.8 s.
    """
    if len(found) > PLAIN_TOKENS:
        return False
    depth = joins = 0
    for _, _, _, text in found:
        if text in OPENINGS or text in CASE:
            depth += 1
            if depth > PLAIN_DEPTH:
                return False
        elif text in CLOSINGS or text in END:
            depth -= 1
        elif text in JOIN:
            joins += 1
    return joins <= PLAIN_JOINS


def _broken(text: bytes, found: list[Token]) -> Iterator[Finding]:
    """Yield the bounds that the tokens of `text` break."""
    if _ODD.search(text):
        yield from _odd_tokens(found)
    yield from _nesting(found)
    yield from _prefixes(found)
    if text.count(b"[") > MAX_SUBSCRIPTS:
        yield from _subscripts(found)


def _odd_tokens(found: list[Token]) -> Iterator[Finding]:
    """Refuse spellings on which Postgres, its parser library and a reader could differ."""
    for token in found:
        if token.kind is Kind.LITERAL:
            continue
        if _CONTROL.search(token.text):
            yield _bound(
                "the statement holds a control character", "Use spaces, tabs and line breaks only."
            )
        # A control character has been told already; a plain space is one in a quoted name, too.
        exotic = [character for character in token.text.decode() if not character.isascii()]
        if any(unicodedata.category(character) in _INVISIBLE for character in exotic):
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
    nest = Nest()
    for index, token in enumerate(found):
        if token.text not in STRUCTURE:
            continue
        nest.step(token.text, found[index - 1] if index else None)
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


def _prefixes(found: list[Token]) -> Iterator[Finding]:
    """Refuse long rows of prefix operators, each of which takes a parser a level deeper."""
    prefixes = 0
    for kind, _, _, text in found:
        if kind is not Kind.OPERATOR and text not in PREFIX_WORDS:
            prefixes = 0
            continue
        prefixes += 1
        if len(text) > MAX_OPERATOR_BYTES:
            yield _bound(
                f"an operator is longer than {MAX_OPERATOR_BYTES} bytes",
                "Use an operator there is.",
            )
            return
        if prefixes > MAX_PREFIXES:
            yield _bound(
                f"more than {MAX_PREFIXES} operators stand in a row", "Simplify the expression."
            )
            return


def _subscripts(found: list[Token]) -> Iterator[Finding]:
    """Refuse long chains of subscripts that hang on one value."""
    chains = Chains()
    for token in found:
        chains.step(token)
        if chains.longest > MAX_SUBSCRIPTS + 1:
            yield _bound(
                f"more than {MAX_SUBSCRIPTS} subscripts follow each other", "Use fewer subscripts."
            )
            return


def _too_long(max_bytes: int) -> Finding:
    return _bound(
        f"the statement is longer than {max_bytes:,} bytes",
        "Ask for less at once, or put a long list of values into fewer calls.",
    )


def _bound(message: str, hint: str) -> Finding:
    return Finding(rule="bounds", message=message, hint=hint)
