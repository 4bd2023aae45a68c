"""The operator's rules and the catalog in, verdicts out.

A relation is open when the rules name its schema or itself, no deny pattern matches it, and the
connected role may read it. Everything else is closed, and closed and missing look the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from pg_guard_mcp.catalog import BUILTIN_TYPES, Catalog, RelationInfo, is_system
from pg_guard_mcp.errors import ConfigurationError, Problem, Refused
from pg_guard_mcp.guard import effects, functions, lineage, masking
from pg_guard_mcp.guard.masking import matches
from pg_guard_mcp.model import (
    AccessRules,
    AdmittedStatement,
    Finding,
    Relation,
    Statement,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pg_guard_mcp.catalog import RelationVersion
    from pg_guard_mcp.guard.masking import Mask

    Rule = Callable[[Statement, "Policy"], Iterator[Finding]]


MAX_FINDINGS = 20
"""More teach nothing: 4,000 unknown functions answered with 260 kB."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What is open and what is masked, in one database, as of one catalog snapshot."""

    rules: AccessRules
    catalog: Catalog
    shape_only: bool = False
    """Leave out everything that needs to know the database; see `decide --shape-only`."""
    open_relations: Mapping[Relation, RelationInfo] = field(default_factory=dict)
    masks: Mapping[Relation, Mapping[str, Mask]] = field(default_factory=dict)
    """The masked columns of every relation, closed ones included, by column name."""

    @cached_property
    def search_order(self) -> tuple[str, ...]:
        """Schemas in which an unqualified name is looked up, as the rules name them."""
        named = [*self.rules.schemas, *(relation.schema for relation in self.rules.relations)]
        return tuple(dict.fromkeys(named))

    def resolve(self, schema: str | None, name: str) -> Relation | None:
        """Return the open relation a statement means, or None: closed, or not there."""
        schemas = self.search_order if schema is None else (schema,)
        for candidate in schemas:
            relation = Relation(candidate, name)
            if relation in self.open_relations:
                return relation
        return None

    def masked(self, relation: Relation) -> Mapping[str, Mask]:
        """Return the masks on `relation`, by column."""
        return self.masks.get(relation, {})

    def versions(self, relations: Iterable[Relation]) -> tuple[RelationVersion, ...]:
        """Return what `relations`, and all that views among them read, were when judged."""
        found: dict[Relation, RelationVersion] = {}
        waiting = list(relations)
        while waiting:
            info = self.catalog.relations.get(relation := waiting.pop())
            if info is None or info.version is None or relation in found:
                continue
            found[relation] = info.version
            waiting.extend({source for source, _ in info.sources})
        return tuple(sorted(found.values()))

    def user_type(self, schema: str | None, name: str) -> tuple[str, str] | None:
        """Return the open enum a statement means; no other type of a user runs no code.

        A bare name means a built-in type first, as in Postgres.
        """
        if schema is None and name in BUILTIN_TYPES:
            return None
        for candidate in self.search_order if schema is None else (schema,):
            if (candidate, name) in self._enums:
                return candidate, name
        return None

    def user_function(self, schema: str | None, name: str) -> tuple[str, str] | None:
        """Return the function of a user that the rules allow by name.

        A bare name means a built-in function first, as in Postgres.
        """
        if schema is None and functions.is_builtin(name):
            return None
        for candidate in self.search_order if schema is None else (schema,):
            if f"{candidate}.{name}" in self._functions:
                return candidate, name
        return None

    def nearest(self, schema: str | None, name: str) -> RelationInfo | None:
        """Return the open relation whose name is most like a wrong one's, in its schema first."""
        candidates = sorted(self.open_relations, key=lambda relation: relation.schema != schema)
        close = get_close_matches(name, [relation.name for relation in candidates], n=1)
        return next(
            (self.open_relations[relation] for relation in candidates if relation.name in close),
            None,
        )

    @cached_property
    def _enums(self) -> frozenset[tuple[str, str]]:
        return frozenset(
            (kind.schema, kind.name)
            for kind in self.catalog.types
            if kind.kind == "e" and kind.schema in self.search_order
        )

    @cached_property
    def _functions(self) -> frozenset[str]:
        known = {
            f"{function.schema}.{function.name}"
            for function in self.catalog.functions
            if not function.volatile and not function.security_definer
        }
        return frozenset(known & set(self.rules.allow_functions))


def shape_only() -> Policy:
    """Return the policy that judges a statement's shape alone, for cases without a database."""
    return Policy(rules=AccessRules(), catalog=Catalog(), shape_only=True)


def build(rules: AccessRules, catalog: Catalog) -> Policy:
    """Resolve the rules against what there is.

    Raises:
        ConfigurationError: a rule names what is not there, or a mask cannot serve its column;
            all such problems at once.

    """
    problems = [
        *_unknown_names(rules, catalog),
        *_mask_problems(rules, catalog),
        *_cast_problems(catalog),
    ]
    masks, mask_problems = lineage.resolve(rules.masks, catalog)
    problems.extend(mask_problems)
    problems.extend(_functions_behind_masks(rules, catalog, masks))
    if problems:
        raise ConfigurationError(problems)
    opened = {
        relation: info
        for relation, info in catalog.relations.items()
        if _is_open(info, rules)
        and (relation in rules.relations or effects.reason(info, catalog) is None)
    }
    return Policy(rules=rules, catalog=catalog, open_relations=opened, masks=masks)


def judge(statement: Statement, policy: Policy, rules: Sequence[Rule]) -> Verdict:
    """Hold `statement` against every rule and report all that speaks against it."""
    findings = dict.fromkeys(statement.findings)
    for finding in chain.from_iterable(rule(statement, policy) for rule in rules):
        findings[finding] = None
        if len(findings) >= MAX_FINDINGS:
            break
    return Verdict(statement=statement, findings=tuple(findings)[:MAX_FINDINGS])


def admit(verdict: Verdict) -> AdmittedStatement:
    """Let a statement through against which nothing speaks.

    Raises:
        Refused: something does; every finding travels with it.

    """
    if verdict.findings:
        raise Refused(verdict.findings)
    return AdmittedStatement(verdict.statement)


def _is_open(info: RelationInfo, rules: AccessRules) -> bool:
    relation = info.relation
    if is_system(relation.schema, relation.name) or not info.readable:
        return False
    if relation.schema not in rules.schemas and relation not in rules.relations:
        return False
    if rules.views_only and info.kind not in {"view", "materialized view"}:
        return False
    return not any(matches(pattern, str(relation)) for pattern in rules.deny_relations)


def _functions_behind_masks(
    rules: AccessRules, catalog: Catalog, masks: Mapping[Relation, object]
) -> Iterator[Problem]:
    """Find allowed functions whose source names a masked relation: they would return it bare."""
    for name in rules.allow_functions:
        source = _reachable_source(name, catalog)
        if masks and re.search(r"\bexecute\b", source):
            yield Problem(
                f"access.allow_functions names {name}, which runs SQL that it puts together",
                "leave it out: what it reads cannot be known, and there are masks to keep",
            )
        for relation in masks:
            if re.search(rf"(?<!\w){re.escape(relation.name.lower())}(?!\w)", source):
                yield Problem(
                    f"access.allow_functions names {name}, whose source names {relation}:"
                    " what it returns would be unmasked",
                    "leave it out, or let the function read a view without masked columns",
                )


def _reachable_source(name: str, catalog: Catalog) -> str:
    """Return the source of a function and of every function whose name stands in it."""
    known = {f"{function.schema}.{function.name}": function for function in catalog.functions}
    found: dict[str, str] = {}
    waiting = [name]
    while waiting:
        function = known.get(current := waiting.pop())
        if function is None or current in found:
            continue
        found[current] = function.source.lower()
        words = set(re.findall(r"\w+", found[current]))
        waiting += [other for other, info in known.items() if info.name.lower() in words]
    return "\n".join(found.values())


def _unknown_names(rules: AccessRules, catalog: Catalog) -> Iterator[Problem]:
    for schema in rules.schemas:
        if schema not in catalog.schemas:
            yield Problem(
                f"access.schemas names {schema!r}, which is not there or not open to the role",
                f"correct the name, or GRANT USAGE ON SCHEMA {schema} to the role",
            )
    for relation in rules.relations:
        if relation not in catalog.relations or not catalog.relations[relation].readable:
            yield Problem(
                f"access.relations names {relation}, which is not there or not open to the role",
                f"correct the name, or GRANT SELECT ON {relation} to the role",
            )
    known = {f"{function.schema}.{function.name}": function for function in catalog.functions}
    for name in rules.allow_functions:
        function = known.get(name)
        if function is None:
            yield Problem(
                f"access.allow_functions names {name}, which is not there or not open to the role",
                "write it as schema.function, without arguments, and GRANT EXECUTE on it",
            )
        elif function.volatile or function.security_definer:
            yield Problem(
                f"access.allow_functions names {name}, which is VOLATILE or SECURITY DEFINER",
                "leave it out: such a function can do more than read what the role reads",
            )


def _mask_problems(rules: AccessRules, catalog: Catalog) -> Iterator[Problem]:
    for pattern in rules.masks:
        if "*" not in pattern and not _names_a_column(pattern, catalog):
            yield Problem(
                f"mask pattern {pattern!r} fits no column, so it would mask nothing",
                "correct the name; it is case-sensitive and written without quotes",
            )
        yield from masking.pattern_problems(pattern, rules.masks[pattern])


def _cast_problems(catalog: Catalog) -> Iterator[Problem]:
    for cast in catalog.casts:
        yield Problem(
            f"a function of a user stands behind the cast from {cast}, for whoever casts",
            "drop that cast, or serve another database",
        )


def _names_a_column(pattern: str, catalog: Catalog) -> bool:
    return any(
        pattern == f"{relation}.{column.name}"
        for relation, info in catalog.relations.items()
        for column in info.columns
    )
