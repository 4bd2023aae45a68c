"""Over HTTP the server is for this machine and for who has the token, and for nobody else."""

from __future__ import annotations

import json
import secrets
import socket
from typing import TYPE_CHECKING

import httpx2
import pytest

from pg_guard_mcp.errors import ConfigurationError
from pg_guard_mcp.server import http
from tests.support.raw import start_in_vain
from tests.support.server import check_accounted, configure, http_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres import ShopServer
    from tests.support.server import Place

TOKEN = secrets.token_urlsafe(32)
NOT_JSON = -32700
QUERY = {
    "jsonrpc": "2.0",
    "id": 7,
    "method": "tools/call",
    "params": {
        "name": "query",
        "arguments": {"sql": "SELECT 1"},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "by-hand", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    },
}
HEADERS = {
    "Authorization": f"Bearer {TOKEN}",
    "Accept": "application/json, text/event-stream",
    "Content-Type": "application/json",
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": "query",
}
FLAGS = ("--transport", "http")
ENVIRONMENT = {"PG_GUARD_HTTP_TOKEN": TOKEN}
BODY = json.dumps(QUERY).encode()


@pytest.fixture(scope="module")
def place(postgres: ShopServer, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Configure one server for these tests."""
    return configure(tmp_path_factory.mktemp("http"), postgres.agent)


@pytest.fixture(scope="module")
def url(place: Place) -> Iterator[str]:
    """Run the server; whatever it was asked must be accounted for."""
    with http_server(place, TOKEN) as url:
        yield url
    check_accounted(place)
    assert TOKEN.encode() not in place.written
    assert place.crashes == []


def ask(url: str, body: bytes = BODY, **headers: str | None) -> httpx2.Response:
    """Ask with the token, after changing some headers; None leaves one out."""
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {name: value for name, value in (HEADERS | changed).items() if value is not None}
    return httpx2.post(url, content=body, headers=sent, timeout=30)


def assert_works(url: str) -> None:
    """Assert that a good request is answered."""
    response = ask(url)
    assert response.status_code == 200
    assert response.json()["result"]["content"][0]["text"].startswith("1 row.\n")


def test_who_has_the_token_is_answered(url: str) -> None:
    assert_works(url)


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Bearer",
        "Bearer wrong",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN.swapcase()}",
        f"Bearer {TOKEN},{TOKEN}",
        f"Basic {TOKEN}",
        TOKEN,
    ],
)
def test_who_has_not_is_turned_away_before_anything_is_read(
    url: str, place: Place, authorization: str | None
) -> None:
    before = place.trail

    response = ask(url, Authorization=authorization)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer ")
    assert "result" not in response.text
    assert place.trail == before
    assert_works(url)


def test_who_hangs_up_in_the_middle_of_a_request_leaves_no_trace(url: str, place: Place) -> None:
    before = place.trail
    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    where = httpx2.URL(url)

    with socket.create_connection((where.host, where.port)) as connection:
        connection.sendall(
            f"POST {where.path} HTTP/1.1\r\nHost: {where.host}:{where.port}\r\n{head}"
            f"Content-Length: {len(BODY)}\r\n\r\n".encode()
            + BODY[:-1]
        )

    assert_works(url)
    assert place.trail.startswith(before)
    assert place.trail.count(b'"finished"') == before.count(b'"finished"') + 1
    assert place.crashes == []


def test_a_token_in_the_url_is_none(url: str) -> None:
    for name in ("access_token", "token"):
        assert ask(f"{url}?{name}={TOKEN}", Authorization=None).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example:80"])
def test_another_host_name_is_refused_against_dns_rebinding(
    url: str, place: Place, host: str
) -> None:
    before = place.trail

    assert ask(url, Host=host).status_code == 421
    assert place.trail == before


@pytest.mark.parametrize("host", ["localhost:8765", "127.0.0.1:8765", "[::1]:8765"])
def test_every_name_of_this_machine_is_its_own(url: str, host: str) -> None:
    assert ask(url, Host=host).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:8765", "x"])
def test_a_page_in_a_browser_is_refused(url: str, place: Place, origin: str) -> None:
    before = place.trail

    assert ask(url, Origin=origin).status_code == 403
    assert place.trail == before


def test_no_page_is_let_in_by_cors(url: str) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}

    response = httpx2.options(url, headers=headers)

    assert response.status_code >= 400
    assert not any(name.startswith("access-control") for name in response.headers)


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/metrics", "/sse", "/mcp/x"])
def test_there_is_nothing_else_to_ask_for(url: str, path: str) -> None:
    response = httpx2.get(url.removesuffix("/mcp") + path, headers=HEADERS)

    assert response.status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"[" * 100_000,
        BODY.replace(b"SELECT 1", b"SELECT '\xff'"),
        json.dumps(QUERY).replace("SELECT 1", "SELECT 'é'").encode("latin-1"),
    ],
    ids=["nothing", "words", "100,000 brackets", "no UTF-8", "Latin-1"],
)
def test_a_body_that_is_no_message_is_answered_as_such(url: str, place: Place, body: bytes) -> None:
    before = place.trail

    response = ask(url, body)

    assert response.status_code == 400
    assert response.json()["error"]["code"] == NOT_JSON
    assert place.trail == before
    assert_works(url)


def test_a_body_of_10_mb_is_refused_unread(url: str, place: Place) -> None:
    before = place.trail

    response = ask(url, BODY.replace(b"SELECT 1", b"SELECT '" + b"x" * 10_000_000 + b"'"))

    assert response.status_code == 413
    assert place.trail == before
    assert_works(url)


def test_half_a_surrogate_pair_is_refused(url: str) -> None:
    response = ask(url, BODY.replace(b"SELECT 1", rb"SELECT '\ud800'"))

    (content,) = response.json()["result"]["content"]
    assert content["text"].startswith("refused: [bounds] the statement is not valid Unicode\n")
    assert_works(url)


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "192.0.2.1", "example.org", "127.0.0.1.evil.example", "*"],  # noqa: S104 - they must be refused
)
def test_the_server_listens_to_nobody_else(host: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        http._check_loopback(host)

    (problem,) = caught.value.problems
    assert host in problem.message
    assert "127.0.0.1" in problem.fix


def test_a_host_that_others_can_reach_stops_the_start(postgres: ShopServer, tmp_path: Path) -> None:
    place = configure(tmp_path, postgres.agent)

    finished = start_in_vain(place, *FLAGS, "--host", "0.0.0.0", **ENVIRONMENT)  # noqa: S104 - it must be refused

    assert finished.returncode == 2
    assert finished.stderr.startswith("error: http.host is 0.0.0.0, which other machines can reach")
    assert "\n  fix: " in finished.stderr


def test_a_port_that_is_taken_stops_the_start_with_a_word_on_it(
    url: str, postgres: ShopServer, tmp_path: Path
) -> None:
    place = configure(tmp_path, postgres.agent)

    finished = start_in_vain(place, *FLAGS, "--port", str(httpx2.URL(url).port), **ENVIRONMENT)

    assert finished.returncode == 2
    assert "\n  fix: " in finished.stderr
    assert "Traceback" not in finished.stderr


def test_a_token_that_can_be_guessed_stops_the_start(postgres: ShopServer, tmp_path: Path) -> None:
    finished = start_in_vain(
        configure(tmp_path, postgres.agent), *FLAGS, PG_GUARD_HTTP_TOKEN="letmein"
    )

    assert finished.returncode == 2
    assert "letmein" not in finished.stderr
    assert "\n  fix: " in finished.stderr
