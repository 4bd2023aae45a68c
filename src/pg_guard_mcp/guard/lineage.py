"""Mask patterns and the catalog in, the masked columns of every relation out.

A mask on a column is inherited by every view column that derives from it, through any depth, and
by partitions, inheritance children and their parents, which hold the same values, and by columns
generated from it. Postgres writes
a view's definition with every name resolved and every `*` expanded. Where a column of it is
plainly one column of one relation, that column's mask is inherited as it is; where it computes
over masked columns, or cannot be followed and the view reads any masked column, it is redacted.
A pattern with the kind `clean` ends the inheritance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from pg_guard_mcp.catalog import is_enum
from pg_guard_mcp.guard import grammar, masking
from pg_guard_mcp.guard.extensions import Extensions
from pg_guard_mcp.guard.masking import Mask
from pg_guard_mcp.model import Relation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pg_guard_mcp.catalog import Catalog, RelationInfo
    from pg_guard_mcp.errors import Problem

    Masks = dict[Relation, dict[str, Mask]]
    Tree = Mapping[str, object]


class Origin(NamedTuple):
    """A column of a relation, from which a view's column derives."""

    relation: Relation
    column: str


def resolve(
    patterns: Mapping[str, str], catalog: Catalog, on: tuple[str, ...] = ()
) -> tuple[Masks, list[Problem]]:
    """Return every masked column, and the masks that cannot serve their column's type.

    `on` are the extensions whose functions are known to read nothing but their arguments.
    """
    extensions = Extensions(on=on, catalog=catalog)
    declared: Masks = {}
    problems: list[Problem] = []
    for relation, info in catalog.relations.items():
        for column in info.columns:
            if mask := _declared(patterns, relation, column.name):
                declared.setdefault(relation, {})[column.name] = mask
                where = f"{relation}.{column.name}"
                if problem := masking.column_problem(mask, column, where):
                    problems.append(problem)
    _share_in_families(declared, catalog)
    _mask_generated(declared, extensions)
    _share_in_families(declared, catalog)
    resolver = _Resolver(extensions, declared)
    for relation in catalog.relations:
        resolver.settle(relation, ())
    masks = {relation: columns for relation, columns in resolver.masks.items() if columns}
    return masks, problems


def _declared(patterns: Mapping[str, str], relation: Relation, column: str) -> Mask | None:
    """Return the mask of the most specific pattern that fits: the one with most literal text."""
    name = f"{relation.schema}.{relation.name}.{column}"
    fitting = [pattern for pattern in patterns if masking.matches(pattern, name)]
    if not fitting:
        return None
    best = max(fitting, key=lambda pattern: (len(pattern) - pattern.count("*"), pattern))
    return Mask(kind=patterns[best], pattern=best)


def _share_in_families(declared: Masks, catalog: Catalog) -> None:
    """Give parents and children of an inheritance tree each other's masks, to the last cousin."""
    edges = [
        (relation, source, column)
        for relation, info in catalog.relations.items()
        if info.definition is None
        for source, column in info.sources
    ]
    changed = True
    while changed:
        changed = False
        for child, parent, column in edges:
            for here, there in ((child, parent), (parent, child)):
                mask = declared.get(there, {}).get(column)
                if mask and column not in declared.setdefault(here, {}):
                    declared[here][column] = Mask(kind=mask.kind, origins=((there, column),))
                    changed = True


def _mask_generated(declared: Masks, extensions: Extensions) -> None:
    """Redact columns that are computed from masked columns of their own relation.

    What cannot be followed, a whole row or a function of a user, may read every column.
    """
    for relation, info in extensions.catalog.relations.items():
        masks = declared.get(relation)
        if not masks:
            continue
        masked = tuple(
            Origin(relation, name) for name, mask in masks.items() if mask.name != "clean"
        )
        for column in info.columns:
            if not column.generated or column.name in masks:
                continue
            origins = _expression_origins(column.default or "", relation, extensions)
            behind = [origin for origin in masked if origins is None or origin in origins.columns]
            if behind:
                masks[column.name] = Mask(kind="redact", origins=tuple(behind))


def _expression_origins(text: str, relation: Relation, extensions: Extensions) -> Origins | None:
    """Return the columns of `relation` an expression reads, or None where that is unclear."""
    try:
        (statement,) = grammar.parse(f"SELECT {text}")
    except (grammar.NotSql, grammar.TooDeep, ValueError):
        return None
    select = cast("Mapping[str, Tree]", statement["stmt"])["SelectStmt"]
    (target,) = cast("Sequence[Mapping[str, Tree]]", select["targetList"])
    return _origins(target["ResTarget"], {relation.name: relation}, extensions)


class _Resolver:
    """Settles relations in the order in which they read one another."""

    def __init__(self, extensions: Extensions, declared: Masks) -> None:
        self.extensions = extensions
        self.catalog = extensions.catalog
        self.declared = declared
        self.masks: Masks = {}

    def settle(self, relation: Relation, path: tuple[Relation, ...]) -> Mapping[str, Mask]:
        """Return the masks on `relation`, settling what it reads first."""
        if relation in self.masks or relation in path or relation not in self.catalog.relations:
            return self.masks.get(relation, {})
        info = self.catalog.relations[relation]
        columns: dict[str, Mask] = {}
        if info.definition is not None:
            masked = [
                Origin(source, column)
                for source, column in info.sources
                if column in self.settle(source, (*path, relation))
            ]
            columns.update(self._inherited(info, masked))
        columns.update(self.declared.get(relation, {}))
        self.masks[relation] = {
            name: mask for name, mask in columns.items() if mask.name != "clean"
        }
        return self.masks[relation]

    def _inherited(
        self, info: RelationInfo, masked: Sequence[Origin]
    ) -> Iterator[tuple[str, Mask]]:
        """Yield the masks a view's columns get from the masked columns of the relations it reads.

        A function of a user may read anything, so its result is redacted wherever there are masks.
        """
        view = _View(info, self.extensions)
        if not masked and not (view.calls_user_code and self.declared):
            return
        for column, origins in zip(info.columns, view.origins, strict=True):
            if origins is None:
                yield column.name, Mask(kind="redact", origins=tuple(masked))
                continue
            behind = tuple(origin for origin in origins.columns if origin in masked)
            if not behind:
                continue
            mask = self.masks[behind[0].relation][behind[0].column]
            keeps = origins.plain and masking.column_problem(mask, column, "") is None
            yield column.name, Mask(kind=mask.kind if keeps else "redact", origins=behind)


class Origins(NamedTuple):
    """The columns a view's column derives from; `plain` if it is one column and nothing else."""

    columns: tuple[Origin, ...]
    plain: bool


class _View:
    """What a view's definition says of its columns.

    Only a SELECT of one level over named relations is followed: no set operation, no WITH, no
    subquery and no function of a user anywhere in the column.
    """

    def __init__(self, info: RelationInfo, extensions: Extensions) -> None:
        count = len(info.columns)
        self.origins: list[Origins | None] = [None] * count
        self.calls_user_code = True
        try:
            statements = grammar.parse(info.definition or "")
        except (grammar.NotSql, grammar.TooDeep):
            return
        self.calls_user_code = any(_is_user_call(node, extensions) for node in _nodes(statements))
        roots = [cast("Mapping[str, Tree]", statement["stmt"]) for statement in statements]
        if len(roots) != 1 or "SelectStmt" not in roots[0]:
            return
        select = roots[0]["SelectStmt"]
        targets = cast("Sequence[Mapping[str, Tree]]", select.get("targetList", []))
        if select.get("op") != "SETOP_NONE" or "withClause" in select or len(targets) != count:
            return
        sources = cast("Sequence[Mapping[str, Tree]]", select.get("fromClause", []))
        relations = dict(_relations(sources))
        self.origins = [_origins(target["ResTarget"], relations, extensions) for target in targets]


def _nodes(tree: object) -> Iterator[Tree]:
    """Yield every dict in a parse tree."""
    stack: list[object] = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, dict):
            yield item
            stack.extend(item.values())


def _is_user_call(node: Tree, known: Extensions) -> bool:
    """Tell whether a node calls what nobody reviewed; Postgres writes all but its own qualified."""
    for kind, field in (("FuncCall", "funcname"), ("A_Expr", "name"), ("SubLink", "operName")):
        name = _qualified(cast("Tree", node.get(kind, {})).get(field))
        reviewed = known.function if kind == "FuncCall" else known.operator
        if name and not reviewed(*name):
            return True
    name = _qualified(cast("Tree", node.get("typeName", {})).get("names"))
    return name is not None and not (known.type(*name) or is_enum(*name, known.catalog))


def _qualified(nodes: object) -> tuple[str, str] | None:
    """Return schema and name, or None for what is written without a schema or is built in."""
    parts = cast("Sequence[Mapping[str, Tree]]", nodes or ())
    names = [cast("str", part["String"].get("sval", "")) for part in parts]
    return None if len(names) < 2 or names[-2] == "pg_catalog" else (names[-2], names[-1])  # noqa: PLR2004 - schema and name


def _relations(items: Sequence[Mapping[str, Tree]]) -> Iterator[tuple[str, Relation | None]]:
    """Yield the names FROM introduces, each with its relation, or None for anything else."""
    for item in items:
        ((kind, fields),) = item.items()
        alias = cast("Tree", fields.get("alias", {}))
        if kind == "JoinExpr":
            sides = [fields["larg"], fields["rarg"]]
            yield from _relations(cast("Sequence[Mapping[str, Tree]]", sides))
        if kind == "RangeVar" and "schemaname" in fields and "colnames" not in alias:
            name = cast("str", fields["relname"])
            relation = Relation(cast("str", fields["schemaname"]), name)
            yield cast("str", alias.get("aliasname", name)), relation
        elif alias:
            yield cast("str", alias["aliasname"]), None


def _origins(
    target: Tree, relations: Mapping[str, Relation | None], extensions: Extensions
) -> Origins | None:
    """Follow every column reference in `target`; one that cannot be followed spoils it all."""
    value = cast("Tree", target.get("val", {}))
    found: list[Origin] = []
    for node in _nodes(value):
        # A subquery, or a window defined elsewhere, reads columns that are not in sight here.
        window = cast("Tree", node.get("over", {}))
        if (
            "SubLink" in node
            or "name" in window
            or "refname" in window
            or _is_user_call(node, extensions)
        ):
            return None
        if "ColumnRef" in node:
            origin = _origin(cast("Tree", node["ColumnRef"]), relations, extensions.catalog)
            if origin is None:
                return None
            found.append(origin)
    return Origins(columns=tuple(found), plain="ColumnRef" in value)


def _origin(
    reference: Tree, relations: Mapping[str, Relation | None], catalog: Catalog
) -> Origin | None:
    """Return the column a reference means: `alias.column`, or `column` of the only relation."""
    fields = cast("Sequence[Mapping[str, Tree]]", reference["fields"])
    parts = [cast("str", part["String"].get("sval", "")) for part in fields if "String" in part]
    if len(parts) != len(fields) or not parts or len(parts) > 2:  # noqa: PLR2004 - alias and column
        return None
    if len(parts) == 1 and len(relations) != 1:
        return None
    relation = relations.get(parts[0]) if len(parts) > 1 else next(iter(relations.values()))
    if relation is None or relation not in catalog.relations:
        return None
    known = {column.name for column in catalog.relations[relation].columns}
    return Origin(relation, parts[-1]) if parts[-1] in known else None
