"""Arguments that name an object of the server: a read's parse tree in, those names out.

A text search configuration named by a text tells by its SQLSTATE whether a hidden schema exists,
and a user's may hold dictionaries of a user; a type named by a text runs that type's own code. So
such an argument must be a constant that names one of Postgres's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from pg_guard_mcp.catalog import BUILTIN_TYPES
from pg_guard_mcp.guard import grammar
from pg_guard_mcp.guard.constants import name_of
from pg_guard_mcp.uses import ObjectName

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pg_guard_mcp.guard.facts import Reading

Fields: TypeAlias = "Mapping[str, Any]"

CONFIGURATIONS = frozenset(
    """
    arabic armenian basque catalan danish dutch english estonian finnish french german greek hindi
    hungarian indonesian irish italian lithuanian nepali norwegian portuguese romanian russian
    serbian simple spanish swedish tamil turkish yiddish
    """.split()
)
DICTIONARIES = frozenset({"simple"} | {f"{name}_stem" for name in CONFIGURATIONS - {"simple"}})

# By name and number of arguments: which argument names an object, and of which kind.
_NAMED: Mapping[tuple[str, int], tuple[int, str]] = {
    **{
        (f"{how}to_{what}", 2): (0, "configuration")
        for how, what in (
            ("", "tsquery"),
            ("", "tsvector"),
            ("phrase", "tsquery"),
            ("plain", "tsquery"),
            ("websearch_", "tsquery"),
        )
    },
    ("json_to_tsvector", 3): (0, "configuration"),
    ("jsonb_to_tsvector", 3): (0, "configuration"),
    ("ts_headline", 3): (0, "configuration"),
    ("ts_headline", 4): (0, "configuration"),
    ("ts_lexize", 2): (0, "dictionary"),
    ("pg_input_error_info", 2): (1, "type"),
    ("pg_input_is_valid", 2): (1, "type"),
}
_NAMES = frozenset(name for name, _ in _NAMED)
_TYPE_CHARACTERS = 100
_LEAVES = frozenset({"A_Const", "ColumnRef", "String", "TypeName", "typeName"})
_ONLY_TYPE = {"targetList", "limitOption", "op"}


def object_names(statement: Fields, facts: Reading) -> tuple[ObjectName, ...]:
    """Gather the names that a read gives in arguments."""
    if not any(use.name in _NAMES for use in facts.functions):
        return ()
    return tuple(_object_names(statement["stmt"]))


def is_builtin_object(given: ObjectName) -> bool:
    """Tell whether a name is known, and one of Postgres's own."""
    if given.name is None:
        return False
    if given.kind == "type":
        return _is_builtin_type(given.name)
    known = CONFIGURATIONS if given.kind == "configuration" else DICTIONARIES
    return given.name.lower().removeprefix("pg_catalog.") in known


def _object_names(statement: Fields) -> Iterator[ObjectName]:
    stack: list[Fields] = [statement]
    while stack:
        for name, value in stack.pop().items():
            if isinstance(value, list):
                stack.extend(value)
            elif isinstance(value, dict) and name not in _LEAVES:
                if name == "FuncCall":
                    yield from _of_call(value)
                stack.append(value)


def _of_call(call: Fields) -> Iterator[ObjectName]:
    name, arguments = name_of(call, "funcname"), call.get("args", ())
    position, kind = _NAMED.get((name, len(arguments)), (0, ""))
    is_unclear = (name, len(arguments)) == ("ts_headline", 3)
    if not kind or (is_unclear and _is_document(*arguments[:2])):
        return
    given, start = arguments[position], -1
    cast = given.get("TypeCast", {})
    if kind == "configuration" and name_of(cast.get("typeName", {}), "names") == "regconfig":
        given, start = cast["arg"], cast["typeName"].get("location", 0)
    constant = given.get("A_Const", {})
    yield ObjectName(
        kind=kind,
        name=constant["sval"].get("sval", "") if "sval" in constant else None,
        used_by=name,
        cast_at=start,
    )


def _is_document(first: Fields, second: Fields) -> bool:
    """Tell `ts_headline(document, query, options)` from `(configuration, document, query)`."""
    if name_of(first.get("TypeCast", {}).get("typeName", {}), "names") == "regconfig":
        return False
    is_query = name_of(second.get("FuncCall", {}), "funcname").endswith("tsquery")
    is_cast = name_of(second.get("TypeCast", {}).get("typeName", {}), "names") == "tsquery"
    return "A_Const" not in first or is_query or is_cast


def _is_builtin_type(text: str) -> bool:
    """Tell whether a text names a built-in type and nothing else, read as Postgres will.

    It was inside a literal, where no bound of ours has looked, so a long one is not read at all.
    """
    if len(text) > _TYPE_CHARACTERS:
        return False
    try:
        statements = grammar.parse(f"SELECT NULL::{text}")
    except (grammar.NotSql, grammar.TooDeep):
        return False
    select = statements[0]["stmt"].get("SelectStmt", {})  # type: ignore[attr-defined]  # a tree is untyped
    if len(statements) != 1 or select.keys() != _ONLY_TYPE or len(select["targetList"]) != 1:
        return False
    target = select["targetList"][0]["ResTarget"]
    cast = target["val"].get("TypeCast", {})
    if target.keys() != {"val", "location"} or cast.get("arg", {}).keys() != {"A_Const"}:
        return False
    names = [part["String"]["sval"] for part in cast["typeName"]["names"]]
    is_plain = not cast["typeName"].keys() & {"pct_type", "setof"}
    return is_plain and names[:-1] in ([], ["pg_catalog"]) and names[-1] in BUILTIN_TYPES
