"""Tokens in, how deep they nest out: counters for the lexical gate.

They count what makes a parser try several readings, and so costs it more than its length.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from pg_guard_mcp.guard.lexer import Kind

if TYPE_CHECKING:
    from pg_guard_mcp.guard.lexer import Token

# First and last words of every type name that sqlglot's parser tries before a call.
TYPE_WORDS = frozenset(
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


def spellings(word: bytes) -> frozenset[bytes]:
    """Return `word` in every mixture of small and capital letters."""
    letters = zip(word.lower(), word.upper(), strict=True)
    return frozenset(map(bytes, product(*letters)))


PREFIX_WORDS = spellings(b"not")
CASE = spellings(b"case")
END = spellings(b"end")
JOIN = spellings(b"join")
OPENINGS = {b"(": b")", b"[": b"]"}
CLOSINGS = frozenset(OPENINGS.values())
STRUCTURE = CLOSINGS | CASE | END | set(OPENINGS)


class Nest:
    """What is open at one point of a scan, and how deep it has been."""

    def __init__(self) -> None:
        """Begin with nothing open."""
        self.deepest = self.deepest_call = self.deepest_type = self.type_work = 0
        self._closers: list[bytes] = []
        self._calls: list[int] = []
        self._types: list[int] = []

    def step(self, text: bytes, before: Token | None) -> None:
        """Take in an opening or closing token and the one before it."""
        depth = len(self._closers)
        if text in OPENINGS:
            if before and before.kind in _NAMES:
                self._note_call(text, before.text.upper(), depth)
            self._closers.append(OPENINGS[text])
            self.deepest = max(self.deepest, depth + 1)
        elif text in CASE:
            self._closers.append(b"END")
            self.deepest = max(self.deepest, depth + 1)
        else:
            self._close(b"END" if text in END else text)

    def _note_call(self, opening: bytes, name: bytes, depth: int) -> None:
        """Note what looks like a call or a type before an opening bracket."""
        if opening == b"(":
            self._calls.append(depth)
            self.deepest_call = max(self.deepest_call, len(self._calls))
        if name in TYPE_WORDS:
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


class Chains:
    """Counts subscripts that hang on one value, at each depth of brackets.

    sqlglot takes time quadratic in them: 3,000 of `a[1].b[1]` took 71 s.
    """

    def __init__(self) -> None:
        """Begin with no subscript."""
        self.longest = 0
        self._counts = [0]
        self._previous = b""

    def step(self, token: Token) -> None:
        """Take in the next token."""
        text = token.text
        if token.kind is Kind.SYMBOL and text in OPENINGS:
            if text == b"[":
                self._counts[-1] += 1
                self.longest = max(self.longest, self._counts[-1])
            self._counts.append(0)
        elif token.kind is Kind.SYMBOL and text in CLOSINGS:
            if len(self._counts) > 1:
                self._counts.pop()
        elif text != b"." and self._previous != b".":
            self._counts[-1] = 0
        self._previous = text
