"""Where settings are written: flags, environment, `.env`, a TOML file. Text in, nested tables out.

Each source keeps its name, so that a problem can say where to look. Nothing is read but what the
caller hands over: no variable, no directory and no home of this process.
"""

from __future__ import annotations

import io
import re
import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

from dotenv.parser import parse_stream
from pydantic import BaseModel
from pydantic_settings import EnvSettingsSource

from pg_guard_mcp.errors import Problem
from pg_guard_mcp.settings.tables import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydantic.fields import FieldInfo

PREFIX = "PG_GUARD_"
POLICY_VARIABLE = "PG_GUARD_POLICY"
SECRET_VARIABLES = frozenset({"PG_GUARD_HTTP_TOKEN", "PG_GUARD_MASK_KEY"})
"""Variables of the environment alone: a secret in a `.env` is a secret on disk."""

DEFAULT_FILE = "pg-guard.toml"
_MAX_FILE_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The settings one source holds, and how a person finds them there."""

    kind: Literal["flags", "environment", "dotenv", "file"]
    name: str = ""
    tables: dict[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def called(self, path: tuple[str, ...]) -> str:
        """Name the setting at `path` the way it is written in this source."""
        if self.kind in ("environment", "dotenv"):
            variable = variable_name(path)
            return f"{variable} in {self.name}" if self.name else variable
        return f"{dotted(path)} {'given as a flag' if self.kind == 'flags' else f'in {self.name}'}"


def setting_paths() -> tuple[tuple[str, ...], ...]:
    """List every setting, by its path through the tables."""
    return tuple(_paths(Settings, ()))


def variable_name(path: tuple[str, ...]) -> str:
    """Name the environment variable of the setting at `path`."""
    return PREFIX + "__".join(path).upper()


def dotted(path: tuple[str, ...]) -> str:
    """Name the setting at `path` as TOML would."""
    return ".".join(
        part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else f'"{ascii(part)[1:-1]}"' for part in path
    )


def from_flags(flags: Mapping[str, object]) -> Source:
    """Nest flags given as `table.setting`; None means that a flag was not given."""
    tables: dict[str, Any] = {}
    for name, value in flags.items():
        if value is None or name == "policy":
            continue
        *parents, last = name.split(".")
        table = tables
        for parent in parents:
            table = table.setdefault(parent, {})
        table[last] = value
    return Source(kind="flags", tables=tables)


def from_environment(environment: Mapping[str, str]) -> Source:
    """Read the `PG_GUARD_*` variables of an environment."""
    return Source(kind="environment", tables=_nested(environment), variables=environment)


def from_dotenv(path: Path) -> Source:
    """Read the `PG_GUARD_*` lines of a `.env`; all others belong to the project."""
    try:
        text = _read(path)
    except FileNotFoundError:
        return Source(kind="dotenv", name=path.name)
    except (OSError, ValueError):
        return Source(kind="dotenv", name=path.name, problems=(_cannot_read(path),))
    variables: dict[str, str] = {}
    problems: list[Problem] = []
    for binding in parse_stream(io.StringIO(text)):
        line = binding.original
        if binding.key and binding.value is not None:
            variables[binding.key] = binding.value
        elif re.match(rf"\s*(export\s+)?['\"]?{PREFIX}", line.string, re.IGNORECASE):
            message = f"line {line.line} of {path.name} gives no value to a setting"
            problems.append(Problem(message, "Write NAME=value, or remove the line"))
    return Source(
        kind="dotenv",
        name=path.name,
        tables=_nested(variables),
        variables=variables,
        problems=tuple(problems),
    )


def from_file(path: Path, *, required: bool) -> Source:
    """Read a TOML file; one that was named must exist."""
    try:
        return Source(kind="file", name=path.name, tables=tomllib.loads(_read(path)))
    except FileNotFoundError:
        problem = Problem(
            f"there is no policy file {path}", "Name one that exists; `pg-guard-mcp init` writes it"
        )
        problems = (problem,) if required else ()
    except tomllib.TOMLDecodeError as error:
        # The line is all we take: the parser's own words may quote the text.
        place = re.search(r"at line (\d+)", str(error))
        where = f"line {place[1]}" if place else "its end"
        problems = (
            Problem(f"{path.name} is not valid TOML at {where}", "Correct the syntax there"),
        )
    except (OSError, ValueError):
        problems = (_cannot_read(path),)
    return Source(kind="file", name=path.name, problems=problems)


def misplaced_variables(source: Source, *, credential: str) -> Iterator[Problem]:
    """Complain about `PG_GUARD_*` variables that nothing reads, and about secrets in a file.

    `credential` is the variable that the database password comes from, if it comes from one.
    """
    secret = SECRET_VARIABLES | {credential}
    for name in source.variables:
        if not name.upper().startswith(PREFIX) or name == POLICY_VARIABLE or _is_setting(name):
            continue
        if name not in secret:
            yield _unknown_variable(name, source, known=_variable_names() | secret)
        elif source.kind == "dotenv":
            yield Problem(
                f"{name} is a secret and stands in {source.name}, where an agent can read it",
                "Remove the line, change the secret, and set it in the environment only",
            )


def of_everybody(path: tuple[str, ...]) -> tuple[str, ...]:
    """Name the setting for everybody that a client's own narrows."""
    return path[2:] if path[0] == "clients" and len(path) > 2 else path  # noqa: PLR2004 - with its name


def suggestion(path: tuple[str, ...]) -> str:
    """Say which setting was probably meant."""
    known = {dotted(known): known[-1] for known in sorted(_tables_and_settings())}
    close = get_close_matches(dotted(path), known, n=1, cutoff=0.75)
    close = close or [name for name, last in known.items() if last == path[-1]]
    if close:
        return f"Did you mean {close[0]}?"
    return "Remove it; docs/settings.md lists every setting"


class _VariablesSource(EnvSettingsSource):
    """The environment as pydantic-settings reads it, but from the mapping it is given."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        """Put `variables` in the place of this process's own."""
        super().__init__(Settings)
        self.env_vars = {name.lower(): value for name, value in variables.items()}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Leave text that is not JSON as it is, so that its type is reported with the rest."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def _nested(variables: Mapping[str, str]) -> dict[str, Any]:
    """Turn the variables that are settings into tables."""
    known = {name: value for name, value in variables.items() if _is_setting(name)}
    return _VariablesSource(known)()


def _is_setting(variable: str) -> bool:
    """Tell whether a variable names a setting or one of its tables; `clients` is free below."""
    return variable in _variable_names() or variable.startswith(variable_name(("clients", "")))


def _variable_names() -> frozenset[str]:
    """List the variables of every setting and of every table."""
    return frozenset(map(variable_name, _tables_and_settings()))


def _tables_and_settings() -> set[tuple[str, ...]]:
    """List the paths of every setting and of every table on the way to one."""
    return {path[:length] for path in setting_paths() for length in range(1, len(path) + 1)}


def _unknown_variable(name: str, source: Source, *, known: frozenset[str]) -> Problem:
    """Say which variable was probably meant."""
    # Without the prefix, which would make any two of them look alike.
    names = [other.removeprefix(PREFIX) for other in known if other.startswith(PREFIX)]
    close = get_close_matches(name.upper().removeprefix(PREFIX), names, n=1)
    fix = (
        "Remove it; docs/settings.md lists every setting, "
        "and column patterns go into PG_GUARD_MASK as one JSON object"
    )
    place = f" in {source.name}" if source.name else ""
    return Problem(
        f"{ascii(name)[1:-1]}{place} is not a setting",
        f"Did you mean {PREFIX}{close[0]}?" if close else fix,
    )


def _paths(table: type[BaseModel], parents: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Walk a table's settings and the tables in it."""
    for name, setting in table.model_fields.items():
        inner = setting.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _paths(inner, (*parents, name))
        else:
            yield (*parents, name)


def _read(path: Path) -> str:
    """Read a small text file.

    Raises: OSError, ValueError.
    """
    with path.open("rb") as file:
        content = file.read(_MAX_FILE_BYTES + 1)
    if len(content) > _MAX_FILE_BYTES:
        raise ValueError
    return content.decode("utf-8")


def _cannot_read(path: Path) -> Problem:
    """Say that a file is there but cannot be used."""
    return Problem(
        f"{path.name} cannot be read", "Make it a UTF-8 text file that this user may read"
    )
