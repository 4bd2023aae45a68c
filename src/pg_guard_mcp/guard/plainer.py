"""A statement the second parser cannot read in, the same statement in plainer grammar out.

sqlglot does not know some of Postgres's operators and spellings. They are replaced, byte for byte
in place, by something it knows: an operator by `-`, a typed literal's type by blanks. Only tokens
that can name no relation and no function are touched, so the second reading still has to find
every relation and every call that the grammar found. Whatever else it cannot read stays refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.guard.lexer import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pg_guard_mcp.guard.lexer import Token

_KNOWN_OPERATORS = frozenset(b"* + - / % < > = <= >= <> != ||".split())
_MINUS = b"-"


def plainer(text: bytes, tokens: Sequence[Token], type_starts: Iterable[int]) -> bytes:
    """Return `text` with what only Postgres reads made plainer, every byte offset kept.

    `type_starts` are the offsets at which the grammar found the name of a type.
    """
    changed = bytearray(text)
    types = set(type_starts)
    for index in range(len(tokens)):
        for find in _FINDERS:
            for start, end, instead in find(tokens, index, types):
                changed[start:end] = instead.ljust(end - start)
    return bytes(changed)


def _operators(
    tokens: Sequence[Token], index: int, _types: set[int]
) -> Iterator[tuple[int, int, bytes]]:
    """Make `a <<| b` into `a -   b`; `-` can stand before an operand as well as between two."""
    token = tokens[index]
    if index > 0 and _word(tokens, index - 1, b"USING"):
        return
    if token.kind is Kind.OPERATOR and token.text not in _KNOWN_OPERATORS:
        yield token.start, token.end, _MINUS


def _named_operators(
    tokens: Sequence[Token], index: int, _types: set[int]
) -> Iterator[tuple[int, int, bytes]]:
    """Make `a OPERATOR(pg_catalog.+) b` into `a - b`."""
    if not _word(tokens, index, b"OPERATOR") or not _text(tokens, index + 1, b"("):
        return
    for last in range(index + 2, min(index + 8, len(tokens))):
        if _text(tokens, last, b")"):
            yield tokens[index].start, tokens[last].end, _MINUS
            return


def _typed_literals(
    tokens: Sequence[Token], index: int, types: set[int]
) -> Iterator[tuple[int, int, bytes]]:
    """Make `box '(0,0),(1,1)'` into `    '(0,0),(1,1)'`."""
    if tokens[index].start not in types:
        return
    last = index
    while _text(tokens, last + 1, b"."):
        last += 2
    if last + 1 < len(tokens) and tokens[last + 1].kind is Kind.LITERAL:
        yield tokens[index].start, tokens[last].end, b""


def _keyword_casts(
    tokens: Sequence[Token], index: int, types: set[int]
) -> Iterator[tuple[int, int, bytes]]:
    """Make `'(1,2)'::cube` into `'(1,2)'`: to sqlglot CUBE is grammar, and never a type."""
    is_type = tokens[index].start in types and _word(tokens, index, b"CUBE")
    if is_type and index > 0 and _text(tokens, index - 1, b"::"):
        yield tokens[index - 1].start, tokens[index].end, b""


def _bracketed_only(
    tokens: Sequence[Token], index: int, _types: set[int]
) -> Iterator[tuple[int, int, bytes]]:
    """Make `FROM ONLY (t)` into `FROM ONLY  t `."""
    if not _word(tokens, index, b"ONLY") or not _text(tokens, index + 1, b"("):
        return
    last = index + 2
    while _text(tokens, last + 1, b"."):
        last += 2
    if _text(tokens, last + 1, b")"):
        yield tokens[index + 1].start, tokens[index + 1].end, b""
        yield tokens[last + 1].start, tokens[last + 1].end, b""


def _two_words(
    tokens: Sequence[Token], index: int, _types: set[int]
) -> Iterator[tuple[int, int, bytes]]:
    """Make `COLLATION FOR (x)` into `(x)`, and `x AT LOCAL` into `x`."""
    for first, second in ((b"COLLATION", b"FOR"), (b"AT", b"LOCAL")):
        if _word(tokens, index, first) and _word(tokens, index + 1, second):
            yield tokens[index].start, tokens[index + 1].end, b""


def _sort_operators(
    tokens: Sequence[Token], index: int, _types: set[int]
) -> Iterator[tuple[int, int, bytes]]:
    """Make `ORDER BY x USING >` into `ORDER BY x`."""
    following = tokens[index + 1 : index + 2]
    if _word(tokens, index, b"USING") and following and following[0].kind is Kind.OPERATOR:
        yield tokens[index].start, following[0].end, b""


def _join_aliases(
    tokens: Sequence[Token], index: int, _types: set[int]
) -> Iterator[tuple[int, int, bytes]]:
    """Make `JOIN b USING (id) AS x` into `JOIN b USING (id)`: `x` is no relation."""
    if not _word(tokens, index, b"USING") or not _text(tokens, index + 1, b"("):
        return
    close = next((at for at in range(index, len(tokens)) if _text(tokens, at, b")")), len(tokens))
    if _word(tokens, close + 1, b"AS") and close + 2 < len(tokens):
        yield tokens[close + 1].start, tokens[close + 2].end, b""


_FINDERS: tuple[
    Callable[[Sequence[Token], int, set[int]], Iterator[tuple[int, int, bytes]]], ...
] = (
    _operators,
    _named_operators,
    _typed_literals,
    _keyword_casts,
    _bracketed_only,
    _two_words,
    _sort_operators,
    _join_aliases,
)


def _word(tokens: Sequence[Token], index: int, word: bytes) -> bool:
    return (
        index < len(tokens)
        and tokens[index].kind is Kind.WORD
        and tokens[index].text.upper() == word
    )


def _text(tokens: Sequence[Token], index: int, text: bytes) -> bool:
    return index < len(tokens) and tokens[index].text == text
