"""SQL text in, a `Statement` out, or a refusal: bounds, two parsers, and their agreement.

libpg_query's tree is what Postgres will see, so the facts are taken from it. sqlglot reads the
same text independently. A statement on which they disagree was understood by at most one of
them, and is refused.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pg_guard_mcp.errors import Refused, Unavailable
from pg_guard_mcp.guard import agreement, bounds, functions, grammar, lexer, reading
from pg_guard_mcp.guard.agreement import Sighting
from pg_guard_mcp.guard.amounts import amounts
from pg_guard_mcp.guard.named import object_names
from pg_guard_mcp.guard.places import located
from pg_guard_mcp.guard.plainer import plainer
from pg_guard_mcp.model import Finding, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pg_guard_mcp.guard.facts import Reading
    from pg_guard_mcp.guard.lexer import Token

_NAME_BYTES = 63
MAX_RELATIONS = 200
MAX_UNKNOWN_DEPTH = 6
_GRAMMAR = frozenset({"syntax", "grammar"})
_TOO_HARD = Finding(
    rule="bounds",
    message="the statement is too hard to read for one of the two parsers",
    hint="Say the same in plainer SQL: fewer joins and brackets inside one another.",
)
_EXPLAIN = re.compile(r"\A\s*explain\s+(?=select|with|values|table)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """A text that is within all bounds, and its tokens."""

    sql: str
    text: bytes
    tokens: list[Token]

    @property
    def is_plain(self) -> bool:
        """Whether no parser can take long for it."""
        return bounds.is_plain(self.tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A text as Postgres's own grammar reads it; nobody has confirmed that yet."""

    gated: Gated
    facts: Reading

    @property
    def is_read(self) -> bool:
        """Whether its form is that of one read; if not, there is nothing to confirm."""
        return not self.facts.findings

    def plainer(self) -> str | None:
        """Return the text in plainer grammar, for a second parser that does not know all of it.

        None: it cannot be made any plainer.
        """
        types = (kind.start for kind in self.facts.types)
        plain = plainer(self.gated.text, self.gated.tokens, types)
        return None if plain == self.gated.text else plain.decode()


def classify(sql: str, *, max_bytes: int) -> Statement:
    """Gather everything `sql` is and names, with both parsers in this process.

    Only `judging` knows how to keep a hostile text from hanging the second one. What the form alone
    forbids (another kind of statement, a lock) is in the statement's `findings`.

    Raises:
        Refused: the text is out of bounds, not SQL, or not understood by both parsers.

    """
    return read_here(gate(sql, max_bytes=max_bytes))


def read_here(gated: Gated) -> Statement:
    """Have both parsers read a text in this process.

    Raises:
        Refused: it is not SQL, or not understood by both.

    """
    from pg_guard_mcp.guard import syntax

    draft = first_reading(gated)
    with understanding():
        if not draft.is_read:
            return confirmed(draft, None)
        try:
            return confirmed(draft, syntax.read(gated.sql))
        except agreement.UNLIKE:
            if not (plain := draft.plainer()):
                raise
            return confirmed(draft, syntax.read(plain))


def gate(sql: str, *, max_bytes: int) -> Gated:
    """Let a text through that a parser may see.

    Raises:
        Refused: it is out of bounds.

    """
    text, finding = bounds.encode(sql, max_bytes)
    if finding:
        raise Refused([finding])
    tokens, finding = bounds.check(text)
    if finding:
        raise Refused([finding])
    return Gated(sql=sql, text=text, tokens=tokens)


def first_reading(gated: Gated) -> Draft:
    """Read a text by Postgres's own grammar.

    Raises:
        Refused: the text is not SQL, not understood, or names too much.

    """
    facts = _read(gated.sql)
    if finding := _too_much(gated.tokens, facts):
        raise Refused([finding])
    return Draft(gated=gated, facts=facts)


def confirmed(draft: Draft, sighting: Sighting | None) -> Statement:
    """Hold the second reading against the first, and put facts and source offsets together.

    Raises:
        Disagreement: they differ.

    """
    facts, gated = draft.facts, draft.gated
    if draft.is_read:
        agreement.compare(
            sighting or Sighting(),
            {(relation.schema, relation.name) for relation in facts.relations},
            {function.name for function in facts.functions if function.notation == "call"},
            {function.name for function in facts.functions if function.notation in _GRAMMAR},
        )
    findings = (*facts.findings, *_cut_names(gated.tokens, facts))
    return located(gated.sql, gated.tokens, facts, findings)


@contextmanager
def understanding() -> Iterator[None]:
    """Refuse in words what the second parser refuses.

    Raises:
        Refused: it cannot read the text, sees something else in it, or comes to no end.
        Unavailable: there is none to ask.

    """
    try:
        yield
    except agreement.NotParsed:
        raise Refused([_not_understood("the second parser cannot read it")]) from None
    except agreement.Disagreement as error:
        raise Refused([_not_understood(f"two parsers disagree on its {error}")]) from None
    except agreement.NoParser:
        raise Unavailable(
            "the second parser cannot be asked",
            "Try again; if it stays so, tell the operator: memory, processes or files are short.",
        ) from None
    except agreement.NoAnswer:
        raise Refused([_TOO_HARD]) from None


def without_explain(sql: str) -> str:
    """Take a leading EXPLAIN off, as agents write it to a tool of that name; options stay."""
    return _EXPLAIN.sub("", sql, count=1)


def _read(sql: str) -> Reading:
    """Read `sql` by Postgres's own grammar."""
    try:
        statements = grammar.parse(sql)
        return _with_constants(reading.read(statements), statements, sql)
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


def _with_constants(facts: Reading, statements: Sequence[Mapping[str, Any]], sql: str) -> Reading:
    """Put to the facts of a read what its constants say: of work, and of objects they name."""
    if not facts.findings:
        facts.amounts = amounts(statements[0], sql, facts)
        facts.objects = object_names(statements[0], facts)
    return facts


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
