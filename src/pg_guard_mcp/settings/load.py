"""All sources in, one `Settings` out, or every problem at once.

Flags win over `PG_GUARD_*` variables, those over `.env`, that over the TOML file, that over the
defaults. Each source is checked alone first, so that a mistake is reported where it is written
and not hidden by a source that happens to win over it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pg_guard_mcp.errors import ConfigurationError, Problem
from pg_guard_mcp.settings.clients import client_problems
from pg_guard_mcp.settings.dsn import SSL_MODES, ConnectionTarget, parse_dsn
from pg_guard_mcp.settings.later import NOT_SUPPORTED_CREDENTIALS, not_enforced
from pg_guard_mcp.settings.problems import problem, setting_path
from pg_guard_mcp.settings.sources import (
    DEFAULT_FILE,
    POLICY_VARIABLE,
    Source,
    from_dotenv,
    from_environment,
    from_file,
    from_flags,
    misplaced_variables,
)
from pg_guard_mcp.settings.tables import Settings
from pg_guard_mcp.settings.values import parse_credential

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


def load_settings(
    *, environment: Mapping[str, str], directory: Path, flags: Mapping[str, object]
) -> Settings:
    """Bring all sources together; flags are named `table.setting`, and `policy` names the file.

    Raises: ConfigurationError.
    """
    sources = _sources(environment, directory, flags)
    problems = [found for source in sources for found in source.problems]
    checked = []
    for source in sources:
        errors = _errors(source.tables)
        problems += [problem(error, source) for error in errors]
        # What is wrong has been said; the rest can still be checked together.
        kept = reduce(_without, map(setting_path, errors), source.tables)
        checked.append(replace(source, tables=kept))
    settings = Settings(**reduce(_merged, [source.tables for source in reversed(checked)]))
    credential = _credential_variable(settings)
    for source in sources:
        problems += misplaced_variables(source, credential=credential)
    problems += _contradictions(settings, checked)
    if problems:
        raise ConfigurationError(tuple(dict.fromkeys(problems)))
    return settings


def require_database(settings: Settings) -> ConnectionTarget:
    """Say where to connect, with the TLS mode settled.

    Raises: ConfigurationError.
    """
    if not settings.database.dsn:
        raise ConfigurationError(
            [
                Problem(
                    "no database is configured",
                    f'Set database.dsn = "postgresql://role@host:5432/database" in {DEFAULT_FILE} '
                    "or PG_GUARD_DATABASE__DSN, or try `pg-guard-mcp demo`",
                )
            ]
        )
    target = parse_dsn(settings.database.dsn)
    if "ssl" in settings.database.model_fields_set:
        return replace(target, ssl=settings.database.ssl)
    # Whoever names a CA on this machine, at the end of a tunnel, means it.
    may_be_plain = target.is_local and not target.root_certificate
    return replace(target, ssl=target.ssl or ("prefer" if may_be_plain else "verify-full"))


def _sources(
    environment: Mapping[str, str], directory: Path, flags: Mapping[str, object]
) -> list[Source]:
    """Read all sources, the strongest first."""
    dotenv = from_dotenv(directory / ".env")
    policies = (flags.get("policy"), environment.get(POLICY_VARIABLE))
    policy = next(
        (name for name in (*policies, dotenv.variables.get(POLICY_VARIABLE)) if name is not None),
        None,
    )
    path = directory / (DEFAULT_FILE if policy is None else str(policy))
    return [
        from_flags(flags),
        from_environment(environment),
        dotenv,
        from_file(path, required=policy is not None),
    ]


def _errors(tables: dict[str, Any]) -> list[Any]:
    """Check the settings of one source; all that it leaves out has a default."""
    unknown = [name for name in tables if name not in Settings.model_fields]
    known = {name: value for name, value in tables.items() if name not in unknown}
    # pydantic-settings gives keyword arguments of its own to names such as `_env_file`, so what is
    # unknown at the top must not even reach it.
    errors: list[Any] = [{"type": "extra_forbidden", "loc": (name,)} for name in unknown]
    try:
        Settings(**known)
    except ValidationError as error:
        errors += error.errors(include_url=False, include_input=False)
    return errors


def _without(tables: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """Leave out the setting at `path`."""
    first, *rest = path
    if not rest:
        return {name: value for name, value in tables.items() if name != first}
    return tables | {first: _without(tables[first], tuple(rest))} if first in tables else tables


def _merged(weak: dict[str, Any], strong: dict[str, Any]) -> dict[str, Any]:
    """Lay one source over another, table by table; a list is replaced whole."""
    both = {
        name: _merged(weak[name], value)
        for name, value in strong.items()
        if isinstance(value, dict) and isinstance(weak.get(name), dict)
    }
    return weak | strong | both


def _credential_variable(settings: Settings) -> str:
    """Name the variable that the password comes from, if it comes from one."""
    credential = parse_credential(settings.database.credential)
    return credential.argument if credential.kind == "env" else ""


def _contradictions(settings: Settings, sources: Sequence[Source]) -> Iterator[Problem]:
    """Check what no setting shows alone."""
    for name in not_enforced(settings):
        path = tuple(name.split("."))
        yield Problem(
            f"{_called(path, sources)} asks for something this version does not enforce yet",
            "Remove it: this version would not keep the promise",
        )
    yield from client_problems(settings)
    yield from _two_clusters(sources)
    credential = parse_credential(settings.database.credential).kind
    if credential in NOT_SUPPORTED_CREDENTIALS:
        yield Problem(
            f"{_called(('database', 'credential'), sources)} names a source that this version "
            "does not support yet",
            'Use "keyring", "env:NAME" or "file:/absolute/path"',
        )
    if settings.database.dsn:
        yield from _unsafe_connection(settings, parse_dsn(settings.database.dsn), sources)


def _two_clusters(sources: Sequence[Source]) -> Iterator[Problem]:
    """Let no source unbind a profile that another one binds to a cluster.

    A variable that somebody left in the environment must not lead a staging profile to production.
    """
    path = ("database", "expect_system_identifier")
    binding = [source for source in sources if _holds(source.tables, path)]
    if len({str(source.tables["database"][path[1]]) for source in binding}) > 1:
        names = " and ".join(source.called(path) for source in binding)
        yield Problem(f"{names} bind the profile to different clusters", "Keep one of them")
    # Production may be another database of the same cluster.
    dsn = ("database", "dsn")
    leading = [
        source
        for source in sources
        if binding and _holds(source.tables, dsn) and source.tables["database"]["dsn"]
    ]
    targets = [parse_dsn(source.tables["database"]["dsn"]) for source in leading]
    if len({(target.database, target.user) for target in targets}) > 1:
        names = " and ".join(source.called(dsn) for source in leading)
        yield Problem(
            f"{names} lead a bound profile to different databases, or in different roles",
            "Keep one of them, or bind neither with database.expect_system_identifier",
        )


def _unsafe_connection(
    settings: Settings, target: ConnectionTarget, sources: Sequence[Source]
) -> Iterator[Problem]:
    """Refuse to cross a network with no password, or unverified by a DSN's word alone.

    DSNs are pasted from consoles that write `sslmode=require`, which does not check whom we talk
    to; whoever means that must say so in a setting of its own.
    """
    dsn = _called(("database", "dsn"), sources)
    ssl = _called(("database", "ssl"), sources)
    mode = require_database(settings).ssl
    has_certificate = bool(target.client_certificate) and mode != "disable"
    if settings.database.credential == "none" and not (target.is_local or has_certificate):
        yield Problem(
            f'{_called(("database", "credential"), sources)} is "none", but {dsn} leaves this '
            "machine",
            'Use "keyring"; "none" is for sockets, loopback and client certificates',
        )
    is_explicit = "ssl" in settings.database.model_fields_set
    if target.ssl is not None and is_explicit and target.ssl != settings.database.ssl:
        yield Problem(f"{dsn} and {ssl} ask for different TLS modes", "Remove sslmode from the DSN")
    elif mode == "prefer" and not target.is_local:
        yield Problem(
            f'{ssl if is_explicit else dsn} asks for "prefer", by which anybody on the way could '
            "have everything sent in plain text",
            "Leave it out, for verify-full; on sockets and loopback alone it is safe",
        )
    elif target.ssl not in (None, "verify-full") and not is_explicit and not target.is_local:
        yield Problem(
            f"{dsn} asks for sslmode={target.ssl}, which is weaker than verify-full",
            f'Remove sslmode from the DSN; if you mean it, set database.ssl = "{target.ssl}" '
            f"(one of {', '.join(SSL_MODES)})",
        )
    if mode == "disable" and (target.root_certificate or target.client_certificate):
        yield Problem(f"{dsn} names certificates, but TLS is off", "Remove them, or switch TLS on")


def _called(path: tuple[str, ...], sources: Sequence[Source]) -> str:
    """Name a setting the way the source writes it that decided on it."""
    deciding = next((source for source in sources if _holds(source.tables, path)), sources[-1])
    return deciding.called(path)


def _holds(tables: object, path: tuple[str, ...]) -> bool:
    """Tell whether a source says anything about the setting at `path`."""
    for name in path:
        if not isinstance(tables, dict) or name not in tables:
            return False
        tables = tables[name]
    return True
