"""`serve` starts only from what is safe, and says where what it made is kept."""

from __future__ import annotations

import re
import socket
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from pg_guard_mcp.cli.main import main
from tests.support.answers import answer
from tests.support.server import configure, environment_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.answers import Answer
    from tests.support.postgres import ShopServer
    from tests.support.server import Place

SECRET = "hunter-two"  # noqa: S105 - a canary: it must appear nowhere
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
_TOKEN_LINE = re.compile(r"PG_GUARD_HTTP_TOKEN is not set, so a token was made: it is in (\S+)\n")
_SECONDS = 30


@contextmanager
def served_over_http(place: Place, state: Path) -> Iterator[tuple[str, str]]:
    """Serve without a token of one's own; give the URL, and what is said about the token."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [*place.command, "--transport", "http", "--port", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=place.project,
        env=environment_of(place) | {"XDG_STATE_HOME": str(state)},
        text=True,
    )
    watchdog = threading.Timer(_SECONDS, process.kill)
    watchdog.start()
    try:
        assert process.stderr
        yield f"http://127.0.0.1:{port}/mcp", process.stderr.readline()
    finally:
        watchdog.cancel()
        process.terminate()
        process.communicate()


def status(url: str, token: str | None) -> int:
    """Shake hands with a server that may still be starting; tell the HTTP status."""
    headers = {"Accept": "application/json, text/event-stream"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    transport = httpx2.HTTPTransport(retries=10)
    with httpx2.Client(transport=transport, timeout=_SECONDS) as client:
        return client.post(url, json=INITIALIZE, headers=headers).status_code


def test_a_generated_token_is_in_a_file_of_its_owner_alone_and_works(
    postgres: ShopServer, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    place = configure(tmp_path / "place", postgres.agent)

    with served_over_http(place, state) as (url, said):
        match = _TOKEN_LINE.fullmatch(said)
        assert match, said
        path = Path(match[1])
        token = path.read_text(encoding="ascii").strip()
        statuses = [status(url, sent) for sent in (token, None, token[:-1], token + "x")]

    assert path.is_relative_to(state)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert len(token) >= 32
    assert token not in said
    assert statuses == [200, 401, 401, 401]


def test_every_start_makes_a_token_of_its_own(postgres: ShopServer, tmp_path: Path) -> None:
    place = configure(tmp_path / "place", postgres.agent)
    tokens = set()
    for _ in range(2):
        with served_over_http(place, tmp_path / "state") as (_url, said):
            match = _TOKEN_LINE.fullmatch(said)
            assert match, said
            tokens.add(Path(match[1]).read_text(encoding="ascii"))

    assert len(tokens) == 2


def test_a_link_in_the_place_of_the_token_is_not_followed(
    postgres: ShopServer, tmp_path: Path
) -> None:
    place = configure(tmp_path / "place", postgres.agent)
    target = tmp_path / "target"
    target.write_text("mine", encoding="ascii")
    link = tmp_path / "state" / "pg-guard-mcp" / "http-token-default"
    link.parent.mkdir(parents=True)
    link.symlink_to(target)

    with served_over_http(place, tmp_path / "state") as (_url, said):
        assert _TOKEN_LINE.fullmatch(said)

    assert target.read_text(encoding="ascii") == "mine"
    assert not link.is_symlink()


async def ask_the_demo(directory: Path, *statements: str) -> list[Answer]:
    """Ask a demo server of one's own, started in `directory`."""
    words = ["-m", "pg_guard_mcp", "serve", "--demo"]
    parameters = StdioServerParameters(command=sys.executable, args=words, cwd=directory)
    async with Client(stdio_client(parameters)) as client:
        return [answer(await client.call_tool("query", {"sql": sql})) for sql in statements]


def test_serve_demo_serves_a_shop_of_its_own(tmp_path: Path) -> None:
    masked = "SELECT id, email FROM customers WHERE id = 7"

    found, closed = anyio.run(ask_the_demo, tmp_path, masked, "TABLE hr.salaries")

    ((number, email),) = found.rows
    assert number == "7"
    assert re.fullmatch(r".\*\*\*@\*\*\*\.\w+", email or "")
    assert closed.rules == ["allowed-relations"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "dsn",
    [
        f"postgresql://agent:{SECRET}@localhost/shop",
        f"postgresql://agent@localhost/shop?password={SECRET}",
        f"host=localhost dbname=shop user=agent password={SECRET}",
    ],
)
def test_a_password_in_the_dsn_flag_is_refused_and_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], dsn: str
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["serve", "--dsn", dsn]) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert "password" in err
    assert "\n  fix: " in err
    assert SECRET not in err


def test_a_trail_inside_the_project_is_refused(
    postgres: ShopServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = configure(tmp_path, postgres.agent)
    inside = place.project / "logs" / "audit"
    text = place.policy.read_text(encoding="utf-8").replace(str(place.audit), str(inside))
    place.policy.write_text(text, encoding="utf-8")
    monkeypatch.chdir(place.project)

    assert main(["serve"]) == 2

    assert "is inside the project the agent works in\n  fix: " in capsys.readouterr().err
    assert not inside.exists()


def test_a_trail_open_to_others_is_refused(
    postgres: ShopServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = configure(tmp_path, postgres.agent)
    place.audit.mkdir(mode=0o755)
    monkeypatch.chdir(place.project)

    assert main(["serve"]) == 2

    assert f"chmod 700 {place.audit}" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "db.internal"])  # noqa: S104 - to be refused
def test_an_address_that_others_can_reach_is_refused(
    postgres: ShopServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    host: str,
) -> None:
    place = configure(tmp_path, postgres.agent)
    monkeypatch.chdir(place.project)
    monkeypatch.setenv("PG_GUARD_HTTP_TOKEN", "x" * 32)

    assert main(["serve", "--transport", "http", "--host", host]) == 2

    assert f"http.host is {host}, which other machines can reach" in capsys.readouterr().err


def test_without_a_database_there_is_nothing_to_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["serve"]) == 2

    assert "no database is configured" in capsys.readouterr().err


def test_no_parser_writes_the_agents_text_to_the_log() -> None:
    program = """
import logging
from pg_guard_mcp.cli.serve import _log_to_stderr
_log_to_stderr()
logging.getLogger("sqlglot").critical("quotes a literal")
logging.getLogger("pg_guard_mcp").warning("ours")
"""
    written = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stderr

    assert written == "WARNING pg_guard_mcp ours\n"
