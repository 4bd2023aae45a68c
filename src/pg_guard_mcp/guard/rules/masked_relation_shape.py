"""A relation for which a subselect stands is read whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.model import Finding, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.guard.policy import Policy


def masked_relation_shape(statement: Statement, policy: Policy) -> Iterator[Finding]:
    """Refuse what a masking subselect cannot do faithfully: TABLESAMPLE and captured names."""
    replaced = [
        relation
        for use in statement.relations
        if (relation := policy.resolve(use.schema, use.name)) and policy.stands_in(relation)
    ]
    if not replaced:
        return
    for use in statement.relations:
        relation = policy.resolve(use.schema, use.name)
        if use.sampled and relation in replaced:
            yield Finding(
                rule="masked-relation-shape",
                message=f"a subselect stands for {relation}, so TABLESAMPLE cannot read it",
                hint="Use ORDER BY random() LIMIT n.",
            )
    yield from _captured_columns(statement, policy)


def _captured_columns(statement: Statement, policy: Policy) -> Iterator[Finding]:
    """Refuse `schema.relation.column` where the bare relation's name could mean something else.

    The subselect that stands for a relation has no schema, so its columns lose theirs.
    """
    uses = {
        (relation.schema, relation.name)
        for use in statement.relations
        if (relation := policy.resolve(use.schema, use.name))
    }
    for column in statement.columns:
        relation = policy.resolve(*column.parts[:2]) if len(column.parts) > 1 else None
        if relation is None or not policy.stands_in(relation):
            continue
        others = {name for schema, name in uses if schema != relation.schema}
        if relation.name in others | statement.names:
            yield Finding(
                rule="masked-relation-shape",
                message=f"{'.'.join(column.parts)} could mean another {relation.name}",
                hint="Give each relation an alias and name columns by it.",
            )
