"""SQL text in, a `Statement` out, or a refusal: bounds, two parsers, and their agreement.

libpg_query's tree is what Postgres will see, so the facts are taken from it. sqlglot reads the
same text independently. A statement on which they disagree was understood by at most one of
them, and is refused.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from pg_guard_mcp.errors import Refused
from pg_guard_mcp.guard import bounds, functions, grammar, lexer, reading, syntax
from pg_guard_mcp.guard.plainer import plainer
from pg_guard_mcp.model import ColumnUse, Finding, RelationUse, Span, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.guard.facts import ColumnName, Reading, RelationName
    from pg_guard_mcp.guard.lexer import Token
    from pg_guard_mcp.guard.syntax import Sighting

_NAME_BYTES = 63
MAX_RELATIONS = 200
MAX_UNKNOWN_DEPTH = 6
_GRAMMAR = frozenset({"syntax", "grammar"})
_EXPLAIN = re.compile(r"\A\s*explain\s+(?=select|with|values|table)", re.IGNORECASE)


def classify(sql: str, *, max_bytes: int) -> Statement:
    """Gather everything `sql` is and names.

    What its form alone forbids (another kind of statement, a lock) is in `findings`.

    Raises:
        Refused: the text is out of bounds, not SQL, or not understood by both parsers.

    """
    text, finding = bounds.encode(sql, max_bytes)
    if finding:
        raise Refused([finding])
    tokens, finding = bounds.check(text)
    if finding:
        raise Refused([finding])
    facts = _read(sql)
    if finding := _too_much(tokens, facts):
        raise Refused([finding])
    if not facts.findings:
        _agree(text, tokens, facts)
    facts.findings.extend(_cut_names(tokens, facts))
    return _statement(sql, tokens, facts)


def without_explain(sql: str) -> str:
    """Take a leading EXPLAIN off, as agents write it to a tool of that name; options stay."""
    return _EXPLAIN.sub("", sql, count=1)


def _read(sql: str) -> Reading:
    """Read `sql` by Postgres's own grammar."""
    try:
        return reading.read(grammar.parse(sql))
    except grammar.NotSql as error:
        raise Refused(
            [
                Finding(
                    rule="syntax",
                    message=f"Postgres cannot parse this: {error.message}",
                    hint="Correct the statement; this is PostgreSQL's dialect.",
                )
            ]
        ) from None
    except grammar.TooDeep:
        raise Refused(
            [
                Finding(
                    rule="bounds",
                    message="the statement is nested too deep, or chains too many operators",
                    hint="Split it with WITH; use IN or concat() instead of long chains.",
                )
            ]
        ) from None
    except reading.NotUnderstood as error:
        raise Refused([_not_understood(f"its grammar holds {error}")]) from None


def _too_much(tokens: list[Token], facts: Reading) -> Finding | None:
    """Refuse what would cost the second parser or the rewrite more than a person could mean.

    sqlglot knows functions of other databases that Postgres has not, and takes time exponential
    in the nesting of some: 16 levels of `sort_array(1,` took 2.2 s.
    """
    if len(facts.relations) > MAX_RELATIONS:
        return Finding(
            rule="bounds",
            message=f"the statement names more than {MAX_RELATIONS} relations",
            hint="Put what is repeated into WITH and name it once.",
        )
    unknown = {
        use.name
        for use in facts.functions
        if use.notation == "call" and not functions.is_builtin(use.name)
    }
    if unknown and _call_depth(tokens, unknown) > MAX_UNKNOWN_DEPTH:
        return Finding(
            rule="bounds",
            message=f"calls of unknown functions nest deeper than {MAX_UNKNOWN_DEPTH}",
            hint="Use the built-in functions of PostgreSQL.",
        )
    return None


def _call_depth(tokens: list[Token], names: set[str]) -> int:
    """Return how deep calls of `names` stand inside one another."""
    depth = deepest = 0
    opened: list[bool] = []
    for before, token in pairwise(tokens):
        if token.text == b"(":
            is_name = before.kind in {lexer.Kind.WORD, lexer.Kind.QUOTED}
            opened.append(is_name and lexer.identifier(before) in names)
            depth += opened[-1]
            deepest = max(deepest, depth)
        elif token.text == b")" and opened:
            depth -= opened.pop()
    return deepest


def _agree(text: bytes, tokens: list[Token], facts: Reading) -> None:
    """Let sqlglot read the same text, and hold one reading against the other."""
    try:
        syntax.compare(
            _second_reading(text, tokens, facts),
            {(relation.schema, relation.name) for relation in facts.relations},
            {function.name for function in facts.functions if function.notation == "call"},
            {function.name for function in facts.functions if function.notation in _GRAMMAR},
        )
    except syntax.NotParsed:
        raise Refused([_not_understood("the second parser cannot read it")]) from None
    except syntax.Disagreement as error:
        raise Refused([_not_understood(f"two parsers disagree on its {error}")]) from None


def _second_reading(text: bytes, tokens: list[Token], facts: Reading) -> Sighting:
    """Read the text as it is, or in plainer grammar if sqlglot does not know it."""
    try:
        return syntax.read(text.decode())
    except syntax.NotParsed:
        plain = plainer(text, tokens, (kind.start for kind in facts.types))
        if plain == text:
            raise
    return syntax.read(plain.decode())


def _cut_names(tokens: list[Token], facts: Reading) -> Iterator[Finding]:
    """Refuse names that Postgres cuts at 63 bytes to the name of something else.

    An alias may be as long as the agent likes: it names nothing.
    """
    long = (
        lexer.identifier(token).encode()
        for token in tokens
        if len(token.text) > _NAME_BYTES and token.kind in {lexer.Kind.WORD, lexer.Kind.QUOTED}
    )
    cut = {name[:_NAME_BYTES].decode(errors="ignore") for name in long if len(name) > _NAME_BYTES}
    if not cut:
        return
    used = {part for column in facts.columns for part in column.parts}
    used.update(relation.name for relation in facts.relations)
    used.update(relation.schema or "" for relation in facts.relations)
    used.update(function.name for function in facts.functions)
    used.update(kind.name for kind in facts.types)
    if cut & used:
        yield Finding(
            rule="bounds",
            message=f"a name is longer than {_NAME_BYTES} bytes, and Postgres would cut it",
            hint="Use the name as list_schemas and describe_view show it.",
        )


def _not_understood(why: str) -> Finding:
    return Finding(
        rule="not-understood",
        message=f"the statement was not understood: {why}",
        hint="Say the same in plainer SQL: ordinary joins, function calls and CAST.",
    )


def _statement(sql: str, tokens: list[Token], facts: Reading) -> Statement:
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
        collations=tuple(facts.collations),
        parameters=tuple(facts.parameters),
        findings=tuple(dict.fromkeys(facts.findings)),
    )


def _use(relation: RelationName, tokens: list[Token], index: int) -> RelationUse:
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
    )


def _column(column: ColumnName, tokens: list[Token], index: int | None) -> ColumnUse:
    """Find where a reference's second part begins; that of `TABLE x` has no place at all."""
    second = column.start
    if index is not None and len(column.parts) > 1:
        second = tokens[index + 2].start
    return ColumnUse(parts=column.parts, start=column.start, second_start=second)


def _around_only(tokens: list[Token], first: int, last: int) -> tuple[int, int]:
    """Take in `ONLY name` or `ONLY (name)`."""
    if tokens[first - 1].text == b"(" and _is_word(tokens[first - 2], b"ONLY"):
        return first - 2, last + 1
    return first - 1, last


def _is_word(token: Token, word: bytes) -> bool:
    return token.kind is lexer.Kind.WORD and token.text.upper() == word
