"""libpg_query's reading: SQL text in, Postgres's own parse tree out, as plain dicts.

`pgparse` and `postgast` wrap the same C library (PostgreSQL's parser, cut out of the server).
`pgparse` is smaller and ten times faster to import, but has no wheel for Windows and Intel Macs;
there `postgast` stands in. Both give the library's own JSON shape: a node is a dict with one
capitalised key, offsets are bytes, a field at its default is absent. A test compares them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class NotSql(ValueError):
    """Postgres's parser rejects the text; `position` counts characters from 1, 0 if unknown."""

    def __init__(self, message: str, position: int) -> None:
        """Keep the parser's own words: they quote the statement, and nothing else."""
        super().__init__(message)
        self.message = message
        self.position = position


class TooDeep(ValueError):
    """The tree is deeper than a reader may follow."""


def _with_pgparse() -> Callable[[str], Sequence[Mapping[str, object]]]:
    import pgparse

    def parse(sql: str) -> Sequence[Mapping[str, object]]:
        try:
            return cast("Sequence[Mapping[str, object]]", pgparse.parse(sql))
        except pgparse.PGQueryError as error:
            raise NotSql(str(error.message), int(error.position)) from None
        except RecursionError:
            raise TooDeep from None

    return parse


def _with_postgast() -> Callable[[str], Sequence[Mapping[str, object]]]:
    import postgast
    from google.protobuf.json_format import MessageToDict
    from google.protobuf.message import DecodeError

    def parse(sql: str) -> Sequence[Mapping[str, object]]:
        try:
            tree = MessageToDict(postgast.parse(sql))
        except postgast.PgQueryError as error:
            raise NotSql(str(error.message), int(error.cursorpos)) from None
        except (RecursionError, DecodeError):
            raise TooDeep from None
        return cast("Sequence[Mapping[str, object]]", tree.get("stmts", []))

    return parse


READERS: tuple[Callable[[], Callable[[str], Sequence[Mapping[str, object]]]], ...] = (
    _with_pgparse,
    _with_postgast,
)


def _first_installed() -> Callable[[str], Sequence[Mapping[str, object]]]:
    """Return the first reader whose library is installed."""
    for reader in READERS:
        try:
            return reader()
        except ImportError:
            continue
    message = "neither pgparse nor postgast is installed"
    raise ImportError(message)


parse = _first_installed()
"""Return the raw statements in `sql`, each a dict with `stmt`.

Raises:
    NotSql: Postgres's grammar rejects the text.
    TooDeep: the tree is too deep to hand over.
"""
