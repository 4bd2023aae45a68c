"""The catalog snapshot: what there is in the database, as far as the connected role may see.

Made by `postgres.snapshot` from `pg_catalog`, filtered by privilege; read by the policy, the
rewrite and the two tools that describe.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pg_guard_mcp.model import Definition, Relation, TypeName

RelationKind = Literal["table", "view", "materialized view", "partitioned table", "foreign table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column. `type` is written as SQL, every name in it qualified; `type_name` is pg_type's."""

    name: str
    type: str
    type_name: str
    type_schema: str
    category: str
    """pg_type's category of the type: S for strings, N for numbers, D for dates and times."""
    nullable: bool
    default: str | None
    comment: str | None
    readable: bool
    """Whether the role may SELECT it."""
    generated: bool = False
    """Whether `default` is the expression it is computed by."""
    base: str | None = None
    """What a domain, or an array of one, is made of, written as `type` is; None of other types."""

    @property
    def unchecked(self) -> str:
        """Return the type that a value of ours may be cast to: a cast to a domain runs its CHECKs.

        It does so for NULL as well, which a domain may even refuse.
        """
        return self.base or self.type


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A primary or unique key."""

    primary: bool
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    """A reference from one relation to another, columns in matching order."""

    source: Relation
    columns: tuple[str, ...]
    target: Relation
    target_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An index: its columns, or None where it has an expression."""

    name: str
    unique: bool
    columns: tuple[str | None, ...]
    method: str


class RelationVersion(NamedTuple):
    """Which relation it was, and a digest of its name, columns and view definition then."""

    oid: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationInfo:
    """A relation. Those the role may not read are kept for the masks that views inherit of them."""

    relation: Relation
    kind: RelationKind
    columns: tuple[Column, ...]
    estimated_rows: int
    version: RelationVersion | None = None
    comment: str | None = None
    keys: tuple[Key, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    referenced_by: tuple[ForeignKey, ...] = ()
    indexes: tuple[Index, ...] = ()
    definition: str | None = None
    """A view's query, every name in it qualified."""
    sources: tuple[tuple[Relation, str], ...] = ()
    """Columns of other relations that a view reads, or that an inheritance parent shares."""

    @property
    def readable(self) -> tuple[Column, ...]:
        """Return the columns the role may read, in order."""
        return tuple(column for column in self.columns if column.readable)


class TypeInfo(NamedTuple):
    """A type outside pg_catalog.

    `kind` is pg_type's typtype: b base, c composite, d domain, e enum, m multirange, r range.
    """

    schema: str
    name: str
    kind: str
    array: str = ""
    """What its array type is called."""
    parts: tuple[TypeName, ...] = ()
    """The base of a domain, the subtype of a range, the fields of a composite."""
    checks: tuple[str, ...] = ()
    """A domain's constraints, as expressions over VALUE."""
    code: str | None = None
    """A function of a user that runs with every value: a range's canonical form, for one."""
    extension: str | None = None
    """The extension whose own it is."""
    definition: Definition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionInfo:
    """A function outside pg_catalog, all its overloads taken together."""

    schema: str
    name: str
    volatile: bool
    security_definer: bool
    callable: bool = True
    """Whether the role may call it."""
    source: str = ""
    """The definitions of all overloads, where they are written in a language of the database."""
    trusted_language: bool = True
    """Whether every overload is in a language that cannot reach beyond the database."""
    one_argument: bool = False
    """Whether one value is enough to call it, so that `x.f` may mean it."""
    types: tuple[TypeName, ...] = ()
    """The types outside pg_catalog that it takes and gives."""
    extensions: tuple[str, ...] = ()
    """The extensions whose own its overloads are; empty if anybody else made one of them."""
    definition: Definition | None = None


class OperatorInfo(NamedTuple):
    """An operator outside pg_catalog, all its overloads taken together."""

    schema: str
    name: str
    functions: tuple[str, ...] = ()
    """The names of the functions behind it."""
    extensions: tuple[str, ...] = ()
    """The extensions whose own they are, functions included; empty if anybody else made one."""
    takes_builtins: bool = False
    """Whether one of them takes built-in types alone."""


class CastInfo(NamedTuple):
    """A cast that runs a function outside pg_catalog.

    `context` is pg_cast's: e only where it is written, a also on assignment, i everywhere.
    """

    source: TypeName
    target: TypeName
    context: str
    function: str
    """As `schema.name`."""
    extension: str | None = None
    """The extension whose own the function is."""


class ExtensionInfo(NamedTuple):
    """An extension, and the schema its objects are in."""

    name: str
    schema: str
    version: str
    definition: Definition | None = None
    """What functions and operators its schema holds."""


class Power(NamedTuple):
    """A right of the connected role that a reader has no use for, and some of what it is on."""

    kind: str
    """superuser, bypassrls, createrole, createdb, replication, member, admin, owner, write, alter,
    grant, sequence, create, function, parameter or large-object."""
    names: tuple[str, ...] = ()
    total: int = 1


SYSTEM_SCHEMAS = frozenset({"pg_catalog", "information_schema"})


BUILTIN_TYPES = frozenset(
    """
    bit bool box bpchar bytea char cidr circle date datemultirange daterange float4 float8 inet int2
    int2vector int4 int4multirange int4range int8 int8multirange int8range interval json jsonb
    jsonpath line lseg macaddr macaddr8 money name numeric nummultirange numrange oid oidvector path
    pg_lsn point polygon record text tid time timestamp timestamptz timetz tsmultirange tsquery
    tsrange tstzmultirange tstzrange tsvector uuid varbit varchar xid xid8 xml
    """.split()
)
"""Types of pg_catalog whose values come and go without looking anything up."""


PROBING_TYPES = frozenset(
    """
    aclitem regclass regcollation regconfig regdictionary regnamespace regoper regoperator regproc
    regprocedure regrole regtype
    """.split()
)
"""Types of pg_catalog whose input tells whether something of a name exists."""


def is_enum(schema: str | None, name: str, catalog: Catalog) -> bool:
    """Tell whether a type is an enum: of a user's types the only kind that runs no code."""
    return any((kind.schema, kind.name, kind.kind) == (schema, name, "e") for kind in catalog.types)


def is_system(schema: str | None, name: str) -> bool:
    """Tell whether a name reaches a system catalog; bare names mean pg_catalog first."""
    if schema is None:
        return name.startswith("pg_")
    return schema in SYSTEM_SCHEMAS or schema.startswith("pg_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """One consistent reading of pg_catalog."""

    database: str = ""
    server_version: int = 0
    """As `server_version_num`: 180006 for 18.6."""
    relations: Mapping[Relation, RelationInfo] = field(default_factory=dict)
    types: tuple[TypeInfo, ...] = ()
    functions: tuple[FunctionInfo, ...] = ()
    system_functions: frozenset[str] = frozenset()
    """Functions in this database's pg_catalog, those of extensions included."""
    operators: tuple[OperatorInfo, ...] = ()
    system_operators: frozenset[str] = frozenset()
    """Operators in pg_catalog."""
    casts: tuple[CastInfo, ...] = ()
    collations: frozenset[tuple[str, str]] = frozenset()
    """Collations outside pg_catalog, by schema and name."""
    extensions: tuple[ExtensionInfo, ...] = ()
    schemas: Mapping[str, str | None] = field(default_factory=dict)
    """Every schema the role may use, with its comment."""
    powers: tuple[Power, ...] = ()
    """What the role may do besides reading."""

    @property
    def major(self) -> int:
        """Return the server's major version, 0 where no server was asked."""
        return self.server_version // 10_000
