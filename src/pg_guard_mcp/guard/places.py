"""Facts and tokens in, a `Statement` out: where in the text each name begins and ends.

The grammar tells where a name begins; what belongs to the reference around it (a schema, ONLY, a
star, TABLE) is found among the tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.guard.lexer import Kind
from pg_guard_mcp.model import Statement
from pg_guard_mcp.uses import ColumnUse, RelationUse, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pg_guard_mcp.guard.facts import ColumnName, Reading, RelationName
    from pg_guard_mcp.guard.lexer import Token
    from pg_guard_mcp.model import Finding
    from pg_guard_mcp.uses import CollationUse


def located(
    sql: str, tokens: Sequence[Token], facts: Reading, findings: Sequence[Finding]
) -> Statement:
    """Put facts and source offsets together."""
    positions = {token.start: index for index, token in enumerate(tokens)}
    return Statement(
        sql=sql,
        relations=tuple(
            _use(relation, tokens, positions[relation.start]) for relation in facts.relations
        ),
        functions=tuple(facts.functions),
        types=tuple(facts.types),
        columns=tuple(
            _column(column, tokens, positions.get(column.start)) for column in facts.columns
        ),
        names=frozenset(facts.names),
        operators=tuple(facts.operators),
        symbols=frozenset(facts.symbols),
        collations=tuple(
            _collation(use, tokens, positions.get(use.start)) for use in facts.collations
        ),
        parameters=tuple(facts.parameters),
        amounts=facts.amounts,
        objects=facts.objects,
        findings=tuple(dict.fromkeys(findings)),
    )


def _use(relation: RelationName, tokens: Sequence[Token], index: int) -> RelationUse:
    """Find the whole reference around the relation's name."""
    first = last = index
    while tokens[last + 1 : last + 2] and tokens[last + 1].text == b".":
        last += 2
    if relation.only:
        first, last = _around_only(tokens, first, last)
    elif tokens[last + 1 : last + 2] and tokens[last + 1].text == b"*":
        last += 1
    table_command = first > 0 and _is_word(tokens[first - 1], b"TABLE")
    if table_command:
        first -= 1
    return RelationUse(
        schema=relation.schema,
        name=relation.name,
        span=Span(tokens[first].start, tokens[last].end),
        name_start=relation.start,
        aliased=relation.aliased,
        only=relation.only,
        sampled=relation.sampled,
        table_command=table_command,
        alias=relation.alias,
    )


def _column(column: ColumnName, tokens: Sequence[Token], index: int | None) -> ColumnUse:
    """Find where a reference's second part begins; that of `TABLE x` has no place at all."""
    second = column.start
    if index is not None and len(column.parts) > 1:
        second = tokens[index + 2].start
    return ColumnUse(parts=column.parts, start=column.start, second_start=second)


def _collation(use: CollationUse, tokens: Sequence[Token], index: int | None) -> CollationUse:
    """Find where the name begins: the grammar says where COLLATE does."""
    return use if index is None else use._replace(start=tokens[index + 1].start)


def _around_only(tokens: Sequence[Token], first: int, last: int) -> tuple[int, int]:
    """Take in `ONLY name` or `ONLY (name)`."""
    if tokens[first - 1].text == b"(" and _is_word(tokens[first - 2], b"ONLY"):
        return first - 2, last + 1
    return first - 1, last


def _is_word(token: Token, word: bytes) -> bool:
    return token.kind is Kind.WORD and token.text.upper() == word
