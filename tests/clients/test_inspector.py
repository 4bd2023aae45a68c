"""The MCP Inspector lists and calls our tools: both protocol eras, over stdio and over HTTP."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.server import configure, http_server

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.clients.conftest import Clients
    from tests.support.postgres import ShopServer

pytestmark = pytest.mark.clients

TOOLS = {"query", "explain", "list_schemas", "describe_view"}
MASKED = "sql=SELECT email FROM shop.customers WHERE id = 1"
POLICY = """
[access]
schemas = ["shop"]
[mask]
"shop.customers.email" = "email"
"""
# Exit codes of the Inspector: the tool said no, and the server let nobody in.
TOOL_ERROR, UNAUTHORIZED = 5, 3

eras = pytest.mark.parametrize("era", ["legacy", "modern"])


def text_of(child: subprocess.CompletedProcess[str]) -> str:
    """Read the text of a call's result."""
    answer: dict[str, Any] = json.loads(child.stdout)
    (content,) = answer["result"]["content"]
    return str(content["text"])


@eras
def test_the_tools_are_listed_without_a_portability_error(
    clients: Clients, demo_server: list[str], era: str
) -> None:
    child = clients.run(
        *("mcp-inspector", "--cli", *demo_server, "--protocol-era", era),
        *("--method", "tools/list", "--strict", "--format", "json"),
    )

    assert child.returncode == 0, child.stderr
    tools = json.loads(child.stdout)["result"]["tools"]
    assert {tool["name"] for tool in tools} == TOOLS
    assert all(tool["annotations"]["readOnlyHint"] for tool in tools)


@eras
def test_a_query_is_answered_with_masks(clients: Clients, demo_server: list[str], era: str) -> None:
    child = clients.run(
        *("mcp-inspector", "--cli", *demo_server, "--protocol-era", era, "--format", "json"),
        *("--method", "tools/call", "--tool-name", "query", "--tool-arg", MASKED),
    )

    assert child.returncode == 0, child.stderr
    assert "\nq***@***.example\n" in text_of(child)


@eras
def test_a_refusal_is_an_error_that_says_what_to_do(
    clients: Clients, demo_server: list[str], era: str
) -> None:
    child = clients.run(
        *("mcp-inspector", "--cli", *demo_server, "--protocol-era", era, "--format", "json"),
        *("--method", "tools/call", "--tool-name", "query"),
        *("--tool-arg", "sql=DELETE FROM shop.orders"),
    )

    assert child.returncode == TOOL_ERROR
    assert text_of(child).startswith("refused: [read-only] ")
    assert "\nhint: " in text_of(child)


@eras
def test_the_token_opens_the_server_over_http_and_nothing_else_does(
    clients: Clients, postgres: ShopServer, tmp_path: Path, era: str
) -> None:
    place = configure(tmp_path / "server", postgres.agent, POLICY)
    token = secrets.token_urlsafe(32)

    with http_server(place, token) as url:
        right, wrong = (
            clients.run(
                *("mcp-inspector", "--cli", url, "--protocol-era", era, "--format", "json"),
                *("--header", f"Authorization: Bearer {bearer}", "--stored-auth-only"),
                *("--method", "tools/call", "--tool-name", "query", "--tool-arg", MASKED),
            )
            for bearer in (token, token[::-1])
        )

    assert right.returncode == 0, right.stderr
    assert "\nq***@***.example\n" in text_of(right)
    assert wrong.returncode == UNAUTHORIZED
    assert wrong.stdout == ""
