"""An admitted statement in, SQL that may run out: the agent's own text, with our splices.

Every relation is qualified, because the transaction runs with `search_path = pg_catalog`. A
relation with masked columns gives way to a subselect in which the masks stand, and one that the
role may read in part to a subselect of that part; where such a relation's primary key is grouped
by, so are the columns used beside it. What pg_typeof returns is cast to text. Nothing else changes,
to the byte. What comes out is parsed again and must name exactly the relations
judged, the replaced ones only inside our own subselects, and call what the agent's text calls.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from pg_guard_mcp.errors import Internal
from pg_guard_mcp.guard import grammar, grouping, masking, paths, reading
from pg_guard_mcp.guard.lexer import Unreadable, quote, tokens
from pg_guard_mcp.model import GuardedQuery, Relation, Splice
from pg_guard_mcp.uses import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pg_guard_mcp.catalog import Column
    from pg_guard_mcp.guard.names import Names
    from pg_guard_mcp.guard.policy import Policy
    from pg_guard_mcp.model import AdmittedStatement
    from pg_guard_mcp.uses import FunctionUse, RelationUse

_DEFECT = "the guarded statement did not check out"
_TELL_US = "This is a defect of the server; the statement did not run."


def rewrite(statement: AdmittedStatement, policy: Policy) -> GuardedQuery:
    """Splice schemas and masks into the statement's text.

    Raises:
        Internal: the spliced text does not read as it must; a defect of ours, found in time.

    """
    if policy.shape_only:
        return GuardedQuery(sql=statement.sql, statement=statement.sql)
    resolved = [(use, _resolve(use, policy)) for use in statement.relations]
    splices = sorted(
        [
            *_relation_splices(resolved, policy),
            *_column_splices(statement, resolved, policy),
            *_name_splices(statement, policy.names),
            *_type_name_splices(statement),
            *grouping.splices(statement, policy),
        ]
    )
    text = apply(statement.sql.encode(), splices)
    hidden = {relation for _, relation in resolved if policy.stands_in(relation)}
    if resolved or splices:
        _check(text, splices, {relation for _, relation in resolved}, hidden, statement)
    path = paths.find(statement, policy).schemas
    return GuardedQuery(
        sql=text.decode(),
        statement=statement.sql,
        relations=tuple(sorted({relation for _, relation in resolved})),
        masked=tuple(
            f"{relation}.{column}"
            for relation in sorted(hidden)
            for column in policy.masked(relation)
        ),
        splices=tuple(splices),
        versions=policy.versions(relation for _, relation in resolved),
        search_path=path,
        definitions=paths.definitions(statement, policy, path),
        needs_key=any(
            masking.uses_key(mask)
            for relation in hidden
            for mask in policy.masked(relation).values()
        ),
    )


def apply(text: bytes, splices: Sequence[Splice]) -> bytes:
    """Return `text` with every splice in place; they are in order and do not overlap."""
    parts: list[bytes] = []
    position = 0
    for span, replacement in splices:
        if span.start < position:
            raise Internal(_DEFECT, _TELL_US)
        parts += [text[position : span.start], replacement]
        position = span.end
    return b"".join([*parts, text[position:]])


def _resolve(use: RelationUse, policy: Policy) -> Relation:
    relation = policy.resolve(use.schema, use.name)
    if relation is None:
        raise Internal(_DEFECT, _TELL_US)
    return relation


def _relation_splices(
    resolved: Sequence[tuple[RelationUse, Relation]], policy: Policy
) -> Iterator[Splice]:
    for use, relation in resolved:
        if policy.stands_in(relation):
            yield Splice(use.span, _subselect(use, relation, policy).encode())
        elif use.schema is None:
            yield Splice(
                Span(use.name_start, use.name_start), f"{quote(relation.schema)}.".encode()
            )


def _subselect(use: RelationUse, relation: Relation, policy: Policy) -> str:
    masks = policy.masked(relation)
    shown_as = policy.names.types.shown_as.get(relation, {})

    def shown(column: Column) -> str:
        name = quote(column.name)
        if column.name in masks:
            return f"{masking.expression(masks[column.name], column)} AS {name}"
        kind = shown_as.get(column.name)
        return f"CAST({name} AS {kind}) AS {name}" if kind else name

    columns = ", ".join(map(shown, policy.open_relations[relation].readable))
    only = "ONLY " if use.only else ""
    source = f"{only}{quote(relation.schema)}.{quote(relation.name)}"
    select = f"(SELECT {columns} FROM {source})"
    if use.table_command:
        select = f"SELECT * FROM {select}"
    return select if use.aliased else f"{select} AS {quote(relation.name)}"


def _column_splices(
    statement: AdmittedStatement, resolved: Sequence[tuple[RelationUse, Relation]], policy: Policy
) -> Iterator[Splice]:
    """Take the schema off `schema.relation.column` where the relation became a subselect."""
    bare = {
        (relation.schema, relation.name)
        for use, relation in resolved
        if policy.stands_in(relation) and not use.aliased
    }
    for column in statement.columns:
        if column.parts[:2] in bare and column.parts[0] not in statement.names:
            yield Splice(Span(column.start, column.second_start), b"")


def _name_splices(statement: AdmittedStatement, names: Names) -> Iterator[Splice]:
    """Qualify the types, functions and collations of users and extensions that are open."""
    for kind in statement.types:
        if kind.schema is None and (found := names.type(None, kind.name)):
            yield _in_front(kind.start, found)
    for function in statement.functions:
        if (
            function.schema is None
            and function.notation == "call"
            and (found := names.qualified(function))
        ):
            yield _in_front(function.start, found)
    for collation in statement.collations:
        if collation.schema is None and (found := names.collation(None, collation.name)):
            yield _in_front(collation.start, found)


def _in_front(start: int, name: tuple[str, str]) -> Splice:
    return Splice(Span(start, start), f"{quote(name[0])}.".encode())


def _type_name_splices(statement: AdmittedStatement) -> Iterator[Splice]:
    """Cast what `pg_typeof` returns to text.

    It is a regtype, and a text beside it would be read as one: `ARRAY[pg_typeof(1), '16390']`
    spells out the name of a relation that nobody may see.
    """
    starts = {use.start for use in statement.functions if use.name == "pg_typeof"}
    if not starts:
        return
    depths: list[bool] = []
    opens = False
    for token in tokens(statement.sql.encode()):
        if token.start in starts:
            opens = True
            yield Splice(Span(token.start, token.start), b"CAST(")
        elif token.text == b"(":
            depths.append(opens)
            opens = False
        elif token.text == b")" and depths.pop():
            yield Splice(Span(token.end, token.end), b" AS pg_catalog.text)")


def _check(
    text: bytes,
    splices: Sequence[Splice],
    expected: set[Relation],
    replaced: set[Relation],
    statement: AdmittedStatement,
) -> None:
    """Read the guarded text again.

    It names the same relations, all qualified, the replaced ones inside our subselects and nowhere
    else; outside of them it calls what the agent's text calls, and inside pg_catalog alone.
    """
    try:
        facts = reading.read(grammar.parse(text.decode()))
    except (grammar.NotSql, grammar.TooDeep, reading.NotUnderstood):
        raise Internal(_DEFECT, _TELL_US) from None
    ours = list(_places(splices))
    found = {Relation(relation.schema or "", relation.name) for relation in facts.relations}
    hidden = all(
        (Relation(relation.schema or "", relation.name) in replaced)
        == _inside(relation.start, ours)
        for relation in facts.relations
    )
    theirs = [use for use in facts.functions if not _inside(use.start, ours)]
    catalog_only = all(
        use.schema == "pg_catalog" or use.notation == "grammar"
        for use in facts.functions
        if _inside(use.start, ours)
    )
    same_calls = _calls(theirs) == _calls(statement.functions)
    if facts.findings or found != expected or not (hidden and catalog_only and same_calls):
        raise Internal(_DEFECT, _TELL_US)


def _inside(offset: int, places: Sequence[Span]) -> bool:
    return any(start <= offset < end for start, end in places)


def _calls(uses: Iterable[FunctionUse]) -> Counter[tuple[str, str]]:
    """Count calls by name and notation; attributes are left out, for some lose their schema."""
    return Counter((use.name, use.notation) for use in uses if use.notation != "attribute")


def token_at(query: GuardedQuery, position: int) -> str:
    """Return the word of the agent's text, or the dotted name, at a character of the sent SQL.

    Characters count from 1.

    Empty where the place is inside a splice of ours: the agent did not write that.
    """
    if position < 1:
        return ""
    sent = query.sql[: position - 1].encode()
    offset = len(sent) - query.prefix_bytes
    for span, replacement in query.splices:
        if offset < span.start:
            break
        if offset < span.start + len(replacement):
            return ""
        offset -= len(replacement) - (span.end - span.start)
    rest = query.statement.encode()[max(offset, 0) :]
    found = b""
    # One that is cut off by the end of the text names nothing.
    with suppress(Unreadable):
        for token in tokens(rest):
            if found and b"." not in (token.text, found[-1:]):
                break
            found += token.text
    return found.decode()


def _places(splices: Sequence[Splice]) -> Iterator[Span]:
    """Yield where the masking subselects stand in the spliced text."""
    shift = 0
    for span, replacement in splices:
        start = span.start + shift
        if replacement.startswith((b"(SELECT ", b"SELECT ")):
            yield Span(start, start + len(replacement))
        shift += len(replacement) - (span.end - span.start)
