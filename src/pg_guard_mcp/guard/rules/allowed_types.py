"""Only types whose values come and go without running anybody's code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.catalog import BUILTIN_TYPES
from pg_guard_mcp.model import Finding, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.guard.policy import Policy

# Their input looks a name up in the catalogs, and their output spells one out.
_PROBING = frozenset(
    """
    aclitem regclass regcollation regconfig regdictionary regnamespace regoper regoperator regproc
    regprocedure regrole regtype
    """.split()
)
_PROBING_HINT = "Compare names as text; list_schemas and describe_view show what is there."


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
        probing = use.name.removeprefix("_") in _PROBING
        if policy.shape_only and use.schema != "pg_catalog" and not probing:
            continue
        written = f"{use.schema}.{use.name}" if use.schema else use.name
        yield _finding(
            written,
            _PROBING_HINT if probing else "Use a built-in type, or an enum of an open schema.",
        )
    # `(x).regclass` is a cast too: Postgres takes a type's name for a function of one argument.
    for call in statement.functions:
        if call.notation == "attribute" and call.name.removeprefix("_") in _PROBING:
            yield _finding(call.name, _PROBING_HINT)


def _finding(written: str, hint: str) -> Finding:
    return Finding(rule="allowed-types", message=f"the type {written} is not available", hint=hint)
