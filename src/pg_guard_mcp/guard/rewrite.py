"""An admitted statement in, SQL that may run out: the agent's own text, with our splices.

Every relation is qualified, because the transaction runs with `search_path = pg_catalog`. A
relation with masked columns gives way to a subselect in which the masks stand, and one that the
role may read in part to a subselect of that part; where such a relation's primary key is grouped
by, so are the columns used beside it. What pg_typeof returns is cast to text. Nothing else changes,
to the byte. What comes out is read once more: see `proof`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pg_guard_mcp.guard import grouping, masking, paths, proof
from pg_guard_mcp.guard.lexer import Unreadable, quote, tokens
from pg_guard_mcp.model import GuardedQuery, Relation, Splice
from pg_guard_mcp.uses import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pg_guard_mcp.catalog import Column
    from pg_guard_mcp.guard.names import Names
    from pg_guard_mcp.guard.policy import Policy
    from pg_guard_mcp.model import AdmittedStatement
    from pg_guard_mcp.uses import RelationUse


def rewrite(statement: AdmittedStatement, policy: Policy, *, to_plan: bool = False) -> GuardedQuery:
    """Splice schemas and masks into the statement's text.

    `to_plan` is for a query that will be planned and not run: see `masking.unknown`.

    Raises:
        Internal: the spliced text does not read as it must; a defect of ours, found in time.

    """
    if policy.shape_only:
        return GuardedQuery(sql=statement.sql, statement=statement.sql)
    resolved = [(use, _resolve(use, policy)) for use in statement.relations]
    splices = sorted(
        [
            *_relation_splices(resolved, policy, to_plan=to_plan),
            *_column_splices(statement, resolved, policy),
            *_name_splices(statement, policy.names),
            *_type_name_splices(statement),
            *grouping.splices(statement, policy),
        ]
    )
    text = apply(statement.sql.encode(), splices)
    relations = {relation for _, relation in resolved}
    hidden = {relation for relation in relations if policy.stands_in(relation)}
    if resolved or splices:
        proof.check(text, splices, relations, statement, policy)
    path = paths.find(statement, policy).schemas
    return GuardedQuery(
        sql=text.decode(),
        statement=statement.sql,
        relations=tuple(sorted(relations)),
        masked=tuple(
            f"{relation}.{column}"
            for relation in sorted(hidden)
            for column in policy.masked(relation)
        ),
        splices=tuple(splices),
        versions=policy.versions(relation for _, relation in resolved),
        search_path=path,
        definitions=paths.definitions(statement, policy, path),
        needs_key=not to_plan
        and any(
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
            raise proof.defect()
        parts += [text[position : span.start], replacement]
        position = span.end
    return b"".join([*parts, text[position:]])


def _resolve(use: RelationUse, policy: Policy) -> Relation:
    relation = policy.resolve(use.schema, use.name)
    if relation is None:
        raise proof.defect()
    return relation


def _relation_splices(
    resolved: Sequence[tuple[RelationUse, Relation]], policy: Policy, *, to_plan: bool
) -> Iterator[Splice]:
    for use, relation in resolved:
        if policy.stands_in(relation):
            select = _subselect(use, relation, policy, to_plan=to_plan)
            yield Splice(use.span, select.encode())
        elif use.schema is None:
            yield Splice(
                Span(use.name_start, use.name_start), f"{quote(relation.schema)}.".encode()
            )


def _subselect(use: RelationUse, relation: Relation, policy: Policy, *, to_plan: bool) -> str:
    info = policy.open_relations[relation]
    masks = policy.masked(relation)
    shown_as = policy.names.types.shown_as.get(relation, {})

    def shown(column: Column) -> str:
        name = quote(column.name)
        if column.name in masks and to_plan:
            return f"{masking.unknown(column, info.kind)} AS {name}"
        if column.name in masks:
            return f"{masking.expression(masks[column.name], column)} AS {name}"
        kind = shown_as.get(column.name)
        return f"CAST({name} AS {kind}) AS {name}" if kind else name

    columns = ", ".join(map(shown, info.readable))
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
