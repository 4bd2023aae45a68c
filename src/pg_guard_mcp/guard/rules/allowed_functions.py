"""Only reviewed functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pg_guard_mcp.guard import functions, grammar, hints, packs, paths
from pg_guard_mcp.model import Finding, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pg_guard_mcp.guard.functions import FunctionVerdict
    from pg_guard_mcp.guard.policy import Policy
    from pg_guard_mcp.uses import FunctionUse


_RULE = "allowed-functions"
_NUMBERS = frozenset({"int2", "int4", "int8"})
_LISTING_LABELS = frozenset({"enum_first", "enum_last", "enum_range"})


def allowed_functions(statement: Statement, policy: Policy) -> Iterator[Finding]:
    """Refuse every function that nobody reviewed, wherever it stands and however it is spelled.

    Volatility says nothing about safety: `table_to_xml` is STABLE and runs queries. So there is a
    list of reviewed functions of pg_catalog, and functions of a user need the operator's word.
    """
    for use in statement.functions:
        if use.notation == "grammar":
            continue
        if use.name in _LISTING_LABELS and policy.masks_labels:
            yield Finding(
                rule=_RULE,
                message=f"{use.spelling} is not available: a column of an enum is masked here, and"
                " its labels are values",
                hint="Select the distinct values of the column you mean.",
            )
            continue
        if use.notation == "attribute" and not functions.is_denied_attribute(
            use.name, policy.catalog.system_functions
        ):
            continue  # a field, or a reviewed function on one value
        if use.notation == "call" and policy.names.function(use.schema, use.name):
            continue
        name, major = use.name, policy.catalog.major
        if use.notation == "syntax":
            name = functions.behind_syntax(name, major)
        verdict = functions.judge_builtin(name, use.arguments, major)
        if use.notation != "attribute" and verdict.allowed and use.schema in {None, "pg_catalog"}:
            continue
        owners = policy.names.extensions.function(use.schema, use.name)
        if use.notation == "call" and owners:
            yield from _misused(use, owners, statement)
            continue
        yield _of_a_pack(use, policy) or _finding(
            use, verdict, hints.as_written(statement.sql, use.start, use.spelling)
        )


def _finding(use: FunctionUse, verdict: FunctionVerdict, written: str) -> Finding:
    if not verdict.allowed and (functions.is_builtin(use.name) or verdict.rule != _RULE):
        message = f"{written} is not available: {verdict.reason}"
        return Finding(rule=verdict.rule, message=message, hint=verdict.hint)
    near = functions.nearest_allowed(use.name)
    if verdict.allowed:
        near = f"{use.name}(x), without a schema"
    return Finding(
        rule=_RULE,
        message=f"the function {written} is not available",
        hint=f"Use {near}." if near else "Use the built-in functions of PostgreSQL.",
    )


def _misused(use: FunctionUse, owners: Sequence[str], statement: Statement) -> Iterator[Finding]:
    """Refuse those overloads of a pack's function that are not in the pack."""
    for owner in owners:
        pack = packs.read(owner)
        if use.arguments != pack.arguments.get(use.name, use.arguments):
            yield Finding(
                rule=_RULE,
                message=f"{use.spelling} is not available with {use.arguments} arguments",
                hint=f"Call it with {pack.arguments[use.name]}.",
            )
        elif use.name in pack.numbers and not _is_number(use, pack.numbers[use.name], statement):
            yield Finding(
                rule=_RULE,
                message=f"{use.spelling} takes a number here, and nothing that could be text",
                hint="Write it as a number, such as 4326, or cast it: CAST(x AS integer).",
            )


def _is_number(use: FunctionUse, place: int, statement: Statement) -> bool:
    """Tell whether an argument is a number as it is written: a literal or a cast."""
    waiting: list[object] = [grammar.parse(statement.sql)]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            waiting.extend(item.values())
            call = item.get("FuncCall", {})
            if call.get("location", 0) == use.start and len(call.get("args", ())) >= place:
                ((kind, argument),) = call["args"][place - 1].items()
                return (kind == "A_Const" and "ival" in argument) or (
                    kind == "TypeCast" and _is_number_type(argument["typeName"])
                )
    return False


def _is_number_type(name: Mapping[str, Any]) -> bool:
    """Tell whether a cast is to one of Postgres's own whole numbers, and not to an array of it."""
    *schema, last = (part["String"]["sval"] for part in name["names"])
    return schema in ([], ["pg_catalog"]) and last in _NUMBERS and "arrayBounds" not in name


def _of_a_pack(use: FunctionUse, policy: Policy) -> Finding | None:
    """Say which pack would open a function, or why its extension's pack does not."""
    if use.notation != "call" or functions.is_builtin(use.name):
        return None
    for name in packs.NAMES:
        pack = packs.read(name)
        why = pack.objection(use.name)
        on = name in policy.names.extensions.packs
        if on and why:
            return Finding(
                rule=_RULE,
                message=f"{use.spelling} is not available: it {why}",
                hint="Use the other functions of that extension.",
            )
        if not on and use.name in pack.functions:
            return Finding(
                rule=_RULE,
                message=f"the function {use.spelling} is not available",
                hint=f"It is of an extension that is off.{paths.switch_on(name)}",
            )
    return None
