"""Only types whose values come and go without running anybody's code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.model import Finding, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.guard.policy import Policy

BUILTIN_TYPES = frozenset(
    """
    bit bool box bpchar bytea char cidr circle date datemultirange daterange float4 float8 inet int2
    int2vector int4 int4multirange int4range int8 int8multirange int8range interval json jsonb
    jsonpath line lseg macaddr macaddr8 money name numeric nummultirange numrange oid oidvector path
    pg_lsn point polygon record text tid time timestamp timestamptz timetz tsmultirange tsquery
    tsrange tstzmultirange tstzrange tsvector uuid varbit varchar xid xid8 xml
    """.split()
)
_PROBING = "reg"


def allowed_types(statement: Statement, policy: Policy) -> Iterator[Finding]:
    """Refuse types of users that can run code, and the reg* types, which look up hidden names.

    A domain's CHECK, a composite's casts and a base type's input function are all code of
    somebody's. An enum in an open schema has none. `'hr.salaries'::regclass` tells whether the
    table exists.
    """
    for use in statement.types:
        if use.schema in {None, "pg_catalog"} and use.name.removeprefix("_") in BUILTIN_TYPES:
            continue
        if policy.user_type(use.schema, use.name):
            continue
        probing = use.name.removeprefix("_").startswith(_PROBING)
        if policy.shape_only and use.schema != "pg_catalog" and not probing:
            continue
        written = f"{use.schema}.{use.name}" if use.schema else use.name
        yield Finding(
            rule="allowed-types",
            message=f"the type {written} is not available",
            hint="Compare names as text; list_schemas and describe_view show what is there."
            if probing
            else "Use a built-in type, or an enum of an open schema.",
        )
