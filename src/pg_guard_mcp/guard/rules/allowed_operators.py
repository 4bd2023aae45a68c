"""Only operators of pg_catalog and of extensions that are on, and collations of open schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.model import Finding, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.guard.policy import Policy


def allowed_operators(statement: Statement, policy: Policy) -> Iterator[Finding]:
    """Refuse `OPERATOR(schema.op)` of users, and collations of schemas that are not open.

    An operator is a function under another name. Bare operators are looked up in pg_catalog, where
    users have none, and in the schemas of extensions, for which `allowed-extensions` answers; of
    others Postgres would only say that they are not there. A collation runs no code, but naming
    one tells whether it exists.
    """
    for schema, operator in statement.operators:
        if schema != "pg_catalog" and not policy.names.extensions.operator(schema, operator):
            yield Finding(
                rule="allowed-operators",
                message=f"the operator {schema}.{operator} is not available",
                hint=f"Write {operator} without a schema.",
            )
    strange = () if policy.shape_only else statement.symbols - policy.names.extensions.every_symbol
    for symbol in sorted(strange):
        if not symbol[0].isalpha():  # BETWEEN is one to the grammar, and none to a user
            yield Finding(
                rule="allowed-operators",
                message=f"there is no operator {symbol} in PostgreSQL",
                hint="Use one of PostgreSQL's own operators, or a function.",
            )
    for use in statement.collations:
        if use.schema not in {None, "pg_catalog"} and not policy.names.collation(
            use.schema, use.name
        ):
            yield Finding(
                rule="allowed-operators",
                message=f"the collation {use.schema}.{use.name} is not available",
                hint='Use a built-in collation, such as "C", or one of an open schema.',
            )
