"""A name outside pg_catalog in, the function, type or collation of this database it may mean out.

A bare name means what is built in first, as in Postgres, then what is in an open schema, then what
is an extension's that is on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from pg_guard_mcp.catalog import BUILTIN_TYPES
from pg_guard_mcp.errors import Problem
from pg_guard_mcp.guard import functions, grammar, reading
from pg_guard_mcp.guard.extensions import Extensions
from pg_guard_mcp.guard.user_types import UserTypes
from pg_guard_mcp.model import Relation, TypeName

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pg_guard_mcp.catalog import Catalog, FunctionInfo
    from pg_guard_mcp.model import AccessRules
    from pg_guard_mcp.uses import FunctionUse


_RUNNING_TEXT = frozenset({"no-sql-text", "no-remote-access"})
# Their columns print the commonest values of every other relation's.
_STATISTICS = (
    "pg_stats",
    "pg_stats_ext",
    "pg_stats_ext_exprs",
    "pg_statistic",
    "pg_statistic_ext_data",
)


@dataclass(frozen=True, kw_only=True)
class Names:
    """What users' names mean under one policy."""

    rules: AccessRules
    catalog: Catalog
    schemas: tuple[str, ...] = ()
    """The open schemas, in the order in which a bare name is looked up."""
    masked: Collection[Relation] = ()
    shape_only: bool = False
    _code: dict[Relation, frozenset[str]] = field(default_factory=dict)

    @cached_property
    def extensions(self) -> Extensions:
        """What is open of extensions."""
        return Extensions(
            on=self.rules.extensions, catalog=self.catalog, shape_only=self.shape_only
        )

    @cached_property
    def types(self) -> UserTypes:
        """Which types run nobody's code."""
        return UserTypes(
            catalog=self.catalog,
            extensions=self.extensions,
            runs_more=self._runs_more,
            may_call=lambda use: self.function(use.schema, use.name) is not None,
        )

    def type(self, schema: str | None, name: str) -> tuple[str, str] | None:
        """Return the type a statement means, if a value of it runs nobody's code."""
        if schema is None and name.removeprefix("_") in BUILTIN_TYPES:
            return None
        for candidate in self.schemas if schema is None else (schema,):
            kind = TypeName(candidate, name)
            if candidate in self.schemas and self.types.is_known(kind):
                return None if self.types.objection(kind) else (candidate, name)
        return self.extensions.type(schema, name)

    def objection(self, schema: str | None, name: str) -> str | None:
        """Say why a type of an open schema may not be named; None where there is none."""
        for candidate in self.schemas if schema is None else (schema,):
            kind = TypeName(candidate, name)
            if candidate in self.schemas and self.types.is_known(kind):
                return self.types.objection(kind)
        return None

    def function(self, schema: str | None, name: str) -> tuple[str, str] | None:
        """Return the function of a user that the rules allow by name."""
        if schema is None and functions.is_builtin(name, self.catalog.major):
            return None
        for candidate in self.schemas if schema is None else (schema,):
            if f"{candidate}.{name}" in self._allowed:
                return candidate, name
        return None

    def qualified(self, use: FunctionUse) -> tuple[str, str] | None:
        """Return the schema and name of what a call means, if no overload elsewhere could."""
        if named := self.function(use.schema, use.name):
            return named
        if use.schema is None and functions.is_builtin(use.name, self.catalog.major):
            return None
        owners = self.extensions.function(use.schema, use.name)
        if self.shape_only or not owners:
            return None
        schemas = {self.extensions.installed[owner].schema for owner in owners}
        return (schemas.pop(), use.name) if len(schemas) == 1 else None

    def collation(self, schema: str | None, name: str) -> tuple[str, str] | None:
        """Return the collation of an open schema that a statement means; none of them runs code."""
        for candidate in self.schemas if schema is None else (schema,):
            if candidate in self.schemas and (candidate, name) in self.catalog.collations:
                return candidate, name
        return None

    def code_behind(self, relation: Relation) -> frozenset[str]:
        """Return every word in the functions of users that reading a relation runs."""
        if relation not in self._code:
            self._code[relation] = frozenset()
            info = self.catalog.relations.get(relation)
            definition = info.definition if info else None
            below = {source for source, _ in info.sources} if info and definition else ()
            called = _user_calls(definition) if definition else ()
            self._code[relation] = frozenset[str]().union(
                *(self.words_of(name) for name in called),
                *(self.code_behind(source) for source in below),
            )
        return self._code[relation]

    def words_of(self, name: str) -> frozenset[str]:
        """Return every word in a function, `schema.name`, and in all that its words may call."""
        schema, _, bare = name.rpartition(".")
        info = self.extensions.functions.get((schema, bare))
        if info is None or info.extensions:
            return frozenset()
        return frozenset(re.findall(r"\w+", self._reachable_source(name))) - {bare.lower()}

    def problems(self) -> Iterator[Problem]:
        """Find functions, packs and casts that cannot be as the rules say."""
        for name in self.rules.allow_functions:
            function = self._known.get(name)
            if function is None or not function.callable:
                yield Problem(
                    f"access.allow_functions names {name}, which is not there or not open to the"
                    " role",
                    "write it as schema.function, without arguments, and GRANT EXECUTE on it",
                )
            elif (why := _effects(function)) and not self._has_effects_allowed(name):
                yield Problem(
                    f"access.allow_functions names {name}, which {why}, and so may have effects",
                    "leave it out, or name it in access.allow_functions_with_effects too",
                )
            yield from self._of_masks(name)
        for name in self.rules.allow_functions_with_effects:
            if name not in self.rules.allow_functions:
                yield Problem(
                    f"access.allow_functions_with_effects names {name}, which"
                    " access.allow_functions does not",
                    "name it in both, or in neither",
                )
        yield from self.extensions.problems()
        for cast, why in self.types.problems():
            yield Problem(
                f"the cast from {cast} runs a function for whoever meets such a value: {why}",
                "drop that cast, or serve another database",
            )

    @cached_property
    def _known(self) -> Mapping[str, FunctionInfo]:
        return {
            f"{function.schema}.{function.name}": function for function in self.catalog.functions
        }

    @cached_property
    def _allowed(self) -> frozenset[str]:
        return frozenset(
            name
            for name in self.rules.allow_functions
            if (function := self._known.get(name))
            and function.callable
            and (not _effects(function) or self._has_effects_allowed(name))
        )

    def _has_effects_allowed(self, name: str) -> bool:
        return name in self.rules.allow_functions_with_effects

    def _runs_more(self, name: str) -> str | None:
        """Say what a function of a user does besides computing, if it does."""
        function = self._known.get(name)
        if function is None or not function.callable:
            return "is not open to the role"
        problem = next(self._of_masks(name), None)
        return _effects(function) or (problem and "may read what is masked")

    def _of_masks(self, name: str) -> Iterator[Problem]:
        """Find what a function could return unmasked."""
        if not self.masked:
            return
        source = self._reachable_source(name)
        if any(_runs_text(word) for word in set(re.findall(r"\w+", source))):
            yield Problem(
                f"access.allow_functions names {name}, which runs SQL that it puts together",
                "leave it out: what it reads cannot be known, and there are masks to keep",
            )
        statistics = (Relation("pg_catalog", name) for name in _STATISTICS)
        for relation in (*self.masked, *statistics):
            if re.search(rf"(?<!\w){re.escape(relation.name.lower())}(?!\w)", source):
                yield Problem(
                    f"access.allow_functions names {name}, whose source names {relation}:"
                    " what it returns would be unmasked",
                    "leave it out, or let the function read a view without masked columns",
                )

    def _reachable_source(self, name: str) -> str:
        """Return the source of a function and of every function whose name stands in it."""
        found: dict[str, str] = {}
        waiting = [name]
        while waiting:
            function = self._known.get(current := waiting.pop())
            if function is None or current in found:
                continue
            found[current] = function.source.lower()
            words = set(re.findall(r"\w+", found[current]))
            waiting += [other for other, info in self._known.items() if info.name.lower() in words]
        return "\n".join(found.values())


def _effects(function: FunctionInfo) -> str | None:
    """Say what a function can do besides computing, overloads taken together."""
    if function.volatile:
        return "is VOLATILE"
    if function.security_definer:
        return "is SECURITY DEFINER"
    return None if function.trusted_language else "is in a language that is not trusted"


def _runs_text(word: str) -> bool:
    """Tell whether a word of a function's source runs SQL that the source need not show."""
    return word == "execute" or functions.judge_builtin(word, None).rule in _RUNNING_TEXT


def _user_calls(definition: str) -> frozenset[str]:
    """Name the functions outside pg_catalog that a view's definition calls."""
    try:
        facts = reading.read(grammar.parse(definition))
    except (grammar.NotSql, grammar.TooDeep, reading.NotUnderstood):
        return frozenset()
    return frozenset(
        f"{use.schema}.{use.name}"
        for use in facts.functions
        if use.schema not in {None, "pg_catalog"}
    )
