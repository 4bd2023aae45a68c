"""The policy's view of the catalog in, the answers of `list_schemas` and `describe_view` out.

Only open relations and readable columns appear, and foreign keys only between open relations.
Comments and defaults are other people's text, so they stand between the fences with the rest, and
like the rest they are cut where an answer's limits say so: a comment may be of megabytes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pg_guard_mcp.errors import Refused
from pg_guard_mcp.guard.detectors import mask
from pg_guard_mcp.guard.lexer import Kind, Unreadable, identifier, tokens
from pg_guard_mcp.guard.lineage import derivation
from pg_guard_mcp.guard.render import MARGIN, Rendered, escape, fitting, framed
from pg_guard_mcp.model import Finding, ResultColumn, ResultSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pg_guard_mcp.catalog import ForeignKey, RelationInfo
    from pg_guard_mcp.guard.lexer import Token
    from pg_guard_mcp.guard.lineage import Derivation
    from pg_guard_mcp.guard.masking import Mask
    from pg_guard_mcp.guard.policy import Policy
    from pg_guard_mcp.model import Limits, Relation

    Row = tuple[str | None, ...]

_MAX_LINES = 500
_CLOSED = "what is not open here"


def list_schemas(
    policy: Policy, limits: Limits, schema: str | None, search: str | None, tag: str
) -> Rendered:
    """List open schemas, or the open relations of one, or those that match a search.

    Raises:
        Refused: the schema is not open, or not there, in the same words.

    """
    relations = sorted(policy.open_relations.values(), key=lambda info: info.relation)
    if schema is not None and all(info.relation.schema != schema for info in relations):
        raise Refused([_closed_schema(schema)])
    chosen = [info for info in relations if schema in {None, info.relation.schema}]
    if search is not None:
        found = [info for info in chosen if _matches(info, search)]
        return _relations(found, policy, limits, tag)
    if schema is not None:
        return _relations(chosen, policy, limits, tag)
    return _schemas(chosen, policy, limits, tag)


def _schemas(
    relations: Iterable[RelationInfo], policy: Policy, limits: Limits, tag: str
) -> Rendered:
    counts: dict[str, int] = {}
    for info in relations:
        counts[info.relation.schema] = counts.get(info.relation.schema, 0) + 1
    rows = [
        _row(schema, count, policy.catalog.schemas.get(schema)) for schema, count in counts.items()
    ]
    return _answer(
        f"{_count(len(rows), 'schema')}. Call list_schemas with a schema to see its relations.",
        [_row("schema", "relations", "comment"), *rows],
        policy,
        limits,
        tag,
    )


def _relations(relations: list[RelationInfo], policy: Policy, limits: Limits, tag: str) -> Rendered:
    rows = [
        _row(info.relation.schema, info.relation.name, info.kind, info.estimated_rows, info.comment)
        for info in relations
    ]
    return _answer(
        f"{_count(len(rows), 'relation')}. Call describe_view with a name to see its columns.",
        [_row("schema", "name", "kind", "estimated_rows", "comment"), *rows],
        policy,
        limits,
        tag,
    )


def describe_view(policy: Policy, limits: Limits, name: str, tag: str) -> Rendered:
    """Describe one open relation: columns, masks, keys, foreign keys both ways, indexes.

    Raises:
        Refused: it is not open, or not there, in the same words.

    """
    info = _find(policy, name)
    masks = policy.masked(info.relation)
    made_of = _made_of(info, policy)
    titles = ("column", "type", "nullable", "default", "mask", "comment")
    lines = [_row(*titles, *(["made of"] if made_of else []))]
    for column in info.readable:
        mask = masks.get(column.name)
        lines.append(
            _row(
                column.name,
                column.type,
                "yes" if column.nullable else "no",
                None if mask else column.default,
                _mask(mask, policy) if mask else None,
                column.comment,
                *([made_of[column.name]] if made_of else []),
            )
        )
    lines += _keys(info, policy)
    header = f"{escape(str(info.relation))}: {info.kind}, about {info.estimated_rows} rows."
    if masks:
        header += " Masked columns show their mask, not their value, wherever you use them."
    if info.comment:
        lines.append(_row("comment", info.comment))
    return _answer(
        header, lines, policy, limits, tag, narrow="name the columns that you need in a query"
    )


def _made_of(info: RelationInfo, policy: Policy) -> dict[str, str | None]:
    """Say what the columns of a view are made of, as far as that is open."""
    found = derivation(info, policy.catalog, policy.rules.extensions)
    return {
        column.name: _origins(each, policy)
        for column, each in zip(info.columns, found, strict=False)
    }


def _origins(each: Derivation, policy: Policy) -> str | None:
    known = _open_names(each.origins, policy)
    if len(known) < len(each.origins):
        known.append(_CLOSED)
    if not each.clear:
        known.append("what cannot be followed")
    if each.plain and len(known) == 1:
        return known[0]
    return f"computed from {', '.join(known)}" if known else None


def _mask(mask: Mask, policy: Policy) -> str:
    """Say how a column is masked and what it derives from, as far as that is open."""
    if not mask.origins:
        return mask.name
    known = _open_names(mask.origins, policy)
    return f"{mask.name}, derived from {', '.join(known) or _CLOSED}"


def _open_names(origins: Iterable[tuple[Relation, str]], policy: Policy) -> list[str]:
    return sorted(
        f"{relation}.{column}"
        for relation, column in origins
        if relation in policy.open_relations and column in policy.columns(relation)
    )


def _keys(info: RelationInfo, policy: Policy) -> Iterator[Row]:
    readable = {column.name for column in info.readable}
    for key in info.keys:
        if readable.issuperset(key.columns):
            kind = "primary key" if key.primary else "unique key"
            yield _row(kind, ", ".join(key.columns))
    for foreign_key in (*info.foreign_keys, *info.referenced_by):
        if _is_open(foreign_key.source, foreign_key.columns, policy) and _is_open(
            foreign_key.target, foreign_key.target_columns, policy
        ):
            yield _reference(foreign_key)
    for index in info.indexes:
        columns = [column or "an expression" for column in index.columns]
        if readable.issuperset(column for column in index.columns if column):
            unique = "unique " if index.unique else ""
            yield _row(f"{unique}index {index.name}", f"{index.method} ({', '.join(columns)})")


def _is_open(relation: Relation, columns: Iterable[str], policy: Policy) -> bool:
    info = policy.open_relations.get(relation)
    return info is not None and {column.name for column in info.readable}.issuperset(columns)


def _reference(key: ForeignKey) -> Row:
    return _row(
        "foreign key",
        f"{key.source}({', '.join(key.columns)}) -> {key.target}({', '.join(key.target_columns)})",
    )


def _find(policy: Policy, name: str) -> RelationInfo:
    """Find the open relation a name means, written as in SQL or just as it is."""
    for schema, relation in _readings(name):
        if found := policy.resolve(schema, relation):
            return policy.open_relations[found]
    schema, _, relation = name.rpartition(".")
    near = policy.nearest(schema or None, relation)
    hint = f"Did you mean {near.relation}?" if near else "Call list_schemas to see what is."
    raise Refused(
        [Finding(rule="allowed-relations", message=f"{name} is not readable here", hint=hint)]
    )


def _readings(name: str) -> Iterator[tuple[str | None, str]]:
    """Yield what `name` can stand for: schema and relation, or a relation alone."""
    found: list[Token] = []
    with suppress(Unreadable, UnicodeError):
        found = [token for token in tokens(name.encode()) if token.text != b"."]
    parts = [identifier(token) for token in found if token.kind in {Kind.WORD, Kind.QUOTED}]
    if len(parts) == len(found) == 1:
        yield None, parts[0]
    elif len(parts) == len(found) == 2:  # noqa: PLR2004 - schema and relation
        yield parts[0], parts[1]
    schema, _, relation = name.partition(".")
    yield schema, relation
    yield None, name


def _matches(info: RelationInfo, search: str) -> bool:
    wanted = search.casefold()
    texts = [info.relation.name, info.comment or ""]
    for column in info.readable:
        texts += [column.name, column.comment or ""]
    return any(wanted in text.casefold() for text in texts)


def _closed_schema(schema: str) -> Finding:
    return Finding(
        rule="allowed-relations",
        message=f"the schema {schema} is not readable here",
        hint="Call list_schemas without arguments to see what is.",
    )


def _row(*cells: str | int | None) -> Row:
    return tuple(None if cell is None else str(cell) for cell in cells)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _answer(
    header: str,
    rows: list[Row],
    policy: Policy,
    limits: Limits,
    tag: str,
    narrow: str = "use search to narrow",
) -> Rendered:
    """Let the detectors see comments and defaults, too, and frame what is left and fits."""
    lines = [(_line(row, limits.max_cell_bytes + MARGIN),) for row in rows[: _MAX_LINES + 1]]
    whole = ResultSet(columns=(ResultColumn("", "text"),), rows=list(lines))
    masked, _ = mask(whole, policy.rules.detectors)
    cut = [_cut(row[0] or "", limits.max_cell_bytes) for row in masked.rows]
    shown = fitting(cut, limits.max_result_bytes)
    if cut != [row[0] for row in masked.rows]:
        header += f" Texts are cut at {limits.max_cell_bytes} bytes."
    count = max(len(shown) - 1, 0)
    if len(shown) == len(rows):
        return framed(header, shown, tag, rows=count)
    cap = "rows" if len(shown) > _MAX_LINES else "bytes"
    header += f" Only the first {count} of {len(rows) - 1} lines are shown: {narrow}."
    return framed(header, shown, tag, rows=count, truncated=cap)


def _line(row: Row, most: int) -> str:
    return "\t".join("\\N" if cell is None else escape(cell[:most]) for cell in row)


def _cut(line: str, most_bytes: int) -> str:
    """Cut the cells of a line that are too long; a tab in a cell is written as an escape."""
    if len(line) <= most_bytes // 4:
        return line
    return "\t".join(
        cell
        if len(cell.encode()) <= most_bytes
        else f"{cell.encode()[:most_bytes].decode(errors='ignore')}...[cut]"
        for cell in line.split("\t")
    )
