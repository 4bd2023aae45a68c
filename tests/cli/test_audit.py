"""`audit` shows the trail as it is, and says by its exit code whether it is whole."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.cli import audit
from pg_guard_mcp.errors import DatabaseError, Refused
from pg_guard_mcp.model import Client, Finding, ToolCall
from pg_guard_mcp.record.event import recorded
from pg_guard_mcp.record.trail import Trail

if TYPE_CHECKING:
    from pathlib import Path

FIRST_DAY = "2026-07-14.jsonl"
NOON = datetime(2026, 7, 14, 12, tzinfo=UTC)


def call(call_id: str, sql: str) -> ToolCall:
    """Make a call of `query`."""
    client = Client(name="claude-code", version="2.1.0", subject="alice")
    return ToolCall(call_id=call_id, tool="query", client=client, sql=sql)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Write a trail: an answer, a refusal a day later, a failure."""
    times = iter([NOON, NOON, *[NOON + timedelta(days=1)] * 4])
    trail = Trail.open(tmp_path / "audit", clock=lambda: next(times))
    with recorded(call("call-1", "SELECT 1\nFROM shop.orders"), trail, profile="p") as record:
        record.admitted()
        record.answered(rows=3, bytes=120, truncated=False)
    finding = Finding(rule="read-only", message="it writes", hint="Read.")
    refused = recorded(call("call-2", "DELETE FROM shop.orders"), trail, profile="p")
    with pytest.raises(Refused), refused:
        raise Refused([finding])
    failed = recorded(call("call-3", "SELECT 1/0"), trail, profile="p")
    with pytest.raises(DatabaseError), failed:
        raise DatabaseError("division by zero", "", "22012")
    return tmp_path / "audit"


def run(*words: str, audit_directory: Path | None = None) -> int:
    """Run the command as `main` would, on the trail named by flag or by setting."""
    parser = argparse.ArgumentParser()
    audit.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["audit", *words])
    with pytest.MonkeyPatch.context() as patch:
        if audit_directory is not None:
            patch.setenv("PG_GUARD_AUDIT__DIRECTORY", str(audit_directory))
        return audit.run(arguments)


def test_tail_shows_a_line_an_event_oldest_first(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("tail", "--directory", str(directory)) == 0

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert lines[0].endswith("admitted  query  call-1  SELECT 1 FROM shop.orders")
    assert "finished  query  call-1  answered" in lines[1]
    assert lines[1].endswith("3 rows  120 bytes")
    assert lines[2].endswith('refused  query  call-2  ["read-only"]  DELETE FROM shop.orders')
    assert "database-error  22012" in lines[5]


def test_tail_shows_no_more_than_was_asked_for_across_days(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("tail", "-n", "5", audit_directory=directory) == 0

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert "finished  query  call-1" in lines[0]


def test_tail_of_the_last_day_alone(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("tail", "-n", "1", audit_directory=directory) == 0

    assert "call-3" in capsys.readouterr().out


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_tail_wants_a_number_of_lines(directory: Path, count: str) -> None:
    with pytest.raises(SystemExit) as caught:
        run("tail", "-n", count, audit_directory=directory)

    assert caught.value.code == 2


def test_tail_shows_where_a_line_is_no_event(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (directory / FIRST_DAY).write_bytes(b"junk\n")

    assert run("tail", audit_directory=directory) == 0

    assert f"unreadable  {FIRST_DAY}:1" in capsys.readouterr().out


def test_a_long_statement_is_cut_to_a_line(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with recorded(call("call-4", "SELECT " + "1," * 500), Trail.open(directory), profile="p") as it:
        it.admitted()
        it.answered(rows=0, bytes=0, truncated=False)

    assert run("tail", "-n", "2", audit_directory=directory) == 0

    line = capsys.readouterr().out.splitlines()[0]
    assert line.endswith(",1...")
    assert len(line) < 200


def test_show_shows_all_there_is_about_one_call(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("show", "call-1", audit_directory=directory) == 0

    out = capsys.readouterr().out
    assert f"admitted  {FIRST_DAY}:1\n" in out
    assert "  sql: SELECT 1\n    FROM shop.orders\n" in out
    assert "  subject: alice\n" in out
    assert f"finished  {FIRST_DAY}:2\n" in out
    assert "  rows: 3\n" in out
    assert "  truncated: false\n" in out
    assert "sqlstate" not in out
    assert "call-2" not in out


def test_show_of_a_call_that_is_not_there_fails(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("show", "call-9\x1b[2J", audit_directory=directory) == 1

    assert capsys.readouterr().err == "error: no call call-9\\x1b[2J is on the trail\n"


@pytest.mark.parametrize("command", [["tail"], ["show", "call-5"]])
def test_no_statement_can_act_on_the_terminal(
    directory: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    sql = "SELECT '\x1b[2J\x9b1A\r\x07\x7f\u202e\u200b\u2028\ud800[bold red]:smile:'"
    with recorded(call("call-5", sql), Trail.open(directory), profile="p") as record:
        record.admitted()
        record.answered(rows=0, bytes=0, truncated=False)

    assert run(*command, audit_directory=directory) == 0

    out = capsys.readouterr().out
    assert all(character.isprintable() or character == "\n" for character in out)
    assert r"\x1b[2J\x9b1A\r\x07\x7f\u202e\u200b\u2028\ud800[bold red]:smile:" in out


def test_verify_of_a_whole_trail_says_so_with_its_head(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = Trail.open(directory).head

    assert run("verify", audit_directory=directory) == 0
    assert capsys.readouterr().out == f"the trail is whole (lines: 6, files: 2)\nhead: {head}\n"

    assert run("verify", "--head", head, audit_directory=directory) == 0


def test_verify_counts_what_a_crash_tore(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with max(directory.glob("*.jsonl")).open("ab") as file:
        file.write(b"{")
    Trail.open(directory)

    assert run("verify", audit_directory=directory) == 0

    assert "(lines: 7, files: 2, torn in a crash and closed off: 1)" in capsys.readouterr().out


def test_verify_says_where_a_changed_trail_was_changed(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = directory / FIRST_DAY
    path.write_bytes(path.read_bytes().replace(b"alice", b"mallo", 1))
    (directory / "HEAD").chmod(0o644)

    assert run("verify", audit_directory=directory) == 1

    captured = capsys.readouterr()
    assert captured.out == (
        f"{FIRST_DAY}:1: edited: it is not the line that the next one follows\n"
        "HEAD: mode: it is open to others (mode 644)\n"
    )
    assert captured.err == "error: the trail is not whole (problems: 2, lines: 6, files: 2)\n"


def test_verify_fails_when_a_known_head_is_gone(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("verify", "--head", "ab" * 32, audit_directory=directory) == 1

    assert capsys.readouterr().out.startswith("--head: truncated: no line has the digest abab")


@pytest.mark.parametrize("command", [["tail"], ["show", "call-1"], ["verify"]])
def test_a_trail_that_is_not_there_is_bad_usage_with_a_fix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert run(*command) == 2
    assert run(*command, audit_directory=tmp_path / "nowhere") == 2

    assert capsys.readouterr().err.count("fix: name ") == 2


def test_the_directory_on_the_command_line_goes_before_the_profiles(
    directory: Path, tmp_path: Path
) -> None:
    assert run("verify", "--directory", str(directory), audit_directory=tmp_path / "nowhere") == 0
