"""A column reference and what FROM names in, what the column derives from out.

Postgres looks a name up in the FROM of its own SELECT, then in that of the SELECT around it. In
the text of a view it qualifies every name unless FROM has a single item, or USING merged it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from pg_guard_mcp.guard.lineage.flows import CONSTANT, UNFOLLOWED, Flow, chosen, computed, equal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pg_guard_mcp.model import Relation

Fields: TypeAlias = "Mapping[str, Any]"
Pairs: TypeAlias = tuple[tuple[str, Flow], ...]


class Columns:
    """Columns in order, found by name; two of a name are found as one."""

    __slots__ = ("by_name", "pairs")

    def __init__(self, pairs: Pairs = ()) -> None:
        """Index them."""
        self.pairs = pairs
        self.by_name = dict(pairs)
        if len(self.by_name) < len(pairs):
            for name in self.by_name:
                self.by_name[name] = _any_of(flow for other, flow in pairs if other == name)


NO_COLUMNS = Columns()


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """An item of FROM, by the name it goes by."""

    name: str
    columns: Columns = NO_COLUMNS
    rest: Flow | None = None
    """What every column is that it has beside those, where they are not known one by one."""
    relation: Relation | None = None
    by: Flow = CONSTANT
    """What decides whether it has a row at all, or one of NULLs."""
    equal: Mapping[str, Flow] = field(default_factory=dict)
    """What columns of it must be equal to, by name."""

    def find(self, name: str) -> Flow | None:
        """Return what the column by a name is, if there can be one."""
        found = self.columns.by_name.get(name, self.rest)
        if found is not None and name in self.equal:
            found = equal(found, self.equal[name])
        return None if found is None else chosen(found, self.by)

    def row(self) -> Flow:
        """Return what a whole row of it is."""
        rest = [] if self.rest is None else [self.rest]
        every = equal(computed([*self.columns.by_name.values(), *rest]), *self.equal.values())
        return chosen(every, self.by)._replace(plain=False)

    def pairs(self) -> Pairs | None:
        """Return all columns in order, or None where they are not known."""
        if self.rest is not None:
            return None
        return tuple((name, chosen(flow, self.by)) for name, flow in self.columns.pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What the expressions of one SELECT see."""

    ranges: tuple[Range, ...] = ()
    merged: Mapping[str, Flow] = field(default_factory=dict)
    """Columns that USING made one of two, by name."""
    groups: Flow = CONSTANT
    """What its GROUP BY tells rows apart by."""
    made: Flow = CONSTANT
    order: Flow = CONSTANT
    windows: Mapping[str, Flow] = field(default_factory=dict)

    def find(self, name: str) -> Flow | None:
        """Return what a bare name is; several that it could be are all of them."""
        if name in self.merged:
            return self.merged[name]
        found = [flow for item in self.ranges if (flow := item.find(name)) is not None]
        return computed(found) if len(found) > 1 else found[0] if found else None

    def knows(self, name: str) -> bool:
        """Tell whether a column of the name is known, and not only possible."""
        return name in self.merged or any(name in item.columns.by_name for item in self.ranges)


def renamed(columns: Pairs, names: Sequence[str]) -> Pairs | None:
    """Return columns with the first of them under other names, or None if there are too few."""
    if not names:
        return columns
    if len(names) > len(columns):
        return None
    own = (name for name, _ in columns[len(names) :])
    return tuple(zip((*names, *own), (flow for _, flow in columns), strict=True))


def find(reference: Fields, frames: Sequence[Frame]) -> Flow:
    """Return what a column reference derives from."""
    fields = reference["fields"]
    names = strings(fields)
    if len(names) < len(fields):  # a star, the last of them
        return _row(names, frames)
    if len(names) == 1:
        return _bare(names[0], frames)
    meant = _named(names[0], frames) if len(names) == 2 else ()  # noqa: PLR2004 - range and column
    return _any_of(item.find(names[1]) or UNFOLLOWED for item in meant)


def ranges_meant(reference: Fields, frame: Frame) -> Iterator[tuple[Range, str]]:
    """Yield the item of one SELECT's FROM that a reference reads, with its column, if it is one."""
    names = strings(reference["fields"])
    if len(names) == 1 == len(frame.ranges) == len(reference["fields"]):
        yield frame.ranges[0], names[0]
    elif len(names) == 2:  # noqa: PLR2004 - the range and its column
        yield from ((item, names[1]) for item in frame.ranges if item.name == names[0])


def strings(nodes: Sequence[Fields] | None) -> tuple[str, ...]:
    """Return the names in a list; what is none is left out."""
    return tuple(node["String"].get("sval", "") for node in nodes or () if "String" in node)


def _bare(name: str, frames: Sequence[Frame]) -> Flow:
    possible: list[Flow] = []
    for frame in frames:
        flow = frame.find(name)
        if flow is not None:
            possible.append(flow)
        else:
            possible += [item.row() for item in frame.ranges if item.name == name]
        if possible and (flow is None or frame.knows(name)):
            break
    return _any_of(possible)


def _row(names: tuple[str, ...], frames: Sequence[Frame]) -> Flow:
    if len(names) > 1:
        return UNFOLLOWED
    meant = _named(names[0], frames) if names else [item for f in frames[:1] for item in f.ranges]
    return computed(item.row() for item in meant) if meant else UNFOLLOWED


def _named(name: str, frames: Sequence[Frame]) -> Sequence[Range]:
    """Return what goes by a name in the innermost SELECT that has such an item."""
    each = ([item for item in frame.ranges if item.name == name] for frame in frames)
    return next(filter(None, each), [])


def _any_of(possible: Iterable[Flow]) -> Flow:
    found = tuple(possible)
    if not found:
        return UNFOLLOWED
    return found[0] if len(found) == 1 else computed(found)
