"""A relation in, a query for some of its rows out; those rows in, what the detectors saw out.

What comes out is words for a share and a detector's id, never a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pg_guard_mcp.guard import detectors
from pg_guard_mcp.guard.lexer import quote
from pg_guard_mcp.guard.suggest.wording import type_group
from pg_guard_mcp.model import GuardedQuery, ResultSet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pg_guard_mcp.catalog import Column, RelationInfo
    from pg_guard_mcp.model import ResultColumn

ROWS = 300
"""How many rows of a relation are looked at."""
_SPREAD_FROM = 50 * ROWS
"""A relation of more rows is sampled all over, not at its beginning alone: oldest rows lie."""
_SPREAD = 1.5
"""A sample by blocks may find fewer rows than expected."""
_READABLE_GROUPS = frozenset({"text", "array", "json"})
_READABLE_NUMBERS = frozenset({"int8", "numeric"})
_SURE = 0.05
_UNSURE = 0.25
_CHANCE = frozenset({"payment-card", "us-ssn", "phone"})
"""Detectors of digits, which other numbers hit now and then."""
_FEW = 3
_SHARES = ((0.9, "nearly all"), (0.5, "most"), (0.2, "many"), (0.0, "some"))
_WHOLE = 0.9


class Sighting(NamedTuple):
    """What one detector saw in a column: in which share of its values, and whether it is all."""

    detector: str
    share: str
    whole: bool
    """Whether the values are nothing else."""


def is_readable(column: Column) -> bool:
    """Tell whether a column's values could hold anything a detector finds."""
    return column.type_name in _READABLE_NUMBERS or type_group(column) in _READABLE_GROUPS


def query(
    info: RelationInfo, columns: Sequence[Column], versions: tuple[tuple[int, str], ...]
) -> GuardedQuery:
    """Return SQL that reads some rows of `columns`."""
    names = ", ".join(quote(column.name) for column in columns)
    source = f"{quote(info.relation.schema)}.{quote(info.relation.name)}"
    spread = ""
    if info.kind in {"table", "materialized view", "partitioned table"} and (
        info.estimated_rows > _SPREAD_FROM
    ):
        percent = 100 * _SPREAD * ROWS / info.estimated_rows
        spread = f" TABLESAMPLE SYSTEM ({percent:.9f}) REPEATABLE (0)"
    return GuardedQuery(
        sql=f"SELECT {names} FROM {source}{spread} LIMIT {ROWS}",
        relations=(info.relation,),
        versions=versions,
    )


def sightings(result: ResultSet, columns: Sequence[Column]) -> Mapping[str, Sequence[Sighting]]:
    """Return what the detectors saw, by column."""
    cells = list(zip(*result.rows, strict=True)) or [()] * len(columns)
    return {
        column.name: list(_in_column(shown, values))
        for column, shown, values in zip(columns, result.columns, cells, strict=True)
    }


def _in_column(column: ResultColumn, cells: Sequence[str | None]) -> Iterator[Sighting]:
    values = [cell for cell in cells if cell and not cell.isspace()]
    if not values:
        return
    sample = ResultSet(columns=(column,), rows=[(value,) for value in values])
    for detector in detectors.DETECTORS:
        masked, hits = detectors.mask(sample, (detector,))
        share = hits / len(values)
        enough = _UNSURE if detector in _CHANCE else _SURE
        if share < enough or (hits < _FEW and hits < len(values)):
            continue
        alone = sum(row == (f"[{detector}]",) for row in masked.rows)
        words = next(words for least, words in _SHARES if share >= least)
        yield Sighting(detector, words, alone >= _WHOLE * hits)
