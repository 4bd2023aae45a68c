"""Whatever a client sends gets a clear answer, and the server goes on; every call is accounted for.

Here are lines that are no messages, arguments that fit no tool and texts that are no question. What
is wrong around the server (credential, database, policy, trail) is in `test_bad_surroundings.py`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from mcp.types import Implementation

from tests.postgres.databases import backends
from tests.support.postgres import connected
from tests.support.raw import raw
from tests.support.server import SLOW, check_accounted, configure, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres import Shop, ShopServer
    from tests.support.raw import Raw

NOT_JSON, NO_MESSAGE, NO_METHOD, NO_PARAMETERS = -32700, -32600, -32601, -32602


def called(text: str, request_id: str = "77") -> bytes:
    """Write a call of `query` with `text` as its arguments, well-formed or not."""
    return (
        f'{{"jsonrpc": "2.0", "id": {request_id}, "method": "tools/call",'
        f' "params": {{"name": "query", "arguments": {text}}}}}'
    ).encode()


GOOD = '{"sql": "SELECT 1"}'

# What to write, the code of the answer, and the id in it.
LINES: dict[str, tuple[bytes, int, int | None]] = {
    "words": (b"hello", NOT_JSON, None),
    "nothing": (b"", NOT_JSON, None),
    "spaces": (b"   \r", NOT_JSON, None),
    "a NUL": (b"\x00", NOT_JSON, None),
    "half a message": (called(GOOD)[:-1], NOT_JSON, None),
    "two messages": (called(GOOD) * 2, NOT_JSON, None),
    "a byte order mark": (b"\xef\xbb\xbf" + called(GOOD), NOT_JSON, None),
    "UTF-16": (called(GOOD).decode().encode("utf-16"), NOT_JSON, None),
    "bytes that are no UTF-8": (b"\xff\xfe", NOT_JSON, None),
    "bytes that are no UTF-8 in a call": (
        called('{"sql": "SELECT \'@\'"}').replace(b"@", b"\xff"),
        NOT_JSON,
        77,
    ),
    "an overlong form": (called('{"sql": "@"}').replace(b"@", b"\xc0\xa7"), NOT_JSON, 77),
    "a surrogate in UTF-8": (called('{"sql": "@"}').replace(b"@", b"\xed\xa0\x80"), NOT_JSON, 77),
    "half a surrogate pair": (called('{"sql": "SELECT \'\\ud800\'"}'), NO_MESSAGE, 77),
    "half a surrogate pair as a key": (called('{"\\udc00": 1}'), NO_MESSAGE, 77),
    "100,000 brackets": (b"[" * 100_000, NOT_JSON, None),
    "100,000 braces": (b'{"a":' * 100_000, NOT_JSON, None),
    "100,000 brackets in a call": (called("[" * 100_000 + "]" * 100_000), NOT_JSON, None),
    "an empty object": (b"{}", NO_MESSAGE, None),
    "an empty list": (b"[]", NO_MESSAGE, None),
    "a batch": (b"[" + called(GOOD) + b"]", NO_MESSAGE, None),
    "null": (b"null", NO_MESSAGE, None),
    "a number": (b"42", NO_MESSAGE, None),
    "a text": (b'"SELECT 1"', NO_MESSAGE, None),
    "no method": (b'{"jsonrpc": "2.0", "id": 77}', NO_MESSAGE, 77),
    "an older JSON-RPC": (b'{"jsonrpc": "1.0", "id": 77, "method": "ping"}', NO_MESSAGE, 77),
    "an id that is null": (called(GOOD, "null"), NO_MESSAGE, None),
    "an id that is a fraction": (called(GOOD, "1.5"), NO_MESSAGE, None),
    "an id that is an object": (called(GOOD, "{}"), NO_MESSAGE, None),
    "an id of 5,000 digits": (called(GOOD, "9" * 5_000), NOT_JSON, None),
    "a list of arguments": (called('["SELECT 1"]'), NO_PARAMETERS, 77),
    "a text for arguments": (called('"SELECT 1"'), NO_PARAMETERS, 77),
    "parameters that are a list": (
        b'{"jsonrpc": "2.0", "id": 77, "method": "tools/call", "params": ["query"]}',
        NO_MESSAGE,
        77,
    ),
    "no tool": (
        b'{"jsonrpc": "2.0", "id": 77, "method": "tools/call", "params": {}}',
        NO_PARAMETERS,
        77,
    ),
    "an unknown tool": (called(GOOD).replace(b'"query"', b'"execute"'), NO_PARAMETERS, 77),
    "a tool in another case": (called(GOOD).replace(b'"query"', b'"Query"'), NO_PARAMETERS, 77),
    "an unknown method": (
        b'{"jsonrpc": "2.0", "id": 77, "method": "tools/destroy", "params": {}}',
        NO_METHOD,
        77,
    ),
}

UNANSWERED = {
    "an answer to nothing": b'{"jsonrpc": "2.0", "id": 77, "result": {}}',
    "a failure of nothing": b'{"jsonrpc": "2.0", "id": 77, "error": {"code": 1, "message": "x"}}',
    "a cancellation of nothing": (
        b'{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}'
    ),
    "an unknown notification": b'{"jsonrpc": "2.0", "method": "notifications/hello"}',
}

SECRET = "canary-7f3a"  # noqa: S105 - it opens nothing
ARGUMENTS: dict[str, dict[str, object]] = {
    "none at all": {},
    "SQL that is null": {"sql": None},
    "SQL that is a number": {"sql": 5},
    "SQL that is a list": {"sql": [SECRET]},
    "SQL under another name": {"query": SECRET},
    "one too many": {"sql": "SELECT 1", "database": SECRET},
    "one that starts with an underscore": {"sql": "SELECT 1", "_meta": SECRET},
    "no rows": {"sql": "SELECT 1", "max_rows": 0},
    "less than no rows": {"sql": "SELECT 1", "max_rows": -1},
    "more rows than the cap": {"sql": "SELECT 1", "max_rows": 1_001},
    "more rows than a machine can count": {"sql": "SELECT 1", "max_rows": 10**30},
    "rows as a text": {"sql": "SELECT 1", "max_rows": "5"},
    "rows as a fraction": {"sql": "SELECT 1", "max_rows": 1.5},
    "rows as a truth": {"sql": "SELECT 1", "max_rows": True},
    "rows without end": {"sql": "SELECT 1", "max_rows": float("inf")},
}

TEXTS = {
    "nothing": ("", ["one-statement"]),
    "a semicolon": (";", ["one-statement"]),
    "10 MB": ("SELECT '" + "x" * 10_000_000 + "'", ["bounds"]),
    "10 MB of many bytes a character": ("SELECT '" + "😀" * 2_500_000 + "'", ["bounds"]),
    "10,000 parentheses": ("SELECT " + "(" * 10_000 + "1" + ")" * 10_000, ["bounds"]),
    "10,000 parentheses, never closed": ("SELECT " + "(" * 10_000, ["bounds"]),
    "10,000 additions": ("SELECT 1" + "+1" * 10_000, ["bounds"]),
    "5,000 casts": ("SELECT 1" + "::int" * 5_000, ["bounds"]),
    "3,000 unions": ("SELECT 1" + " UNION SELECT 1" * 3_000, ["bounds"]),
    "1,500 cases": ("SELECT " + "CASE WHEN true THEN " * 1_500 + "1" + " END" * 1_500, ["bounds"]),
    "a NUL in a literal": ("SELECT 'a\x00b'", ["bounds"]),
    "a NUL before the end": ("SELECT 1\x00; DROP TABLE shop.orders", ["bounds"]),
    "a control character": ("SELECT\x011", ["bounds"]),
    "an exotic space": ("SELECT\u00a01", ["bounds"]),
    "an open quote": ("SELECT 'x", ["syntax"]),
    "an open dollar quote": ("SELECT $a$x", ["syntax"]),
    "5,000 open comments": ("SELECT 1 " + "/*" * 5_000, ["bounds"]),
    "words": ("show me the customers", ["syntax"]),
}

NAMES = {
    "quotes": "Robert'); DROP TABLE shop.orders; --",
    "the end of a comment": "*/ DELETE FROM shop.orders; /*",
    "line breaks": "one\r\ntwo\n-- three",
    "a NUL": "a\x00b",
    "another script": "エージェント 🤖\u202e",
    "10,000 characters": "x" * 10_000,
    "nothing": "",
}


@pytest.fixture(scope="module")
def server(postgres: ShopServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Raw]:
    """Run one server through all of it; every call it got must be accounted for at the end."""
    place = configure(tmp_path_factory.mktemp("bad-input"), postgres.agent)
    with raw(place) as server:
        yield server
        assert server.process.poll() is None
    check_accounted(place)
    assert place.crashes == []


def assert_alive(server: Raw) -> None:
    """Assert that the next question is answered."""
    assert server.call("query", {"sql": "SELECT 1"}).text.splitlines()[0] == "1 row."


def answers_to(server: Raw, line: bytes) -> list[dict[str, Any]]:
    """Write a line, ask a question after it, and give what is said before that is answered."""
    server.write(line)
    request_id = server.send("tools/call", {"name": "query", "arguments": {"sql": "SELECT 1"}})
    answers = []
    while (message := server.read()).get("id") != request_id:
        answers.append(message)
    assert "result" in message
    return answers


@pytest.mark.parametrize(("line", "code", "request_id"), LINES.values(), ids=LINES)
def test_a_line_that_is_no_call_is_answered_as_such(
    server: Raw, line: bytes, code: int, request_id: int | None
) -> None:
    answers = answers_to(server, line)

    assert [(each["id"], each["error"]["code"]) for each in answers] == [(request_id, code)]
    assert answers[0]["error"]["message"]


def test_an_id_that_cannot_be_written_down_does_not_end_the_server(
    postgres: ShopServer, tmp_path: Path
) -> None:
    with raw(configure(tmp_path, postgres.agent)) as server:
        (answer,) = answers_to(server, called(GOOD, '"\\ud800"'))

    assert answer["error"]["code"] == NO_MESSAGE
    assert answer["id"] is None


@pytest.mark.parametrize("line", UNANSWERED.values(), ids=UNANSWERED)
def test_what_asks_for_no_answer_gets_none(server: Raw, line: bytes) -> None:
    assert answers_to(server, line) == []


@pytest.mark.parametrize("arguments", ARGUMENTS.values(), ids=ARGUMENTS)
def test_arguments_that_do_not_fit_are_refused_without_repeating_them(
    server: Raw, arguments: dict[str, object]
) -> None:
    answer = server.call("query", arguments)

    assert answer.rules == ["arguments"]
    assert answer.hint == "tools/list shows each tool's arguments."
    assert SECRET not in answer.text
    assert_alive(server)


@pytest.mark.parametrize("tool", ["query", "explain"])
@pytest.mark.parametrize(("sql", "rules"), TEXTS.values(), ids=TEXTS)
def test_a_text_that_is_no_question_is_refused_by_name(
    server: Raw, sql: str, rules: list[str], tool: str
) -> None:
    answer = server.call(tool, {"sql": sql})

    assert answer.rules == rules
    assert answer.hint
    assert len(answer.text) < 1_000
    assert_alive(server)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("describe_view", {"name": ""}),
        ("describe_view", {"name": "shop.orders\x00"}),
        ("describe_view", {"name": "'; DROP TABLE shop.orders; --"}),
        ("describe_view", {"name": "x" * 100_000}),
        ("list_schemas", {"schema": "%"}),
        ("list_schemas", {"schema": "x" * 100_000}),
        ("list_schemas", {"search": "x" * 100_000}),
        ("list_schemas", {"schema": "shop", "search": "x", "limit": 5}),
    ],
)
def test_a_name_that_is_none_is_refused_in_few_words(
    server: Raw, tool: str, arguments: dict[str, object]
) -> None:
    answer = server.call(tool, arguments)

    assert answer.code == "refused"
    assert answer.hint
    assert len(answer.text) < 1_000
    assert_alive(server)


@pytest.mark.parametrize("search", ["", "%", "\x00", "(", "\\", "x" * 256])
def test_a_search_takes_any_text_for_what_it_is(server: Raw, search: str) -> None:
    assert not server.call("list_schemas", {"search": search}).is_error
    assert_alive(server)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_client_may_call_itself_anything(postgres: ShopServer, tmp_path: Path, name: str) -> None:
    place = configure(tmp_path, postgres.agent)
    with raw(place, name) as server:
        assert_alive(server)

    (end,) = check_accounted(place)
    assert end["outcome"] == "answered"
    assert end["client"]["name"][:20] == name[:20]


async def test_what_a_client_calls_itself_stays_a_name_in_postgres(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    place = configure(tmp_path, fresh_shop.agent)
    client = Implementation(name="it's */ me\n; DROP TABLE shop.orders", version="1")
    async with connected(fresh_shop.admin) as admin:
        with serving(place, "modern", client) as server:
            call = server.begin("query", sql=SLOW)
            (process_id,) = await backends(admin, SLOW)
            seen = await admin.fetchrow(
                "SELECT application_name, query FROM pg_stat_activity WHERE pid = $1", process_id
            )
            call.cancel()

    assert seen is not None
    assert seen["application_name"] == "pg-guard/default/it?s ?/ me?? DROP TABLE shop.orders"
    sql, _, comment = seen["query"].partition("\n/* pg-guard call=")
    assert sql == SLOW
    assert comment.endswith(" */")
    assert json.dumps(comment).count("*/") == 1
    check_accounted(place)
