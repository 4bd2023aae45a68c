"""Mask patterns and the catalog in, the masked columns of every relation out.

A mask on a column is inherited by every view column that derives from it, through any depth, and
by partitions, inheritance children and their parents, which hold the same values, and by columns
generated from it. Where a view's column is plainly another one, that one's mask is inherited as it
is; where it is computed or chosen by masked columns, or cannot be followed and the view reads any,
it is redacted. A pattern with the kind `clean` ends the inheritance.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from pg_guard_mcp.guard import masking
from pg_guard_mcp.guard.catalogs import is_catalog
from pg_guard_mcp.guard.extensions import Extensions
from pg_guard_mcp.guard.lineage import queries
from pg_guard_mcp.guard.lineage.flows import (
    ANY_RELATION,
    CONSTANT,
    ROWS,
    UNFOLLOWED,
    UNREVIEWED,
    Doubt,
    Origin,
    chosen,
)
from pg_guard_mcp.guard.lineage.known import Known
from pg_guard_mcp.guard.masking import Mask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pg_guard_mcp.catalog import Catalog, Column, RelationInfo
    from pg_guard_mcp.errors import Problem
    from pg_guard_mcp.guard.lineage.flows import Flow
    from pg_guard_mcp.model import Relation

    Masks = dict[Relation, dict[str, Mask]]


class Derivation(NamedTuple):
    """The columns a view's column is made of; `plain` if it is one of them as it stands there."""

    origins: tuple[Origin, ...]
    plain: bool
    clear: bool
    """Whether these are all."""


def resolve(
    patterns: Mapping[str, str], catalog: Catalog, on: tuple[str, ...] = ()
) -> tuple[Masks, list[Problem]]:
    """Return every masked column, and the masks that cannot serve their column's type.

    `on` are the extensions whose functions are known to read nothing but their arguments.
    """
    known = Known(extensions=Extensions(on=on, catalog=catalog))
    declared: Masks = {}
    problems: list[Problem] = []
    named = _declared(patterns)
    for relation, info in catalog.relations.items():
        for column in info.columns:
            if mask := named(f"{relation}.{column.name}"):
                declared.setdefault(relation, {})[column.name] = mask
                where = f"{relation}.{column.name}"
                if problem := masking.column_problem(mask, column, where):
                    problems.append(problem)
    _share_in_families(declared, catalog)
    _mask_generated(declared, known)
    _share_in_families(declared, catalog)
    resolver = _Resolver(known, declared)
    for relation in catalog.relations:
        resolver.settle(relation)
    masks = {relation: columns for relation, columns in resolver.masks.items() if columns}
    return masks, problems


def derivation(
    info: RelationInfo, catalog: Catalog, on: tuple[str, ...] = ()
) -> tuple[Derivation, ...]:
    """Return what each column of a view is, or is made of; nothing of what is no view."""
    if info.definition is None:
        return ()
    view = queries.of_view(info, Known(extensions=Extensions(on=on, catalog=catalog)))
    return tuple(
        Derivation(tuple(sorted(flow.values)), plain=flow.plain, clear=not flow.doubt)
        for flow in view.flows
    )


def _declared(patterns: Mapping[str, str]) -> Callable[[str], Mask | None]:
    """Return what finds the mask of the most specific pattern that fits a column's full name.

    That is the name itself, or else the pattern with most literal text.
    """
    wild = sorted(
        (pattern for pattern in patterns if "*" in pattern),
        key=lambda pattern: (len(pattern) - pattern.count("*"), pattern),
        reverse=True,
    )
    forms = [(masking.form(pattern), pattern) for pattern in wild]

    def named(name: str) -> Mask | None:
        fitting = (pattern for form, pattern in forms if form.fullmatch(name))
        best = name if name in patterns and "*" not in name else next(fitting, None)
        return Mask(kind=patterns[best], pattern=best) if best is not None else None

    return named


def _share_in_families(declared: Masks, catalog: Catalog) -> None:
    """Give parents and children of an inheritance tree each other's masks, to the last cousin."""
    edges = [
        (relation, source, column)
        for relation, info in catalog.relations.items()
        if info.definition is None
        for source, column in info.sources
    ]
    changed = True
    while changed:
        changed = False
        for child, parent, column in edges:
            for here, there in ((child, parent), (parent, child)):
                mask = declared.get(there, {}).get(column)
                if mask and column not in declared.setdefault(here, {}):
                    shared = replace(mask, pattern="", origins=((there, column),))
                    declared[here][column] = shared
                    changed = True


def _mask_generated(declared: Masks, known: Known) -> None:
    """Redact columns that are computed from masked columns of their own relation.

    What cannot be followed, a whole row or a function of a user, may read every column.
    """
    for relation, info in known.catalog.relations.items():
        masks = declared.get(relation)
        if not masks:
            continue
        masked = {Origin(relation, name) for name, mask in masks.items() if mask.name != "clean"}
        for column in info.columns:
            if not column.generated or column.name in masks:
                continue
            flow = queries.of_expression(column.default or "", info, known)
            behind = masked if flow.doubt else masked & flow.origins
            if behind:
                origins = tuple(sorted(behind))
                masks[column.name] = Mask(kind="redact", origins=origins, computed=True)


class _Resolver:
    """Settles relations in the order in which they read one another."""

    def __init__(self, known: Known, declared: Masks) -> None:
        self.known = known
        self.catalog = known.catalog
        self.declared = declared
        self.masks: Masks = {}
        self.rows: dict[Origin, tuple[Origin, ...]] = {}
        """Views of which the rows tell of masked columns, with those."""

    def settle(self, relation: Relation) -> None:
        """Find the masks on `relation`, and on what it reads first.

        With a stack of its own: views may stand on one another deeper than Python recurses.
        """
        stack = [relation]
        entered: set[Relation] = set()
        while stack:
            current = stack[-1]
            info = self.catalog.relations.get(current)
            if info is None or current in self.masks:
                stack.pop()
            elif current in entered or info.definition is None:
                stack.pop()
                self.masks[current] = self._masks_of(info)
            else:
                entered.add(current)
                below = {source for source, _ in info.sources} - entered
                stack += [source for source in sorted(below) if source not in self.masks]

    def _masks_of(self, info: RelationInfo) -> dict[str, Mask]:
        own = self.declared.get(info.relation, {})
        columns = dict(self._inherited(info)) if info.definition is not None else {}
        for name, mask in own.items():
            columns[name] = replace(mask, computed=columns.get(name, mask).computed)
        return {name: mask for name, mask in columns.items() if mask.name != "clean"}

    def _inherited(self, info: RelationInfo) -> Iterator[tuple[str, Mask]]:
        """Yield the masks a view's columns get from what they derive from."""
        if not self.declared:
            return
        view = queries.of_view(info, self.known)
        doubt = self._doubt(info, view.read)
        masked: tuple[Origin, ...] = ()
        if doubt.doubt or any(flow.doubt for flow in (*view.flows, *view.rows)):
            masked = tuple(Origin(*each) for each in info.sources if self._tells(Origin(*each)))
        for column, flow in zip(info.columns, view.flows, strict=True):
            if mask := self._mask(column, chosen(flow, doubt), masked):
                yield column.name, mask
        own = self.declared.get(info.relation, {})
        if all(column.name in own and own[column.name].name == "clean" for column in info.columns):
            return
        for name, flow in zip(ROWS, view.rows, strict=True):
            behind = self._behind(chosen(flow, doubt), masked)
            if behind is not None:
                self.rows[Origin(info.relation, name)] = behind

    def masks_on(self, relation: Relation) -> Mapping[str, Mask]:
        """Return the masks on a relation that was settled."""
        return self.masks.get(relation, {})

    def _doubt(self, info: RelationInfo, read: frozenset[Relation]) -> Flow:
        """Compare what the definition reads with what Postgres says it depends on."""
        sources = {source for source, _ in info.sources}
        if any(not is_catalog(relation) for relation in read - sources - {ANY_RELATION}):
            return UNREVIEWED
        unread = any(self.masks_on(relation) for relation in sources - read)
        return UNFOLLOWED if unread and ANY_RELATION not in read else CONSTANT

    def _mask(self, column: Column, flow: Flow, masked: tuple[Origin, ...]) -> Mask | None:
        behind = self._behind(flow, masked)
        if behind is None:
            return None
        masks = [self.masks_on(origin.relation).get(origin.column) for origin in flow.values]
        kinds = {mask.kind if mask else "" for mask in masks}
        by_others = any(self._tells(origin) for origin in flow.chosen)
        plain = flow.plain and not flow.doubt and not by_others
        computed = not plain or any(mask.computed for mask in masks if mask)
        # One that is masked itself shows no more than that mask does, whatever it is equal to.
        if plain and len(kinds) == 1 and "" not in kinds:
            inherited = Mask(kind=kinds.pop(), origins=behind, computed=computed)
            if masking.column_problem(inherited, column, "") is None:
                return inherited
        return Mask(kind="redact", origins=behind, computed=computed)

    def _behind(self, flow: Flow, masked: tuple[Origin, ...]) -> tuple[Origin, ...] | None:
        """Return the masked columns behind a value, or None if there are none."""
        if flow.doubt is Doubt.ANYTHING or (flow.doubt and masked):
            return masked
        telling = [
            origin
            for origins in (flow.origins, flow.equals)
            for origin in origins
            if self._tells(origin)
        ]
        found = (self.rows.get(origin, (origin,)) for origin in sorted(telling))
        return tuple(dict.fromkeys(chain.from_iterable(found))) if telling else None

    def _tells(self, origin: Origin) -> bool:
        return origin.column in self.masks_on(origin.relation) or origin in self.rows
