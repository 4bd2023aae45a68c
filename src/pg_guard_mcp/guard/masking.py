"""A mask's kind and a column in, the SQL expression that stands for the column out.

A mask keeps its column's type, or what its domain is over, so that what was valid over the column
stays valid over the mask, and keeps NULL: that a value is missing is not masked. Lengths, precision
and scale are not kept. Every function and operator is named with its schema.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from pg_guard_mcp.errors import Problem
from pg_guard_mcp.guard.lexer import quote, quote_literal
from pg_guard_mcp.model import GuardedQuery

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pg_guard_mcp.catalog import Catalog, Column, RelationKind
    from pg_guard_mcp.model import Relation

KINDS = ("redact", "null", "email", "last4", "first1", "hash", "year", "bucket", "const", "clean")
REDACTED = "[redacted]"
_HMAC_BLOCK_BYTES = 64
# The length of its last label is looked at beside it: as a bound in here it would double the time.
_ADDRESS = r"^[^@\s]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z][A-Za-z]+$"
_LAST_LABEL_LETTERS = 24
_KIND = re.compile(r"(?P<name>[a-z0-9]+)(?::(?P<argument>.*))?", re.DOTALL)
_MODIFIER = re.compile(r"\([0-9, -]+\)")
_TEXTS = {
    "text": "text",
    "character varying": "character varying",
    "character": "bpchar",
    "bpchar": "bpchar",
}
_CITEXT = re.compile(r"(?:[a-z_][a-z0-9_$]*|\"(?:[^\"]|\"\")+\")\.citext")
_DATES = frozenset({"date", "timestamp without time zone", "timestamp with time zone"})
_LEAST = {
    "smallint": "-32768",
    "integer": "-2147483648",
    "bigint": "-9223372036854775808",
}
"""What a bucket below zero may not go under, for whole numbers."""
_NUMBERS = frozenset({*_LEAST, "real", "double precision", "numeric"})
_HASHED = frozenset({"bytea", "uuid", "bigint"})
"""What has room for a hash that no two values share. Four bytes have not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """How a column is masked, and why."""

    kind: str
    pattern: str = ""
    """The pattern of the rules it matched, if it did."""
    origins: tuple[tuple[Relation, str], ...] = ()
    """The masked columns it derives from, if it does."""
    computed: bool = False
    """The column computes over masked ones, so that even its being NULL tells of their values."""

    @property
    def name(self) -> str:
        """Return the kind without its argument."""
        return self.kind.partition(":")[0]

    @property
    def argument(self) -> str:
        """Return what follows the colon, or nothing."""
        return self.kind.partition(":")[2]


def expression(mask: Mask, column: Column) -> str:
    """Return SQL that stands for `column`, in its type and under no name.

    What a domain is over stands for the domain, and a text type without its length: a mask that
    was cut off at the end would be no mask of that kind any more, and equal hashes would differ.
    `hash` reads `$1` and `$2`: the inner and outer key of an HMAC, as bytea.
    """
    value = quote(column.name)
    text = f"CAST({value} AS pg_catalog.text)"
    match mask.name:
        case "null":
            return _null(column)
        case "email":
            # Only what is an address from end to end shows its first letter and its last label:
            # text around one, or a host without a domain, would be shown as it is.
            backwards = f"pg_catalog.split_part(pg_catalog.reverse({text}), '.', 1)"
            masked = (
                f"CASE WHEN {text} OPERATOR(pg_catalog.~) {quote_literal(_ADDRESS)}"
                f" AND pg_catalog.length({backwards}) OPERATOR(pg_catalog.<=) {_LAST_LABEL_LETTERS}"
                f" THEN pg_catalog.left({text}, 1) OPERATOR(pg_catalog.||) '***@***.'"
                f" OPERATOR(pg_catalog.||) pg_catalog.reverse({backwards})"
                f" ELSE '***' END"
            )
        case "last4":
            masked = (
                f"CASE WHEN pg_catalog.length({text}) OPERATOR(pg_catalog.>) 8"
                f" THEN '****' OPERATOR(pg_catalog.||) pg_catalog.right({text}, 4) ELSE '****' END"
            )
        case "first1":
            masked = f"pg_catalog.left({text}, 1) OPERATOR(pg_catalog.||) '***'"
        case "hash":
            masked = _hash(value, column)
        case "year":
            return f"CAST(pg_catalog.date_trunc('year', {value}) AS {_target(column)})"
        case "bucket":
            masked = _bucket(value, mask.argument, column)
        case "const":
            return f"CAST({quote_literal(mask.argument)} AS {_target(column)})"
        case _:
            if not _is_text(column):
                return _null(column)
            masked = quote_literal(REDACTED)
    masked = f"CAST({masked} AS {_target(column)})"
    kept = f"CASE WHEN {value} IS NULL THEN {_null(column)} ELSE {masked} END"
    return masked if mask.computed else kept


def unknown(column: Column, kind: RelationKind) -> str:
    """Return SQL that stands for a masked column where a query is planned and not run.

    It says nothing of the column, so that Postgres plans without what it knows of the values: from
    how many groups it expects, anybody could tell how many there are. Of `xmin` it knows nothing,
    and every row of a table has one; a view's and a foreign table's have none.
    """
    value = "NULL" if kind in {"view", "foreign table"} else "CAST(xmin AS pg_catalog.text)"
    return f"CAST({value} AS {_target(column)})"


def stricter(
    everybody: Mapping[Relation, Mapping[str, Mask]], own: Mapping[Relation, Mapping[str, Mask]]
) -> Mapping[Relation, Mapping[str, Mask]]:
    """Join the masks for everybody with a client's own, which add to them and never show more.

    Where both mask a column, the mask for everybody stands, unless the client's shows nothing.
    """
    return {
        relation: {
            **everybody.get(relation, {}),
            **{
                column: mask
                for column, mask in own.get(relation, {}).items()
                if (here := everybody.get(relation, {}).get(column)) is None
                or (mask.name in {"null", "redact"} and not here.computed)
            },
        }
        for relation in {**everybody, **own}
    }


def matches(pattern: str, name: str) -> bool:
    """Tell whether `name` fits `pattern`, in which `*` is any run of characters."""
    return form(pattern).fullmatch(name) is not None


def form(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of all names that fit `pattern`."""
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)


def uses_key(mask: Mask) -> bool:
    """Tell whether the mask's expression reads the profile's key."""
    return mask.name == "hash"


def column_problem(mask: Mask, column: Column, where: str) -> Problem | None:
    """Say why this kind of mask cannot serve this column, if so."""
    name = mask.name
    serves = (
        name in {"redact", "null", "const", "clean"}
        or (name in {"email", "last4", "first1", "hash"} and _is_text(column))
        or (name == "hash" and _bare(column) in _HASHED)
        or (name == "year" and _bare(column) in _DATES)
        or (name == "bucket" and _bare(column) in _NUMBERS)
    )
    if serves:
        return None
    return Problem(
        f"mask {name!r} cannot serve {where}, which is {column.type}",
        'use "redact" or "null", which serve every type',
    )


def constants(
    masks: Mapping[Relation, Mapping[str, Mask]], catalog: Catalog
) -> Mapping[GuardedQuery, str]:
    """Return a query for every constant that a type may not take, with a column it masks."""
    found: dict[GuardedQuery, str] = {}
    for relation, columns in masks.items():
        for column in catalog.relations[relation].columns:
            mask = columns.get(column.name)
            if mask and mask.pattern and mask.name == "const" and not _is_text(column):
                query = GuardedQuery(sql=f"SELECT {expression(mask, column)}")
                found.setdefault(query, f"{relation}.{column.name}")
    return found


def pattern_problems(pattern: str, kind: str) -> Iterator[Problem]:
    """Say what is wrong with one line of the mask table."""
    if pattern.count(".") < 2:  # noqa: PLR2004 - schema, relation and column
        yield Problem(
            f"mask pattern {pattern!r} does not name schema, relation and column",
            'write "schema.relation.column"; "*" stands for any of them',
        )
    match = _KIND.fullmatch(kind)
    name = match["name"] if match else ""
    if name not in KINDS:
        yield Problem(f"mask kind {kind!r} does not exist", f"use one of {', '.join(KINDS)}")
    elif name == "bucket" and not re.fullmatch(
        r"[1-9][0-9]{0,11}", (match and match["argument"]) or ""
    ):
        yield Problem(
            f"mask kind {kind!r} has no width", 'write "bucket:N" with a whole number N above 0'
        )
    elif name not in {"bucket", "const"} and match and match["argument"] is not None:
        yield Problem(f"mask kind {kind!r} takes no argument", f'write "{name}"')


def hmac_pads(key: bytes) -> tuple[str, str]:
    """Return the inner and outer padded key of HMAC-SHA-256 (RFC 2104), as bytea text."""
    if len(key) > _HMAC_BLOCK_BYTES:
        key = sha256(key).digest()
    block = key.ljust(_HMAC_BLOCK_BYTES, b"\0")
    return (
        "\\x" + bytes(byte ^ 0x36 for byte in block).hex(),
        "\\x" + bytes(byte ^ 0x5C for byte in block).hex(),
    )


def _bare(column: Column) -> str:
    """Return the type, or what its domain is over, without length, precision and scale."""
    return _MODIFIER.sub("", column.unchecked)


def _is_text(column: Column) -> bool:
    return _bare(column) in _TEXTS or _is_citext(column)


def _is_citext(column: Column) -> bool:
    return _CITEXT.fullmatch(column.unchecked) is not None


def _target(column: Column) -> str:
    """Return the type a mask is cast to: without what could cut it off or be too narrow for it."""
    bare = _bare(column)
    return _TEXTS.get(bare) or (bare if bare in _NUMBERS else column.unchecked)


def _null(column: Column) -> str:
    return f"CAST(NULL AS {_target(column)})"


def _bucket(value: str, width: str, column: Column) -> str:
    """Give the lower end of the bucket a number is in, or the type's own where that is higher."""
    floor = (
        f"pg_catalog.floor({value} OPERATOR(pg_catalog./) {width}::pg_catalog.numeric)"
        f" OPERATOR(pg_catalog.*) {width}"
    )
    least = _LEAST.get(_bare(column))
    return f"GREATEST({floor}, {least})" if least else floor


def _hash(value: str, column: Column) -> str:
    """HMAC-SHA-256 (RFC 2104) of what a value reads as, its first 128 bits, in the column's type.

    Values that are equal to Postgres have one hash: those of citext in any case. As a text and a
    uuid it is the same 32 digits, so that a key joins with its copy of the other type.
    """
    text = f"CAST({value} AS pg_catalog.text)"
    if _is_citext(column):
        text = f"pg_catalog.lower({text})"
    bare = _bare(column)
    message = value if bare == "bytea" else f"pg_catalog.convert_to({text}, 'UTF8')"
    # The two padded keys arrive as parameters, so that no key is ever in SQL text.
    code = (
        "pg_catalog.sha256(CAST($2 AS pg_catalog.bytea) OPERATOR(pg_catalog.||)"
        " pg_catalog.sha256(CAST($1 AS pg_catalog.bytea) OPERATOR(pg_catalog.||)"
        f" {message}))"
    )
    if bare == "bytea":
        return f"pg_catalog.substr({code}, 1, 16)"
    digits = f"pg_catalog.encode(pg_catalog.substr({code}, 1, 16), 'hex')"
    if bare == "bigint":
        # Fifteen digits are sixty bits, and no sign.
        return f"CAST('x0' OPERATOR(pg_catalog.||) pg_catalog.left({digits}, 15) AS bit(64))"
    return digits
