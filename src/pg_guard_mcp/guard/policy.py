"""The operator's rules and the catalog in, verdicts out.

A relation is open when the rules name its schema or itself, no deny pattern matches it, and the
connected role may read it. Everything else is closed, and closed and missing look the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING

from pg_guard_mcp.catalog import Catalog, RelationInfo, is_system
from pg_guard_mcp.errors import ConfigurationError, Problem, Refused
from pg_guard_mcp.guard import alike, catalogs, effects, lineage, masking
from pg_guard_mcp.guard.masking import matches
from pg_guard_mcp.guard.names import Names
from pg_guard_mcp.model import (
    AccessRules,
    AdmittedStatement,
    Finding,
    Relation,
    Statement,
    TypeName,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pg_guard_mcp.catalog import RelationVersion
    from pg_guard_mcp.guard.masking import Mask

    Rule = Callable[[Statement, "Policy"], Iterator[Finding]]


MAX_FINDINGS = 20
"""More teach nothing: 4,000 unknown functions answered with 260 kB."""
NO_MASKS: Mapping[Relation, Mapping[str, Mask]] = MappingProxyType({})


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
        return tuple(schema for schema in dict.fromkeys(named) if not is_system(schema, ""))

    def resolve(self, schema: str | None, name: str) -> Relation | None:
        """Return the open relation a statement means, or None: closed, or not there.

        A bare `pg_class` means the catalog, as in Postgres; no other bare name means one.
        """
        schemas: Iterable[str] = self.search_order if schema is None else (schema,)
        if schema is None and is_system(None, name):
            schemas = ("pg_catalog",)
        for candidate in schemas:
            relation = Relation(candidate, name)
            if relation in self.open_relations:
                return relation
        return None

    def masked(self, relation: Relation) -> Mapping[str, Mask]:
        """Return the masks on `relation`, by column."""
        return self.masks.get(relation, {})

    def stands_in(self, relation: Relation) -> bool:
        """Tell whether a subselect stands for an open relation: it is not read as it is.

        Masks stand in it, and of a relation that the role may read in part it shows that part, so
        that a column which is not open is not there: Postgres would tell the one from the other. A
        column beside which a literal runs code is shown as another type.
        """
        info = self.open_relations[relation]
        return (
            bool(self.masked(relation))
            or len(info.readable) < len(info.columns)
            or relation in self.names.types.shown_as
        )

    @cached_property
    def proven(self) -> set[bytes]:
        """Subselects that were read as SQL and found to show what they may: see `proof`.

        There are a few for each relation, always the same, and each is proven once.
        """
        return set()

    @cached_property
    def masks_labels(self) -> bool:
        """Tell whether a masked column is of an enum: the labels of that are values."""
        return any(
            self.names.types.has_labels(TypeName(column.type_schema, column.type_name))
            for relation, masks in self.masks.items()
            for column in self.catalog.relations[relation].columns
            if column.name in masks
        )

    def masked_below(self, relations: Iterable[Relation]) -> frozenset[Relation]:
        """Return the masked relations that the views among `relations` read, at any depth."""
        found: set[Relation] = set()
        waiting = list(relations)
        while waiting:
            info = self.catalog.relations.get(waiting.pop())
            if info is None or info.definition is None:
                continue
            below = {source for source, _ in info.sources} - found
            found |= below
            waiting.extend(below)
        return frozenset(relation for relation in found if self.masked(relation))

    def columns(self, relation: Relation) -> frozenset[str]:
        """Return the names of an open relation's open columns."""
        return self._columns[relation]

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

    @cached_property
    def names(self) -> Names:
        """What names of users' functions, types and operators mean."""
        return Names(
            rules=self.rules,
            catalog=self.catalog,
            schemas=self.search_order,
            masked=self.masks.keys(),
            shape_only=self.shape_only,
        )

    def nearest(self, schema: str | None, name: str) -> RelationInfo | None:
        """Return the open relation whose name is most like a wrong one's, in its schema first."""
        found = alike.nearest(self.open_relations, schema, name)
        return self.open_relations[found] if found else None

    @cached_property
    def parents(self) -> frozenset[Relation]:
        """The tables that others inherit from: no key of theirs holds over those."""
        return frozenset(
            source
            for info in self.catalog.relations.values()
            if info.definition is None
            for source, _ in info.sources
            if source in self.catalog.relations and self.catalog.relations[source].kind == "table"
        )

    @cached_property
    def _columns(self) -> Mapping[Relation, frozenset[str]]:
        return {
            relation: frozenset(column.name for column in info.readable)
            for relation, info in self.open_relations.items()
        }


def shape_only(extensions: tuple[str, ...] = ()) -> Policy:
    """Return the policy that judges a statement's shape alone, for cases without a database."""
    return Policy(rules=AccessRules(extensions=extensions), catalog=Catalog(), shape_only=True)


def build(
    rules: AccessRules, catalog: Catalog, beside: Mapping[Relation, Mapping[str, Mask]] = NO_MASKS
) -> Policy:
    """Resolve the rules against what there is; `beside` are masks that hold as well.

    Raises:
        ConfigurationError: a rule names what is not there, or a mask cannot serve its column;
            all such problems at once.

    """
    problems = [
        *catalogs.problems(rules.relations),
        *_unknown_names(rules, catalog),
        *_mask_problems(rules, catalog),
    ]
    own, mask_problems = lineage.resolve(rules.masks, catalog, rules.extensions)
    problems.extend(mask_problems)
    masks = masking.stricter(beside, own)
    closed = Policy(rules=rules, catalog=catalog, masks=masks)
    problems.extend(closed.names.problems())
    if problems:
        raise ConfigurationError(problems)
    opened = {
        relation: _without_constants(info) if masks else info
        for relation, info in catalog.relations.items()
        if _is_open(info, rules)
        and (relation in rules.relations or effects.reason(info, closed.names.types) is None)
    }
    return replace(closed, open_relations=opened)


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
    if not info.readable:
        return False
    if catalogs.is_catalog(relation) and relation not in rules.relations:
        return False
    if relation.schema not in rules.schemas and relation not in rules.relations:
        return False
    if rules.views_only and info.kind not in {"view", "materialized view"}:
        return False
    return not any(matches(pattern, str(relation)) for pattern in rules.deny_relations)


def _without_constants(info: RelationInfo) -> RelationInfo:
    """Leave out the columns of a catalog that could print what a mask hides."""
    hidden = catalogs.columns_left_out(info.relation)
    columns = (
        replace(column, readable=column.readable and column.name not in hidden)
        for column in info.columns
    )
    return replace(info, columns=tuple(columns)) if hidden else info


def _unknown_names(rules: AccessRules, catalog: Catalog) -> Iterator[Problem]:
    for schema in rules.schemas:
        if schema not in catalog.schemas:
            yield Problem(
                f"access.schemas names {schema!r}, which is not there or not open to the role",
                f"correct the name, or GRANT USAGE ON SCHEMA {schema} to the role",
            )
    for relation in rules.relations:
        if catalogs.is_catalog(relation) and relation not in catalogs.OPENABLE:
            continue  # said elsewhere
        if relation not in catalog.relations or not catalog.relations[relation].readable:
            yield Problem(
                f"access.relations names {relation}, which is not there or not open to the role",
                f"correct the name, or GRANT SELECT ON {relation} to the role",
            )


def _mask_problems(rules: AccessRules, catalog: Catalog) -> Iterator[Problem]:
    for pattern in rules.masks:
        if "*" not in pattern and not _names_a_column(pattern, catalog):
            yield Problem(
                f"mask pattern {pattern!r} fits no column, so it would mask nothing",
                "correct the name; it is case-sensitive and written without quotes",
            )
        yield from masking.pattern_problems(pattern, rules.masks[pattern])


def _names_a_column(pattern: str, catalog: Catalog) -> bool:
    return any(
        pattern == f"{relation}.{column.name}"
        for relation, info in catalog.relations.items()
        for column in info.columns
    )
