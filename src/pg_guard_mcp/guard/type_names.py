"""The name of a type in, a shorter one out, where only Postgres knows how it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.guard.edits import Edit, blank, is_text, is_word, numbers_end
from pg_guard_mcp.guard.lexer import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pg_guard_mcp.guard.lexer import Token

# Words that go on with a type's name, and the fields of an interval.
_TYPE_WORDS = frozenset(b"VARYING PRECISION CHARACTER CHAR".split())
_INTERVAL_WORDS = frozenset(b"YEAR MONTH DAY HOUR MINUTE SECOND TO".split())


def shorten(tokens: Sequence[Token], index: int, _types: set[int]) -> Iterator[Edit]:
    """Make `box '(0,0)'` into `'(0,0)'`, and names of types that only Postgres knows shorter.

    `'(1,2)'::cube` becomes `'(1,2)'`: to sqlglot CUBE is grammar, and never a type.
    """
    if is_word(tokens, index, b"CUBE") and index and tokens[index - 1].text == b"::":
        yield blank(tokens, index - 1, index)
        return
    last = index
    while is_text(tokens, last + 1, b"."):
        last += 2
    while last + 1 < len(tokens) and tokens[last + 1].text.upper() in _TYPE_WORDS:
        last += 1
    following = tokens[last + 1] if last + 1 < len(tokens) else None
    if following and following.kind is Kind.LITERAL:
        yield blank(tokens, index, last)
        end = _fields_end(tokens, last + 1)
        if end > last + 1:
            yield blank(tokens, last + 2, end)
        return
    if is_word(tokens, index, b"NATIONAL"):
        yield blank(tokens, index, index)
    if is_word(tokens, last, b"VARYING") and not is_word(tokens, last - 1, b"CHARACTER"):
        yield blank(tokens, last, last)
    yield from _behind_types(tokens, index, last)


def _behind_types(tokens: Sequence[Token], index: int, last: int) -> Iterator[Edit]:
    """Make `interval day to second(3)` into `interval`, `oid[]` into `oid`."""
    end = _fields_end(tokens, last) if is_word(tokens, index, b"INTERVAL") else last
    end = numbers_end(tokens, end + 1) or end
    if end > last:
        yield blank(tokens, last + 1, end)
    if is_word(tokens, end + 2, b"TIME") and is_word(tokens, end + 3, b"ZONE"):
        end += 3
    bounds = end + is_word(tokens, end + 1, b"ARRAY")
    while is_text(tokens, bounds + 1, b"[") and bounds + 2 < len(tokens):
        bounds += 3 if tokens[bounds + 2].kind is Kind.NUMBER else 2
    if end < bounds < len(tokens):
        yield blank(tokens, end + 1, bounds)


def _fields_end(tokens: Sequence[Token], last: int) -> int:
    """Return where the fields of an interval behind `last` end, such as `day to second(3)`."""
    end = last
    while end + 1 < len(tokens) and tokens[end + 1].text.upper() in _INTERVAL_WORDS:
        end += 1
    return end if end == last else numbers_end(tokens, end + 1) or end
