"""A statement the second parser cannot read in, the same statement in plainer grammar out.

sqlglot does not know some of Postgres's operators, spellings and clauses. They are replaced, where
they stand, by something it knows: an operator by `-`, a typed literal's type by nothing. Only
tokens that can name no relation and no function are touched, so the second reading still has to
find every relation and every call that the grammar found. Whatever else it cannot read stays
refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pg_guard_mcp.guard import type_names
from pg_guard_mcp.guard.constructs import CONSTRUCTS, construct, predicate
from pg_guard_mcp.guard.edits import Edit, blank, is_text, is_word, numbers_end
from pg_guard_mcp.guard.lexer import Kind, identifier, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pg_guard_mcp.guard.lexer import Token

    Finder = Callable[[Sequence[Token], int, set[int]], Iterator[Edit]]

_KNOWN_OPERATORS = frozenset(b"* + - / % < > = <= >= <> != ||".split())
_MINUS = b"-"
_DECIMAL = re.compile(rb"[0-9.]+([eE][+-]?[0-9]+)?")
_ROWS = frozenset(b"CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP LOCALTIME LOCALTIMESTAMP".split())
_NO_NAMES_OF_COLUMNS = frozenset(b"( ) FROM JOIN SELECT".split())
# Reserved words, by which a relation or a column can go only behind a dot.
_BEHIND_WORDS = frozenset(
    b"""ALL AND ANY ARRAY AS ASC BOTH CASE CAST CHECK COLLATE COLUMN CONSTRAINT CREATE CROSS DEFAULT
    DESC DISTINCT DO ELSE END EXCEPT FETCH FOR FOREIGN FROM FULL GRANT GROUP HAVING IN INNER
    INTERSECT INTO IS JOIN LATERAL LEADING LEFT LIKE LIMIT NATURAL NOT NULL OFFSET ON ONLY OR ORDER
    OUTER PLACING PRIMARY REFERENCES RETURNING RIGHT SELECT SIMILAR SOME TABLE THEN TO TRAILING
    UNION UNIQUE USING VALUES VARIADIC WHEN WHERE WINDOW WITH""".split()
)


def plainer(text: bytes, tokens: Sequence[Token], type_starts: Iterable[int]) -> bytes:
    """Return `text` with what only Postgres reads made plainer.

    `type_starts` are the offsets at which the grammar found the name of a type.
    """
    types = set(type_starts)
    edits: list[Edit] = []
    for index, token in enumerate(tokens):
        for find in _finders(token, types):
            edits.extend(find(tokens, index, types))
    parts: list[bytes] = []
    position = 0
    for start, end, instead in sorted(edits):
        if start >= position:  # what stands inside something replaced is gone already
            parts += [text[position:start], instead]
            position = end
    return b"".join([*parts, text[position:]])


def _finders(token: Token, types: set[int]) -> Iterator[Finder]:
    """Yield what has to look at a token: for most of them, nothing."""
    if token.start in types:
        yield type_names.shorten
    if token.kind is Kind.WORD:
        word = token.text.upper()
        if word in _WORDS:
            yield _WORDS[word]
        if word in _BEHIND_WORDS:
            yield _behind_a_dot
    elif token.kind is Kind.OPERATOR:
        yield _operators
    elif token.kind is Kind.NUMBER:
        yield _numbers


def _operators(tokens: Sequence[Token], index: int, _types: set[int]) -> Iterator[Edit]:
    """Make `a <<| b` into `a - b`; `-` can stand before an operand as well as between two."""
    token = tokens[index]
    if token.text not in _KNOWN_OPERATORS:
        yield Edit(token.start, token.end, _MINUS)


def _numbers(tokens: Sequence[Token], index: int, _types: set[int]) -> Iterator[Edit]:
    """Make `1_000` and `0o17`, which the second parser takes for `0 AS o17`, into `1`."""
    token = tokens[index]
    if not token.text.isdigit() and not _DECIMAL.fullmatch(token.text):
        yield Edit(token.start, token.end, b"1")


def _named_operators(tokens: Sequence[Token], index: int, _types: set[int]) -> Iterator[Edit]:
    """Make `a OPERATOR(pg_catalog.+) b` into `a - b`."""
    if close := _named_operator(tokens, index):
        yield Edit(tokens[index].start, tokens[close].end, _MINUS)


def _named_operator(tokens: Sequence[Token], index: int) -> int | None:
    """Return where `OPERATOR(...)` ends, if it stands at `index`."""
    if not is_word(tokens, index, b"OPERATOR") or not is_text(tokens, index + 1, b"("):
        return None
    return next((at for at in range(index + 2, index + 8) if is_text(tokens, at, b")")), None)


def _only(tokens: Sequence[Token], index: int, _types: set[int]) -> Iterator[Edit]:
    """Make `FROM ONLY (t)` into `FROM ONLY t`."""
    if not is_text(tokens, index + 1, b"("):
        return
    last = index + 2
    while is_text(tokens, last + 1, b"."):
        last += 2
    if is_text(tokens, last + 1, b")"):
        yield blank(tokens, index + 1, index + 1)
        yield blank(tokens, last + 1, last + 1)


def _pairs(tokens: Sequence[Token], index: int, _types: set[int]) -> Iterator[Edit]:
    """Make `COLLATION FOR (x)` into `(x)`, `x AT LOCAL` into `x`, and `BOTH FROM x` into `x`."""
    word = tokens[index].text.upper()
    second = _SECOND_WORDS[word]
    if is_word(tokens, index + 1, second):
        yield blank(tokens, index, index + (word != b"LATERAL"))


_SECOND_WORDS = {
    b"AT": b"LOCAL",
    b"BOTH": b"FROM",
    b"COLLATION": b"FOR",
    b"LATERAL": b"ROWS",
    b"LEADING": b"FROM",
    b"TRAILING": b"FROM",
}


def _using(tokens: Sequence[Token], index: int, _types: set[int]) -> Iterator[Edit]:
    """Make `ORDER BY x USING >` into `ORDER BY x`, and `USING (id) AS x` into `USING (id)`."""
    if index + 1 < len(tokens) and tokens[index + 1].kind is Kind.OPERATOR:
        yield blank(tokens, index, index + 1)
    elif close := _named_operator(tokens, index + 1):
        yield blank(tokens, index, close)
    elif is_text(tokens, index + 1, b"("):
        close = next((at for at in range(index, len(tokens)) if is_text(tokens, at, b")")), index)
        if is_word(tokens, close + 1, b"AS") and close + 2 < len(tokens):
            yield blank(tokens, close + 1, close + 2)


def _distinct(tokens: Sequence[Token], index: int, _types: set[int]) -> Iterator[Edit]:
    """Make `corr(DISTINCT a, b)` into `corr(a, b)`."""
    if index and tokens[index - 1].text == b"(":
        yield blank(tokens, index, index)


def _similar(tokens: Sequence[Token], index: int, _types: set[int]) -> Iterator[Edit]:
    """Make `substring(a SIMILAR b ESCAPE c)` into `substring(a, b, c)`."""
    if is_word(tokens, index + 1, b"TO"):
        return
    depth = 0
    for at in range(index, len(tokens)):
        depth += (tokens[at].text in {b"(", b"["}) - (tokens[at].text in {b")", b"]"})
        if depth < 0:
            return
        if depth == 0 and is_word(tokens, at, b"ESCAPE"):
            yield Edit(tokens[index].start, tokens[index].end, b",")
            yield Edit(tokens[at].start, tokens[at].end, b",")
            return


def _collate(tokens: Sequence[Token], index: int, _types: set[int]) -> Iterator[Edit]:
    """Make `a COLLATE "C"` into `a`: the name is a collation's, and has a rule of its own."""
    last = index + 1
    while is_text(tokens, last + 1, b"."):
        last += 2
    if last < len(tokens):
        yield blank(tokens, index, last)


def _recursion(tokens: Sequence[Token], index: int, _types: set[int]) -> Iterator[Edit]:
    """Make `) SEARCH BREADTH FIRST BY a, b SET c` and `) CYCLE a SET b USING c` into `)`."""
    behind_set = is_word(tokens, index - 2, b"SET")
    if not index or not (tokens[index - 1].text == b")" or behind_set):
        return
    words = [b"SET", b"USING"] if is_word(tokens, index, b"CYCLE") else [b"SET"]
    for last in range(index + 1, len(tokens) - 1):
        if tokens[last].text.upper() in _NO_NAMES_OF_COLUMNS:
            return
        if is_word(tokens, last, words[0]) and not words[1:]:
            yield blank(tokens, index, last + 1)
            return
        if is_word(tokens, last, words[0]):
            words.pop(0)


def _values(tokens: Sequence[Token], index: int, _types: set[int]) -> Iterator[Edit]:
    """Make `VALUES (1), (2)` into `SELECT (1), (2)`, which ORDER BY and WITH can stand beside."""
    if is_text(tokens, index + 1, b"("):
        yield Edit(tokens[index].start, tokens[index].end, b"SELECT")


def _exists(tokens: Sequence[Token], index: int, _types: set[int]) -> Iterator[Edit]:
    """Make `EXISTS ((SELECT 1))` into `((SELECT 1))`."""
    if is_text(tokens, index + 1, b"("):
        yield blank(tokens, index, index)


def _repeatable(tokens: Sequence[Token], index: int, _types: set[int]) -> Iterator[Edit]:
    """Leave `REPEATABLE (1 + 1)` out, if only numbers are in it."""
    if close := numbers_end(tokens, index + 1):
        yield blank(tokens, index, close)


def _rows(tokens: Sequence[Token], index: int, _types: set[int]) -> Iterator[Edit]:
    """Make `FROM current_date` into `FROM (SELECT current_date)`."""
    if index and tokens[index - 1].text.upper() in {b"FROM", b"JOIN", b","}:
        last = numbers_end(tokens, index + 1) or index
        text = b"".join(token.text for token in tokens[index : last + 1])
        yield Edit(tokens[index].start, tokens[last].end, b"(SELECT " + text + b")")


def _behind_a_dot(tokens: Sequence[Token], index: int, _types: set[int]) -> Iterator[Edit]:
    """Make `t.left` into `t."left"`, which is the same name."""
    if index and tokens[index - 1].text == b"." and not is_text(tokens, index + 1, b"("):
        token = tokens[index]
        yield Edit(token.start, token.end, quote(identifier(token)).encode())


_WORDS: Mapping[bytes, Finder] = {
    **dict.fromkeys(_SECOND_WORDS, _pairs),
    **dict.fromkeys(_ROWS, _rows),
    **dict.fromkeys(CONSTRUCTS, construct),
    b"COLLATE": _collate,
    b"CYCLE": _recursion,
    b"DISTINCT": _distinct,
    b"EXISTS": _exists,
    b"IS": predicate,
    b"ONLY": _only,
    b"OPERATOR": _named_operators,
    b"REPEATABLE": _repeatable,
    b"SEARCH": _recursion,
    b"SIMILAR": _similar,
    b"USING": _using,
    b"VALUES": _values,
}
