"""A mask changes what it masks and nothing else: not a row, not a type, not another column.

Every readable column of every relation gets a mask, so that a subselect stands for each relation a
read names. One that returns the column as it is must change nothing at all; real masks on the
columns that a read does not name must not either.
"""

from __future__ import annotations

import re
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import anyio
import asyncpg
import pytest

from pg_guard_mcp.errors import DatabaseError, GuardError
from pg_guard_mcp.guard import masking, proof
from pg_guard_mcp.guard import policy as policies
from pg_guard_mcp.guard.lexer import quote
from pg_guard_mcp.guard.masking import Mask
from pg_guard_mcp.judging import judged
from pg_guard_mcp.model import AccessRules, Limits
from pg_guard_mcp.postgres import snapshot
from pg_guard_mcp.second_parser import Parsers
from tests.postgres.databases import opened, shared_database
from tests.reads import CORPUS, SHOP_READS, defog_reads, tpc_reads
from tests.support.defog import load_defog, own_schemas
from tests.support.postgres import connected
from tests.support.rows import copy
from tests.support.tpc import load_tpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from pg_guard_mcp.catalog import Column
    from pg_guard_mcp.demo.cluster import Login
    from pg_guard_mcp.guard.policy import Policy
    from pg_guard_mcp.model import GuardedQuery, Relation
    from pg_guard_mcp.postgres.database import Database
    from tests.reads import Read
    from tests.support.postgres import Shop, ShopServer

READS = {"shop": SHOP_READS, **defog_reads()}
TPC_READS = tpc_reads()
LIMITS = Limits(
    max_rows=100_000,
    max_result_bytes=100_000_000,
    max_cell_bytes=1_000_000,
    pool_size=1,
    statement_timeout_seconds=120.0,
)
REAL_KINDS = ("hash", "email", "last4", "first1", "year", "bucket:10", "redact")
GROUPED_BY_TOO_LITTLE = "42803"
PADS = masking.hmac_pads(bytes(range(32)))


class Outcome(NamedTuple):
    """What came of a read: its rows, with the names and types of its columns, or an error."""

    columns: tuple[tuple[str, str], ...] = ()
    rows: Sequence[tuple[str | None, ...]] = ()
    error: str = ""

    def is_like(self, other: Outcome) -> bool:
        """Compare, but for the order of rows, which few reads fix."""
        return (self.columns, self.error) == (other.columns, other.error) and (
            Counter(self.rows) == Counter(other.rows)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A database to read, with and without the guard."""

    login: Login
    database: Database
    parsers: Parsers
    policy: Policy

    async def rewritten(
        self, read: Read, masks: Mapping[Relation, Mapping[str, Mask]]
    ) -> GuardedQuery:
        """Have the guard judge a read and splice `masks` into it."""
        return await judged(read.sql, replace(self.policy, masks=masks), LIMITS, self.parsers)

    async def guarded(self, read: Read, masks: Mapping[Relation, Mapping[str, Mask]]) -> Outcome:
        """Run a read through the guard, with these masks in place of the policy's own."""
        try:
            query = await self.rewritten(read, masks)
            spliced = {name.rpartition(".")[0] for name in query.masked}
            assert spliced == {str(relation) for relation in query.relations if masks.get(relation)}
            if query.needs_key:
                query = replace(query, arguments=PADS)
            result = await self.database.fetch(query, max_rows=LIMITS.max_rows, application="test")
        except DatabaseError as error:
            return Outcome(error=error.sqlstate)
        except GuardError as error:
            return Outcome(error=f"{error.code}: {error.message}")
        assert result.cap is None
        return Outcome(tuple((column.name, column.type) for column in result.columns), result.rows)


@asynccontextmanager
async def subject(login: Login, schemas: Sequence[str]) -> AsyncIterator[Subject]:
    """Read a database's catalog, all of `schemas` open and nothing masked."""
    async with opened(login, LIMITS) as database:
        functions = ("shop.net_price",) if "shop" in schemas else ()
        rules = AccessRules(schemas=tuple(schemas), allow_functions=functions)
        catalog = await snapshot.take(database, "test")
        parsers = Parsers()
        try:
            yield Subject(
                login=login,
                database=database,
                parsers=parsers,
                policy=policies.build(rules, catalog),
            )
        finally:
            await parsers.close()


async def bare(login: Login, schema: str, reads: Sequence[Read]) -> list[Outcome]:
    """Ask Postgres itself."""
    async with connected(
        login, search_path=schema, statement_timeout="120s", jit="off"
    ) as connection:
        return [await asked(connection, read.sql.rstrip().removesuffix(";")) for read in reads]


async def asked(connection: asyncpg.Connection[asyncpg.Record], sql: str) -> Outcome:
    """Run one statement as it is."""
    try:
        attributes = (await connection.prepare(sql)).get_attributes()
        columns = tuple((attribute.name, type_name(attribute.type)) for attribute in attributes)
        return Outcome(columns, (await copy(connection, sql)).rows)
    except asyncpg.PostgresError as error:
        return Outcome(error=error.sqlstate or "")


def type_name(found: asyncpg.Type) -> str:
    """Call a type as Postgres does; the driver has a name of its own for an array."""
    return f"_{found.name.removesuffix('[]')}" if found.name.endswith("[]") else found.name


def the_column(_mask: Mask, column: Column) -> str:
    """Return SQL that is the column itself, which leaves Postgres its indexes."""
    return quote(column.name)


def in_the_shape_of_a_mask(_mask: Mask, column: Column) -> str:
    """Return SQL of a mask's shape that is the column itself, which Postgres cannot see."""
    value = quote(column.name)
    return f"CASE WHEN {value} IS NULL THEN CAST(NULL AS {column.unchecked}) ELSE {value} END"


def everything(policy: Policy) -> dict[Relation, dict[str, Mask]]:
    """Put a mask on every readable column there is."""
    return {
        relation: {column.name: Mask(kind="redact") for column in info.readable}
        for relation, info in policy.open_relations.items()
    }


def without_keys(
    masks: Mapping[Relation, Mapping[str, Mask]], policy: Policy
) -> dict[Relation, dict[str, Mask]]:
    """Take the masks off primary keys."""
    return {
        relation: {
            name: mask
            for name, mask in columns.items()
            if not any(
                key.primary and name in key.columns for key in policy.open_relations[relation].keys
            )
        }
        for relation, columns in masks.items()
    }


def unnamed(
    read: GuardedQuery, policy: Policy, names: frozenset[str]
) -> dict[Relation, dict[str, Mask]]:
    """Put real masks, of many kinds, on every column that a read does not name."""
    return {
        relation: {
            column.name: real_mask(index, column)
            for index, column in enumerate(policy.open_relations[relation].readable)
            if column.name not in names
        }
        for relation in read.relations
    }


def real_mask(index: int, column: Column) -> Mask:
    """Choose a mask that serves the column, not the same for all of them."""
    kinds = [
        mask
        for kind in REAL_KINDS
        if masking.column_problem(mask := Mask(kind=kind), column, "") is None
    ]
    return kinds[index % len(kinds)]


def words_of(read: Read) -> frozenset[str]:
    """Return every word of a read: what it does not write, it does not name."""
    return frozenset(re.findall(r"\w+", read.sql.lower()))


def takes_all(read: Read) -> bool:
    """Tell whether a read names columns without writing them."""
    return re.search(r"(\bselect|\bdistinct|,|\.)\s*\*|\bnatural\b", read.sql.lower()) is not None


async def compare(
    place: Shop, schema: str, reads: Sequence[Read], more: Sequence[str] = ()
) -> dict[str, str]:
    """Run reads with and without an identity on everything; return those that differ, and how."""
    expected = await bare(place.agent, schema, reads)
    assert {outcome.error for outcome in expected} <= {"", GROUPED_BY_TOO_LITTLE}
    differ = {}
    async with subject(place.agent, [schema, *more]) as guard:
        masks = everything(guard.policy)
        for read, outcome in zip(reads, expected, strict=True):
            found = await guard.guarded(read, masks)
            if found.error == GROUPED_BY_TOO_LITTLE != outcome.error:
                # A masked primary key is no key: two of them may look alike.
                found = await guard.guarded(read, without_keys(masks, guard.policy))
            if not found.is_like(outcome):
                differ[read.name] = f"{found.error or 'other rows'}, not {outcome.error or 'these'}"
    return differ


async def compare_masked(
    place: Shop, schema: str, reads: Sequence[Read], more: Sequence[str] = ()
) -> tuple[dict[str, str], int]:
    """Run reads with real masks on what they do not name; return those that differ, and a count."""
    reads = [read for read in reads if not takes_all(read)]
    expected = await bare(place.agent, schema, reads)
    differ, masked = {}, 0
    async with subject(place.agent, [schema, *more]) as guard:
        for read, outcome in zip(reads, expected, strict=True):
            if outcome.error:
                continue
            plain = await guard.rewritten(read, {})
            masks = unnamed(plain, guard.policy, words_of(read))
            masked += sum(map(len, masks.values()))
            found = await guard.guarded(read, masks)
            if not found.is_like(outcome):
                differ[read.name] = found.error or "other rows"
    return differ, masked


@pytest.fixture(scope="module")
def defog(postgres: ShopServer) -> Iterator[Shop]:
    """Hold the shop and every schema of defog in one database."""
    with shared_database(postgres) as shop:
        anyio.run(load_defog, shop, tuple(READS.keys() - {"shop"}))
        yield shop


@pytest.fixture(scope="module")
def tpc(postgres: ShopServer) -> Iterator[Shop]:
    """Hold TPC-H and TPC-DS in one database."""
    with shared_database(postgres, "template0") as place:
        for schema in TPC_READS:
            anyio.run(load_tpc, place, schema)
        yield place


def schemas_beside(schema: str) -> list[str]:
    """Return the schemas that a script of defog makes beside its own."""
    script = CORPUS / "defog" / f"{schema}.sql"
    return own_schemas(script.read_text(encoding="utf-8")) if script.exists() else []


@pytest.mark.parametrize("schema", READS)
async def test_masks_that_return_the_column_change_no_read(
    defog: Shop, monkeypatch: pytest.MonkeyPatch, schema: str
) -> None:
    monkeypatch.setattr(masking, "expression", in_the_shape_of_a_mask)

    assert await compare(defog, schema, READS[schema], schemas_beside(schema)) == {}


@pytest.mark.parametrize("schema", READS.keys() - {"shop"})
async def test_real_masks_change_nothing_that_does_not_name_their_columns(
    defog: Shop, schema: str
) -> None:
    differ, masked = await compare_masked(defog, schema, READS[schema], schemas_beside(schema))

    assert differ == {}
    assert masked > 0


@pytest.mark.tpc
@pytest.mark.parametrize("schema", TPC_READS)
async def test_masks_that_return_the_column_change_no_query_of_tpc(
    tpc: Shop, monkeypatch: pytest.MonkeyPatch, schema: str
) -> None:
    monkeypatch.setattr(masking, "expression", the_column)
    # The guard rightly takes no bare column for a mask.
    monkeypatch.setattr(proof, "_is_masked", lambda value, name: proof._plain(value) == name)

    assert await compare(tpc, schema, TPC_READS[schema]) == {}


@pytest.mark.tpc
@pytest.mark.parametrize("schema", TPC_READS)
async def test_real_masks_change_no_query_of_tpc_that_does_not_name_their_columns(
    tpc: Shop, schema: str
) -> None:
    differ, masked = await compare_masked(tpc, schema, TPC_READS[schema])

    assert differ == {}
    assert masked > 0
