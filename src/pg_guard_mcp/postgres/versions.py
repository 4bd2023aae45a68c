"""What a relation was when a statement was judged, and whether it still is when it runs.

A column added since the last snapshot, or a view written anew, could show what a mask should
cover. So the transaction that runs a statement first locks what it reads, as reading does, and
then checks, in the same round trip, that every relation has the columns and the definition it was
judged by. From there to the end of the statement nobody can change them.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import asyncpg

from pg_guard_mcp.errors import CatalogChanged
from pg_guard_mcp.postgres.session import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pg_guard_mcp.model import Definition, Relation

# The row of a view's rule is written anew with every CREATE OR REPLACE VIEW, and so is its xmin;
# the same goes for the expression of a generated column. Casts of users, whose ids begin at 16384,
# run without being named. `concat` and not a cast to text: that could be a user's too.
DIGEST = """
md5(concat_ws(' ', c.relnamespace, c.relname, c.relkind, c.relrowsecurity,
    (SELECT string_agg(concat_ws(' ', a.attnum, a.attname, a.atttypid, a.atttypmod), ','
                       ORDER BY a.attnum)
     FROM pg_attribute a
     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    (SELECT string_agg(concat(d.xmin), ',' ORDER BY d.oid)
     FROM pg_attrdef d
     WHERE d.adrelid = c.oid),
    (SELECT string_agg(concat(i.inhrelid), ',' ORDER BY i.inhrelid)
     FROM pg_inherits i
     WHERE i.inhparent = c.oid),
    (SELECT string_agg(concat(r.xmin), ',' ORDER BY r.oid)
     FROM pg_rewrite r
     WHERE r.ev_class = c.oid),
    (SELECT string_agg(concat(k.oid, ' ', k.xmin), ',' ORDER BY k.oid)
     FROM pg_cast k
     WHERE k.oid >= 16384)))
"""

# What follows runs where schemas of extensions are on the path, so it names pg_catalog throughout:
# an operator that somebody planted there must not be asked whether it was planted.
_ROWS = "pg_catalog.string_agg(pg_catalog.concat({0}.oid, ' ', {0}.xmin), ',' ORDER BY {0}.oid)"

SCHEMA_DIGEST = f"""
pg_catalog.md5(pg_catalog.concat_ws(' ', n.oid,
    (SELECT {_ROWS.format("f")}
     FROM pg_catalog.pg_proc f
     WHERE f.pronamespace OPERATOR(pg_catalog.=) n.oid),
    (SELECT {_ROWS.format("o")}
     FROM pg_catalog.pg_operator o
     WHERE o.oprnamespace OPERATOR(pg_catalog.=) n.oid)))
"""

FUNCTION_DIGEST = f"pg_catalog.md5({_ROWS.format('f')})"

TYPE_DIGEST = f"""
pg_catalog.md5(pg_catalog.concat_ws(' ', t.xmin,
    (SELECT {_ROWS.format("k")}
     FROM pg_catalog.pg_constraint k
     WHERE k.contypid OPERATOR(pg_catalog.=) t.oid),
    (SELECT pg_catalog.string_agg(pg_catalog.concat(a.attnum, ' ', a.xmin), ',' ORDER BY a.attnum)
     FROM pg_catalog.pg_attribute a
     WHERE a.attrelid OPERATOR(pg_catalog.=) t.typrelid),
    (SELECT r.xmin FROM pg_catalog.pg_range r WHERE r.rngtypid OPERATOR(pg_catalog.=) t.oid)))
"""

UNCHANGED = "SELECT 1"


def check(relations: Sequence[Relation], versions: Sequence[tuple[int, str]]) -> str:
    """Return SQL that divides by zero if any relation is not what it was.

    In a batch of the simple protocol an error is the only answer that does not cost a round trip.
    `relations` are those that the statement names: to parse a query of views locks what they read.
    To plan it as well would already run functions of a view that was changed. LOCK TABLE would do
    as much, but not for a role that may read some of the columns only.
    """
    if not versions:
        return UNCHANGED
    sources = ", ".join(
        f"{quoted(schema)}.{quoted(name)} AS r{number}"
        for number, (schema, name) in enumerate(relations)
    )
    # The digest holds schema and name, so that no relation can stand in for another.
    oids = ", ".join(str(oid) for oid, _ in versions)
    digests = ", ".join(f"'{digest}'" for _, digest in versions)
    return (
        f"PREPARE pg_guard_lock AS SELECT FROM {sources}; DEALLOCATE pg_guard_lock;"
        f" SELECT 1 / (count(*) = {len(versions)})::int FROM pg_class c"
        f" WHERE c.oid IN ({oids}) AND {DIGEST.strip()} IN ({digests})"
    )


@contextmanager
def told() -> Iterator[None]:
    """Say in words what `check` found. Raises: CatalogChanged."""
    try:
        yield
    except (
        asyncpg.DivisionByZeroError,
        asyncpg.UndefinedTableError,
        asyncpg.InvalidSchemaNameError,
    ):
        raise CatalogChanged(
            "a relation was changed since the server last looked", "Try again."
        ) from None


def digests(definitions: Sequence[Definition]) -> str:
    """Return SQL that gives the digest of each definition as it is now, as one text.

    It is asked for after Postgres has resolved every name of a statement, and before the statement
    runs: what was put in the way in between shows.
    """
    return f"SELECT pg_catalog.concat_ws(' ', {', '.join(map(_digest, definitions))})"


def _digest(definition: Definition) -> str:
    oid = int(definition.oid)
    if definition.kind == "schema":
        return (
            f"(SELECT {SCHEMA_DIGEST.strip()} FROM pg_catalog.pg_namespace n"
            f" WHERE n.oid OPERATOR(pg_catalog.=) {oid})"
        )
    if definition.kind == "type":
        return (
            f"(SELECT {TYPE_DIGEST.strip()} FROM pg_catalog.pg_type t"
            f" WHERE t.oid OPERATOR(pg_catalog.=) {oid})"
        )
    name = definition.name.replace("'", "''")
    return (
        f"(SELECT {FUNCTION_DIGEST} FROM pg_catalog.pg_proc f"
        f" WHERE f.proname OPERATOR(pg_catalog.=) '{name}'"
        f" AND f.pronamespace OPERATOR(pg_catalog.=) {oid})"
    )


async def check_definitions(connection: Any, definitions: Sequence[Definition]) -> None:
    """Make sure that the names of a prepared statement mean what they did when it was judged.

    Postgres has resolved them by now and has run nothing yet, so nobody can come in between. The
    name keeps this from taking the unnamed statement's place. Raises: CatalogChanged.
    """
    check = await connection.prepare(digests(definitions), name="pg_guard_check")
    if await check.fetchval() != " ".join(definition.digest for definition in definitions):
        raise CatalogChanged(
            "a function, type or operator was changed since the server last looked", "Try again."
        )
