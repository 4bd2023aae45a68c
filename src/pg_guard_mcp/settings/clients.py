"""The tables of one client in, what it is given of what everybody is given out: never more.

A client's name on stdio is its own word for itself, so a table of its own can take away and add
masks, and nothing else: whoever borrows a name gains nothing by it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pg_guard_mcp.errors import Problem
from pg_guard_mcp.settings.sources import dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.model import AccessRules, Limits
    from pg_guard_mcp.settings.tables import ClientTable, Settings

_OF_THE_SERVER = frozenset({"pool_size", "pool_wait_seconds"})
_FIX = "Open it in the tables for everybody first; a client's own tables only narrow them"


def client_rules(settings: Settings) -> dict[str, AccessRules]:
    """Hand the guard the rules of each client; their masks are the client's own alone."""
    return {name: _rules(settings, table) for name, table in settings.clients.items()}


def client_limits(settings: Settings) -> dict[str, Limits]:
    """Hand every call of a client what it may cost."""
    limits = settings.call_limits()
    return {
        name: replace(
            limits, **{each: getattr(table.limits, each) for each in table.limits.model_fields_set}
        )
        for name, table in settings.clients.items()
    }


def client_problems(settings: Settings) -> Iterator[Problem]:
    """Find what a client's tables would give it beyond what everybody is given."""
    for name, table in settings.clients.items():
        yield from _wider_access(("clients", name, "access"), settings, table)
        for limit in sorted(table.limits.model_fields_set):
            called = dotted(("clients", name, "limits", limit))
            if limit in _OF_THE_SERVER:
                yield Problem(f"{called} is the server's, not a client's", f"Set limits.{limit}")
            elif _is_above(getattr(table.limits, limit), getattr(settings.limits, limit)):
                yield Problem(
                    f"{called} is above limits.{limit}",
                    f"Lower it, or raise limits.{limit}; a client's own tables only narrow them",
                )


def _rules(settings: Settings, table: ClientTable) -> AccessRules:
    """Narrow the rules for everybody: a list that the client's table has stands for theirs."""
    everybody, own = settings.access_rules(), table.access_rules()
    named = table.access.model_fields_set
    opens = bool(named & {"schemas", "relations"})
    functions = own.allow_functions if "allow_functions" in named else everybody.allow_functions
    with_effects = "allow_functions_with_effects"
    effects = (own if with_effects in named else everybody).allow_functions_with_effects
    return replace(
        everybody,
        schemas=own.schemas if opens else everybody.schemas,
        relations=own.relations if opens else everybody.relations,
        deny_relations=(*everybody.deny_relations, *own.deny_relations),
        allow_functions=functions,
        allow_functions_with_effects=tuple(name for name in effects if name in functions),
        extensions=own.extensions if "extensions" in named else everybody.extensions,
        views_only=everybody.views_only or own.views_only,
        masks=own.masks,
        detectors=tuple(dict.fromkeys((*everybody.detectors, *own.detectors))),
    )


def _wider_access(
    path: tuple[str, ...], settings: Settings, table: ClientTable
) -> Iterator[Problem]:
    everybody, own = settings.access, table.access
    outside = {
        "schemas": set(own.schemas) - set(everybody.schemas),
        "relations": {
            name
            for name in set(own.relations) - set(everybody.relations)
            if name.partition(".")[0] not in everybody.schemas
        },
        **{
            setting: set(getattr(own, setting)) - set(getattr(everybody, setting))
            for setting in ("allow_functions", "allow_functions_with_effects", "extensions")
        },
    }
    for setting, names in outside.items():
        if names:
            yield Problem(f"{dotted((*path, setting))} names what access does not open", _FIX)


def _is_above(own: float, everybody: float) -> bool:
    """Tell whether a limit is wider; 0 as the highest cost is none at all."""
    return own > everybody > 0 or own == 0 < everybody
