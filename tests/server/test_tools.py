"""Four tools, told in few words, with the same answers however a client speaks to the server."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from mcp.shared.exceptions import MCPError

from tests.support.raw import raw
from tests.support.server import check_accounted, configure, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres import ShopServer
    from tests.support.server import Era, Server

NAMES = ["query", "explain", "list_schemas", "describe_view"]
MAX_DEFINITION_CHARACTERS = 4_000
"""About 1,000 tokens: every client pays for them in every conversation."""

MASKED = """
[access]
schemas = ["shop"]
[mask]
"shop.customers.email" = "email"
"""
QUESTIONS: list[tuple[str, dict[str, object]]] = [
    ("query", {"sql": "SELECT id, email, created_at FROM shop.customers ORDER BY id LIMIT 3"}),
    ("query", {"sql": "SELECT NULL, '', E'a\\tb', '{1,2}'::int[], 'é😀', 1.10", "max_rows": 1}),
    ("query", {"sql": "SELECT id FROM shop.orders ORDER BY id", "max_rows": 2}),
    ("query", {"sql": "DELETE FROM shop.orders"}),
    ("query", {"sql": "SELECT * FROM hr.salaries"}),
    ("query", {"sql": "SELECT emial FROM shop.customers"}),
    ("query", {"sql": "SELECT email::integer FROM shop.customers"}),
    ("query", {"sql": "SELECT 1", "max_rows": 0}),
    ("query", {}),
    ("explain", {"sql": "SELECT * FROM shop.customers WHERE email = 'x'"}),
    ("explain", {"sql": "DROP TABLE shop.orders"}),
    ("list_schemas", {}),
    ("list_schemas", {"schema": "shop"}),
    ("list_schemas", {"search": "order"}),
    ("list_schemas", {"schema": "hr"}),
    ("describe_view", {"name": "shop.customers"}),
    ("describe_view", {"name": "hr.salaries"}),
]


@pytest.fixture(scope="module", params=["legacy", "modern", "http"])
def server(
    request: pytest.FixtureRequest, postgres: ShopServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Serve the shop in each era, and over HTTP."""
    era: Era = request.param
    place = configure(tmp_path_factory.mktemp("tools"), postgres.agent, MASKED)
    with serving(place, era) as server:
        yield server
    check_accounted(place)


def untagged(text: str) -> str:
    """Take the random tags off an answer's fences."""
    return re.sub(r"^(</?data) \w+>$", r"\1>", text, flags=re.MULTILINE)


def schema_of(tool: dict[str, Any]) -> dict[str, Any]:
    """Give what a tool takes, without the words that explain it."""
    properties = tool["inputSchema"]["properties"]
    for taken in properties.values():
        assert taken.pop("description")
    return {**tool["inputSchema"], "properties": properties}


def test_there_are_exactly_four_tools(server: Server) -> None:
    assert [tool["name"] for tool in server.tools()] == NAMES


def test_every_tool_says_that_it_only_reads(server: Server) -> None:
    for tool in server.tools():
        assert tool.keys() == {"name", "description", "inputSchema", "annotations"}
        assert tool["annotations"] == {
            "readOnlyHint": True,
            "destructiveHint": False,
            "idempotentHint": True,
            "openWorldHint": False,
        }


def test_what_each_tool_takes_is_plain_json_schema(server: Server) -> None:
    text = {"type": "string"}
    name = text | {"maxLength": 256}
    shape = {"type": "object", "additionalProperties": False}

    assert {tool["name"]: schema_of(tool) for tool in server.tools()} == {
        "query": shape
        | {
            "properties": {
                "sql": text,
                "max_rows": {"type": "integer", "minimum": 1, "maximum": 1_000},
            },
            "required": ["sql"],
        },
        "explain": shape | {"properties": {"sql": text}, "required": ["sql"]},
        "list_schemas": shape | {"properties": {"schema": name, "search": name}},
        "describe_view": shape | {"properties": {"name": name}, "required": ["name"]},
    }


def test_the_definitions_cost_every_conversation_little(server: Server) -> None:
    assert len(json.dumps(server.tools())) < MAX_DEFINITION_CHARACTERS


def test_the_instructions_tell_where_to_start_and_what_is_content(server: Server) -> None:
    instructions = server.instructions()

    assert instructions
    assert len(instructions) < 1_000
    for word in ("Read-only", "One SELECT", "list_schemas", "describe_view", "masked", "<data>"):
        assert word in instructions


def test_an_unknown_tool_is_an_error_of_the_protocol(server: Server) -> None:
    with pytest.raises(MCPError, match="Unknown tool: execute"):
        server.call("execute", sql="SELECT 1")


def test_answers_are_the_same_in_each_era_and_over_http(
    server: Server, postgres: ShopServer, tmp_path: Path
) -> None:
    place = configure(tmp_path, postgres.agent, MASKED)
    with raw(place) as by_hand:
        expected = [by_hand.call(tool, arguments) for tool, arguments in QUESTIONS]

    answers = [server.call(tool, **arguments) for tool, arguments in QUESTIONS]

    for question, answer, other in zip(QUESTIONS, answers, expected, strict=True):
        assert answer.is_error == other.is_error, question
        assert untagged(answer.text) == untagged(other.text), question


def test_no_answer_is_more_than_a_text(postgres: ShopServer, tmp_path: Path) -> None:
    with raw(configure(tmp_path, postgres.agent, MASKED)) as server:
        for tool, arguments in QUESTIONS:
            response = server.request("tools/call", {"name": tool, "arguments": arguments})

            # Clients that find structuredContent show the model that, and not the text.
            assert response["result"].keys() == {"content", "isError"}
            (content,) = response["result"]["content"]
            assert content.keys() == {"type", "text"}
            assert content["type"] == "text"


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_the_tools_are_listed_where_there_is_no_database(
    postgres: ShopServer, tmp_path: Path, era: Era
) -> None:
    place = configure(tmp_path, replace(postgres.agent, host=str(tmp_path / "nowhere")))
    with serving(place, era) as server:
        assert [tool["name"] for tool in server.tools()] == NAMES


def test_the_cap_of_the_operator_is_the_cap_a_client_is_told(
    postgres: ShopServer, tmp_path: Path
) -> None:
    place = configure(tmp_path, postgres.agent, MASKED + "[limits]\nmax_rows = 7\n")
    with serving(place, "modern") as server:
        assert server.tools()[0]["inputSchema"]["properties"]["max_rows"]["maximum"] == 7
        assert server.query("SELECT id FROM shop.orders", max_rows=8).rules == ["arguments"]
        assert len(server.query("SELECT id FROM shop.orders").rows) == 7
