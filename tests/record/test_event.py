"""Every call leaves one verdict and one `finished` on the trail, however it ends."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import anyio
import filelock
import pytest

from pg_guard_mcp.errors import (
    AuditUnavailable,
    Busy,
    Cancelled,
    DatabaseError,
    GuardError,
    Internal,
    Refused,
    TimedOut,
    Unavailable,
)
from pg_guard_mcp.model import Client, Finding, Relation, ToolCall
from pg_guard_mcp.record import chain
from pg_guard_mcp.record.event import Record, recorded
from pg_guard_mcp.record.trail import Trail
from pg_guard_mcp.record.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator

AUDIT_DOCUMENT = Path(__file__).parents[2] / "docs" / "audit.md"
CLIENT = Client(name="claude-code", version="2.1.0", subject="alice", session_id="session-1")
CALL = ToolCall(
    call_id="call-1", tool="query", client=CLIENT, sql="SELECT id FROM shop.customers", max_rows=5
)
CUSTOMERS = Relation("shop", "customers")
REFUSAL = Refused(
    [
        Finding(rule="read-only", message="it writes", hint="Read."),
        Finding(rule="allowed-relations", message="it is closed", hint="Look."),
    ]
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Name a place for a trail."""
    return tmp_path / "audit"


@pytest.fixture
def trail(directory: Path) -> Trail:
    """Open a trail that does not wait long for its lock."""
    return Trail.open(directory, lock_seconds=0.01)


def events(directory: Path) -> list[dict[str, object]]:
    """Read every event of a trail."""
    entries = (
        chain.parse(line.content)
        for path in chain.day_files(directory)
        for line in chain.lines(path)
    )
    return [entry.event for entry in entries if entry is not None]


@contextmanager
def recording(trail: Trail, call: ToolCall = CALL) -> Iterator[Record]:
    """Record a call under the profile the tests use."""
    with recorded(call, trail, profile="default") as record:
        yield record


@contextmanager
def ending(
    kind: type[BaseException], trail: Trail
) -> Iterator[tuple[Record, pytest.ExceptionInfo[BaseException]]]:
    """Record a call that must end with an error of this kind."""
    with pytest.raises(kind) as caught, recorded(CALL, trail, profile="default") as record:
        yield record, caught


def take_away(directory: Path) -> None:
    """Leave the trail nowhere to write to."""
    directory.rename(directory.with_name("elsewhere"))


def test_an_answered_call_leaves_who_what_and_how_much(directory: Path, trail: Trail) -> None:
    with recording(trail) as record:
        record.admitted(relations=[CUSTOMERS], masked=["shop.customers.email"])
        record.answered(rows=3, bytes=120, truncated=True)

    verdict, finished = events(directory)
    chained = {"ts", "seq", "prev"}
    identity = {
        "call_id": "call-1",
        "session_id": "session-1",
        "profile": "default",
        "client": {"name": "claude-code", "version": "2.1.0"},
        "subject": "alice",
        "tool": "query",
        "role_powers": [],
        "sql_sha256": chain.text_digest(CALL.sql),
        "trace_id": "",
    }
    assert {key: verdict[key] for key in verdict.keys() - chained} == identity | {
        "event": "admitted",
        "sql": CALL.sql,
        "arguments": {"max_rows": 5},
        "verdict": "admitted",
        "rules": [],
        "relations": ["shop.customers"],
        "columns_masked": ["shop.customers.email"],
    }
    seconds = finished["seconds"]
    assert isinstance(seconds, float)
    assert {key: finished[key] for key in finished.keys() - chained} == identity | {
        "event": "finished",
        "verdict": "admitted",
        "rows": 3,
        "bytes": 120,
        "truncated": True,
        "seconds": seconds,
        "outcome": "answered",
        "sqlstate": None,
    }


def test_the_verdict_is_on_the_trail_before_the_call_goes_on(directory: Path, trail: Trail) -> None:
    with recording(trail) as record:
        assert events(directory) == []
        record.admitted()
        assert [event["event"] for event in events(directory)] == ["admitted"]
        record.answered(rows=0, bytes=0, truncated=False)
        assert [event["event"] for event in events(directory)] == ["admitted"]


def test_a_refused_call_leaves_every_rule_that_refused_it(directory: Path, trail: Trail) -> None:
    with ending(Refused, trail):
        raise REFUSAL

    verdict, finished = events(directory)
    assert (verdict["event"], verdict["verdict"]) == ("refused", "refused")
    assert verdict["rules"] == ["read-only", "allowed-relations"]
    assert (finished["verdict"], finished["outcome"]) == ("refused", "refused")
    assert finished["rows"] is None


@pytest.mark.parametrize(
    ("error", "outcome", "sqlstate"),
    [
        (TimedOut("it took too long"), "timeout", None),
        (Cancelled("it was ended"), "cancelled", None),
        (Busy("no connection"), "busy", None),
        (DatabaseError("it failed", "", "22012"), "database-error", "22012"),
        (Unavailable("no Postgres"), "unavailable", None),
        (AuditUnavailable("no trail"), "audit-unavailable", None),
        (Internal("a defect"), "internal", None),
        (ZeroDivisionError("secret@example.com"), "internal", None),
        (KeyboardInterrupt(), "cancelled", None),
    ],
)
@pytest.mark.parametrize("verdict", ["admitted", "none"])
def test_a_call_that_fails_leaves_how(
    directory: Path,
    trail: Trail,
    error: BaseException,
    outcome: str,
    sqlstate: str | None,
    verdict: Literal["admitted", "none"],
) -> None:
    with ending(type(error), trail) as (record, caught):
        if verdict == "admitted":
            record.admitted()
        raise error

    assert caught.value is error
    first, finished = events(directory)
    assert first["event"] == ("admitted" if verdict == "admitted" else "refused")
    assert first["verdict"] == finished["verdict"] == verdict
    assert first["rules"] == []
    assert (finished["event"], finished["outcome"]) == ("finished", outcome)
    assert finished["sqlstate"] == sqlstate


def test_an_exceptions_text_never_reaches_the_trail(directory: Path, trail: Trail) -> None:
    with ending(ValueError, trail) as (record, _):
        record.admitted()
        raise ValueError("invalid input: secret@example.com")

    content = b"".join(path.read_bytes() for path in directory.iterdir())
    assert b"secret" not in content


def test_an_answer_given_before_a_failure_leaves_no_sizes(directory: Path, trail: Trail) -> None:
    with ending(TimedOut, trail) as (record, _):
        record.admitted()
        record.answered(rows=3, bytes=120, truncated=False, result="masked")
        raise TimedOut("rendering took too long")

    finished = events(directory)[-1]
    assert finished["rows"] is None
    assert "result" not in finished


async def test_a_cancelled_call_leaves_its_verdict_and_its_end(
    directory: Path, trail: Trail
) -> None:
    started = anyio.Event()

    async def run() -> None:
        with recording(trail) as record:
            record.admitted()
            started.set()
            await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await started.wait()
        tasks.cancel_scope.cancel()

    assert [event["event"] for event in events(directory)] == ["admitted", "finished"]
    assert events(directory)[-1]["outcome"] == "cancelled"


async def test_a_call_cancelled_before_its_verdict_leaves_one_that_says_none(
    directory: Path, trail: Trail
) -> None:
    with anyio.CancelScope() as scope, recording(trail):
        scope.cancel()
        await anyio.sleep_forever()

    verdict, finished = events(directory)
    assert (verdict["event"], verdict["verdict"]) == ("refused", "none")
    assert finished["outcome"] == "cancelled"


async def test_a_cancellation_stays_one_when_the_trail_is_lost(
    directory: Path, trail: Trail, caplog: pytest.LogCaptureFixture
) -> None:
    with anyio.CancelScope() as scope, recording(trail) as record:
        record.admitted()
        take_away(directory)
        scope.cancel()
        await anyio.sleep_forever()

    assert scope.cancelled_caught
    assert "audit_unavailable" in caplog.text


def test_a_verdict_that_cannot_be_written_stops_the_call(directory: Path, trail: Trail) -> None:
    has_run = False
    take_away(directory)

    with ending(AuditUnavailable, trail) as (record, _):
        record.admitted()
        has_run = True

    assert not has_run


def test_an_answer_that_cannot_be_recorded_does_not_leave(directory: Path, trail: Trail) -> None:
    with ending(AuditUnavailable, trail) as (record, _):
        record.admitted()
        record.answered(rows=1, bytes=1, truncated=False)
        take_away(directory)


def test_a_refusal_that_cannot_be_recorded_is_not_told(directory: Path, trail: Trail) -> None:
    with ending(AuditUnavailable, trail) as (_, caught):
        take_away(directory)
        raise REFUSAL

    assert caught.value.__suppress_context__


def test_a_trail_that_comes_back_says_that_it_was_away(directory: Path, trail: Trail) -> None:
    holder = os.open(directory / chain.LOCK_FILE, os.O_RDWR)
    filelock.lock_descriptor(holder)

    with ending(AuditUnavailable, trail) as (record, _):
        try:
            record.admitted()
        finally:
            os.close(holder)

    verdict, finished = events(directory)
    assert (verdict["event"], verdict["verdict"]) == ("refused", "none")
    assert finished["outcome"] == "audit-unavailable"


def test_a_call_cannot_be_judged_twice(directory: Path, trail: Trail) -> None:
    with ending(Internal, trail) as (record, _):
        record.admitted()
        record.admitted()

    assert [event["event"] for event in events(directory)] == ["admitted", "finished"]
    assert events(directory)[-1]["outcome"] == "internal"


def test_nothing_is_answered_that_the_trail_did_not_admit(directory: Path, trail: Trail) -> None:
    with ending(Internal, trail) as (record, _):
        record.answered(rows=1, bytes=1, truncated=False)

    verdict, finished = events(directory)
    assert (verdict["event"], finished["outcome"]) == ("refused", "internal")


def test_nothing_is_answered_whose_size_the_trail_does_not_know(
    directory: Path, trail: Trail
) -> None:
    with ending(Internal, trail) as (record, _):
        record.admitted()

    assert events(directory)[-1]["outcome"] == "internal"


def test_the_masked_text_is_kept_only_where_it_is_given(directory: Path, trail: Trail) -> None:
    for result in (None, "id\n1\n"):
        with recording(trail) as record:
            record.admitted()
            record.answered(rows=1, bytes=5, truncated=False, result=result)

    assert "result" not in events(directory)[1]
    assert events(directory)[3]["result"] == "id\n1\n"


def test_a_call_without_sql_leaves_its_arguments(directory: Path, trail: Trail) -> None:
    call = ToolCall(
        call_id="call-2", tool="list_schemas", client=CLIENT, schema="shop", search="order"
    )

    with recording(trail, call) as record:
        record.admitted()
        record.answered(rows=4, bytes=90, truncated=False)

    verdict = events(directory)[0]
    assert verdict["sql"] is verdict["sql_sha256"] is None
    assert verdict["arguments"] == {"schema": "shop", "search": "order"}


def test_sql_too_long_for_a_line_keeps_its_whole_digest(directory: Path, trail: Trail) -> None:
    sql = "SELECT " + "1," * chain.MAX_TEXT_CHARACTERS
    call = ToolCall(call_id="call-3", tool="query", client=CLIENT, sql=sql)

    with pytest.raises(Refused), recording(trail, call):
        raise REFUSAL

    verdict = events(directory)[0]
    assert verdict["sql_sha256"] == chain.text_digest(sql)
    assert "[cut: " in str(verdict["sql"])
    assert verify(directory).intact


def test_every_field_on_the_trail_is_documented_and_the_other_way_round(
    directory: Path, trail: Trail
) -> None:
    with recording(trail) as record:
        record.admitted()
        record.answered(rows=1, bytes=1, truncated=False, result="id\n1\n")
    with next(directory.glob("*.jsonl")).open("ab") as file:
        file.write(b"{")
    Trail.open(directory)

    rows = r"^\| `(\w+)` \|[^|]+\|[^|]+\|$"
    documented = set(re.findall(rows, AUDIT_DOCUMENT.read_text(), re.MULTILINE))
    written = {key for event in events(directory) for key in event}
    assert documented == written


def test_every_outcome_is_documented() -> None:
    text = AUDIT_DOCUMENT.read_text()

    for kind in GuardError.__subclasses__():
        assert f"`{kind.code}`" in text
