"""What one statement names and calls, as the grammar has it and where it stands in the text.

Offsets are byte offsets into the statement's UTF-8 text, as Postgres's own parser counts them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple


class Span(NamedTuple):
    """A stretch of the statement's UTF-8 bytes: `start` inclusive, `end` exclusive."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationUse:
    """A relation as the statement names it; CTEs are not relations and do not appear.

    `span` covers the whole reference: the TABLE of a TABLE command, ONLY, the name with its
    schema, a trailing `*`. `name_start` is where the name begins, its schema included.
    """

    schema: str | None
    name: str
    span: Span
    name_start: int
    aliased: bool
    only: bool
    sampled: bool
    table_command: bool
    alias: str = ""

    @property
    def range_name(self) -> str:
        """Return the name by which columns of it are qualified."""
        return self.alias or self.name


class FunctionUse(NamedTuple):
    """A function the statement calls.

    `notation` tells how: `call` is `f(x)`; `syntax` is grammar that calls a function (`EXTRACT`,
    `AT TIME ZONE`); `grammar` is grammar with no function behind it (`COALESCE`); `attribute` is
    `(x).f`, which Postgres resolves to a call of `f(x)` when `x` has no such field.
    """

    schema: str | None
    name: str
    spelling: str
    notation: Literal["call", "syntax", "grammar", "attribute"]
    start: int
    arguments: int


class ObjectName(NamedTuple):
    """An object of the server that an argument of `used_by` names; None: by no constant.

    Its `kind` is a text search configuration, a dictionary or a type.
    """

    kind: str
    name: str | None
    used_by: str
    cast_at: int
    """Where the type begins that the argument is cast to; -1 is no cast."""


class Amount(NamedTuple):
    """Work that a statement is sure to ask for: `least` of it, by what stands in it as `name`.

    `rows` are what a function makes, `combinations` what FROM makes of its items. A `set` and a
    `needle` are characters that each character of a text is compared with, `descents` are a
    path's, and an `endless` query is one that feeds on itself.
    """

    what: Literal[
        "characters",
        "combinations",
        "descents",
        "elements",
        "endless",
        "needle",
        "points",
        "rows",
        "set",
    ]
    name: str
    least: int


class TypeUse(NamedTuple):
    """A type the statement names, in a cast, a typed literal or a column definition list."""

    schema: str | None
    name: str
    start: int


class CollationUse(NamedTuple):
    """A collation the statement names; `start` is where its name begins."""

    schema: str | None
    name: str
    start: int


class ColumnUse(NamedTuple):
    """A column reference, its parts as Postgres folds them; a final `*` is kept as `*`.

    `second_start` is where the second part begins, or where the reference begins if it has one.
    """

    parts: tuple[str, ...]
    start: int
    second_start: int
