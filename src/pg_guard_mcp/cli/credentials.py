"""`pg-guard-mcp credentials set|test|delete [PROFILE]`: the keyring entry of a profile.

A password comes from the terminal or from a pipe, never from the command line, where every user
of the machine could read it. What was asked for goes to stdout, what went wrong to stderr.
"""

from __future__ import annotations

import getpass
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from pydantic import SecretStr

from pg_guard_mcp.access import credentials
from pg_guard_mcp.errors import ConfigurationError, GuardError, Problem
from pg_guard_mcp.settings import (
    ConnectionTarget,
    Settings,
    load_settings,
    parse_credential,
    require_database,
    tls_for,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable

    Connect = Callable[[ConnectionTarget, SecretStr | None], Awaitable[None]]
    """Log in and out again; raises `GuardError`."""

DONE, FAILED, UNUSABLE = 0, 1, 2

_MAX_CHARACTERS = 10_000


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command to the argument parser."""
    parser = subparsers.add_parser(
        "credentials",
        help="store, test or delete the database password in the keyring",
        description="Keep the database password in the operating system's keyring. "
        "`set` asks for it, or reads it from a pipe; it is never an argument.",
    )
    parser.add_argument("action", choices=("set", "test", "delete"), help="what to do")
    parser.add_argument(
        "profile", nargs="?", metavar="PROFILE", help="the entry's name (default: as configured)"
    )


def run(arguments: argparse.Namespace, *, connect: Connect | None = None) -> int:
    """Do what was asked: 0 done, 1 a check failed, 2 the configuration cannot be used."""
    try:
        settings = load_settings(
            environment=os.environ, directory=Path.cwd(), flags={"profile": arguments.profile}
        )
        match arguments.action:
            case "set":
                return _set(settings)
            case "delete":
                return _delete(settings)
            case _:
                return _test(settings, connect or _log_in)
    except ConfigurationError as error:
        _complain(error)
        return UNUSABLE


def _set(settings: Settings) -> int:
    """Store a password, and the mask key with it, so that two first starts cannot make two."""
    secret = _read_password(settings.profile)
    credentials.store(settings.profile, secret)
    credentials.mask_key(settings.profile, environment=os.environ)
    _say(f'stored in the keyring for the profile "{settings.profile}"')
    if parse_credential(settings.database.credential).kind != "keyring":
        _say('note: database.credential is not "keyring", so this entry is not used here')
    return DONE


def _delete(settings: Settings) -> int:
    """Remove the password."""
    if credentials.delete(settings.profile):
        _say(f'deleted from the keyring for the profile "{settings.profile}"')
        return DONE
    _say(f'the keyring has no password for the profile "{settings.profile}"')
    return FAILED


async def _log_in(target: ConnectionTarget, password: SecretStr | None) -> None:
    """Log in where the configuration points. Raises: Unavailable."""
    from pg_guard_mcp.postgres.login import log_in

    secret = password.get_secret_value() if password else None
    await log_in(target, password=secret, tls=tls_for(target))


def _test(settings: Settings, connect: Connect) -> int:
    """Say whether the password can be read, and whether it opens the database."""
    source = parse_credential(settings.database.credential)
    try:
        password = credentials.resolve(source, profile=settings.profile, environment=os.environ)
    except ConfigurationError as error:
        _complain(error)
        return FAILED
    _say(f"credential: {'not needed' if password is None else 'found'} ({source.kind})")
    if not settings.database.dsn:
        _say("login: not tried, no database is configured")
        return DONE
    try:
        anyio.run(connect, require_database(settings), password)
    except GuardError as error:
        _say(f"login: failed, {error.message}")
        if error.hint:
            _say(f"  fix: {error.hint}")
        return FAILED
    _say("login: works")
    return DONE


def _read_password(profile: str) -> SecretStr:
    """Ask a person twice without echo, or read one line from a pipe.

    Raises: ConfigurationError.
    """
    try:
        text = _ask_twice(profile) if sys.stdin.isatty() else _read_line()
    except (EOFError, UnicodeDecodeError):
        text = ""
    if not text or len(text) > _MAX_CHARACTERS or any(mark in text for mark in "\0\r\n"):
        raise ConfigurationError(
            [Problem("there is no password to store", "Type it, or pipe in exactly one line")]
        )
    return SecretStr(text)


def _read_line() -> str:
    """Read all of a pipe, and leave out the newline that `echo` and its like add."""
    text = sys.stdin.read(_MAX_CHARACTERS + 2)
    return text.removesuffix("\r\n" if text.endswith("\r\n") else "\n")


def _ask_twice(profile: str) -> str:
    """Ask on the terminal, and refuse to ask where the answer would be seen."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            text = getpass.getpass(f'Password for the profile "{profile}": ')
            again = getpass.getpass("Once more: ")
        except getpass.GetPassWarning:
            problem = Problem("this terminal would show the password", "Pipe it in instead")
            raise ConfigurationError([problem]) from None
    if text != again:
        raise ConfigurationError([Problem("the two passwords differ", "Run the command again")])
    return text


def _complain(error: ConfigurationError) -> None:
    """Tell a person what to mend."""
    sys.stderr.write(error.as_text() + "\n")


def _say(line: str) -> None:
    """Answer on stdout."""
    sys.stdout.write(line + "\n")
