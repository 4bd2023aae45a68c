"""The frozen types that flow from stage to stage: the glossary of this project, in code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, NewType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pg_guard_mcp.uses import (
        Amount,
        CollationUse,
        ColumnUse,
        FunctionUse,
        ObjectName,
        RelationUse,
        Span,
        TypeUse,
    )

Tool = Literal["query", "explain", "list_schemas", "describe_view"]
Extension = Literal[
    "btree_gist",
    "citext",
    "cube",
    "earthdistance",
    "fuzzystrmatch",
    "hstore",
    "intarray",
    "isn",
    "ltree",
    "pg_trgm",
    "pgcrypto",
    "postgis",
    "seg",
    "tablefunc",
    "timescaledb",
    "unaccent",
    "uuid-ossp",
    "vector",
]
"""The extensions that were reviewed: each has a pack that a policy can switch on."""


class Relation(NamedTuple):
    """A table, view, materialized view, partition or foreign table, fully named."""

    schema: str
    name: str

    def __str__(self) -> str:
        """Show the name as a person writes it, for messages only."""
        return f"{self.schema}.{self.name}"


class TypeName(NamedTuple):
    """A type, fully named."""

    schema: str
    name: str

    def __str__(self) -> str:
        """Show the name as a person writes it, for messages only."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who asks: the MCP client's own word (`name`, `version`) and what we know (`subject`)."""

    name: str = "unknown"
    version: str = ""
    subject: str = ""
    session_id: str = ""
    settings_name: str = ""
    """Under which it has settings of its own: the token's subject, or on stdio its own word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call of one tool: the unit of audit and trace."""

    call_id: str
    tool: Tool
    client: Client
    sql: str = ""
    max_rows: int | None = None
    schema: str | None = None
    search: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Why a statement is refused, and the next thing to do; they travel together."""

    rule: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What one statement is and names, according to two parsers that agreed on it."""

    sql: str
    relations: tuple[RelationUse, ...] = ()
    functions: tuple[FunctionUse, ...] = ()
    types: tuple[TypeUse, ...] = ()
    columns: tuple[ColumnUse, ...] = ()
    names: frozenset[str] = frozenset()
    """Every alias and CTE name the statement introduces."""
    operators: tuple[tuple[str, str], ...] = ()
    """Operators written with a schema: `OPERATOR(schema.op)`."""
    symbols: frozenset[str] = frozenset()
    """Operators written without a schema, those behind IN and LIKE included."""
    collations: tuple[CollationUse, ...] = ()
    parameters: tuple[int, ...] = ()
    amounts: tuple[Amount, ...] = ()
    objects: tuple[ObjectName, ...] = ()
    findings: tuple[Finding, ...] = ()
    """What is wrong with its form alone: another kind of statement, a lock, an INTO."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A statement and everything that speaks against it; none means it may run."""

    statement: Statement
    findings: tuple[Finding, ...]


AdmittedStatement = NewType("AdmittedStatement", Statement)
"""A statement the policy let through. Only `guard.policy.admit` makes one."""


class Splice(NamedTuple):
    """Where the guarded text differs from the agent's: `replacement` stands for `span`."""

    span: Span
    replacement: bytes


class Definition(NamedTuple):
    """A schema, a type or a function with all its overloads, and a digest of what it was then."""

    kind: Literal["schema", "type", "function"]
    name: str
    """A function's name; empty for a schema and a type, which `oid` says."""
    oid: int
    """The object's own id; of a function, that of its schema."""
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedQuery:
    """SQL that may run: the agent's text with our splices, or a constant of ours.

    `arguments` are bind parameters in Postgres's text form; only our splices refer to them.
    """

    sql: str
    statement: str = ""
    """The agent's own text, for telling where in it something is wrong."""
    arguments: tuple[str, ...] = field(default=(), repr=False)
    relations: tuple[Relation, ...] = ()
    masked: tuple[str, ...] = ()
    """Columns a mask stands before, as `schema.relation.column`."""
    splices: tuple[Splice, ...] = ()
    prefix_bytes: int = 0
    """Bytes of ours in front of the agent's text, such as EXPLAIN."""
    versions: tuple[tuple[int, str], ...] = ()
    """Every relation it reads, views followed down, as it was judged: object id and digest."""
    search_path: tuple[str, ...] = ()
    """Schemas of extensions, in which Postgres looks after pg_catalog."""
    definitions: tuple[Definition, ...] = ()
    """What its names were when they were judged, where a later object could stand in for them."""
    needs_key: bool = False
    """Whether `$1` and `$2` stand in the splices: the two halves of the profile's mask key."""


class Price(NamedTuple):
    """How to find out what a query costs: two EXPLAINs of it, and what looks at their answers."""

    outline: GuardedQuery
    """Small, however many columns and partitions there are."""
    is_too_much: Callable[[ResultSet], bool]
    plan: GuardedQuery
    """Names what it reads; asked for only where the outline costs too much."""
    check: Callable[[ResultSet], None]
    """Raises where that is too much, with words."""


class ResultColumn(NamedTuple):
    """A column of a result: its name, and its type as Postgres calls it."""

    name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultSet:
    """Rows as Postgres sent them, each cell in Postgres's own text form. Raw: must not leave."""

    columns: tuple[ResultColumn, ...]
    rows: list[tuple[str | None, ...]] = field(repr=False)
    cap: Literal["rows", "bytes"] | None = None
    """The cap that cut the result short, if one did."""
    cut: Mapping[tuple[int, int], int] = field(default_factory=dict)
    """How many bytes the end of a cell had that was left off, by row and column."""


MaskedResult = NewType("MaskedResult", ResultSet)
"""A result the detectors have been over. Only `guard.detectors.mask` makes one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one call may cost. There is no way to say unlimited."""

    statement_timeout_seconds: float = 30.0
    lock_timeout_seconds: float = 2.0
    idle_in_transaction_seconds: float = 60.0
    max_rows: int = 1_000
    max_result_bytes: int = 50_000
    max_cell_bytes: int = 2_000
    max_sql_bytes: int = 50_000
    max_cost: float = 0.0
    pool_size: int = 4
    pool_wait_seconds: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRules:
    """What the operator wrote: which relations are open and how columns are masked.

    Names are exact; `deny_relations` and `masks` are patterns in which `*` stands for any run of
    characters. `masks` maps `schema.relation.column` patterns to mask kinds; the most specific
    pattern wins, and `clean` declares a column free of masked data.
    """

    schemas: tuple[str, ...] = ()
    relations: tuple[Relation, ...] = ()
    deny_relations: tuple[str, ...] = ()
    allow_functions: tuple[str, ...] = ()
    allow_functions_with_effects: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    views_only: bool = False
    masks: Mapping[str, str] = field(default_factory=dict)
    detectors: tuple[str, ...] = ()
