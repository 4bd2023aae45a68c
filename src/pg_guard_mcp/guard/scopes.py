"""A statement in, every reference to a column out, with the relations it may be read from.

Postgres looks a name up in the FROM of its own SELECT, then in that of the SELECT around it. This
follows it as far as relations go: what a WITH query or a subselect gives out is not worked out, so
where a name could come from one of them as well as from a relation, the relation is still told.
Asked for only where a statement has a name that no relation of it explains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from pg_guard_mcp.guard import grammar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pg_guard_mcp.model import Statement

Fields: TypeAlias = "Mapping[str, Any]"


class Range(NamedTuple):
    """An item of FROM: the name it goes by, and the relation it is, if it is one."""

    name: str
    relation: tuple[str | None, str] | None
    renamed: frozenset[str]
    """Columns that its alias renames."""


class Reference(NamedTuple):
    """A column reference: `qualifier.name` or `name`, and the relations that may have it."""

    qualifier: str | None
    name: str
    relations: tuple[tuple[str | None, str], ...]
    whole_row: bool = False
    """Whether it is written `(qualifier).name`."""


Frames: TypeAlias = "tuple[tuple[Range, ...], ...]"
"""What FROM names, of the innermost SELECT first."""


def references(statement: Statement) -> Iterator[Reference]:
    """Yield every reference of a statement that two parsers understood."""
    # By its place: a WITH query may go by the name of the very relation that it reads.
    known = {use.name_start for use in statement.relations}
    stack: list[tuple[Any, Frames]] = [(item["stmt"], ()) for item in grammar.parse(statement.sql)]
    while stack:
        value, frames = stack.pop()
        if isinstance(value, list):
            stack.extend((item, frames) for item in value)
        elif isinstance(value, dict):
            for kind, fields in value.items():
                if kind in {"SelectStmt", "larg", "rarg"} and "op" in fields:
                    stack.extend(_select(fields, frames, known))
                elif kind == "RangeSubselect" and "lateral" not in fields:
                    stack.append((fields, frames[1:]))
                elif kind == "A_Indirection":
                    yield from _field(fields, frames)
                    stack.append((fields, frames))
                elif kind == "ColumnRef":
                    if "A_Star" not in fields["fields"][-1]:
                        yield _reference(_parts(fields["fields"]), frames)
                else:
                    stack.append((fields, frames))


def _select(fields: Fields, outer: Frames, known: set[int]) -> Iterator[tuple[Any, Frames]]:
    """Yield the parts of a SELECT, each with what it sees: WITH does not see FROM beside it."""
    inner = (tuple(_ranges(fields.get("fromClause", []), known)), *outer)
    outputs = {target["ResTarget"].get("name") for target in fields.get("targetList", ())}
    for name, value in fields.items():
        if name in {"larg", "rarg"}:
            yield {name: value}, outer
        elif name == "withClause":
            yield value, outer
        elif name == "sortClause":
            yield [item for item in value if not _sorts_by_output(item, outputs)], inner
        else:
            yield value, inner


def _ranges(items: Sequence[Fields], known: set[int]) -> Iterator[Range]:
    """Yield what FROM names; what stands inside a join with a name of its own counts as well."""
    stack = list(items)
    while stack:
        ((kind, fields),) = stack.pop().items()
        if kind == "JoinExpr":
            stack += [fields["larg"], fields["rarg"]]
            if "join_using_alias" in fields:
                yield Range(fields["join_using_alias"]["aliasname"], None, frozenset())
        if kind == "RangeTableSample":
            stack.append(fields["relation"])
        alias = fields.get("alias", {})
        relation = None
        if kind == "RangeVar" and ("schemaname" in fields or fields.get("location", 0) in known):
            relation = (fields.get("schemaname"), fields["relname"])
        name = alias.get("aliasname") or fields.get("relname")
        if name:
            renamed = frozenset(_parts(alias.get("colnames", ())))
            yield Range(name, relation, renamed)


def _field(fields: Fields, frames: Frames) -> Iterator[Reference]:
    """Yield `(relation).name` and `(relation.*).name`, which read a column of a whole row."""
    names = _parts(fields.get("indirection", ())[:1])
    row = fields["arg"].get("ColumnRef", {}).get("fields", ())
    if names and row and (len(row) == 1 or "A_Star" in row[-1]):
        reference = _reference((_parts(row)[-1], names[0]), frames)
        yield reference._replace(whole_row=True)


def _reference(parts: tuple[str, ...], frames: Frames) -> Reference:
    qualifier = parts[-2] if len(parts) > 1 else None
    name = parts[-1]
    for frame in frames:
        meant = [item for item in frame if qualifier in {None, item.name}]
        if qualifier is not None and meant:
            return Reference(qualifier, name, _having(meant, name))
    everywhere = [item for frame in frames for item in frame] if qualifier is None else []
    return Reference(qualifier, name, _having(everywhere, name))


def _having(items: Sequence[Range], name: str) -> tuple[tuple[str | None, str], ...]:
    return tuple(
        item.relation for item in items if item.relation is not None and name not in item.renamed
    )


def _parts(nodes: Sequence[Fields]) -> tuple[str, ...]:
    """Return the names in a list; a `*` is left out."""
    return tuple(node["String"].get("sval", "") for node in nodes if "String" in node)


def _sorts_by_output(item: Fields, outputs: set[str | None]) -> bool:
    """Tell whether ORDER BY names an output column alone, which comes before any other."""
    column = item.get("SortBy", {}).get("node", {}).get("ColumnRef", {})
    parts = _parts(column.get("fields", ()))
    return len(parts) == 1 and parts[0] in outputs
