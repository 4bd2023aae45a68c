"""Only types whose values come and go without running anybody's code."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pg_guard_mcp.catalog import BUILTIN_TYPES, PROBING_TYPES
from pg_guard_mcp.guard import hints, packs, paths
from pg_guard_mcp.guard.named import is_builtin_object
from pg_guard_mcp.model import Finding, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.guard.policy import Policy
    from pg_guard_mcp.uses import TypeUse

_RULE = "allowed-types"
# Their input looks a name up in the catalogs, and their output spells one out.
_PROBING_HINT = "Compare names as text; list_schemas and describe_view show what is there."


# They run the input functions of whatever row type they are given.
_FILLING = frozenset(
    """
    json_populate_record json_populate_recordset jsonb_populate_record jsonb_populate_record_valid
    jsonb_populate_recordset populate_record
    """.split()
)
_FILLING_OPERATOR = "#="


def allowed_types(statement: Statement, policy: Policy) -> Iterator[Finding]:
    """Refuse types of users that can run code, and the reg* types, which look up hidden names.

    An enum runs none, nor does a domain whose CHECKs only compute; a composite runs what its
    fields run, a base type whatever its author wrote in C. `'hr.salaries'::regclass` tells whether
    the table exists; a built-in text search configuration is named that way in a call only.
    """
    for use in _judged(statement):
        built_in = use.schema in {None, "pg_catalog"} and use.name.removeprefix("_") in (
            BUILTIN_TYPES
        )
        if built_in and not policy.names.types.cast_to(use.name):
            continue
        if policy.names.type(use.schema, use.name):
            continue
        probing = use.name.removeprefix("_") in PROBING_TYPES
        if policy.shape_only and use.schema != "pg_catalog" and not probing:
            continue
        folded = f"{use.schema}.{use.name}" if use.schema else use.name
        written = hints.as_written(statement.sql, use.start, folded)
        if probing:
            yield _finding(written, _PROBING_HINT)
        elif built_in:
            yield _finding(written, "Compare it as it is, without a cast.")
        else:
            yield _of_a_user(use, written, policy)
    # `(x).regclass` is a cast too: Postgres takes a type's name for a function of one argument.
    for call in statement.functions:
        if call.notation == "attribute" and call.name.removeprefix("_") in PROBING_TYPES:
            yield _finding(call.name, _PROBING_HINT)
        elif call.notation in {"attribute", "call"} and policy.names.types.cast_to(call.name):
            yield _finding(call.name, "Compare it as it is, without a cast.")
    yield from _in_columns(statement, policy)


def _judged(statement: Statement) -> Iterator[TypeUse]:
    """Yield all types but regconfig where it stands on a built-in name in a call.

    Anywhere else, `'english'::regconfig = 'hr.x'` would have Postgres look the other name up too.
    """
    settled = {given.cast_at for given in statement.objects if is_builtin_object(given)}
    for use in statement.types:
        if (use.schema, use.name) != (None, "regconfig") or use.start not in settled:
            yield use


def _in_columns(statement: Statement, policy: Policy) -> Iterator[Finding]:
    """Refuse relations whose columns run code without being cast, or when a row is filled."""
    kinds = policy.names.types
    filling = _FILLING_OPERATOR in statement.symbols or any(
        use.name in _FILLING for use in statement.functions
    )
    if not filling and not kinds.unsafe_columns:
        return
    for use in statement.relations:
        relation = policy.resolve(use.schema, use.name)
        if relation and relation in kinds.unsafe_columns:
            yield Finding(
                rule=_RULE,
                message=f"{relation} is not available: {kinds.unsafe_columns[relation]}",
                hint="Read another relation; list_schemas shows what there is.",
            )
        elif filling and relation in kinds.unsafe_rows:
            yield Finding(
                rule=_RULE,
                message=f"a row of {relation} cannot be filled: a type in it runs code",
                hint="Take the document apart with jsonb_to_record and built-in types.",
            )


def _of_a_user(use: TypeUse, written: str, policy: Policy) -> Finding:
    why = policy.names.objection(use.schema, use.name)
    pack = next((name for name in packs.NAMES if use.name in packs.read(name).types), "")
    if pack and pack not in policy.names.extensions.packs:
        return _finding(written, f"It is of an extension that is off.{paths.switch_on(pack)}")
    found = _finding(written, "Use a built-in type, or an enum of an open schema.")
    return replace(found, message=f"{found.message}: {why}") if why else found


def _finding(written: str, hint: str) -> Finding:
    return Finding(rule=_RULE, message=f"the type {written} is not available", hint=hint)
