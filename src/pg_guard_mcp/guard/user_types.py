"""Types outside pg_catalog in, which of them run nobody's code out, and why the others may.

A domain runs its CHECKs, a composite what its fields run, a range its subtype's; a base type is
C of an administrator's; and any type may have casts with functions behind them, which Postgres
runs wherever a value of it meets something else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from pg_guard_mcp.catalog import BUILTIN_TYPES, PROBING_TYPES
from pg_guard_mcp.guard import effects
from pg_guard_mcp.model import TypeName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pg_guard_mcp.catalog import CastInfo, Catalog, Column, RelationInfo, TypeInfo
    from pg_guard_mcp.guard.extensions import Extensions
    from pg_guard_mcp.model import Definition, Relation
    from pg_guard_mcp.uses import FunctionUse

_EVERYWHERE = "i"
_TEXT = "pg_catalog.text"
_CAST = "a function of a user that can do more than compute stands behind a cast of it"


@dataclass(frozen=True, kw_only=True)
class UserTypes:
    """The types of one database, judged."""

    catalog: Catalog
    extensions: Extensions
    runs_more: Callable[[str], str | None]
    """Says what a function, as `schema.name`, does besides computing."""
    may_call: Callable[[FunctionUse], bool]
    """Tells whether a CHECK may call a function."""
    _judged: dict[TypeName, str | None] = field(default_factory=dict)

    def objection(self, kind: TypeName) -> str | None:
        """Say why a value of this type could run code, or None; agents read it, so no names."""
        if kind.schema == "pg_catalog":
            known = kind.name.removeprefix("_") in BUILTIN_TYPES
            return self.cast_to(kind.name) if known else f"{kind.name} is not reviewed"
        if kind not in self._judged:
            self._judged[kind] = "it is made of itself"  # what it is found to be on the way
            self._judged[kind] = self._judge(kind)
        return self._judged[kind]

    def is_known(self, kind: TypeName) -> bool:
        """Tell whether there is such a type outside pg_catalog."""
        return kind in self._known

    def has_labels(self, kind: TypeName) -> bool:
        """Tell whether this is an enum, or made of one."""
        info = self._known.get(kind)
        return info is not None and (info.kind == "e" or any(map(self.has_labels, info.parts)))

    def cast_to(self, name: str) -> str | None:
        """Say what a written cast to a built-in type could run."""
        return self._written_casts.get(name.removeprefix("_"))

    def implicit(self, kind: TypeName) -> str | None:
        """Say what Postgres could run wherever a value of this type meets another."""
        return self._implicit.get(kind)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield the casts that any expression over built-in types could run, and their danger."""
        for cast, why in self._dangerous:
            if cast.context == _EVERYWHERE and _built_in(cast):
                yield f"{cast.source.name} to {cast.target.name}", why

    def definitions(self, kind: TypeName) -> Iterator[Definition]:
        """Yield what a type was when it was judged, with all that it is made of."""
        info = self._known.get(kind)
        if info is not None and info.kind != "b" and info.definition is not None:
            yield info.definition
            for part in info.parts:
                yield from self.definitions(part)

    @cached_property
    def unsafe_columns(self) -> Mapping[Relation, str]:
        """Relations with an open column that meets nothing without running code, and what."""
        return {
            relation: f"{column.name} is of a type that is not available: {why}"
            for relation, info in self.catalog.relations.items()
            for column in info.readable
            if (why := self.implicit(TypeName(column.type_schema, column.type_name)))
        }

    @cached_property
    def heirs(self) -> Mapping[Relation, Sequence[RelationInfo]]:
        """The partitions and children of each table: to look for them costs all tables a table."""
        found: dict[Relation, list[RelationInfo]] = {}
        for info in self.catalog.relations.values():
            if info.definition is None:
                for parent in dict.fromkeys(source for source, _ in info.sources):
                    found.setdefault(parent, []).append(info)
        return found

    @cached_property
    def shown_as(self) -> Mapping[Relation, Mapping[str, str]]:
        """Columns that are shown as another type, with that, for a literal beside them runs code.

        `coalesce(codes, '{x}')` reads the literal as an array of a domain, and so runs its CHECKs;
        beside a regclass it tells whether a hidden relation exists.
        """
        found = {
            relation: {
                column.name: shown for column in info.readable if (shown := self._shown_as(column))
            }
            for relation, info in self.catalog.relations.items()
        }
        return {relation: columns for relation, columns in found.items() if columns}

    @cached_property
    def unsafe_rows(self) -> frozenset[Relation]:
        """Relations whose rows run code when they are filled from a document."""
        return frozenset(
            relation
            for relation, info in self.catalog.relations.items()
            if any(
                self.objection(TypeName(column.type_schema, column.type_name))
                for column in info.columns
            )
        )

    @cached_property
    def _known(self) -> Mapping[TypeName, TypeInfo]:
        """Every type outside pg_catalog by its name, and by that of its array type."""
        own = {TypeName(info.schema, info.name): info for info in self.catalog.types}
        arrays = {TypeName(info.schema, info.array): info for info in own.values() if info.array}
        return {**arrays, **own}

    def _shown_as(self, column: Column) -> str | None:
        kind = TypeName(column.type_schema, column.type_name)
        if kind.schema == "pg_catalog":
            return _TEXT if kind.name.removeprefix("_") in PROBING_TYPES else None
        if not self._reads_by_code(kind):
            return None
        while (info := self._known.get(kind)) and info.kind == "d":
            (kind,) = info.parts
        harmless = column.base and not self._reads_by_code(kind)
        return column.base if harmless else _TEXT

    def _reads_by_code(self, kind: TypeName) -> bool:
        """Tell whether a literal that is read as this type runs code that nobody allowed.

        What a base type runs is C of an administrator's, and the rule about extensions answers.
        """
        if kind.schema == "pg_catalog":
            return kind.name.removeprefix("_") in PROBING_TYPES
        info = self._known.get(kind)
        return info is not None and (
            (info.kind != "b" and self._own_objection(info) is not None)
            or any(self._reads_by_code(part) for part in info.parts)
        )

    def _judge(self, kind: TypeName) -> str | None:
        info = self._known.get(kind)
        if info is None:
            return "it is not known"
        parts = (self.objection(part) for part in info.parts)
        return (
            self._own_objection(info)
            or next((why for why in parts if why), None)
            or self._casts_of.get(TypeName(info.schema, info.name))
        )

    def _own_objection(self, info: TypeInfo) -> str | None:
        if info.kind == "b" and not self.extensions.type(info.schema, info.name):
            return "nobody reviewed the code of its values"
        if info.code is not None:
            return "a function of a user stands behind its values"
        for check in info.checks:
            if effects.of_text(f"SELECT {check}", self.extensions, self, self.may_call):
                return "its CHECK can do more than compute"
        return None

    @cached_property
    def _dangerous(self) -> tuple[tuple[CastInfo, str], ...]:
        return tuple(
            (cast, f"{cast.function} {why}")
            for cast in self.catalog.casts
            if cast.extension is None and (why := self.runs_more(cast.function))
        )

    @cached_property
    def _casts_of(self) -> Mapping[TypeName, str]:
        """Types that are not built in, by a dangerous cast from or to them."""
        return {
            kind: _CAST
            for cast, _ in self._dangerous
            for kind in (cast.source, cast.target)
            if kind.schema != "pg_catalog"
        }

    @cached_property
    def _written_casts(self) -> Mapping[str, str]:
        """Built-in types, by a dangerous cast to them that has to be written."""
        return {
            cast.target.name.removeprefix("_"): _CAST
            for cast, _ in self._dangerous
            if _built_in(cast)
        }

    @cached_property
    def _implicit(self) -> Mapping[TypeName, str]:
        """Types with a dangerous cast that needs not be written, and types made of them."""
        found = {
            kind: _CAST
            for cast, _ in self._dangerous
            if cast.context == _EVERYWHERE
            for kind in (cast.source, cast.target)
            if kind.schema != "pg_catalog"
        }
        grown = True
        while found and grown:
            more = {
                kind: found[part]
                for kind, info in self._known.items()
                for part in (*info.parts, TypeName(info.schema, info.name))
                if kind not in found and part in found
            }
            found.update(more)
            grown = bool(more)
        return found


def _built_in(cast: CastInfo) -> bool:
    return cast.source.schema == cast.target.schema == "pg_catalog"
