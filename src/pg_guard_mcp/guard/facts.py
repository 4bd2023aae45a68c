"""What Postgres's parse tree says of one statement, before source offsets are put to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pg_guard_mcp.model import Finding
    from pg_guard_mcp.uses import Amount, CollationUse, FunctionUse, ObjectName, TypeUse


class RelationName(NamedTuple):
    """A relation as the tree has it; `start` is where its name, schema first, begins."""

    schema: str | None
    name: str
    start: int
    aliased: bool
    only: bool
    sampled: bool
    alias: str = ""


class ColumnName(NamedTuple):
    """A column reference as the tree has it, its parts folded; a final `*` is kept as `*`."""

    parts: tuple[str, ...]
    start: int


@dataclass(slots=True, kw_only=True)
class Reading:
    """What the grammar saw, in no particular order."""

    relations: list[RelationName] = field(default_factory=list)
    functions: list[FunctionUse] = field(default_factory=list)
    types: list[TypeUse] = field(default_factory=list)
    columns: list[ColumnName] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    operators: list[tuple[str, str]] = field(default_factory=list)
    symbols: set[str] = field(default_factory=set)
    collations: list[CollationUse] = field(default_factory=list)
    parameters: list[int] = field(default_factory=list)
    amounts: tuple[Amount, ...] = ()
    objects: tuple[ObjectName, ...] = ()
    findings: list[Finding] = field(default_factory=list)
