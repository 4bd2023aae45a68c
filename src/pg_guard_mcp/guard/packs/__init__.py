"""The name of an extension in, what was reviewed of it out.

One TOML file an extension: its functions, in groups that share a reason, the types a query may
name, and what is known of single functions. An allow-list: what is not named is not in the pack,
and `refused` only gives a refusal better words. The tests hold each file against a server.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, get_args

from pg_guard_mcp.model import Extension

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES: tuple[str, ...] = get_args(Extension)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """What was reviewed of one extension."""

    name: str
    functions: frozenset[str]
    types: frozenset[str]
    requires: tuple[str, ...] = ()
    """Other extensions whose operators and functions it works with."""
    calls: frozenset[str] = frozenset()
    """Functions that its own bodies call without a schema."""
    arguments: Mapping[str, int] = field(default_factory=dict)
    """Functions of which only the overloads with so many arguments are in."""
    numbers: Mapping[str, int] = field(default_factory=dict)
    """Functions of which one argument, counted from 1, must plainly be a number."""
    looks_up: Mapping[str, int] = field(default_factory=dict)
    """Functions that, with so many arguments, find one of them along `search_path`."""
    beside: frozenset[str] = frozenset()
    """Extensions whose overloads of these functions and operators take types of their own."""
    refused: tuple[tuple[str, str], ...] = ()
    """Patterns of what is left out, each with the reason."""

    def objection(self, name: str) -> str | None:
        """Say why a function of the extension is left out, if somebody wrote that down."""
        return next((why for pattern, why in self.refused if fnmatchcase(name, pattern)), None)


@cache
def read(name: str) -> Pack:
    """Read what was reviewed of the extension `name`, one of `NAMES`."""
    text = files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    found: dict[str, Any] = tomllib.loads(text)
    return Pack(
        name=name,
        functions=frozenset(
            function for group in found["functions"].values() for function in group["names"]
        ),
        types=frozenset(found["types"]),
        requires=tuple(found.get("requires", ())),
        calls=frozenset(found.get("calls", ())),
        arguments=found.get("arguments", {}),
        numbers=found.get("numbers", {}),
        looks_up=found.get("looks_up", {}),
        beside=frozenset(found.get("beside", ())),
        refused=tuple(
            (pattern, group["reason"])
            for group in found.get("refused", {}).values()
            for pattern in group["names"]
        ),
    )
