"""Claude Code's own command line takes our server, and finds it in good health."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from tests.support.server import configure, http_server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.conftest import Clients
    from tests.support.postgres import ShopServer

pytestmark = pytest.mark.clients


def health(listing: str, name: str) -> str:
    """Read what `claude mcp list` says of a server; its exit code is 0 whatever it finds."""
    (line,) = (line for line in listing.splitlines() if line.startswith(f"{name}: "))
    return line.rpartition(" - ")[2]


def test_claude_code_connects_over_stdio(clients: Clients, demo_server: list[str]) -> None:
    added = clients.run("claude", "mcp", "add", "demo", "--", *demo_server)
    clients.run("claude", "mcp", "add", "dead", "--", "/bin/false")
    listed = clients.run("claude", "mcp", "list")

    assert added.returncode == 0, added.stderr
    assert "Connected" in health(listed.stdout, "demo")
    assert "Failed" in health(listed.stdout, "dead")


def test_claude_code_connects_over_http_and_keeps_no_token(
    clients: Clients, postgres: ShopServer, tmp_path: Path
) -> None:
    place = configure(tmp_path / "server", postgres.agent)
    token = secrets.token_urlsafe(32)
    bearer = "Bearer ${PG_GUARD_HTTP_TOKEN}"
    header = f"Authorization: {bearer}"

    with http_server(place, token) as url:
        clients.run("claude", "mcp", "add", "-t", "http", "team", url, "-H", header)
        let_in = clients.run("claude", "mcp", "list", environment={"PG_GUARD_HTTP_TOKEN": token})
        kept_out = clients.run(
            "claude", "mcp", "list", environment={"PG_GUARD_HTTP_TOKEN": token[::-1]}
        )

    assert "Connected" in health(let_in.stdout, "team")
    assert "Connected" not in health(kept_out.stdout, "team")
    kept = "".join(path.read_text(errors="replace") for path in clients.home.rglob("*.json*"))
    assert bearer in kept
    assert token not in kept
