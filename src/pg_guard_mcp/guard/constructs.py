"""SQL/JSON and XML constructs in, rows out: `JSON_ARRAY(a RETURNING jsonb)` becomes `ROW(a)`.

Their names are keywords of Postgres's grammar and call no function that could be called otherwise;
what stands in their brackets are values, between clauses of keywords. The clauses go, the values
stay, and with them every call and every subselect: a clause that holds more than words, numbers,
texts and names of types is left as it is, and the statement is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.guard.edits import Edit, blank, is_word, numbers_end
from pg_guard_mcp.guard.lexer import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pg_guard_mcp.guard.lexer import Token


_ROWS = frozenset(
    b"""JSON JSON_ARRAY JSON_ARRAYAGG JSON_EXISTS JSON_QUERY JSON_SCALAR JSON_SERIALIZE JSON_VALUE
    XMLCONCAT XMLEXISTS XMLPARSE XMLPI XMLROOT XMLSERIALIZE""".split()
)
# The second parser knows these, but for some of their clauses.
_OBJECTS = frozenset(b"JSON_OBJECT JSON_OBJECTAGG".split())
CONSTRUCTS = _ROWS | _OBJECTS | {b"JSON_TABLE"}

_OPENINGS = frozenset({b"(", b"["})
_CLOSINGS = frozenset({b")", b"]"})
_READS = frozenset(b"FROM JOIN SELECT TABLE VALUES WITH".split())
_NAMING = _READS - {b"WITH"}
_KINDS = frozenset(b"VALUE SCALAR ARRAY OBJECT".split())
_FORMS = frozenset(b"NFC NFD NFKC NFKD".split())
_WITH = frozenset({b"WITH", b"WITHOUT"})

# Clauses that are keywords from end to end: the first word, then what may follow, each or not.
_PHRASES = (
    (b"NULL", b"ON", b"NULL"),
    (b"ABSENT", b"ON", b"NULL"),
    *(
        (behaviour, b"ON", when)
        for behaviour in (b"ERROR", b"NULL", b"TRUE", b"FALSE", b"UNKNOWN", b"EMPTY")
        for when in (b"EMPTY", b"ERROR")
    ),
    *(
        (b"EMPTY", kind, b"ON", when)
        for kind in (b"ARRAY", b"OBJECT")
        for when in (b"EMPTY", b"ERROR")
    ),
    *((b"ON", when) for when in (b"EMPTY", b"ERROR")),
    *((with_, b"UNIQUE", *keys) for with_ in _WITH for keys in ((b"KEYS",), ())),
    *(
        (with_, *condition, *array, b"WRAPPER")
        for with_ in _WITH
        for condition in ((), (b"CONDITIONAL",), (b"UNCONDITIONAL",))
        for array in ((), (b"ARRAY",))
    ),
    *(
        (keep, b"QUOTES", *scalar)
        for keep in (b"KEEP", b"OMIT")
        for scalar in ((b"ON", b"SCALAR", b"STRING"), ())
    ),
    (b"FORMAT", b"JSON", b"ENCODING", b"UTF8"),
    (b"FORMAT", b"JSON"),
    (b"PRESERVE", b"WHITESPACE"),
    (b"STRIP", b"WHITESPACE"),
    (b"BY", b"REF"),
    (b"BY", b"VALUE"),
)
_STARTING = {
    first: sorted((phrase for phrase in _PHRASES if phrase[0] == first), key=len, reverse=True)
    for first in {phrase[0] for phrase in _PHRASES}
}


def predicate(tokens: Sequence[Token], index: int, _types: set[int]) -> Iterator[Edit]:
    """Make `a IS NOT JSON OBJECT WITH UNIQUE KEYS` and `a IS NOT NFC NORMALIZED` IS NOT NULL."""
    at = index + 1 + is_word(tokens, index + 1, b"NOT")
    if is_word(tokens, at + 1, b"NORMALIZED") and tokens[at].text.upper() in _FORMS:
        yield Edit(tokens[at].start, tokens[at + 1].end, b"NULL")
    if not is_word(tokens, at, b"JSON"):
        return
    last = at
    if last + 1 < len(tokens) and tokens[last + 1].text.upper() in _KINDS:
        last += 1
    if last + 1 < len(tokens) and tokens[last + 1].text.upper() in _WITH:
        last = _phrase_end(tokens, last + 1) or last
    yield Edit(tokens[at].start, tokens[last].end, b"NULL")


def construct(tokens: Sequence[Token], index: int, types: set[int]) -> Iterator[Edit]:
    """Take the name and the clauses of the construct at `index` away, and leave its values."""
    close = _close(tokens, index + 1)
    if close is None:
        return
    word = tokens[index].text.upper()
    call = _Construct(tokens, index + 1, close, types)
    if word == b"JSON_TABLE":
        yield from call.table(tokens[index])
        return
    if word in _ROWS:
        yield Edit(tokens[index].start, tokens[index].end, b"ROW")
    elif word == b"JSON_OBJECT" and call.is_plain_call():
        yield Edit(tokens[index].start, tokens[index + 1].end, b"ROW(json_object(), ")
        return
    yield from call.clauses(word)


class _Construct:
    """What stands between the brackets of a construct."""

    def __init__(self, tokens: Sequence[Token], start: int, close: int, types: set[int]) -> None:
        self.tokens = tokens
        self.start = start
        self.close = close
        self.types = types
        self.here = list(_level(tokens, start, close))

    def is_plain_call(self) -> bool:
        """Tell `json_object(text[])`, a function of one value, from the construct of that name."""
        words = {self.tokens[at].text.upper() for at in self.here}
        return bool(self.here) and not words & {b":", b",", b"VALUE", b"RETURNING"}

    def clauses(self, word: bytes) -> Iterator[Edit]:
        """Yield what makes the clauses go."""
        tokens, first = self.tokens, self.start + 1
        if word in {b"XMLPARSE", b"XMLSERIALIZE"}:
            yield blank(tokens, first, first)  # DOCUMENT or CONTENT
        if word == b"XMLPI":
            yield Edit(tokens[first].start, tokens[first + 1].end, b"NULL")  # NAME x
        in_query = tokens[first].text.upper() in _READS
        passing = False
        for at in self.here:
            if is_word(tokens, at, b"RETURNING") or (
                word == b"XMLSERIALIZE" and is_word(tokens, at, b"AS")
            ):
                yield from self._type(at)
                return
            if in_query:
                continue
            yield from self._clause(at, word)
            passing |= is_word(tokens, at, b"PASSING")
            if passing and is_word(tokens, at, b"AS"):
                yield blank(tokens, at, at + 1)

    def table(self, name: Token) -> Iterator[Edit]:
        """Make `JSON_TABLE(a, '$' COLUMNS (...))` into `(SELECT a, '$')`."""
        tokens = self.tokens
        columns = next((at for at in self.here if is_word(tokens, at, b"COLUMNS")), None)
        end = None if columns is None else _close(tokens, columns + 1)
        if columns is None or end is None:
            return
        yield Edit(name.start, tokens[self.start].end, b"(SELECT ")
        for at in self.here:
            if at < columns:
                yield from self._clause(at, b"JSON_TABLE")
                if is_word(tokens, at, b"AS"):
                    yield blank(tokens, at, at + 1)
            elif at > end:
                yield from self._clause(at, b"JSON_TABLE")
        yield from self._columns(columns, end)

    def _columns(self, start: int, end: int) -> Iterator[Edit]:
        """Leave of COLUMNS the values that its columns have by default."""
        tokens = self.tokens
        first = at = start
        while at <= end:
            if is_word(tokens, at, b"DEFAULT"):
                stop = self._default_end(at, end)
                if first < at and self._names_nothing(first, at - 1):
                    yield blank(tokens, first, at - 1)
                yield Edit(tokens[at].start, tokens[at].end, b",(")
                yield Edit(tokens[stop].start, tokens[stop + 1].end, b")")
                first = at = stop + 2
            else:
                at += 1
        if self._names_nothing(first, end):
            yield blank(tokens, first, end)

    def _default_end(self, at: int, end: int) -> int:
        """Return where the ON of `DEFAULT x ON EMPTY` stands."""
        depth = 0
        for stop in range(at, end):
            depth += (self.tokens[stop].text in _OPENINGS) - (self.tokens[stop].text in _CLOSINGS)
            if depth == 0 and is_word(self.tokens, stop, b"ON"):
                return stop
        return end - 1

    def _clause(self, at: int, word: bytes) -> Iterator[Edit]:
        """Make the clause that begins at `at` go, if one does, or a comma of its keyword."""
        tokens = self.tokens
        token = tokens[at]
        if token.kind is not Kind.WORD:
            return
        text = token.text.upper()
        if text in _STARTING and (last := _phrase_end(tokens, at)) and last < self.close:
            yield blank(tokens, at, last)
        elif text in {b"PASSING", b"DEFAULT"} and tokens[at + 1].text not in b",)":
            yield Edit(token.start, token.end, b",")
        elif word == b"XMLROOT" and text in {b"VERSION", b"STANDALONE"}:
            yield from self._xml_root(at)

    def _xml_root(self, at: int) -> Iterator[Edit]:
        """Make `VERSION NO VALUE` and `STANDALONE YES` into NULL, and `VERSION x` into `x`."""
        words = [token.text.upper() for token in self.tokens[at + 1 : at + 3]]
        count = 1 if words[:1] == [b"YES"] else len(words) if words == [b"NO", b"VALUE"] else 0
        count = count or int(words[:1] == [b"NO"])
        yield Edit(self.tokens[at].start, self.tokens[at + count].end, b"NULL" if count else b" ")

    def _type(self, at: int) -> Iterator[Edit]:
        """Leave the name of a type out, and all clauses behind it but their values."""
        tokens = self.tokens
        values = [place for place in self.here if place > at and is_word(tokens, place, b"DEFAULT")]
        end = values[0] - 1 if values else self.close - 1
        if self._names_nothing(at, end):
            yield blank(tokens, at, end)
        for place in values:
            stop = self._default_end(place, self.close + 1)
            yield Edit(tokens[place].start, tokens[place].end, b",")
            following = next((other for other in values if other > place), self.close)
            if self._names_nothing(stop, following - 1):
                yield blank(tokens, stop, following - 1)

    def _names_nothing(self, first: int, last: int) -> bool:
        """Tell whether no relation and no call can be named from `first` to `last`."""
        return not any(
            self.tokens[at].text.upper() in _NAMING
            or (
                self.tokens[at].text == b"("
                and not is_word(self.tokens, at - 1, b"COLUMNS")
                and not numbers_end(self.tokens, at)
            )
            for at in range(first, last + 1)
        )


def _phrase_end(tokens: Sequence[Token], at: int) -> int | None:
    """Return where the longest clause of keywords that begins at `at` ends."""
    for phrase in _STARTING[tokens[at].text.upper()]:
        if all(is_word(tokens, at + count, word) for count, word in enumerate(phrase)):
            return at + len(phrase) - 1
    return None


def _close(tokens: Sequence[Token], start: int) -> int | None:
    """Return where the bracket at `start` closes, if one opens there."""
    if start >= len(tokens) or tokens[start].text != b"(":
        return None
    depth = 0
    for at in range(start, len(tokens)):
        depth += (tokens[at].text in _OPENINGS) - (tokens[at].text in _CLOSINGS)
        if depth == 0:
            return at
    return None


def _level(tokens: Sequence[Token], start: int, close: int) -> Iterator[int]:
    """Yield the places inside a pair of brackets that are in no other pair inside it."""
    depth = 0
    for at in range(start + 1, close):
        if tokens[at].text in _CLOSINGS:
            depth -= 1
        elif tokens[at].text in _OPENINGS:
            depth += 1
        elif depth == 0:
            yield at
