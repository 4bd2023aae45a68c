"""What is known of a database's columns in, masks proposed for some of them out, with reasons.

A relation is looked at after those it reads, so that what it inherits needs no line of its own. A
column that a foreign key ties to a masked one holds the same values and gets the same mask, and
both are hashed where their type allows it, so that joins still find their rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pg_guard_mcp.guard import masking
from pg_guard_mcp.guard.masking import Mask
from pg_guard_mcp.guard.suggest import wording
from pg_guard_mcp.guard.suggest.vocabulary import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pg_guard_mcp.catalog import Column, RelationInfo
    from pg_guard_mcp.guard.policy import Policy
    from pg_guard_mcp.guard.suggest.samples import Sighting
    from pg_guard_mcp.guard.suggest.vocabulary import Subject
    from pg_guard_mcp.model import Relation

_SEEN = {
    "payment-card": "payment card",
    "us-ssn": "number of an identity document",
    "iban": "bank account",
    "email": "e-mail address",
    "phone": "telephone number",
}
_SECRET = "secret"  # noqa: S105 - what the other detectors see


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A mask for one column, and why."""

    relation: Relation
    column: str
    kind: str
    reason: str

    @property
    def where(self) -> tuple[Relation, str]:
        """Return which column it is."""
        return self.relation, self.column


def levels(policy: Policy) -> Iterator[list[RelationInfo]]:
    """Yield the open relations, those first that read no others of them."""
    depths: dict[Relation, int] = {}
    # With a stack of its own: views may stand on one another deeper than Python recurses.
    stack = list(policy.open_relations)
    entered: set[Relation] = set()
    while stack:
        relation = stack[-1]
        info = policy.catalog.relations[relation]
        below = {source for source, _ in info.sources} & policy.catalog.relations.keys()
        waiting = below - depths.keys() - entered
        if relation in depths or not waiting:
            stack.pop()
            known = (depths[source] for source in below if source in depths)
            depths.setdefault(relation, 1 + max(known, default=-1))
        else:
            entered.add(relation)
            stack += sorted(waiting)

    for level in range(max(depths.values(), default=-1) + 1):
        found = [
            info for relation, info in policy.open_relations.items() if depths[relation] == level
        ]
        if found:
            yield sorted(found, key=lambda info: info.relation)


def undecided(policy: Policy, info: RelationInfo, masked: Mapping[str, Mask]) -> tuple[Column, ...]:
    """Return the readable columns that neither the policy nor a proposal speaks of."""
    return tuple(
        column
        for column in info.readable
        if column.name not in masked and not _is_decided(policy, info.relation, column)
    )


def propose(
    info: RelationInfo,
    columns: Sequence[Column],
    sightings: Mapping[str, Sequence[Sighting]],
) -> Iterator[Proposal]:
    """Propose masks for those of a relation's columns that seem to need one."""
    persons = wording.is_about_persons(info) or wording.is_called_sensitive(info.comment)
    things = wording.is_about_things(info)
    keys = _key_columns(info)
    for column in columns:
        name = wording.by_name(column, persons=persons, things=things)
        comment = wording.by_comment(column, persons=persons, things=things)
        seen = sightings.get(column.name, ())
        sensitive = wording.is_called_sensitive(column.comment) and not (
            column.name in keys and wording.type_group(column) != "text"
        )
        reasons = [
            *(["by its name"] if name else []),
            *(["by its comment"] if comment else []),
            *(["its comment calls it sensitive"] if sensitive else []),
            *(
                f"{sighting.detector} in {sighting.share} of the values sampled"
                for sighting in seen
            ),
        ]
        if not reasons:
            continue
        subjects = dict.fromkeys(
            subject for subject in (name, comment, *map(_seen_subject, seen)) if subject is not None
        )
        is_mixed = len(subjects) != 1 or any(not sighting.whole for sighting in seen)
        kind = "redact" if is_mixed else fitting(next(iter(subjects)).masks, column)
        label = " or ".join(subject.name for subject in subjects) or "called sensitive"
        yield Proposal(
            relation=info.relation,
            column=column.name,
            kind=kind,
            reason=f"{label}: {', '.join(reasons)}",
        )


def fitting(kinds: Sequence[str], column: Column) -> str:
    """Return the first of `kinds` that serves the column's type."""
    return next(
        (kind for kind in kinds if masking.column_problem(Mask(kind=kind), column, "") is None),
        "redact",
    )


def joined(
    proposals: Sequence[Proposal], policy: Policy, masked: Mapping[Relation, Mapping[str, Mask]]
) -> list[Proposal]:
    """Carry proposals along foreign keys, and have columns of one be masked alike."""
    found = {proposal.where: proposal for proposal in proposals}
    ties = list(_ties(policy))
    waiting = [*found, *((relation, name) for relation, names in masked.items() for name in names)]
    while waiting:
        where = waiting.pop()
        for one, other in ties:
            if where == one and other not in found and _is_free(other, policy, masked):
                known = found.get(one)
                kind = known.kind if known else masked[one[0]][one[1]].kind
                column = _column(other, policy)
                found[other] = Proposal(
                    relation=other[0],
                    column=other[1],
                    kind=fitting((kind,), column),
                    reason="tied by a foreign key to a column that is masked",
                )
                waiting.append(other)
    for one, other in ties:
        if one in found and other in found:
            column = _column(one, policy)
            if fitting(("hash",), column) == fitting(("hash",), _column(other, policy)) == "hash":
                found[one] = replace(found[one], kind="hash")
                found[other] = replace(found[other], kind="hash")
    return sorted(found.values(), key=lambda proposal: _place(proposal, policy))


def _place(proposal: Proposal, policy: Policy) -> tuple[Relation, int]:
    names = [column.name for column in policy.catalog.relations[proposal.relation].columns]
    return proposal.relation, names.index(proposal.column)


def _seen_subject(sighting: Sighting) -> Subject:
    name = _SEEN.get(sighting.detector, _SECRET)
    return next(subject for subject in load().subjects if subject.name == name)


def _key_columns(info: RelationInfo) -> frozenset[str]:
    keys = [key.columns for key in info.keys]
    keys += [key.columns for key in info.foreign_keys]
    return frozenset(name for columns in keys for name in columns)


def _is_decided(policy: Policy, relation: Relation, column: Column) -> bool:
    """Tell whether a pattern of the policy speaks of a column: also one that calls it clean.

    What it says of a parent or a partitioned table it says of the children.
    """
    waiting, seen = [relation], set()
    while waiting:
        relation = waiting.pop()
        name = f"{relation}.{column.name}"
        if any(masking.matches(pattern, name) for pattern in policy.rules.masks):
            return True
        seen.add(relation)
        info = policy.catalog.relations[relation]
        if info.definition is None:
            waiting += {source for source, shared in info.sources if shared == column.name} - seen
    return False


def _ties(
    policy: Policy,
) -> Iterator[tuple[tuple[Relation, str], tuple[Relation, str]]]:
    """Yield the columns that a foreign key makes hold the same values, both ways round."""
    for info in policy.catalog.relations.values():
        for key in info.foreign_keys:
            for name, target in zip(key.columns, key.target_columns, strict=True):
                yield (key.source, name), (key.target, target)
                yield (key.target, target), (key.source, name)


def _is_free(
    where: tuple[Relation, str], policy: Policy, masked: Mapping[Relation, Mapping[str, Mask]]
) -> bool:
    relation, name = where
    info = policy.open_relations.get(relation)
    return (
        info is not None
        and name not in masked.get(relation, {})
        and any(
            column.name == name and not _is_decided(policy, relation, column)
            for column in info.readable
        )
    )


def _column(where: tuple[Relation, str], policy: Policy) -> Column:
    relation, name = where
    return next(
        column for column in policy.catalog.relations[relation].columns if column.name == name
    )
