"""The trail is one chain, whoever writes to it, and it never gives way in silence."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import pytest

from pg_guard_mcp.errors import AuditUnavailable
from pg_guard_mcp.record import chain
from pg_guard_mcp.record.trail import (
    CHECKPOINT_EVERY,
    Trail,
    check_directory,
    default_directory,
)
from pg_guard_mcp.record.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOON = datetime(2026, 7, 14, 12, tzinfo=UTC)
DAY = timedelta(days=1)

APPENDING = """
import sys
from pathlib import Path
from pg_guard_mcp.record.trail import Trail

trail = Trail.open(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    trail.append({"event": "test", "writer": sys.argv[2], "number": number})
    if number % 50 == 0:
        print(number, flush=True)
"""

FILLING = """
import resource, sys
from pathlib import Path
from pg_guard_mcp.errors import AuditUnavailable
from pg_guard_mcp.record.trail import Trail

trail = Trail.open(Path(sys.argv[1]))
trail.append({"event": "test"})
size = max(path.stat().st_size for path in Path(sys.argv[1]).glob("*.jsonl"))
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, size + 50))
for attempt in range(2):
    try:
        trail.append({"event": "test"})
    except AuditUnavailable as error:
        print(error.as_text())
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Name a place for a trail; `Trail.open` makes it."""
    return tmp_path / "audit"


def events(directory: Path) -> list[dict[str, object]]:
    """Read every event of a trail."""
    entries = (
        chain.parse(line.content)
        for path in chain.day_files(directory)
        for line in chain.lines(path)
    )
    return [entry.event for entry in entries if entry is not None]


def names(directory: Path) -> list[object]:
    """Read what kind of event each line is."""
    return [event["event"] for event in events(directory)]


def clock(*times: datetime) -> Callable[[], datetime]:
    """Tell these times, one after the other."""
    ticking: Iterator[datetime] = iter(times)
    return lambda: next(ticking)


def test_each_line_carries_the_digest_of_the_line_before(directory: Path) -> None:
    trail = Trail.open(directory, clock=clock(NOON, NOON))

    first = trail.append({"event": "a"})
    second = trail.append({"event": "b"})

    lines = (directory / "2026-07-14.jsonl").read_bytes().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"ts": "2026-07-14T12:00:00.000000Z", "event": "a", "seq": 1, "prev": "0" * 64},
        {"ts": "2026-07-14T12:00:00.000000Z", "event": "b", "seq": 2, "prev": first},
    ]
    assert [chain.digest(line) for line in lines] == [first, second]
    assert trail.head == second


def test_an_event_cannot_set_its_own_place_in_the_chain(directory: Path) -> None:
    trail = Trail.open(directory)

    trail.append({"event": "a", "seq": 99, "prev": "forged"})

    assert verify(directory).intact


def test_a_new_day_goes_on_from_the_last_line_of_the_day_before(directory: Path) -> None:
    trail = Trail.open(directory, clock=clock(NOON, NOON + DAY))

    first = trail.append({"event": "a"})
    trail.append({"event": "b"})

    assert [path.name for path in chain.day_files(directory)] == [
        "2026-07-14.jsonl",
        "2026-07-15.jsonl",
    ]
    assert events(directory)[1]["prev"] == first
    assert verify(directory).intact


def test_a_clock_set_back_over_midnight_does_not_fork_the_chain(directory: Path) -> None:
    trail = Trail.open(directory, clock=clock(NOON + DAY, NOON))

    trail.append({"event": "a"})
    trail.append({"event": "b"})

    assert [path.name for path in chain.day_files(directory)] == ["2026-07-15.jsonl"]
    assert verify(directory).intact


def test_a_time_in_another_zone_is_written_in_utc(directory: Path) -> None:
    eastern = datetime.fromisoformat("2026-07-14T14:00:00.000001+02:00")

    Trail.open(directory, clock=clock(eastern)).append({"event": "a"})

    assert events(directory)[0]["ts"] == "2026-07-14T12:00:00.000001Z"


def test_a_time_in_another_zone_is_filed_under_its_day_in_utc(directory: Path) -> None:
    past_midnight = datetime.fromisoformat("2026-07-15T01:00:00+02:00")

    Trail.open(directory, clock=clock(past_midnight)).append({"event": "a"})

    assert [path.name for path in chain.day_files(directory)] == ["2026-07-14.jsonl"]


def test_the_trail_is_closed_to_others(directory: Path) -> None:
    Trail.open(directory).append({"event": "a"})

    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_a_reopened_trail_goes_on_where_it_ended(directory: Path) -> None:
    first = Trail.open(directory).append({"event": "a"})

    trail = Trail.open(directory)

    assert trail.head == first
    trail.append({"event": "b"})
    assert events(directory)[1]["prev"] == first


def test_an_opened_trail_without_lines_has_the_genesis_head(directory: Path) -> None:
    assert Trail.open(directory).head == chain.GENESIS
    assert verify(directory).intact


def test_a_synced_trail_is_the_same_chain(directory: Path) -> None:
    trail = Trail.open(directory, synced=True)

    trail.append({"event": "a"})

    assert verify(directory).intact


def test_two_servers_taking_turns_see_each_other(directory: Path) -> None:
    one, other = Trail.open(directory), Trail.open(directory)

    for number in range(10):
        (one, other)[number % 2].append({"event": "test"})

    assert names(directory) == ["test"] * 10
    assert verify(directory).intact


def test_a_server_left_behind_by_a_new_day_follows(directory: Path) -> None:
    one = Trail.open(directory, clock=clock(NOON, NOON))
    other = Trail.open(directory, clock=clock(NOON + DAY))

    one.append({"event": "a"})
    other.append({"event": "b"})
    one.append({"event": "c"})

    assert names(directory) == ["a", "b", "c"]
    assert verify(directory).intact


def test_two_processes_at_once_write_one_chain(directory: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", APPENDING, str(directory), name, "200"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "other")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        _say_go(writer)
    for writer in writers:
        writer.communicate(timeout=60)

    verification = verify(directory)
    assert verification.problems == ()
    assert verification.lines == 400
    for name in ("one", "other"):
        own = [event["number"] for event in events(directory) if event["writer"] == name]
        assert own == list(range(200))


def _say_go(writer: subprocess.Popen[str]) -> None:
    assert writer.stdin is not None
    writer.stdin.write("go\n")
    writer.stdin.flush()


def test_threads_of_one_server_write_one_chain(directory: Path) -> None:
    trail = Trail.open(directory)
    threads = [
        threading.Thread(target=lambda: [trail.append({"event": "test"}) for _ in range(50)])
        for _ in range(4)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    verification = verify(directory)
    assert verification.problems == ()
    assert verification.lines == 200


def test_a_server_killed_while_it_writes_leaves_a_whole_trail(directory: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", APPENDING, str(directory), "one", "1000000"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    _say_go(writer)
    assert writer.stdout.readline() == "0\n"
    writer.kill()
    writer.communicate()

    Trail.open(directory).append({"event": "next"})

    assert verify(directory).problems == ()


def test_a_lock_held_elsewhere_stops_the_call(directory: Path) -> None:
    trail = Trail.open(directory, lock_seconds=0.01)
    holder = os.open(directory / chain.LOCK_FILE, os.O_RDWR)
    filelock.lock_descriptor(holder)

    try:
        with pytest.raises(AuditUnavailable):
            trail.append({"event": "a"})
    finally:
        os.close(holder)

    trail.append({"event": "b"})
    assert names(directory) == ["b"]


def test_a_full_disk_stops_the_call_and_the_next_line_says_what_was_torn(directory: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", FILLING, str(directory)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert child.stdout.count("audit-unavailable: the audit trail cannot be written") == 2
    assert str(directory) not in child.stdout
    assert str(directory) in child.stderr
    assert [problem.what for problem in verify(directory).problems] == ["torn"]

    Trail.open(directory).append({"event": "next"})

    verification = verify(directory)
    assert verification.problems == ()
    assert verification.sealed == 1
    assert names(directory) == ["test", "recovered", "next"]


def test_a_file_where_the_directory_should_be_stops_the_server(directory: Path) -> None:
    directory.write_text("")

    with pytest.raises(AuditUnavailable):
        Trail.open(directory)


def test_a_directory_where_the_file_should_be_stops_the_call(directory: Path) -> None:
    trail = Trail.open(directory, clock=clock(NOON))
    (directory / "2026-07-14.jsonl").mkdir()

    with pytest.raises(AuditUnavailable):
        trail.append({"event": "a"})


def test_a_trail_that_was_taken_away_stops_the_call(directory: Path, tmp_path: Path) -> None:
    trail = Trail.open(directory)
    trail.append({"event": "a"})
    directory.rename(tmp_path / "elsewhere")

    with pytest.raises(AuditUnavailable):
        trail.append({"event": "b"})


def test_the_agent_is_not_told_where_the_trail_is_and_the_log_is(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory.write_text("")

    with pytest.raises(AuditUnavailable) as caught:
        Trail.open(directory)

    assert str(directory) not in caught.value.as_text()
    assert str(directory) in caplog.text
    assert caught.value.__suppress_context__


def test_a_line_torn_in_a_crash_is_closed_off_and_never_overwritten(directory: Path) -> None:
    last = Trail.open(directory, clock=clock(NOON)).append({"event": "a"})
    path = directory / "2026-07-14.jsonl"
    with path.open("ab") as file:
        file.write(b'{"ts":"2026-07-14T12:0')
    before = path.read_bytes()

    trail = Trail.open(directory, clock=clock(NOON, NOON))
    trail.append({"event": "b"})

    assert path.read_bytes().startswith(before + b"\n")
    recovered = events(directory)[1]
    assert recovered["event"] == "recovered"
    assert recovered["after"] == last
    assert recovered["torn_bytes"] == 22
    assert recovered["torn_sha256"] == chain.digest(b'{"ts":"2026-07-14T12:0')
    assert recovered["lost_head"] is None
    verification = verify(directory)
    assert verification.problems == ()
    assert verification.sealed == 1


def test_a_line_torn_on_the_day_before_is_closed_off_where_it_stands(directory: Path) -> None:
    Trail.open(directory, clock=clock(NOON)).append({"event": "a"})
    with (directory / "2026-07-14.jsonl").open("ab") as file:
        file.write(b"{")

    trail = Trail.open(directory, clock=clock(NOON + DAY, NOON + DAY))
    trail.append({"event": "b"})

    assert len((directory / "2026-07-14.jsonl").read_bytes().splitlines()) == 3
    assert len((directory / "2026-07-15.jsonl").read_bytes().splitlines()) == 1
    assert verify(directory).problems == ()


def test_a_first_line_of_a_day_torn_in_a_crash_is_closed_off(directory: Path) -> None:
    Trail.open(directory, clock=clock(NOON)).append({"event": "a"})
    (directory / "2026-07-15.jsonl").write_bytes(b"{")
    (directory / "2026-07-15.jsonl").chmod(0o600)

    Trail.open(directory, clock=clock(NOON + DAY, NOON + DAY)).append({"event": "b"})

    assert names(directory) == ["a", "recovered", "b"]
    assert verify(directory).problems == ()


def test_a_first_line_ever_torn_in_a_crash_is_closed_off(directory: Path) -> None:
    directory.mkdir(mode=0o700)
    (directory / "2026-07-14.jsonl").write_bytes(b"{")
    (directory / "2026-07-14.jsonl").chmod(0o600)

    Trail.open(directory, clock=clock(NOON, NOON)).append({"event": "a"})

    assert names(directory) == ["recovered", "a"]
    assert verify(directory).problems == ()


def test_a_crash_while_closing_off_a_torn_line_is_closed_off_too(directory: Path) -> None:
    Trail.open(directory, clock=clock(NOON)).append({"event": "a"})
    with (directory / "2026-07-14.jsonl").open("ab") as file:
        file.write(b'{"torn\n{"ts":"recovering')

    Trail.open(directory, clock=clock(NOON, NOON)).append({"event": "b"})

    verification = verify(directory)
    assert verification.problems == ()
    assert verification.sealed == 2


def test_a_line_that_lacks_only_its_newline_is_closed_off(directory: Path) -> None:
    Trail.open(directory, clock=clock(NOON)).append({"event": "a"})
    path = directory / "2026-07-14.jsonl"
    whole = chain.encode({"event": "b", "seq": 2, "prev": chain.digest(path.read_bytes()[:-1])})
    with path.open("ab") as file:
        file.write(whole)

    Trail.open(directory, clock=clock(NOON, NOON)).append({"event": "c"})

    assert names(directory) == ["a", "b", "recovered", "c"]
    assert verify(directory).problems == ()


def test_torn_bytes_changed_after_they_were_closed_off_are_found(directory: Path) -> None:
    Trail.open(directory, clock=clock(NOON)).append({"event": "a"})
    path = directory / "2026-07-14.jsonl"
    with path.open("ab") as file:
        file.write(b'{"torn')
    Trail.open(directory, clock=clock(NOON, NOON)).append({"event": "b"})

    path.write_bytes(path.read_bytes().replace(b'{"torn\n', b'{"burn\n'))

    assert [problem.what for problem in verify(directory).problems] == ["unreadable"]


def test_a_crash_between_a_line_and_its_head_is_no_loss(directory: Path) -> None:
    trail = Trail.open(directory)
    trail.append({"event": "a"})
    head = (directory / chain.HEAD_FILE).read_bytes()
    trail.append({"event": "b"})
    (directory / chain.HEAD_FILE).write_bytes(head)

    last = Trail.open(directory).head

    assert names(directory) == ["a", "b"]
    found = chain.read_head(directory)
    assert found is not None
    assert found.digest == last


@pytest.mark.parametrize("reopened", [True, False])
def test_a_trail_found_shorter_than_it_was_left_says_so_for_good(
    directory: Path, reopened: bool
) -> None:
    trail = Trail.open(directory, clock=lambda: NOON)
    for name in ("a", "b", "c"):
        trail.append({"event": name})
    lost = trail.head
    path = directory / "2026-07-14.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))

    (Trail.open(directory, clock=lambda: NOON) if reopened else trail).append({"event": "d"})

    assert names(directory) == ["a", "b", "recovered", "d"]
    assert events(directory)[2]["lost_head"] == lost
    assert events(directory)[2]["lost_seq"] == 3
    assert [problem.what for problem in verify(directory).problems] == ["truncated"]


def test_a_running_server_is_not_fooled_by_a_head_cut_back_with_the_trail(directory: Path) -> None:
    trail = Trail.open(directory, clock=lambda: NOON)
    trail.append({"event": "a"})
    head = (directory / chain.HEAD_FILE).read_bytes()
    trail.append({"event": "b"})
    path = directory / "2026-07-14.jsonl"
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    (directory / chain.HEAD_FILE).write_bytes(head)

    trail.append({"event": "c"})

    assert names(directory) == ["a", "recovered", "c"]


def test_day_files_removed_under_a_running_server_are_told(directory: Path) -> None:
    trail = Trail.open(directory, clock=lambda: NOON)
    trail.append({"event": "a"})
    (directory / "2026-07-14.jsonl").unlink()

    trail.append({"event": "b"})

    assert names(directory) == ["recovered", "b"]
    assert not verify(directory).intact


def test_a_head_that_went_missing_is_told(directory: Path) -> None:
    trail = Trail.open(directory)
    trail.append({"event": "a"})
    trail.append({"event": "b"})
    (directory / chain.HEAD_FILE).unlink()

    Trail.open(directory).append({"event": "c"})

    assert names(directory) == ["a", "b", "recovered", "c"]
    assert [problem.what for problem in verify(directory).problems] == ["truncated"]


def test_a_link_in_place_of_a_file_is_not_followed(directory: Path, tmp_path: Path) -> None:
    trail = Trail.open(directory, clock=clock(NOON))
    target = tmp_path / "target"
    target.write_text("")
    (directory / "2026-07-14.jsonl").symlink_to(target)

    with pytest.raises(AuditUnavailable):
        trail.append({"event": "a"})

    assert target.read_text() == ""


@pytest.mark.parametrize("is_read", [True, False])
def test_a_pipe_in_place_of_a_file_is_refused_without_waiting(
    directory: Path, is_read: bool
) -> None:
    trail = Trail.open(directory, clock=lambda: NOON + DAY)
    trail.append({"event": "a"})
    pipe = directory / "2026-07-15.jsonl"
    pipe.unlink()
    os.mkfifo(pipe, 0o600)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK) if is_read else None

    try:
        with pytest.raises(AuditUnavailable):
            trail.append({"event": "b"})
        with pytest.raises(AuditUnavailable):
            Trail.open(directory)
    finally:
        if reader is not None:
            os.close(reader)


def test_a_pipe_put_in_place_of_the_next_day_is_refused(directory: Path) -> None:
    times = iter([NOON, NOON + DAY])
    trail = Trail.open(directory, clock=lambda: next(times))
    trail.append({"event": "a"})
    pipe = directory / "2026-07-15.jsonl"
    os.mkfifo(pipe, 0o600)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    try:
        with pytest.raises(AuditUnavailable):
            trail.append({"event": "b"})
        assert os.read(reader, 1) == b""
    finally:
        os.close(reader)


def test_a_link_in_place_of_the_directory_is_refused(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir(mode=0o700)
    directory.symlink_to(tmp_path / "target")

    with pytest.raises(AuditUnavailable):
        Trail.open(directory)


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o750, 0o704])
def test_a_directory_open_to_others_is_refused(directory: Path, mode: int) -> None:
    directory.mkdir()
    directory.chmod(mode)

    with pytest.raises(AuditUnavailable):
        Trail.open(directory)


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_others_can_write_to_is_refused(directory: Path, mode: int) -> None:
    trail = Trail.open(directory, clock=lambda: NOON)
    trail.append({"event": "a"})
    (directory / "2026-07-14.jsonl").chmod(mode)

    with pytest.raises(AuditUnavailable):
        trail.append({"event": "b"})


def test_a_directory_of_another_user_is_refused(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Trail.open(directory)
    monkeypatch.setattr(os, "geteuid", lambda: directory.stat().st_uid + 1)

    with pytest.raises(AuditUnavailable):
        Trail.open(directory)


def test_the_head_is_told_to_the_log(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="pg_guard_mcp")
    trail = Trail.open(directory)
    head = trail.append({"event": "a"})

    trail.checkpoint()

    assert f"audit_checkpoint head={head} seq=1" in caplog.text


def test_the_head_is_told_every_so_many_lines_and_on_each_new_day(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="pg_guard_mcp")
    today = iter([NOON] * (CHECKPOINT_EVERY + 1) + [NOON + DAY])
    trail = Trail.open(directory, clock=lambda: next(today))

    for _ in range(CHECKPOINT_EVERY + 2):
        trail.append({"event": "a"})

    told = [record.getMessage().split()[2] for record in caplog.records]
    assert told == ["seq=1", f"seq={CHECKPOINT_EVERY}", f"seq={CHECKPOINT_EVERY + 2}"]


def test_a_directory_inside_the_project_is_refused(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()

    assert check_directory(project, project)
    assert check_directory(project / "deep" / "audit", project)
    assert check_directory(tmp_path / "audit", project) is None
    Trail.open(tmp_path / "audit")
    assert check_directory(tmp_path / "audit", project) is None


def test_a_link_into_the_project_is_refused(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "hidden").mkdir(parents=True)
    (tmp_path / "innocent").symlink_to(project / "hidden")

    assert check_directory(tmp_path / "innocent" / "audit", project)


def test_a_server_started_in_the_root_or_the_home_directory_is_in_no_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "alice"))
    audit = tmp_path / "home" / "alice" / ".local" / "audit"

    for place in (Path(tmp_path.anchor), tmp_path / "home", tmp_path / "home" / "alice"):
        place.mkdir(parents=True, exist_ok=True)
        assert check_directory(audit, place) is None
    (tmp_path / "home" / "alice" / ".local").mkdir()
    assert check_directory(audit, tmp_path / "home" / "alice" / ".local")


def test_a_user_without_a_home_still_has_projects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", fail)

    assert check_directory(tmp_path / "audit", tmp_path)
    assert check_directory(tmp_path / "audit", Path(tmp_path.anchor)) is None


def test_an_unsafe_directory_is_a_problem_with_a_fix(tmp_path: Path) -> None:
    audit = tmp_path / "audit"
    audit.mkdir()
    audit.chmod(0o755)
    project = tmp_path / "project"
    project.mkdir()

    problem = check_directory(audit, project)

    assert problem is not None
    assert f"chmod 700 {audit}" in problem.fix


def test_the_default_directory_is_the_users_own_and_a_profile_cannot_leave_it() -> None:
    usual = default_directory("default")

    assert usual.is_absolute()
    assert usual.name == "default"
    assert default_directory("../../etc").parent == usual.parent
