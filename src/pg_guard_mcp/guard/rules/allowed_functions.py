"""Only reviewed functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.guard import functions
from pg_guard_mcp.model import Finding, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.guard.functions import FunctionVerdict
    from pg_guard_mcp.guard.policy import Policy
    from pg_guard_mcp.model import FunctionUse


_RULE = "allowed-functions"


def allowed_functions(statement: Statement, policy: Policy) -> Iterator[Finding]:
    """Refuse every function that nobody reviewed, wherever it stands and however it is spelled.

    Volatility says nothing about safety: `table_to_xml` is STABLE and runs queries. So there is a
    list of reviewed functions of pg_catalog, and functions of a user need the operator's word.
    """
    for use in statement.functions:
        if use.notation == "grammar":
            continue
        if use.notation == "attribute" and not functions.is_denied_attribute(
            use.name, policy.catalog.system_functions
        ):
            continue  # a field, or a reviewed function on one value
        if use.notation == "call" and policy.user_function(use.schema, use.name):
            continue
        verdict = functions.judge_builtin(use.name, use.arguments)
        if use.notation != "attribute" and verdict.allowed and use.schema in {None, "pg_catalog"}:
            continue
        yield _finding(use, verdict)


def _finding(use: FunctionUse, verdict: FunctionVerdict) -> Finding:
    if not verdict.allowed and (functions.is_builtin(use.name) or verdict.rule != _RULE):
        message = f"{use.spelling} is not available: {verdict.reason}"
        return Finding(rule=verdict.rule, message=message, hint=verdict.hint)
    near = functions.nearest_allowed(use.name)
    if verdict.allowed:
        near = f"{use.name}(x), without a schema"
    return Finding(
        rule=_RULE,
        message=f"the function {use.spelling} is not available",
        hint=f"Use {near}." if near else "Use the built-in functions of PostgreSQL.",
    )
