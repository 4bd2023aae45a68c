"""`credentials` keeps a password without ever showing it, and says what it found."""

from __future__ import annotations

import argparse
import getpass
import io
import sys
import warnings
from typing import TYPE_CHECKING

import keyring
import pytest

from pg_guard_mcp.cli import credentials
from pg_guard_mcp.errors import Unavailable
from tests.access.keyrings import MemoryKeyring, keyring_in_memory, no_keyring

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic import SecretStr

    from pg_guard_mcp.settings import ConnectionTarget

SECRET = "correct-horse-battery"  # noqa: S105 - a canary: it must appear nowhere
DSN = '[database]\ndsn = "postgresql://ro@localhost/shop"\n'


class Terminal(io.StringIO):
    """A standard input with a person behind it."""

    def isatty(self) -> bool:
        """Claim to be a terminal."""
        return True


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryKeyring]:
    """Work in an empty project, with a keyring in memory."""
    monkeypatch.chdir(tmp_path)
    with keyring_in_memory() as backend:
        yield backend


def run(*words: str, connect: credentials.Connect | None = None) -> int:
    """Run the command as the command line would."""
    parser = argparse.ArgumentParser()
    credentials.add_parser(parser.add_subparsers())
    return credentials.run(parser.parse_args(["credentials", *words]), connect=connect)


def pipe(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Put `text` on standard input."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


@pytest.mark.parametrize("text", [SECRET, SECRET + "\n", SECRET + "\r\n"])
def test_a_piped_password_is_stored_with_a_mask_key(
    memory: MemoryKeyring,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
) -> None:
    pipe(monkeypatch, text)

    assert run("set") == 0

    assert memory.entries["pg-guard-mcp", "default"] == SECRET
    assert ("pg-guard-mcp", "default/mask-key") in memory.entries
    out, err = capsys.readouterr()
    assert out == 'stored in the keyring for the profile "default"\n'
    assert err == ""


def test_a_password_on_the_command_line_is_no_argument(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        run("set", "default", SECRET)

    assert caught.value.code == 2
    assert "unrecognized arguments" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "\n", "one\ntwo\n", "a\0b", "x" * 10_001])
def test_what_is_no_password_is_not_stored(
    memory: MemoryKeyring, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    pipe(monkeypatch, text)

    assert run("set") == 2

    assert memory.entries == {}


def test_a_pipe_that_is_no_text_is_not_stored(
    memory: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff"), encoding="utf-8"))

    assert run("set") == 2

    assert memory.entries == {}


def test_a_person_is_asked_twice_without_echo(
    memory: MemoryKeyring, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter([SECRET, SECRET, SECRET, "another"])
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", lambda _: next(answers))

    assert run("set", "staging") == 0
    assert memory.entries["pg-guard-mcp", "staging"] == SECRET
    assert run("set", "other") == 2
    assert ("pg-guard-mcp", "other") not in memory.entries
    assert "differ" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::getpass.GetPassWarning")
def test_a_terminal_that_would_show_the_password_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def echoing(_: str) -> str:
        warnings.warn("cannot control echo", getpass.GetPassWarning, stacklevel=1)
        return SECRET

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", echoing)

    assert run("set") == 2

    assert "would show the password" in capsys.readouterr().err


def test_a_person_who_gives_up_stores_nothing(
    memory: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end_of_input(_: str) -> str:
        raise EOFError

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", end_of_input)

    assert run("set") == 2

    assert memory.entries == {}


def test_storing_says_so_when_the_entry_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pg-guard.toml").write_text('[database]\ncredential = "env:X"', encoding="utf-8")
    pipe(monkeypatch, SECRET)

    assert run("set") == 0

    assert "is not used here" in capsys.readouterr().out


def test_an_entry_can_be_deleted_once(
    memory: MemoryKeyring, capsys: pytest.CaptureFixture[str]
) -> None:
    memory.set_password("pg-guard-mcp", "default", SECRET)

    assert run("delete") == 0
    assert run("delete") == 1

    assert "has no password" in capsys.readouterr().out


def test_the_profile_is_the_configured_one_unless_it_is_named(
    memory: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PG_GUARD_PROFILE", "staging")
    pipe(monkeypatch, SECRET)
    run("set")
    pipe(monkeypatch, "another")
    run("set", "production")

    assert memory.entries["pg-guard-mcp", "staging"] == SECRET
    assert memory.entries["pg-guard-mcp", "production"] == "another"
    assert run("set", "not a profile") == 2


def test_a_missing_entry_fails_the_test_and_says_how_to_store_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("test") == 1

    assert "pg-guard-mcp credentials set default" in capsys.readouterr().err


def test_a_keyring_that_is_missing_fails_the_test_and_stops_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keyring.set_keyring(no_keyring())
    pipe(monkeypatch, SECRET)

    assert run("test") == 1
    assert run("set") == 2
    assert run("delete") == 2


def test_a_configuration_with_problems_stops_every_action(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pg-guard.toml").write_text("[limits]\nmax_row = 1", encoding="utf-8")

    assert [run(action) for action in ("set", "test", "delete")] == [2, 2, 2]
    assert capsys.readouterr().err.count("Did you mean limits.max_rows?") == 3


def test_a_found_credential_is_tried_on_the_database(
    memory: MemoryKeyring, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tried: list[tuple[ConnectionTarget, SecretStr | None]] = []

    async def connect(target: ConnectionTarget, password: SecretStr | None) -> None:
        tried.append((target, password))

    memory.set_password("pg-guard-mcp", "default", SECRET)
    (tmp_path / "pg-guard.toml").write_text(DSN, encoding="utf-8")

    assert run("test", connect=connect) == 0

    ((target, password),) = tried
    assert target.hosts == ("localhost",)
    assert password is not None
    assert password.get_secret_value() == SECRET
    assert capsys.readouterr().out == "credential: found (keyring)\nlogin: works\n"


@pytest.mark.parametrize(
    ("hint", "said"), [("Check the password", "  fix: Check the password\n"), ("", "")]
)
def test_a_login_that_fails_fails_the_test(
    memory: MemoryKeyring,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    hint: str,
    said: str,
) -> None:
    async def connect(target: ConnectionTarget, password: SecretStr | None) -> None:  # noqa: ARG001
        raise Unavailable("Postgres did not let us in", hint)

    memory.set_password("pg-guard-mcp", "default", SECRET)
    (tmp_path / "pg-guard.toml").write_text(DSN, encoding="utf-8")

    assert run("test", connect=connect) == 1

    assert capsys.readouterr().out == (
        f"credential: found (keyring)\nlogin: failed, Postgres did not let us in\n{said}"
    )


def test_without_a_database_only_the_credential_is_tested(
    memory: MemoryKeyring, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def connect(target: ConnectionTarget, password: SecretStr | None) -> None:
        raise AssertionError(target, password)

    memory.set_password("pg-guard-mcp", "default", SECRET)

    assert run("test", connect=connect) == 0
    assert "no database is configured" in capsys.readouterr().out
    (tmp_path / "pg-guard.toml").write_text('[database]\ncredential = "none"', encoding="utf-8")
    assert run("test", connect=connect) == 0
    assert "credential: not needed (none)" in capsys.readouterr().out
