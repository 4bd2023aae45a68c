"""Small TPC-H and TPC-DS databases: DuckDB's generators make the rows, Postgres takes them.

DuckDB is installed for one command: its wheels up to 0.10.3 bring both generators along.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.postgres import connected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import Shop

GENERATORS = {"tpch": "dbgen", "tpcds": "dsdgen"}
_SCALE = 0.01
_KEYS = """
SELECT table_name, column_name
FROM information_schema.columns
WHERE table_schema = $1 AND column_name ~ '(_sk|key)$'
"""


async def load_tpc(place: Shop, schema: str) -> None:
    """Make one of the two schemas, with an index on every key."""
    with tempfile.TemporaryDirectory() as directory:
        async with connected(place.admin, search_path=schema) as connection:
            await connection.execute(f"CREATE SCHEMA {schema}")
            for table, statement in _generated(schema, Path(directory)):
                await connection.execute(statement)
                await connection.copy_to_table(
                    table, source=Path(directory) / f"{table}.csv", format="csv"
                )
            for table, column in await connection.fetch(_KEYS, schema):
                await connection.execute(f"CREATE INDEX ON {table} ({column})")
            await connection.execute(
                f"""
                ANALYZE;
                GRANT USAGE ON SCHEMA {schema} TO {place.agent.user};
                GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {place.agent.user};
                """
            )


def _generated(schema: str, directory: Path) -> Iterator[tuple[str, str]]:
    """Have the rows of each table written down; yield its name, and the SQL that makes it."""
    import duckdb

    generator = duckdb.connect()
    generator.execute(f"LOAD {schema}; CALL {GENERATORS[schema]}(sf = {_SCALE})")
    tables = generator.execute("SELECT table_name, sql FROM duckdb_tables() ORDER BY 1").fetchall()
    for table, statement in tables:
        generator.execute(f"COPY {table} TO '{directory / table}.csv' (FORMAT csv, HEADER false)")
        yield table, statement
