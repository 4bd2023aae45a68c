"""A spliced statement in, the proof that it shows what it may: the grammar reads it once more.

It names the relations that were judged, all of them qualified: those for which a subselect stands
inside our subselects and nowhere else. Each subselect of ours reads one relation, whole, and gives
out its open columns in their order, a masked one never as it is. It calls nothing outside of
pg_catalog, and around the subselects the statement calls what the agent's text calls.

What does not check out is a defect of ours, found before Postgres hears of it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

from pg_guard_mcp.errors import Internal
from pg_guard_mcp.guard import grammar, nodes, reading
from pg_guard_mcp.model import Relation
from pg_guard_mcp.uses import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pg_guard_mcp.guard.policy import Policy
    from pg_guard_mcp.model import AdmittedStatement, Splice
    from pg_guard_mcp.uses import FunctionUse

Fields: TypeAlias = "Mapping[str, Any]"

_SUBSELECT = (b"(SELECT ", b"SELECT * FROM (SELECT ")
"""How a splice begins that is a subselect; a name begins with a quote."""
_PARTS = {"targetList", "fromClause", "limitOption", "op"}
_KNOWN_TO_NOBODY = ("xmin",)


def check(
    text: bytes,
    splices: Sequence[Splice],
    expected: set[Relation],
    statement: AdmittedStatement,
    policy: Policy,
) -> None:
    """Read the guarded text again, and hold it against what was judged.

    Raises:
        Internal: it does not check out.

    """
    try:
        tree = grammar.parse(text.decode())
        facts = reading.read(tree)
    except (grammar.NotSql, grammar.TooDeep, reading.NotUnderstood):
        raise defect() from None
    ours = list(_places(splices))
    written = {text for _, text in splices if text.startswith(_SUBSELECT)}
    found = [
        (Relation(use.schema or "", use.name), _inside(use.start, ours)) for use in facts.relations
    ]
    theirs = [use for use in facts.functions if not _inside(use.start, ours)]
    holds = (
        not facts.findings
        and {relation for relation, _ in found} == expected
        and all(policy.stands_in(relation) == inside for relation, inside in found)
        and all(
            use.schema == "pg_catalog" or use.notation == "grammar"
            for use in facts.functions
            if _inside(use.start, ours)
        )
        and _calls(theirs) == _calls(statement.functions)
        and (
            written <= policy.proven
            or _subselects(tree, ours, policy) == sum(inside for _, inside in found)
        )
    )
    if not holds:
        raise defect()
    policy.proven.update(written)


def defect() -> Internal:
    """Say that a statement of ours is not what it must be, and nothing of what is in it."""
    return Internal(
        "the guarded statement did not check out",
        "This is a defect of the server; the statement did not run.",
    )


def _places(splices: Sequence[Splice]) -> Iterator[Span]:
    """Yield where our subselects stand in the spliced text."""
    shift = 0
    for span, replacement in splices:
        start = span.start + shift
        if replacement.startswith(_SUBSELECT):
            yield Span(start, start + len(replacement))
        shift += len(replacement) - (span.end - span.start)


def _inside(offset: int, places: Sequence[Span]) -> bool:
    return any(start <= offset < end for start, end in places)


def _calls(uses: Iterable[FunctionUse]) -> Counter[tuple[str, str]]:
    """Count calls by name and notation; attributes are left out, for some lose their schema."""
    return Counter((use.name, use.notation) for use in uses if use.notation != "attribute")


def _subselects(tree: object, ours: Sequence[Span], policy: Policy) -> int:
    """Count the SELECTs inside our splices that read one relation as they must."""
    return sum(
        _shows_what_it_may(select, relation, policy)
        for select in nodes.inside(tree)
        if "fromClause" in select
        and (relation := _only_relation(select))
        and _inside(relation.get("location", 0), ours)
    )


def _only_relation(select: Fields) -> Fields:
    """Return the relation a SELECT reads, if that is all there is in its FROM."""
    sources = select["fromClause"]
    relation: Fields = sources[0].get("RangeVar", {}) if len(sources) == 1 else {}
    return relation


def _shows_what_it_may(select: Fields, source: Fields, policy: Policy) -> bool:
    """Tell whether a SELECT gives out a relation's open columns, masked where they are masked."""
    relation = Relation(source.get("schemaname", ""), source["relname"])
    info = policy.open_relations.get(relation)
    if info is None or not select.keys() <= _PARTS:
        return False
    masks = policy.masked(relation)
    targets = [target["ResTarget"] for target in select["targetList"]]
    return [target.get("name", _plain(target["val"])) for target in targets] == [
        column.name for column in info.readable
    ] and all(
        _is_masked(target["val"], column.name)
        if column.name in masks
        else _plain(target["val"]) == column.name
        for target, column in zip(targets, info.readable, strict=True)
    )


def _is_masked(value: Fields, name: str) -> bool:
    """Tell whether a value is more than the column, and made of no other column."""
    columns = {_plain(item) for item in nodes.inside(value) if "ColumnRef" in item}
    return _plain(value) != name and columns <= {name, *_KNOWN_TO_NOBODY}


def _plain(value: Fields) -> str:
    """Return the column a value is, casts aside; of anything else nothing."""
    while "TypeCast" in value:
        value = value["TypeCast"]["arg"]
    fields = value.get("ColumnRef", {}).get("fields", ())
    name: str = fields[0].get("String", {}).get("sval", "") if len(fields) == 1 else ""
    return name
