"""What Postgres's own analyzer sees in a statement, and what of it we did not see.

`CREATE TEMP VIEW v AS ...` makes Postgres resolve every name. `pg_depend` then has the columns,
and the stored tree (`pg_rewrite.ev_action`) has the number of every relation, function, operator
and type in it, built-in ones too, which `pg_depend` leaves out. Nothing is run, and the view is
rolled back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Self

import asyncpg

from pg_guard_mcp.errors import GuardError
from pg_guard_mcp.guard import grammar
from pg_guard_mcp.guard.classify import classify
from pg_guard_mcp.guard.lexer import Kind, identifier, tokens
from pg_guard_mcp.model import Limits, Relation
from tests.support.verdicts import judged

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from pg_guard_mcp.guard.policy import Policy
    from pg_guard_mcp.model import Statement

    Connection = asyncpg.Connection[asyncpg.Record]

# How a function call was written: by name, as a cast, or not at all (an implicit cast).
_CALL, _GRAMMAR = "0", "3"
_CALLS = re.compile(r"\{FUNCEXPR :funcid (\d+) [^{}]*?:funcformat (\d)")
_NAMED = re.compile(r":(?:aggfnoid|winfnoid) (\d+)")
_BEHIND = re.compile(r":(?:opfuncid|hashfuncid|negfuncid|startInRangeFunc|endInRangeFunc) (\d+)")
_OPERATORS = re.compile(r":(?:opno|eqop|sortop|cycle_mark_neop) (\d+)|:opnos \(o ([\d ]+)\)")
_RELATIONS = re.compile(r":relid (\d+)")
_TYPES = re.compile(r":(?:consttype|resulttype) (\d+)")
# A function outside pg_catalog: whose extension it is, if it is one's.
_OWNERS = """
SELECT n.nspname, p.proname, coalesce(e.extname, '')
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
LEFT JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
LEFT JOIN pg_extension e ON e.oid = d.refobjid
WHERE n.nspname <> 'pg_catalog'
  AND (p.oid = ANY ($1::oid[]) OR p.oid IN (SELECT oprcode FROM pg_operator
                                            WHERE oid = ANY ($2::oid[])))
"""

_COLUMNS = """
SELECT n.nspname, c.relname, a.attname
FROM pg_depend d
JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
JOIN pg_class c ON c.oid = d.refobjid AND d.refclassid = 'pg_class'::regclass
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
WHERE r.ev_class = 'pg_temp.v'::regclass AND d.refobjsubid > 0
"""
_NAMES = {
    "relations": "SELECT nspname, relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
    " WHERE pg_class.oid = ANY ($1::oid[])",
    "functions": "SELECT nspname, proname FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace"
    " WHERE pg_proc.oid = ANY ($1::oid[])",
    "operators": "SELECT nspname, proname FROM pg_operator JOIN pg_proc ON pg_proc.oid = oprcode"
    " JOIN pg_namespace n ON n.oid = pronamespace WHERE pg_operator.oid = ANY ($1::oid[])",
    "types": "SELECT nspname, typname FROM pg_type JOIN pg_namespace n ON n.oid = typnamespace"
    " WHERE pg_type.oid = ANY ($1::oid[]) AND typtype <> 'e' AND typelem = 0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one statement names, as Postgres resolved it; names are (schema, name)."""

    relations: frozenset[tuple[str, str]] = frozenset()
    columns: frozenset[tuple[str, str, str]] = frozenset()
    called: frozenset[tuple[str, str]] = frozenset()
    """Functions, aggregates and window functions that are written as calls."""
    behind: frozenset[tuple[str, str]] = frozenset()
    """Functions behind operators and casts."""
    owners: frozenset[tuple[str, str, str]] = frozenset()
    """Of all functions outside pg_catalog: schema, name, and the extension it belongs to."""
    types: frozenset[tuple[str, str]] = frozenset()
    """Types of constants and casts, enums and arrays left out."""


@dataclass(slots=True, kw_only=True)
class Agreement:
    """How much was compared, and what did not agree."""

    statements: int = 0
    relations: int = 0
    columns: int = 0
    functions: int = 0
    operators_and_casts: int = 0
    types: int = 0
    not_analyzed: int = 0
    """Statements that Postgres itself rejects, for a name or a type."""
    disagreements: list[str] = field(default_factory=list)

    def __iadd__(self, other: Agreement) -> Self:
        """Add up."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        return self

    def count(self, seen: Seen) -> None:
        """Add what one statement had."""
        self.statements += 1
        self.relations += len(seen.relations)
        self.columns += len(seen.columns)
        self.functions += len(seen.called)
        self.operators_and_casts += len(seen.behind)
        self.types += len(seen.types)


async def compare(
    connection: Connection, statements: Iterable[str], policy: Policy, search_path: Sequence[str]
) -> Agreement:
    """Hold every admitted statement, and what would run of it, against Postgres's own reading.

    `search_path` is the one an agent's user would have without the guard.
    """
    found = Agreement()
    for sql in statements:
        try:
            guarded = judged(sql, policy)
        except GuardError:
            continue
        try:
            seen = await analyze(connection, sql, search_path)
            path = ("pg_catalog", *guarded.search_path, "pg_temp")
            ours = await analyze(connection, _filled(guarded.sql), path)
        except asyncpg.PostgresError:
            found.not_analyzed += 1
            continue
        found.count(seen)
        statement = classify(sql, max_bytes=Limits().max_sql_bytes)
        found.disagreements += [
            f"{what}: {' '.join(sql.split())}"
            for what in (*unseen(statement, seen, policy), *foreign(ours, policy))
        ]
    return found


def _filled(sql: str) -> str:
    """Put something in place of the two halves of a mask's key; a view has no parameters."""
    return sql.replace("$1", "''::bytea").replace("$2", "''::bytea")


async def analyze(connection: Connection, sql: str, search_path: Sequence[str]) -> Seen:
    """Have Postgres resolve every name in `sql`, in a transaction that is rolled back.

    Raises:
        asyncpg.PostgresError: Postgres rejects it.

    """
    transaction = connection.transaction()
    await transaction.start()
    try:
        path = ", ".join(f'"{schema}"' for schema in search_path)
        await connection.execute(f"SET LOCAL search_path = {path}")
        body = without_semicolon(sql)
        await connection.execute(
            f"CREATE TEMP VIEW v AS SELECT 1 AS one FROM (\n{body}\n) AS statement"
        )
        await connection.execute("SET LOCAL search_path = pg_catalog")
        tree = await connection.fetchval(
            "SELECT ev_action::text FROM pg_rewrite WHERE ev_class = 'pg_temp.v'::regclass"
        )
        view = str(await connection.fetchval("SELECT 'pg_temp.v'::regclass::oid"))
        calls = _CALLS.findall(tree)
        numbers = [int(number) for found in _OPERATORS.findall(tree) for number in _split(found)]
        called = [int(number) for number, how in calls if how in {_CALL, _GRAMMAR}]
        called += map(int, _NAMED.findall(tree))
        behind = [int(number) for number, how in calls if how not in {_CALL, _GRAMMAR}]
        behind += map(int, _BEHIND.findall(tree))
        return Seen(
            # Up to 15 the tree of a view has the view itself in it, as OLD and NEW.
            relations=await _named(connection, "relations", set(_RELATIONS.findall(tree)) - {view}),
            columns=frozenset(map(tuple, await connection.fetch(_COLUMNS))),
            called=await _named(connection, "functions", called),
            behind=await _named(connection, "functions", behind)
            | await _named(connection, "operators", numbers),
            owners=frozenset(map(tuple, await connection.fetch(_OWNERS, called + behind, numbers))),
            types=await _named(connection, "types", _TYPES.findall(tree)),
        )
    finally:
        await transaction.rollback()


def without_semicolon(sql: str) -> str:
    """Return the statement without what ends it, so that it can stand in brackets."""
    text = sql.encode()
    last = [
        token for token in tokens(text) if token.kind is not Kind.COMMENT and token.text != b";"
    ]
    return text[: last[-1].end].decode()


def unseen(statement: Statement, seen: Seen, policy: Policy) -> Iterator[str]:
    """Say what Postgres saw in the agent's text and we did not."""
    relations = {policy.resolve(use.schema, use.name) for use in statement.relations}
    yield from (
        f"relation {schema}.{name}"
        for schema, name in seen.relations
        if Relation(schema, name) not in relations
    )
    ours = {use.name for use in statement.functions}
    yield from (f"function {schema}.{name}" for schema, name in seen.called if name not in ours)
    # `name(x)` and `(x).name` read a column too, where x is a row.
    columns = {part for column in statement.columns for part in column.parts} | ours
    words = {
        identifier(token)
        for token in tokens(statement.sql.encode())
        if token.kind in {Kind.WORD, Kind.QUOTED}
    }
    # A NATURAL join and `*` name no column at all, and USING names them without a reference.
    if "*" in columns or "natural" in words:
        return
    renamed = set(_renamed(grammar.parse(statement.sql)))
    yield from (
        f"column {schema}.{relation}.{name}"
        for schema, relation, name in seen.columns
        if name not in columns
        and relation not in renamed
        and not ("using" in words and name in words)
    )


def foreign(seen: Seen, policy: Policy) -> Iterator[str]:
    """Say what in the guarded text is neither Postgres's own nor open."""
    opened = {tuple(relation) for relation in policy.open_relations}
    on = policy.names.extensions.packs
    yield from (f"relation {name}" for name in seen.relations if name not in opened)
    for schema, name, extension in seen.owners:
        reviewed = extension in on and (
            (schema, name) not in seen.called or name in on[extension].functions
        )
        if not reviewed and f"{schema}.{name}" not in policy.rules.allow_functions:
            yield f"function {schema}.{name}"
    yield from (
        f"type {schema}.{name}"
        for schema, name in seen.types
        if schema != "pg_catalog"
        and (schema, name) not in opened
        and policy.names.type(schema, name) is None
    )


def _renamed(node: object) -> Iterator[str]:
    """Yield the relations whose columns get other names: `shop.orders AS o(a, b)`."""
    if isinstance(node, list):
        for item in node:
            yield from _renamed(item)
    elif isinstance(node, dict):
        if "relname" in node and "colnames" in node.get("alias", {}):
            yield node["relname"]
        for item in node.values():
            yield from _renamed(item)


def _split(found: tuple[str, str]) -> list[str]:
    return [found[0]] if found[0] else found[1].split()


async def _named(
    connection: Connection, what: str, numbers: Collection[int | str]
) -> frozenset[tuple[str, str]]:
    rows = await connection.fetch(_NAMES[what], [int(number) for number in numbers])
    return frozenset((schema, name) for schema, name in rows)
