"""The name of one of Postgres's own functions in, the reviewed verdict on it out.

Two files hold the review. `functions.csv` has a line for every name in `pg_catalog` and is all that
an allowed call needs; `functions.toml` has the words of a refusal and is read with the first one.
Names are compared as Postgres folds them: `"LOWER"` is not `lower`, and nothing here makes it so.
"""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from pg_guard_mcp.catalog import BUILTIN_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping


_NAME_BYTES = 63
NEWEST = 18
"""The newest major whose functions were reviewed."""
_HAS_EXTRACT = 14
# Columns go by these names, and as calls on one value they are casts or cannot be made at all.
_COLUMN_NAMES = frozenset({"oid", "system", "xid", "xml"})


class FunctionVerdict(NamedTuple):
    """Whether a function may be called; a refusal says under which rule, why, and what instead."""

    allowed: bool
    rule: str
    reason: str
    hint: str


_ALLOWED = FunctionVerdict(True, "", "", "")


class _Builtin(NamedTuple):
    """A line of functions.csv, as it stands there."""

    name: str
    verdict: str
    rule: str
    group: str
    majors: str
    single_argument: str
    record_argument: str
    arguments: str


def judge_builtin(name: str, argument_count: int | None, major: int = 0) -> FunctionVerdict:
    """Say whether `name` may be called with so many arguments; `None` is a count not known.

    `major` is the server's; 0 is a server not known, of which every name is expected. A name that
    Postgres does not have is refused too, with the advice of its family when it has one (`dblink`):
    opening a function of the operator's own is the policy's business, not ours.
    """
    builtin = _builtin(name)
    if builtin is None and name in BUILTIN_TYPES and argument_count == 1:
        return _ALLOWED  # a cast: for want of such a function Postgres takes the type of that name
    if builtin is None:
        return _refused(_review()["deny"][_family(name)])
    if builtin.verdict == "deny":
        return _refused(_review()["deny"][builtin.group])
    if builtin.arguments and not _within(builtin.arguments, argument_count):
        return _refused(_review()["arguments"][name])
    if not _has(builtin, major):
        return _missing(name, major)
    return _ALLOWED


def behind_syntax(name: str, major: int) -> str:
    """Name the function that a form of the grammar calls on that major; `name` is what 18 calls."""
    return "date_part" if name == "extract" and 0 < major < _HAS_EXTRACT else name


def is_builtin(name: str, major: int = 0) -> bool:
    """Tell whether Postgres `major`, or any supported one, has such a function in `pg_catalog`."""
    builtin = _builtin(name)
    return builtin is not None and _has(builtin, major)


@lru_cache(maxsize=256)
def nearest_allowed(name: str) -> str | None:
    """Say how Postgres writes what `name` does in another database, or which name is close to it.

    Postgres's way of writing it comes as a form to fill in (`extract(year from x)`), a close
    name as itself. A name that Postgres has is no misspelling, refused or not.
    """
    folded = name.lower()
    foreign: dict[str, str] = _review()["foreign"]
    if folded in foreign:
        return foreign[folded]
    if folded in _lines() or len(folded) > _NAME_BYTES:
        return None
    allowed = [
        name
        for group in _review()["allow"].values()
        if group.get("suggested", True)
        for name in group["names"]
    ]
    return next(iter(get_close_matches(folded, allowed, n=1, cutoff=0.75)), None)


def is_denied_attribute(name: str, system_functions: frozenset[str]) -> bool:
    """Tell whether `x.name` may call a refused function.

    `system_functions` are what the database at hand has in pg_catalog: an extension may have put
    more there. Casts in this notation are the business of the rule about types.
    """
    if name in _COLUMN_NAMES or name.removeprefix("_") in BUILTIN_TYPES:
        return False
    if name == "pg_typeof":
        return True  # as a call it is cast to text, and as an attribute it could not be
    if is_builtin(name):
        return name in builtin_denied_single_argument()
    return name in system_functions


@cache
def builtin_denied_single_argument() -> frozenset[str]:
    """Name the refused functions that `(x).name` or `relation.name` would call."""
    return frozenset(
        builtin.name
        for builtin in map(_builtin, _lines())
        if builtin and builtin.single_argument == "t" and not judge_builtin(builtin.name, 1).allowed
    )


def _builtin(name: str) -> _Builtin | None:
    line = _lines().get(name)
    return _Builtin(*line.split(",")) if line else None


@cache
def _lines() -> Mapping[str, str]:
    """Map each name to its line, cut up only when it is asked for: that loads four times as fast.

    No field holds a comma or a quote; the table's own test would fail if one did.
    """
    text = files(__package__).joinpath("functions.csv").read_text(encoding="utf-8")
    lines = iter(text.splitlines())
    next(lines)
    return {line.partition(",")[0]: line for line in lines}


@cache
def _review() -> Mapping[str, Any]:
    return tomllib.loads(files(__package__).joinpath("functions.toml").read_text(encoding="utf-8"))


@lru_cache(maxsize=256)
def _family(name: str) -> str:
    """Name the group that advises on a function Postgres does not have itself."""
    for group, family in _review()["deny"].items():
        if any(fnmatchcase(name, pattern) for pattern in family["names"]):
            return str(group)
    return "unknown"


def _refused(words: Mapping[str, Any]) -> FunctionVerdict:
    rule = words.get("rule", "allowed-functions")
    return FunctionVerdict(allowed=False, rule=rule, reason=words["reason"], hint=words["hint"])


def _missing(name: str, major: int) -> FunctionVerdict:
    """Refuse what the server at hand does not have, as it would, but with what it has instead."""
    instead = _review()["instead"].get(name)
    return FunctionVerdict(
        allowed=False,
        rule="allowed-functions",
        reason=f"PostgreSQL {major} does not have it",
        hint=f"Use {instead}." if instead else "Use the functions of that version.",
    )


def _has(builtin: _Builtin, major: int) -> bool:
    """Tell whether a major has a name; of one newer than all reviewed, what the newest has."""
    first, _, last = builtin.majors.partition("-")
    return not major or int(first) <= min(major, NEWEST) <= int(last or first)


def _within(bounds: str, argument_count: int | None) -> bool:
    fewest, _, most = bounds.partition("-")
    return argument_count is not None and int(fewest) <= argument_count <= int(most)
