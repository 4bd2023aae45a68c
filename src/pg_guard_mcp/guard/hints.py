"""Words for refusals: a name as the agent wrote it, and the open names nearest to a wrong one.

Suggestions come from open relations and readable columns only, so no hint tells of what is hidden.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pg_guard_mcp.catalog import RelationInfo

_COLUMNS_SHOWN = 12
_LONGEST_NAME = 300
_PART = r'(?:"(?:[^"]|"")*"|[\w$]+)'
_NAME = re.compile(rf"{_PART}(?:\s*\.\s*{_PART})*")


def as_written(sql: str, start: int, folded: str) -> str:
    """Return the name at a byte offset of `sql` as it stands there, or `folded` if it is not that.

    A comment between its parts, or a spelling by grammar, leaves it as Postgres folds it.
    """
    place = slice(max(start, 0), max(start, 0) + _LONGEST_NAME)
    # Characters are bytes in most texts; a text of 50,000 is not to be encoded for each name.
    found = _NAME.match(
        sql[place] if sql.isascii() else sql.encode()[place].decode("utf-8", "replace")
    )
    written = re.sub(r"\s", "", found[0]) if found else ""
    return written if written.replace('"', "").lower() == folded.lower() else folded


def columns_of(info: RelationInfo) -> str:
    """Name the open columns of a relation, the first dozen of many."""
    names = [column.name for column in info.readable]
    more = ", ..." if len(names) > _COLUMNS_SHOWN else ""
    return f"{', '.join(names[:_COLUMNS_SHOWN])}{more}"


def for_relation(near: RelationInfo | None) -> str:
    """Say what to do about a relation that is not open: `near` is the open one most like it."""
    if near is None:
        return "Call list_schemas to see what is."
    return f"Did you mean {near.relation}? Its columns are {columns_of(near)}."


def for_column(name: str, relations: Iterable[RelationInfo]) -> str:
    """Say what to do about a column that is not there, over the open relations it may be of.

    `name` is as the agent wrote it, perhaps qualified.
    """
    name = name.rpartition(".")[2].strip('"')
    known = list(relations)
    owners = {column.name: info for info in reversed(known) for column in info.readable}
    close: Sequence[str] = get_close_matches(name.lower(), owners, n=1)
    if close:
        owner = owners[close[0]]
        return f"Did you mean {close[0]}? The columns of {owner.relation} are {columns_of(owner)}."
    if len(known) == 1:
        return f"The columns of {known[0].relation} are {columns_of(known[0])}."
    return "describe_view lists a relation's columns."
