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
from itertools import pairwise, product
from typing import TYPE_CHECKING

from pg_guard_mcp.guard.lexer import (
    MAX_COMMENT_DEPTH,
    Kind,
    Token,
    TooNested,
    Unterminated,
    tokens,
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
PLAIN_TOKENS, PLAIN_DEPTH, PLAIN_JOINS = 200, 4, 6
"""Up to here a text is plain: no way of writing it is known that takes a parser long.

Of 2,764 reads that agents wrote, 92% are.
"""

# First and last words of every type name that sqlglot's parser tries before a call.
_TYPE_WORDS = frozenset(
    b"""
    ARRAY BIGDECIMAL BIGINT BIGNUM BIGNUMERIC BIGSERIAL BINARY BIT BLOB BOOL BOOLEAN BPCHAR BYTE
    BYTEA CHAR CHARACTER CLOB CSTRING DATE DATEMULTIRANGE DATERANGE DATETIME DEC DECFLOAT DECIMAL
    DECIMAL128 DECIMAL256 DECIMAL32 DECIMAL64 DOUBLE ENUM FIXED FLOAT FLOAT4 FLOAT8 GEOGRAPHY
    GEOMETRY HSTORE HUGEINT INET INT INT1 INT128 INT16 INT2 INT256 INT32 INT4 INT4MULTIRANGE
    INT4RANGE INT64 INT8 INT8MULTIRANGE INT8RANGE INTEGER INTERVAL JSON JSONB LIST LONG LONGBLOB
    LONGTEXT LONGVARCHAR MAP MEDIUMBLOB MEDIUMINT MEDIUMTEXT MONEY NAME NCHAR NULL NULLABLE NUMBER
    NUMERIC NUMMULTIRANGE NUMRANGE NVARCHAR NVARCHAR2 OBJECT OID POINT PRECISION RANGE REAL REF
    REGCLASS REGCOLLATION REGCONFIG REGDICTIONARY REGNAMESPACE REGOPER REGOPERATOR REGPROC
    REGPROCEDURE REGROLE REGTYPE SERIAL SHORT SMALLINT SMALLSERIAL STR STRING STRUCT TEXT TIME
    TIMESTAMP TIMESTAMPLTZ TIMESTAMPNTZ TIMESTAMPTZ TIMESTAMP_LTZ TIMESTAMP_NTZ TIMETZ TIME_NS
    TINYBLOB TINYINT TINYTEXT TSMULTIRANGE TSRANGE TSTZMULTIRANGE TSTZRANGE UHUGEINT UINT UINT128
    UINT256 UNION UNKNOWN USER-DEFINED UUID VARBINARY VARCHAR VARCHAR2 VARIANT VARYING VECTOR XML
    """.split()
)
_NAMES = (Kind.WORD, Kind.QUOTED)
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")
# Where this finds nothing, the slower scan for odd tokens cannot either.
_ODD = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f-\xff]|[uU]&")
_INVISIBLE = frozenset({"Zs", "Zl", "Zp", "Cf", "Cc", "Co", "Cn", "Cs"})


def _spellings(word: bytes) -> frozenset[bytes]:
    """Return `word` in every mixture of small and capital letters."""
    letters = zip(word.lower(), word.upper(), strict=True)
    return frozenset(map(bytes, product(*letters)))


_PREFIX_WORDS = _spellings(b"not")
_CASE = _spellings(b"case")
_END = _spellings(b"end")
_JOIN = _spellings(b"join")
_OPENINGS = {b"(": b")", b"[": b"]"}
_CLOSINGS = frozenset(_OPENINGS.values())
_STRUCTURE = _CLOSINGS | _CASE | _END | set(_OPENINGS)


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
        if text in _OPENINGS or text in _CASE:
            depth += 1
            if depth > PLAIN_DEPTH:
                return False
        elif text in _CLOSINGS or text in _END:
            depth -= 1
        elif text in _JOIN:
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
    for index, token in enumerate(found):
        if token.text not in _STRUCTURE:
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


class _Nest:
    """What is open at one point of a scan, and how deep it has been."""

    def __init__(self) -> None:
        self.deepest = self.deepest_call = self.deepest_type = self.type_work = 0
        self._closers: list[bytes] = []
        self._calls: list[int] = []
        self._types: list[int] = []

    def step(self, text: bytes, before: Token | None) -> None:
        """Take in an opening or closing token and the one before it."""
        depth = len(self._closers)
        if text in _OPENINGS:
            if before and before.kind in _NAMES:
                self._note_call(text, before.text.upper(), depth)
            self._closers.append(_OPENINGS[text])
            self.deepest = max(self.deepest, depth + 1)
        elif text in _CASE:
            self._closers.append(b"END")
            self.deepest = max(self.deepest, depth + 1)
        else:
            self._close(b"END" if text in _END else text)

    def _note_call(self, opening: bytes, name: bytes, depth: int) -> None:
        """Note what looks like a call or a type before an opening bracket."""
        if opening == b"(":
            self._calls.append(depth)
            self.deepest_call = max(self.deepest_call, len(self._calls))
        if name in _TYPE_WORDS:
            self._types.append(depth)
            self.deepest_type = max(self.deepest_type, len(self._types))
            self.type_work += 2 ** len(self._types)

    def _close(self, closer: bytes) -> None:
        """Take in a closing token; one that closes nothing is the parser's to refuse."""
        if not self._closers or self._closers[-1] != closer:
            return
        self._closers.pop()
        depth = len(self._closers)
        for openings in (self._calls, self._types):
            if openings and openings[-1] == depth:
                openings.pop()


def _prefixes(found: list[Token]) -> Iterator[Finding]:
    """Refuse long rows of prefix operators, each of which takes a parser a level deeper."""
    prefixes = 0
    for kind, _, _, text in found:
        if kind is not Kind.OPERATOR and text not in _PREFIX_WORDS:
            prefixes = 0
            continue
        prefixes += 1
        if prefixes > MAX_PREFIXES:
            yield _bound(
                f"more than {MAX_PREFIXES} operators stand in a row", "Simplify the expression."
            )
            return


def _subscripts(found: list[Token]) -> Iterator[Finding]:
    """Refuse long chains of subscripts that hang on one value."""
    chains = _Chains()
    for token in found:
        chains.step(token)
        if chains.longest > MAX_SUBSCRIPTS + 1:
            yield _bound(
                f"more than {MAX_SUBSCRIPTS} subscripts follow each other", "Use fewer subscripts."
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
