"""The packs that are on and a catalog in, what of their extensions may be used and where out.

A function, type or operator of a pack is open only if it is the extension's own in this database:
a member made by an administrator, in the extension's schema, with no overload by anybody else
beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from pg_guard_mcp.catalog import Catalog
from pg_guard_mcp.errors import Problem
from pg_guard_mcp.guard import packs
from pg_guard_mcp.model import Relation, TypeName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pg_guard_mcp.catalog import ExtensionInfo, FunctionInfo
    from pg_guard_mcp.guard.packs import Pack
    from pg_guard_mcp.model import Definition


@dataclass(frozen=True, kw_only=True)
class Extensions:
    """The extensions that are on in one database, as of one catalog snapshot."""

    on: tuple[str, ...]
    catalog: Catalog = field(default_factory=Catalog)
    shape_only: bool = False
    """There is no catalog: names of a pack are taken for the extension's own."""

    @cached_property
    def installed(self) -> Mapping[str, ExtensionInfo]:
        """The extensions of this database, reviewed or not, by name."""
        return {extension.name: extension for extension in self.catalog.extensions}

    @cached_property
    def packs(self) -> Mapping[str, Pack]:
        """The packs that are on, with those that they work with."""
        found: dict[str, Pack] = {}
        waiting = list(self.on)
        while waiting:
            if (name := waiting.pop()) not in found:
                found[name] = packs.read(name)
                waiting += found[name].requires
        return found

    def problems(self) -> Iterator[Problem]:
        """Find packs that are on and whose extension is not there, or not for this role."""
        for name in self.on:
            extension = self.installed.get(name)
            if extension is None:
                yield Problem(
                    f'access.extensions names "{name}", which is not installed in this database',
                    f'CREATE EXTENSION "{name}" there, or take it out of the list',
                )
            elif extension.schema not in self.catalog.schemas:
                yield Problem(
                    f'access.extensions names "{name}", whose schema {extension.schema} is not open'
                    " to the role",
                    f"GRANT USAGE ON SCHEMA {extension.schema} to the role",
                )

    def function(self, schema: str | None, name: str) -> tuple[str, ...]:
        """Return the extensions that are on and of which a statement means a function by `name`."""
        named = tuple(pack.name for pack in self.packs.values() if name in pack.functions)
        if self.shape_only:
            return named
        return tuple(owner for owner in named if self._owns_function(owner, schema, name))

    def type(self, schema: str | None, name: str) -> tuple[str, str] | None:
        """Return the type of an extension that is on which a statement means by `name`."""
        found = {
            extension.schema
            for pack in self.packs.values()
            if (extension := self.installed.get(pack.name))
            and schema in {None, extension.schema}
            and self._types.get(TypeName(extension.schema, name)) == pack.name
        }
        return (found.pop(), name) if len(found) == 1 else None

    def operator(self, schema: str, symbol: str) -> bool:
        """Tell whether an extension that is on has such an operator there, beside reviewed ones."""
        return not self.packs.keys().isdisjoint(self._operators.get((schema, symbol), ()))

    def definition(self, schema: str) -> Definition | None:
        """Return what a schema held when it was judged."""
        found = (each.definition for each in self.catalog.extensions if each.schema == schema)
        return next(found, None)

    def function_names(self, owner: str) -> frozenset[str]:
        """Name every function of which an extension has an overload, reviewed or not.

        Those of the pack count even where somebody else's overload stands beside them.
        """
        reviewed = packs.read(owner).functions if owner in packs.NAMES else frozenset[str]()
        return reviewed | self._function_names.get(owner, frozenset())

    def is_harmless(self, schema: str, name: str) -> bool:
        """Tell whether all functions by `name` in a schema were reviewed, or there is none."""
        function = self.functions.get((schema, name))
        return function is None or self._reviewed(function.extensions, [name])

    @cached_property
    def foreign_functions(self) -> Mapping[str, frozenset[str]]:
        """By schema of an extension, the functions in it that nobody reviewed, in small letters."""
        schemas = {extension.schema for extension in self.catalog.extensions}
        return {
            schema: frozenset(
                name.lower()
                for there, name in self.functions
                if there == schema and not self.is_harmless(schema, name)
            )
            for schema in schemas
        }

    @cached_property
    def foreign_symbols(self) -> Mapping[str, frozenset[str]]:
        """By schema, the operators in it that nobody reviewed; "" if one is no extension's.

        Anybody may have made that one, and the body of any function could find it, written or not.
        """
        found: dict[str, set[str]] = {}
        for operator in self.catalog.operators:
            if not self._reviewed(operator.extensions, operator.functions):
                symbol = operator.name if operator.extensions else ""
                found.setdefault(operator.schema, set()).add(symbol)
        return {schema: frozenset(symbols) for schema, symbols in found.items()}

    @cached_property
    def every_symbol(self) -> frozenset[str]:
        """Every operator of Postgres and of the extensions of this database, on or off."""
        return self.catalog.system_operators.union(
            operator.name for operator in self.catalog.operators if operator.extensions
        )

    @cached_property
    def symbols(self) -> Mapping[str, frozenset[str]]:
        """Operators that extensions which are on have for built-in types, with their schemas."""
        found: dict[str, set[str]] = {}
        for operator in self.catalog.operators:
            if operator.takes_builtins and not self.packs.keys().isdisjoint(operator.extensions):
                found.setdefault(operator.name, set()).add(operator.schema)
        return {symbol: frozenset(schemas) for symbol, schemas in found.items()}

    @cached_property
    def symbols_off(self) -> Mapping[str, str]:
        """Operators that no extension which is on has, and Postgres neither, with a pack's name."""
        return {
            operator.name: owner
            for operator in self.catalog.operators
            for owner in operator.extensions
            if owner in packs.NAMES and owner not in self.packs
            if operator.name not in self.catalog.system_operators
            and self.packs.keys().isdisjoint(operator.extensions)
        }

    @cached_property
    def functions(self) -> Mapping[tuple[str, str], FunctionInfo]:
        """The functions outside pg_catalog, by schema and name."""
        return {(function.schema, function.name): function for function in self.catalog.functions}

    def owners_of(self, kind: TypeName) -> frozenset[str]:
        """Name the extensions whose types a value of this type is made of; "" is nobody's.

        A base type without an extension is an administrator's own, and nobody reviewed it.
        """
        return self._owners.get(kind, frozenset())

    def given_by(self, function: FunctionInfo) -> frozenset[str]:
        """Name the extensions of whose types a function takes or gives values, rows included."""
        found = frozenset[str]().union(*map(self.owners_of, function.types))
        rows = (self.columns(Relation(kind.schema, kind.name)) for kind in function.types)
        return found.union(*(owners for columns in rows for owners in columns.values()))

    def columns(self, relation: Relation) -> Mapping[str, frozenset[str]]:
        """Name the open columns of a relation that are of types of extensions, with those.

        Others are not read, and a refusal that named one would tell that it is there.
        """
        return self._columns.get(relation, {})

    def _reviewed(self, owners: Iterable[str], functions: Iterable[str]) -> bool:
        """Tell whether every one of `functions` is in the pack of one of its owners."""
        names = tuple(owners)
        known = [packs.read(name) for name in names if name in packs.NAMES]
        beside = frozenset[str]().union(*(pack.beside for pack in known))
        if not known or not beside.issuperset(set(names) - {pack.name for pack in known}):
            return False
        return len(known) < len(names) or all(
            any(function in pack.functions for pack in known) for function in functions
        )

    @cached_property
    def _operators(self) -> Mapping[tuple[str, str], frozenset[str]]:
        return {
            (operator.schema, operator.name): frozenset(operator.extensions)
            for operator in self.catalog.operators
            if self._reviewed(operator.extensions, operator.functions)
        }

    @cached_property
    def _function_names(self) -> Mapping[str, frozenset[str]]:
        found: dict[str, set[str]] = {}
        for function in self.catalog.functions:
            for owner in function.extensions:
                found.setdefault(owner, set()).add(function.name)
        return {owner: frozenset(names) for owner, names in found.items()}

    def _owns_function(self, owner: str, schema: str | None, name: str) -> bool:
        extension = self.installed.get(owner)
        if extension is None or schema not in {None, extension.schema}:
            return False
        function = self.functions.get((extension.schema, name))
        return function is not None and owner in function.extensions

    @cached_property
    def _types(self) -> Mapping[TypeName, str]:
        """The types of packs that are on, by their own names and those of their array types."""
        own = [
            info
            for info in self.catalog.types
            if (pack := self.packs.get(info.extension or "")) and info.name in pack.types
        ]
        return {
            TypeName(info.schema, name): info.extension or ""
            for info in own
            for name in (info.name, info.array)
        }

    @cached_property
    def _owners(self) -> Mapping[TypeName, frozenset[str]]:
        known = {TypeName(info.schema, info.name): info for info in self.catalog.types}
        found: dict[TypeName, frozenset[str]] = {}

        def settle(kind: TypeName, path: tuple[TypeName, ...]) -> frozenset[str]:
            info = known.get(kind) or arrays.get(kind)
            if info is None or kind in path:
                return frozenset()
            if kind not in found:
                own = {info.extension or ""} if info.kind == "b" else set[str]()
                below = (settle(part, (*path, kind)) for part in info.parts)
                found[kind] = frozenset(own).union(*below)
            return found[kind]

        arrays = {TypeName(info.schema, info.array): info for info in known.values() if info.array}
        for kind in (*known, *arrays):
            settle(kind, ())
        return {kind: owners for kind, owners in found.items() if owners}

    @cached_property
    def _columns(self) -> Mapping[Relation, Mapping[str, frozenset[str]]]:
        found: dict[Relation, Mapping[str, frozenset[str]]] = {}
        if not self._owners:
            return found
        for relation, info in self.catalog.relations.items():
            columns = {
                column.name: owners
                for column in info.readable
                if (owners := self.owners_of(TypeName(column.type_schema, column.type_name)))
            }
            if columns:
                found[relation] = columns
        return found
