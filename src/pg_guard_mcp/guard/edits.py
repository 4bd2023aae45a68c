"""Places in a text, and what stands there instead: what the second parser's text is made with."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pg_guard_mcp.guard.lexer import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pg_guard_mcp.guard.lexer import Token


class Edit(NamedTuple):
    """A stretch of bytes, and what stands there instead."""

    start: int
    end: int
    instead: bytes


def blank(tokens: Sequence[Token], first: int, last: int) -> Edit:
    """Leave out the tokens from `first` to `last`."""
    return Edit(tokens[first].start, tokens[last].end, b" ")


def is_word(tokens: Sequence[Token], index: int, word: bytes) -> bool:
    """Tell whether the token at `index` is this word, without quotes."""
    return (
        0 <= index < len(tokens)
        and tokens[index].kind is Kind.WORD
        and tokens[index].text.upper() == word
    )


def is_text(tokens: Sequence[Token], index: int, text: bytes) -> bool:
    """Tell whether the token at `index` is written so."""
    return 0 <= index < len(tokens) and tokens[index].text == text


def numbers_end(tokens: Sequence[Token], index: int) -> int | None:
    """Return where brackets with nothing but numbers in them end, if they stand at `index`."""
    end = index + 1
    while end < len(tokens) and (
        tokens[end].kind is Kind.NUMBER or tokens[end].text in {b",", b"-", b"+"}
    ):
        end += 1
    opened = index < len(tokens) and tokens[index].text == b"("
    return end if opened and end < len(tokens) and tokens[end].text == b")" else None
