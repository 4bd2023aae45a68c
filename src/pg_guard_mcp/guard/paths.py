"""A statement and a policy in, the schemas in which Postgres must look for its operators out.

Every relation, type and function is qualified where it stands, so nearly every statement runs with
`search_path = pg_catalog`. Operators cannot be: which `=` a statement means depends on types. So
the schema of an extension joins the path, for those statements alone that could use its operators,
and only if nothing in it could be resolved that is not the extension's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pg_guard_mcp.catalog import BUILTIN_TYPES
from pg_guard_mcp.guard import functions, grammar, operands, packs
from pg_guard_mcp.model import Finding, TypeName

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pg_guard_mcp.guard.extensions import Extensions
    from pg_guard_mcp.guard.names import Names
    from pg_guard_mcp.guard.policy import Policy
    from pg_guard_mcp.model import Definition, Relation, Statement

# What CASE, IN, USING, BETWEEN and NULLIF look up without its being written.
_IMPLIED = frozenset({"=", "<>", "<", "<=", ">", ">="})
_RULE = "allowed-extensions"
_MOVE = "Tell the operator: ALTER EXTENSION ... SET SCHEMA moves it to a schema of its own."


class SearchPath(NamedTuple):
    """The schemas that join the path, or what speaks against them."""

    schemas: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def find(statement: Statement, policy: Policy) -> SearchPath:
    """Find the schemas of extensions that a statement needs on the path."""
    known = policy.names.extensions
    if policy.shape_only or not known.installed:
        return SearchPath()
    read = {
        relation: columns
        for use in statement.relations
        if (relation := policy.resolve(use.schema, use.name))
        and (columns := known.columns(relation))
    }
    called = dict(_called(statement, policy))
    used = set(_used_values(statement, read, called, policy))
    needed = {owner for owner in used if owner in known.packs}
    needed.update(_by_type(statement, policy.names), _by_function(statement, known))
    needed.update(*(known.packs[name].requires for name in tuple(needed)))
    schemas = {known.installed[name].schema for name in needed}
    findings = [_off(owner, read, called) for owner in sorted(used - known.packs.keys())]
    for schema in sorted(schemas):
        findings += _in_the_way(schema, statement, policy, needed)
    for symbol in sorted(statement.symbols & known.symbols.keys()):
        found = known.symbols[symbol]
        ways = {schema: _in_the_way(schema, statement, policy, set()) for schema in found}
        schemas.update(schema for schema, findings in ways.items() if not findings)
        if not schemas & found and symbol not in policy.catalog.system_operators:
            findings += [finding for each in ways.values() for finding in each]
    for symbol in sorted(statement.symbols & known.symbols_off.keys()):
        findings.append(
            Finding(
                rule=_RULE,
                message=f"the operator {symbol} is not available",
                hint=switch_on(known.symbols_off[symbol]).strip(),
            )
        )
    return SearchPath(tuple(sorted(schemas)), tuple(dict.fromkeys(findings)))


def definitions(
    statement: Statement, policy: Policy, schemas: Collection[str]
) -> tuple[Definition, ...]:
    """Name all that must not have changed since it was judged, once names are resolved."""
    known = policy.names.extensions
    found = [known.definition(schema) for schema in sorted(schemas)]
    for use in statement.functions:
        named = policy.names.qualified(use) if use.notation == "call" else None
        if named and named[0] not in schemas and named in known.functions:
            found.append(known.functions[named].definition)
    for kind in statement.types:
        if named := policy.names.type(kind.schema, kind.name):
            found += policy.names.types.definitions(TypeName(*named))
    return tuple(dict.fromkeys(definition for definition in found if definition))


def _by_type(statement: Statement, names: Names) -> Iterator[str]:
    """Yield the extensions whose types a statement names."""
    for use in statement.types:
        if named := names.type(use.schema, use.name):
            yield from names.extensions.owners_of(TypeName(*named)) & names.extensions.packs.keys()


def _by_function(statement: Statement, known: Extensions) -> Iterator[str]:
    """Yield the extensions whose functions a statement calls with values of their types."""
    for use in statement.functions:
        if use.notation != "call" or (use.schema is None and functions.is_builtin(use.name)):
            continue
        for owner in known.function(use.schema, use.name):
            function = known.functions[known.installed[owner].schema, use.name]
            pack = known.packs[owner]
            looks_up = pack.looks_up.get(use.name) == use.arguments
            if function.types or pack.calls or looks_up:
                yield owner


def _called(statement: Statement, policy: Policy) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the functions of users that a statement calls, with the extensions of their types."""
    known = policy.names.extensions
    for use in statement.functions:
        named = policy.names.function(use.schema, use.name) if use.notation == "call" else None
        function = known.functions.get(named) if named else None
        if function and (owners := known.given_by(function)):
            yield use.name, owners


def _used_values(
    statement: Statement,
    read: Mapping[Relation, Mapping[str, frozenset[str]]],
    called: Mapping[str, frozenset[str]],
    policy: Policy,
) -> Iterator[str]:
    """Yield the extensions whose values meet an operator, or a function they overload."""
    owners = {owner for columns in read.values() for each in columns.values() for owner in each}
    owners.update(*called.values())
    if not owners:
        return
    known = policy.names.extensions
    tree = operands.Operands(grammar.parse(statement.sql))
    # Most statements only select such columns: one question tells, whatever the extension.
    functions = frozenset[str]().union(*(known.function_names(owner) for owner in owners))
    if tree.reach(_names_of(owners, read, called), functions):
        for owner in sorted(owners):
            if tree.reach(_names_of({owner}, read, called), known.function_names(owner)):
                yield owner


def _names_of(
    wanted: set[str],
    read: Mapping[Relation, Mapping[str, frozenset[str]]],
    called: Mapping[str, frozenset[str]],
) -> operands.Names:
    """Name what holds and gives values of these extensions' types."""
    columns = {
        relation: {name for name, owners in columns.items() if owners & wanted}
        for relation, columns in read.items()
    }
    return operands.Names(
        frozenset(name for names in columns.values() for name in names),
        frozenset(relation.name for relation, names in columns.items() if names),
        frozenset(name for name, owners in called.items() if owners & wanted),
    )


def _off(
    owner: str,
    read: Mapping[Relation, Mapping[str, frozenset[str]]],
    called: Mapping[str, frozenset[str]],
) -> Finding:
    """Refuse operators over values of an extension that is off.

    Without its operators Postgres takes those of a type it casts to, and answers: citext would
    compare as text, and geometry by its hexadecimal digits.
    """
    columns = [
        (str(relation), name)
        for relation, columns in read.items()
        for name, owners in columns.items()
        if owner in owners
    ]
    if columns:
        relation, name = min(columns)
        what, value = f"{relation}.{name}", name
    else:
        what = value = f"{min(name for name, each in called.items() if owner in each)}(...)"
    return Finding(
        rule=_RULE,
        message=f"operators and functions over {what} are not available",
        hint=f"Select it as it is, or cast it first: CAST({value} AS text).{switch_on(owner)}",
    )


def switch_on(owner: str) -> str:
    """Say how an operator switches a pack on; nothing where there is none."""
    if owner not in packs.NAMES:
        return ""
    return f' Its operator can switch "{owner}" on in access.extensions.'


def _in_the_way(
    schema: str, statement: Statement, policy: Policy, needed: Collection[str]
) -> list[Finding]:
    """Find what in a schema could be resolved instead of what is meant."""
    names, known = policy.names, policy.names.extensions
    foreign = known.foreign_symbols.get(schema, frozenset())
    called = {
        use.name
        for use in statement.functions
        if use.notation == "call" and use.schema is None and not names.qualified(use)
    }
    called.update(*(known.packs[name].calls for name in needed))
    found = [name for name in sorted(called) if not known.is_harmless(schema, name)]
    found += [
        use.name
        for use in statement.functions
        if use.notation == "attribute" and _is_call(schema, use.name, names)
    ]
    found += sorted(_code(statement, policy) & (known.foreign_functions[schema] | {"execute"}))
    if "" in foreign or foreign & (statement.symbols | _IMPLIED):
        found.append("an operator")
    return [
        Finding(
            rule=_RULE,
            message=f"the schema {schema} could put {name} of its own in an extension's place",
            hint=_MOVE,
        )
        for name in found
    ]


def _is_call(schema: str, name: str, names: Names) -> bool:
    """Tell whether `x.name` could run what nobody reviewed: a function, or a type's CHECK."""
    function = names.extensions.functions.get((schema, name))
    if function is not None and function.one_argument:
        return not names.extensions.is_harmless(schema, name)
    if name.removeprefix("_") in BUILTIN_TYPES:
        return False
    kind = TypeName(schema, name)
    return names.types.is_known(kind) and names.types.objection(kind) is not None


def _code(statement: Statement, policy: Policy) -> frozenset[str]:
    """Return every word in the functions of users that a statement runs.

    Their bodies are resolved along the same path; what was allowed by name is no stranger.
    """
    names = policy.names
    allowed = {name.rpartition(".")[2].lower() for name in policy.rules.allow_functions}
    called = [
        ".".join(named)
        for use in statement.functions
        if use.notation == "call" and (named := names.function(use.schema, use.name))
    ]
    relations = (policy.resolve(use.schema, use.name) for use in statement.relations)
    return (
        frozenset[str]().union(
            *(names.words_of(name) for name in called),
            *(names.code_behind(relation) for relation in relations if relation),
        )
        - allowed
    )
