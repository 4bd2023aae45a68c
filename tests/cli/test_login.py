"""`credentials test` logs in for real, and says which of the things that go wrong went wrong."""

from __future__ import annotations

import secrets
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest

from pg_guard_mcp.cli.main import main
from pg_guard_mcp.demo.embedded import embedded_postgres_server
from tests.guarding import execute
from tests.support.server import configure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pg_guard_mcp.demo.cluster import Login

    LogIn = Callable[..., tuple[int, str]]

PASSWORD = "correct-horse-battery"  # noqa: S105 - a canary: it must appear nowhere
WRONG = "wrong-horse-battery"
FOUND = "credential: found (file)\n"


@pytest.fixture(scope="module")
def reader() -> Iterator[Login]:
    """Run a server that listens on loopback, without TLS; give a login over TCP."""
    with embedded_postgres_server(loopback=True) as server:
        admin = replace(server.admin, host="127.0.0.1", port=server.port)
        for sql in (
            f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'",
            f"CREATE ROLE asleep NOLOGIN PASSWORD '{PASSWORD}'",
            "CREATE DATABASE closed",
            "REVOKE CONNECT ON DATABASE closed FROM PUBLIC",
        ):
            anyio.run(execute, admin, sql)
        yield replace(admin, user="reader", password=PASSWORD)


@pytest.fixture
def log_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> LogIn:
    """Give what runs the command for a login, and tells its exit code and what it said."""

    def run(login: Login, *, ssl: str = "prefer") -> tuple[int, str]:
        place = configure(tmp_path / secrets.token_hex(4), login)
        text = place.policy.read_text(encoding="utf-8")
        text = text.replace("[database]\n", f'[database]\nssl = "{ssl}"\n')
        place.policy.write_text(text, encoding="utf-8")
        monkeypatch.chdir(place.project)
        code = main(["credentials", "test"])
        out, err = capsys.readouterr()
        assert err == ""
        assert login.password not in out
        return code, out

    return run


def test_the_right_password_works(reader: Login, log_in: LogIn) -> None:
    assert log_in(reader) == (0, FOUND + "login: works\n")


def test_a_wrong_password_is_said_to_be_wrong(reader: Login, log_in: LogIn) -> None:
    code, said = log_in(replace(reader, password=WRONG))

    assert code == 1
    assert said.startswith(FOUND + "login: failed, Postgres said 28P01: ")
    assert said.endswith("  fix: store the right password with `pg-guard-mcp credentials set`\n")


def test_an_unknown_role_cannot_be_told_from_a_wrong_password(reader: Login, log_in: LogIn) -> None:
    code, said = log_in(replace(reader, user="nobody"))

    assert code == 1
    assert "Postgres said 28P01: " in said


def test_a_role_that_may_not_log_in_is_told_apart(reader: Login, log_in: LogIn) -> None:
    code, said = log_in(replace(reader, user="asleep"))

    assert code == 1
    assert "Postgres said 28000: " in said
    assert "ALTER ROLE ... LOGIN" in said


def test_a_wrong_database_is_said_to_be_wrong(reader: Login, log_in: LogIn) -> None:
    code, said = log_in(replace(reader, database="no_such_shop"))

    assert code == 1
    assert "Postgres said 3D000: " in said
    assert "  fix: correct the database's name in database.dsn\n" in said


def test_a_database_that_is_not_granted_is_told_apart(reader: Login, log_in: LogIn) -> None:
    code, said = log_in(replace(reader, database="closed"))

    assert code == 1
    assert "Postgres said 42501: " in said
    assert "  fix: GRANT CONNECT ON DATABASE to the role\n" in said


def test_a_server_that_is_not_there_is_said_not_to_answer(reader: Login, log_in: LogIn) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # and nobody listens
        code, said = log_in(replace(reader, port=held.getsockname()[1]))

    assert code == 1
    assert "login: failed, the server does not answer: " in said
    assert "  fix: check host and port in database.dsn, and that the server runs\n" in said


def test_of_several_hosts_each_is_tried_and_the_one_that_fails_is_named(
    reader: Login, log_in: LogIn
) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # and nobody listens
        nowhere = held.getsockname()[1]
        both = replace(reader, host=f"127.0.0.1:{reader.port},127.0.0.1", port=nowhere)
        code, said = log_in(both)
    twice = replace(reader, host=f"127.0.0.1:{reader.port},127.0.0.1")

    assert code == 1
    assert f"login: failed, 127.0.0.1 port {nowhere}: the server does not answer: " in said
    assert log_in(twice) == (0, FOUND + "login: works\n")


@pytest.mark.parametrize("ssl", ["require", "verify-ca", "verify-full"])
def test_tls_that_is_required_and_not_offered_fails_the_test(
    reader: Login, log_in: LogIn, ssl: str
) -> None:
    code, said = log_in(reader, ssl=ssl)

    assert code == 1
    assert "login: failed, the server does not offer TLS\n  fix: set ssl = on in " in said


@pytest.mark.parametrize("ssl", ["disable", "prefer"])
def test_where_tls_is_not_required_the_login_works_without(
    reader: Login, log_in: LogIn, ssl: str
) -> None:
    assert log_in(reader, ssl=ssl) == (0, FOUND + "login: works\n")
