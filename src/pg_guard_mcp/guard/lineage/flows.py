"""What a column of a query derives from, as a value that can be joined with others.

Two things can be known of a masked value in a column: the value itself, or that the column was
chosen, ordered, counted or left empty by it. The first may keep the mask's kind, the second may
not: `CASE WHEN ssn LIKE '1%' THEN city END` holds no ssn, and tells of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from pg_guard_mcp.model import Relation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Origin(NamedTuple):
    """A column of a relation, or one of `ROWS`: which rows a view has, and in which order."""

    relation: Relation
    column: str


# No column is called so: Postgres has no NUL in names.
CHOSEN, MADE, ORDER = ROWS = ("\0chosen", "\0made", "\0order")


ANY_RELATION = Relation("", "")
"""Stands for the one whose rows a function in FROM gives out: Postgres depends on it as well."""


class Doubt(IntEnum):
    """How much a column may derive from beside what was found."""

    NONE = 0
    SOURCES = 1
    """Anything of the relations that the view reads."""
    ANYTHING = 2
    """Anything at all: code that nobody reviewed, or a text that nobody could read."""


_NOTHING: frozenset[Origin] = frozenset()


class Flow(NamedTuple):
    """What a value derives from; by itself, a constant."""

    values: frozenset[Origin] = _NOTHING
    """The columns it is, or is computed from."""
    chosen: frozenset[Origin] = _NOTHING
    """The columns that decided which value stands here, or whether one does."""
    plain: bool = True
    """Whether it is the value of one of `values` as it stands there, or a constant."""
    doubt: Doubt = Doubt.NONE
    equals: frozenset[Origin] = _NOTHING
    """The columns that `values` must be equal to: they tell where those are not masked."""

    @property
    def origins(self) -> frozenset[Origin]:
        """Return all it derives from."""
        return self.values | self.chosen


CONSTANT = Flow()
UNFOLLOWED = Flow(plain=False, doubt=Doubt.SOURCES)
UNREVIEWED = Flow(plain=False, doubt=Doubt.ANYTHING)


def column(relation: Relation, name: str) -> Flow:
    """Return what the column of a relation is: itself."""
    return Flow(values=frozenset({Origin(relation, name)}))


def either(flows: Iterable[Flow]) -> Flow:
    """Return a value that is one of several, as in a set operation."""
    found = [flow for flow in flows if flow is not CONSTANT]
    if len(found) < 2:  # noqa: PLR2004 - one is itself, and none a constant
        return found[0] if found else CONSTANT
    return Flow(
        values=_union([flow.values for flow in found]),
        chosen=_union([flow.chosen for flow in found]),
        plain=all(flow.plain for flow in found),
        doubt=max([flow.doubt for flow in found]),
        equals=_union([flow.equals for flow in found]),
    )


def computed(flows: Iterable[Flow]) -> Flow:
    """Return a value that is made out of others; out of constants it is one itself."""
    made = either(flows)
    return made if made.plain is not bool(made.values) else made._replace(plain=not made.values)


def chosen(flow: Flow, *by: Flow) -> Flow:
    """Return the same value, chosen by others."""
    telling = [other for other in by if other.values or other.chosen or other.doubt]
    if not telling:
        return flow
    more = [each for other in telling for each in (other.values, other.chosen, other.equals)]
    doubt = max([flow.doubt, *(other.doubt for other in telling)])
    return flow._replace(chosen=_union([flow.chosen, *more]), doubt=doubt)


def equal(flow: Flow, *others: Flow) -> Flow:
    """Return the same value, which must be equal to others."""
    more = [each for other in others for each in (other.values, other.chosen, other.equals)]
    return flow._replace(
        equals=_union([flow.equals, *more]), doubt=max([flow.doubt, *(o.doubt for o in others)])
    )


def _union(sets: Sequence[frozenset[Origin]]) -> frozenset[Origin]:
    """Join sets; as most are empty or the same, they are not copied."""
    telling = [each for each in sets if each]
    if all(each is telling[0] for each in telling[1:]):
        return telling[0] if telling else _NOTHING
    return _NOTHING.union(*telling)


class Rows(NamedTuple):
    """What the rows of a query, rather than its columns, tell of."""

    chosen: Flow = CONSTANT
    """What decides which rows there are: conditions, joins, groups, duplicates left out."""
    made: Flow = CONSTANT
    """What a number of rows was made from, as by generate_series: to count them is to read it."""
    order: Flow = CONSTANT
    """What they are sorted by."""

    def joined(self, *others: Rows) -> Rows:
        """Return the rows of several queries put together."""
        every = (self, *others)
        return Rows(
            chosen=computed(rows.chosen for rows in every),
            made=computed(rows.made for rows in every),
            order=computed(rows.order for rows in every),
        )


NO_ROWS = Rows()


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a query gives out: its columns by name, in order, and its rows."""

    names: tuple[str, ...] = ()
    flows: tuple[Flow, ...] = ()
    rows: Rows = field(default=NO_ROWS)
