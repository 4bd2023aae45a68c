"""The guard's answers are Postgres's own: hundreds of reads, each with the rows it has without.

The real server answers over stdio; Postgres itself writes the rows to compare with by COPY.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import anyio
import asyncpg
import pytest

from tests.postgres.databases import shared_database
from tests.reads import CORPUS, SHOP_READS, defog_reads
from tests.support.defog import load_defog, own_schemas
from tests.support.postgres import connected
from tests.support.rows import Rows, copy
from tests.support.server import configure, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pg_guard_mcp.demo.cluster import Login
    from tests.reads import Read
    from tests.support.answers import Answer
    from tests.support.postgres import Shop, ShopServer

READS = {"shop": SHOP_READS, **defog_reads()}
"""What is read, by schema. The same name may mean a relation in several of them."""

POLICY = """
[access]
schemas = {schemas}
allow_functions = {functions}
[mask]
{masks}
[mask.detectors]
enabled = []
[limits]
max_rows = 100000
max_result_bytes = 10000000
max_cell_bytes = 1000000
"""
SHOP_MASKS = """
"shop.customers.email" = "email"
"shop.customers.phone" = "last4"
"shop.customers.ssn" = "redact"
"shop.customers.card_number" = "null"
"shop.customers.date_of_birth" = "year"
"shop.customers.notes" = "hash"
"""
MASK_KEY = {"PG_GUARD_MASK_KEY": "bm90IGEga2V5IHRvIGtlZXA6IHRoaXJ0eS10d28gYnl0ZXM="}


@pytest.fixture(scope="module")
def database(postgres: ShopServer) -> Iterator[Shop]:
    """Hold the shop and every schema of defog in one database."""
    with shared_database(postgres) as shop:
        anyio.run(load_defog, shop, tuple(READS.keys() - {"shop"}))
        yield shop


def policy(schema: str, masks: str = "") -> str:
    """Write a policy that opens one schema, and lets every row through."""
    script = CORPUS / "defog" / f"{schema}.sql"
    more = own_schemas(script.read_text(encoding="utf-8")) if script.exists() else []
    functions = ["shop.net_price"] if schema == "shop" else []
    # A list of such names is written alike in Python and in TOML.
    return POLICY.format(schemas=[schema, *more], functions=functions, masks=masks)


async def ask_postgres(
    login: Login, schema: str, reads: Sequence[Read]
) -> list[Rows | asyncpg.PostgresError]:
    """Ask Postgres itself, as the same role; some gold queries of defog are in error."""
    async with connected(login, search_path=schema) as connection:
        found: list[Rows | asyncpg.PostgresError] = []
        for read in reads:
            try:
                found.append(await copy(connection, read.sql.rstrip().removesuffix(";")))
            except asyncpg.PostgresError as error:
                found.append(error)
        return found


def rows_of(answer: Answer) -> Rows:
    """Read all of an answer; a truncated one says so in its first line."""
    headline, _, columns = answer.text.split("\n", 3)[:3]
    rows = answer.rows
    assert headline == ("1 row." if len(rows) == 1 else f"{len(rows)} rows.")
    return Rows(tuple(columns.split("\t")), rows)


def is_same(read: Read, answer: Answer, expected: Rows | asyncpg.PostgresError) -> bool:
    """Compare an answer with Postgres's own; the order of rows counts where the read fixes it."""
    if isinstance(expected, asyncpg.PostgresError):
        return answer.text.startswith(f"database-error: [{expected.sqlstate}] ")
    if answer.is_error:
        return False
    found = rows_of(answer)
    if read.is_ordered:
        return found == expected
    return found.columns == expected.columns and Counter(found.rows) == Counter(expected.rows)


async def ask_postgres_about_the_shop(login: Login) -> list[Rows]:
    """Ask every read of the shop; none of them is in error."""
    async with connected(login, search_path="shop") as connection:
        return [await copy(connection, read.sql.rstrip().removesuffix(";")) for read in SHOP_READS]


def ask_the_guard(
    directory: Path, login: Login, schema: str, reads: Sequence[Read], masks: str = ""
) -> list[Answer]:
    """Ask a server of the schema alone."""
    place = configure(directory, login, policy(schema, masks), environment=MASK_KEY)
    with serving(place, "legacy") as server:
        return [server.query(read.sql) for read in reads]


@pytest.mark.parametrize("schema", READS)
def test_every_read_of_a_schema_has_the_rows_it_has_without_a_guard(
    database: Shop, tmp_path: Path, schema: str
) -> None:
    reads = READS[schema]

    before = anyio.run(ask_postgres, database.agent, schema, reads)
    answers = ask_the_guard(tmp_path, database.agent, schema, reads)
    # The gold queries in error all group by too little: nothing was left out in loading.
    states = {result.sqlstate for result in before if isinstance(result, asyncpg.PostgresError)}
    assert states <= {"42803"}
    # Some reads ask for the date, and midnight may come in between.
    after = anyio.run(ask_postgres, database.agent, schema, reads)

    assert {
        read.name: answer.text
        for read, answer, *expected in zip(reads, answers, before, after, strict=True)
        if not any(is_same(read, answer, result) for result in expected)
    } == {}


def test_masks_change_no_other_column(database: Shop, tmp_path: Path) -> None:
    answers = ask_the_guard(tmp_path, database.agent, "shop", SHOP_READS, SHOP_MASKS)
    expected = anyio.run(ask_postgres_about_the_shop, database.agent)

    for read, answer, bare in zip(SHOP_READS, answers, expected, strict=True):
        assert not answer.is_error, f"{read.name}: {answer.text}"
        masked = rows_of(answer)
        assert masked.without(read.masked) == bare.without(read.masked), read.name
        for column in read.masked:
            others = frozenset(bare.columns) - {column}
            assert masked.without(others) != bare.without(others), f"{read.name}: {column}"


def test_the_reads_of_the_shop_are_of_every_shape_and_none_is_empty_by_accident(
    database: Shop,
) -> None:
    found = anyio.run(ask_postgres_about_the_shop, database.agent)

    empty = {read.name for read, rows in zip(SHOP_READS, found, strict=True) if not rows.rows}
    assert empty == {"no row at all"}
    assert len(SHOP_READS) >= 27


@pytest.mark.parametrize("schemas", [["outlet", "shop"], ["shop", "outlet"]])
async def test_a_bare_name_means_the_relation_of_the_schema_named_first(
    fresh_shop: Shop, tmp_path: Path, schemas: list[str]
) -> None:
    async with connected(fresh_shop.admin) as connection:
        await connection.execute(
            f"""
            CREATE SCHEMA outlet;
            CREATE TABLE outlet.products AS SELECT -1 AS id, 'left over' AS name;
            GRANT USAGE ON SCHEMA outlet TO {fresh_shop.agent.user};
            GRANT SELECT ON outlet.products TO {fresh_shop.agent.user};
            """
        )
    place = configure(tmp_path, fresh_shop.agent, f"[access]\nschemas = {schemas}\n")

    with serving(place, "legacy") as server:
        bare = server.query("SELECT min(id) FROM products").rows
        both = server.query(
            "SELECT min(o.id), min(s.id) FROM outlet.products o, shop.products AS s"
        ).rows

    assert bare == [("-1" if schemas[0] == "outlet" else "1",)]
    assert both == [("-1", "1")]


async def test_answers_look_alike_whatever_the_database_s_own_settings_are(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    sql = r"""SELECT date '2025-03-04', '2025-03-04 05:06:07'::timestamp, '1 day 2:03'::interval,
        '\x0a'::bytea, 0.1::float8 + 0.2, 'a\nb', (SELECT count(*) FROM products)"""
    for setting in (
        "DateStyle = 'German, DMY'",
        "IntervalStyle = 'sql_standard'",
        "bytea_output = 'escape'",
        "extra_float_digits = -5",
        "standard_conforming_strings = off",
        "search_path = hr",
    ):
        async with connected(fresh_shop.admin) as connection:
            await connection.execute(f"ALTER DATABASE {fresh_shop.admin.database} SET {setting}")
    place = configure(tmp_path, fresh_shop.agent, policy("shop"))

    with serving(place, "legacy") as server:
        answer = server.query(sql)

    ((*dates, raw, number, text, products),) = answer.rows
    assert dates == ["2025-03-04", "2025-03-04 05:06:07", "1 day 02:03:00"]
    assert (raw, number, text) == (r"\x0a", "0.30000000000000004", r"a\nb")
    assert products == "200"
