"""SQL text in, its tokens out: one linear scan, by the rules of Postgres's own scanner.

The scan exists for what the parsers do not tell: where a name ends, how a function was spelled,
and whether the text is safe to hand to a parser at all (`bounds`). It assumes
`standard_conforming_strings = on`, which every connection pins. `U&` forms are left as they lie
(`U`, `&`, a literal): `bounds` refuses them.

Follows the lexical structure of the PostgreSQL manual, chapter 4.1, and its scan.l.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Kind(Enum):
    """What a token is."""

    WORD = "word"
    QUOTED = "quoted"
    LITERAL = "literal"
    NUMBER = "number"
    PARAMETER = "parameter"
    SYMBOL = "symbol"
    OPERATOR = "operator"
    COMMENT = "comment"


class Token(NamedTuple):
    """A token and the bytes it covers."""

    kind: Kind
    start: int
    end: int
    text: bytes


class Unreadable(ValueError):
    """The text cannot be cut into tokens."""


class Unterminated(Unreadable):
    """A quote, dollar quote or comment is opened and never closed."""


class TooNested(Unreadable):
    """Comments are nested deeper than any person nests them."""


# White space and the token after it. The alternatives are ordered as scan.l tries them, but for
# words, which come first because most tokens are; each is linear, none can backtrack far.
_TOKEN = re.compile(
    rb"""
    [ \t\n\r\f]*(?:
      (?P<word>(?![bBeEnNxX]')[A-Za-z_\x80-\xff][A-Za-z0-9_$\x80-\xff]*)
    | (?P<comment>--[^\n\r]*)
    | (?P<block>/\*)
    | (?P<symbol>::|:=|=>|\.\.|[()\[\],;:]|\.(?![0-9]))
    | (?P<literal>[bBxXnN]?'(?:[^']|'')*')
    | (?P<escape>[eE]'(?:[^'\\]|\\.|'')*')
    | (?P<dollar>\$(?P<tag>[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$)
    | (?P<quoted>"(?:[^"]|"")*")
    | (?P<parameter>\$[0-9]+)
    | (?P<number>(?:0[xX][0-9A-Fa-f_]+|0[oO][0-7_]+|0[bB][01_]+
        |(?:[0-9][0-9_]*(?:\.(?!\.)[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9][0-9_]*)?))
    | (?P<operator>[+\-*/<>=~!@\#%^&|`?]+?(?=--|/\*|[^+\-*/<>=~!@\#%^&|`?]|\Z))
    | (?P<open>['"eE])
    | (?P<other>.)
    | \Z)
    """,
    re.VERBOSE | re.DOTALL,
)

MAX_COMMENT_DEPTH = 32
"""Comments inside one another. libpg_query takes time quadratic in them: 10,000 took 1.2 s."""
_COMMENT_EDGE = re.compile(rb"/\*|\*/")

_BLOCK = _TOKEN.groupindex["block"]
_DOLLAR = _TOKEN.groupindex["dollar"]
# What each group of the pattern matches; the others need a closer look.
_KINDS = {
    _TOKEN.groupindex[group]: kind
    for group, kind in (
        ("comment", Kind.COMMENT),
        ("escape", Kind.LITERAL),
        ("literal", Kind.LITERAL),
        ("quoted", Kind.QUOTED),
        ("word", Kind.WORD),
        ("parameter", Kind.PARAMETER),
        ("number", Kind.NUMBER),
        ("symbol", Kind.SYMBOL),
        ("operator", Kind.OPERATOR),
        ("other", Kind.SYMBOL),
    )
}
# Twice as fast as calling Token, and a statement has a hundred of them.
_token = partial(tuple.__new__, Token)


def tokens(text: bytes) -> Iterator[Token]:
    """Yield the tokens of `text` in order, comments included, white space left out.

    Raises:
        Unterminated: a quote or a comment runs to the end of the text.
        TooNested: comments are nested too deep.

    """
    position, end = 0, len(text)
    while position < end:
        for match in _TOKEN.finditer(text, position):
            group = match.lastindex
            if group is None:  # white space to the end
                return
            start, position = match.span(group)
            if kind := _KINDS.get(group):
                yield _token((kind, start, position, match[group]))
                continue
            if group == _BLOCK:
                kind, position = Kind.COMMENT, _comment_end(text, start)
            elif group == _DOLLAR:
                kind, position = Kind.LITERAL, _dollar_end(text, match[group], position)
            else:
                raise Unterminated  # an E is a word, unless it opens a literal never closed
            yield Token(kind, start, position, text[start:position])
            break  # the next match begins where we found this token to end


def _comment_end(text: bytes, start: int) -> int:
    """Find the end of the block comment at `start`; they nest, as in Postgres."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(text, start):
        depth += 1 if edge.group() == b"/*" else -1
        if depth == 0:
            return edge.end()
        if depth > MAX_COMMENT_DEPTH:
            raise TooNested
    raise Unterminated


def _dollar_end(text: bytes, delimiter: bytes, body: int) -> int:
    """Find the end of the dollar-quoted literal whose body starts at `body`."""
    close = text.find(delimiter, body)
    if close < 0:
        raise Unterminated
    return close + len(delimiter)


def identifier(token: Token) -> str:
    """Return the name a word or quoted token stands for, folded as Postgres folds it.

    Postgres folds ASCII letters only where the server's encoding is UTF-8.
    """
    if token.kind is Kind.QUOTED:
        return token.text[1:-1].replace(b'""', b'"').decode()
    return token.text.lower().decode()


def quote(name: str) -> str:
    """Write `name` as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_literal(value: str) -> str:
    """Write `value` as a string literal, under `standard_conforming_strings = on`."""
    return "'" + value.replace("'", "''") + "'"
