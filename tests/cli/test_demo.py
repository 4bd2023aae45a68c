"""The demo shows the product, and ends with 1 where what it shows is not so."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.types import TextContent
from rich.console import Console

from pg_guard_mcp.cli import demo
from pg_guard_mcp.demo import story
from pg_guard_mcp.demo.page import Page
from pg_guard_mcp.demo.proof import StoryBroken
from pg_guard_mcp.demo.stage import demo_stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.demo.stage import Stage

COMMAND = (sys.executable, "-m", "pg_guard_mcp", "demo")
ACTS = (
    "What an agent gets",
    "What is masked",
    "What is refused",
    "What takes too long",
    "What strangers wrote into the data",
    "What is on record",
    "Where the time went",
)


@pytest.fixture(scope="module")
def shared_stage() -> Iterator[Stage]:
    """Set a stage once; each test plays on it by a policy of its own."""
    with demo_stage() as stage:
        yield stage


@pytest.fixture
def stage(shared_stage: Stage, tmp_path: Path) -> Stage:
    """Give the test a policy file and a trail of its own."""
    audit_directory = tmp_path / "audit"
    policy = shared_stage.policy_file.read_text()
    policy = policy.replace(str(shared_stage.audit_directory), str(audit_directory))
    (tmp_path / "pg-guard.toml").write_text(policy)
    return replace(
        shared_stage,
        directory=tmp_path,
        policy_file=tmp_path / "pg-guard.toml",
        audit_directory=audit_directory,
    )


def rewrite(stage: Stage, pattern: str, replacement: str) -> None:
    """Change the stage's policy."""
    text, count = re.subn(pattern, replacement, stage.policy_file.read_text(), flags=re.DOTALL)
    assert count == 1
    stage.policy_file.write_text(text)


def blank_page() -> Page:
    """Give a page that nobody reads."""
    return Page(Console(file=StringIO(), width=100))


def written(show: object, *arguments: object) -> str:
    """Give what a method of `Page` writes."""
    file = StringIO()
    page = Page(Console(file=file, width=40))
    getattr(page, str(show))(*arguments)
    return file.getvalue()


async def count_of_orders(command: str, words: list[str], directory: Path) -> str:
    """Ask a server one question."""
    parameters = StdioServerParameters(command=command, args=words, cwd=directory)
    async with Client(stdio_client(parameters)) as client:
        sql = {"sql": "SELECT count(*) FROM shop.orders"}
        answer = (await client.call_tool("query", sql)).content[0]
    assert isinstance(answer, TextContent)
    return answer.text


def test_the_demo_shows_every_act_through_a_plain_pipe(tmp_path: Path) -> None:
    environment = {"PATH": os.defpath, "HOME": str(tmp_path), "LC_ALL": "C"}

    child = subprocess.run(
        COMMAND, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (child.returncode, child.stderr) == (0, "")
    for number, act in enumerate(ACTS, start=1):
        assert f"\n{number}. {act}\n" in child.stdout
    for line in child.stdout.splitlines():
        assert line.isascii()
        assert len(line) <= 100
        assert line == line.rstrip()
    assert "hint: Leave the delay out" in child.stdout
    assert "timeout: the query ran into its time limit" in child.stdout
    assert re.search(r"one byte changed in a copy: \S+\.jsonl:\d+: edited", child.stdout)
    assert re.search(r"tools/call query +\d+\.\d\d ms\n +guard .+\n +classify ", child.stdout)
    assert child.stdout.splitlines()[-2].startswith("17 calls, 8 of them turned away")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("pattern", "replacement", "complaint"),
    [
        (r'"shop.customers.email" = "email"', "", "a value behind a mask reached the agent"),
        (r'"shop.customers.ssn" = "redact"', "", "came through under another name"),
        (r'deny_relations = \["shop.api_keys"\]', "", "a value behind a mask reached the agent"),
        (r"enabled = \[.*?\]", "enabled = []", "a value behind a mask reached the agent"),
        (r'schemas = \["shop"\]', "", "an honest query was turned away|failed: refused"),
        (r"\[access\]", "[acces]", "Did you mean access"),
    ],
    ids=["mask", "second-lock", "closed-table", "detectors", "nothing-open", "no-server"],
)
async def test_a_policy_that_breaks_a_promise_breaks_the_story(
    stage: Stage, pattern: str, replacement: str, complaint: str
) -> None:
    rewrite(stage, pattern, replacement)

    with pytest.raises(StoryBroken, match=complaint):
        await story.tell(stage, blank_page())


def test_a_broken_promise_is_said_on_stderr_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(story, "_TOOLS", ["query", "execute"])

    code = demo.run(argparse.Namespace(keep=False))

    assert code == 1
    assert "error: the demo found a promise broken: the server offers" in capsys.readouterr().err


def test_keep_leaves_a_server_to_connect_to_and_says_how_to_end_it(tmp_path: Path) -> None:
    child = subprocess.run(
        [*COMMAND, "--keep"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    end = child.stdout.strip().splitlines()[-1].strip()
    entry = json.loads(child.stdout[child.stdout.index('{\n  "mcp') :].split("\n}\n")[0] + "\n}")
    server = entry["mcpServers"]["pg-guard-demo"]

    answer = anyio.run(count_of_orders, server["command"], server["args"], tmp_path)
    subprocess.run(["/bin/sh", "-c", end], check=True)

    assert "\n10000\n" in answer
    words = shlex.join([server["command"], *server["args"]])
    assert f"claude mcp add pg-guard-demo -- {words}\n" in child.stdout
    assert re.fullmatch(r"kill -INT \d+ && sleep 1 && rm -rf( /\S+)+", end)
    assert not any(Path(word).exists() for word in end.split() if word.startswith("/"))


def test_a_long_answer_is_cut_and_keeps_its_fence() -> None:
    text = "9 rows.\n<data 0>\n" + "row\n" * 9 + "</data 0>"

    shown = written("answer", text).splitlines()

    assert len(shown) == 8
    assert shown[-2:] == ["    ... 5 more lines", "    </data 0>"]


def test_the_columns_of_an_answer_stand_in_line_and_a_wide_row_is_cut() -> None:
    text = f"2 rows.\nid\tname\n1000\tAda\n7\t{'x' * 99}"

    shown = written("answer", text).splitlines()

    assert shown[1:3] == ["    id    name", "    1000  Ada"]
    assert (len(shown[3]), shown[3][-6:]) == (40, "xxx...")


def test_a_refusal_is_shown_in_full() -> None:
    hint = "hint: " + "word " * 30

    shown = written("refusal", f"refused: [rule] no\n{hint}")

    assert shown.split() == ["refused:", "[rule]", "no", *hint.split()]
