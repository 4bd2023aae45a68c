"""A result as Postgres itself writes it, to compare answers with."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from tests.support.answers import Answer

if TYPE_CHECKING:
    import asyncpg


class Rows(NamedTuple):
    """A result: the names of its columns, and its rows in Postgres's own text form."""

    columns: tuple[str, ...]
    rows: list[tuple[str | None, ...]]

    def without(self, columns: frozenset[str]) -> Rows:
        """Leave columns out, by name."""
        kept = [index for index, name in enumerate(self.columns) if name not in columns]
        return Rows(
            tuple(self.columns[index] for index in kept),
            [tuple(row[index] for index in kept) for row in self.rows],
        )


async def copy(connection: asyncpg.Connection[asyncpg.Record], sql: str) -> Rows:
    """Have Postgres write the rows of a query, the way an answer's rows are written."""
    statement = await connection.prepare(sql)
    copied = bytearray()
    await connection.copy_from_query(f"{sql}\n", output=partial(_extend, copied))
    answer = Answer(f"<data 0>\n\n{copied.decode()}</data 0>", is_error=False)
    return Rows(tuple(attribute.name for attribute in statement.get_attributes()), answer.rows)


async def _extend(copied: bytearray, chunk: bytes) -> None:
    """Keep what COPY sends."""
    copied.extend(chunk)
