"""What pydantic found wrong, in our words: where it is written, what is wrong, how to mend it.

Pydantic's own messages quote the input; ours never do, for it may be a secret in a wrong place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from annotated_types import Ge, Le

from pg_guard_mcp.errors import Problem
from pg_guard_mcp.settings.sources import Source, of_everybody, suggestion
from pg_guard_mcp.settings.tables import Settings
from pg_guard_mcp.settings.values import InvalidSettingError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

_TYPES = {
    "bool": "true or false",
    "dict": "a table (in a variable: a JSON object)",
    "float": "a number",
    "int": "a whole number",
    "model": "a table (in a variable: a JSON object)",
    "string": "text",
    "tuple": 'a list, such as ["shop"]',
}


def setting_path(error: ErrorDetails) -> tuple[str, ...]:
    """Tell which setting an error is about; a place in a list is the list's, a key's its own."""
    return tuple(part for part in error["loc"] if isinstance(part, str) and part != "[key]")


def problem(error: ErrorDetails, source: Source) -> Problem:
    """Say what is wrong with one setting of `source`."""
    path = setting_path(error)
    name = source.called(path)
    kind = error["type"]
    if kind == "extra_forbidden":
        return _unknown(name, path)
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, InvalidSettingError):
        return Problem(f"{name} {cause.message}", cause.fix)
    if kind == "literal_error":
        return Problem(f"{name} is not one of its values", f"Write {error['ctx']['expected']}")
    if kind in ("greater_than_equal", "less_than_equal", "finite_number"):
        return Problem(f"{name} is out of range", f"Choose {_range(path)}")
    expected = _TYPES.get(kind.split("_")[0], "the type docs/settings.md names")
    return Problem(f"{name} has the wrong type", f"Write {expected}")


def _unknown(name: str, path: tuple[str, ...]) -> Problem:
    """Complain about a setting that does not exist, and loudest about a password."""
    if any(word in path[-1].lower() for word in ("password", "passwd", "secret", "token")):
        return Problem(
            f"{name} is not a setting, and no secret belongs there",
            "Remove it, change the secret, and store it with `pg-guard-mcp credentials set`",
        )
    return Problem(f"{name} is not a setting", suggestion(of_everybody(path)))


def _range(path: tuple[str, ...]) -> str:
    """Give the bounds of a number."""
    setting = _setting(path)
    lowest = next(bound.ge for bound in setting.metadata if isinstance(bound, Ge))
    highest = next((bound.le for bound in setting.metadata if isinstance(bound, Le)), None)
    return f"a number from {lowest}" + (f" to {highest}" if highest is not None else " up")


def _setting(path: tuple[str, ...]) -> FieldInfo:
    """Find the definition of a setting; a client's tables are like those for everybody."""
    path = of_everybody(path)
    table: type[BaseModel] = Settings
    for name in path[:-1]:
        # Pydantic found the setting there, so all above it are tables.
        table = cast("type[BaseModel]", table.model_fields[name].annotation)
    return table.model_fields[path[-1]]
