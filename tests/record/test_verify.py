"""Whatever is done to a trail is found, and named as what it looks like."""

from __future__ import annotations

import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.record import chain
from pg_guard_mcp.record.trail import Trail
from pg_guard_mcp.record.verify import Verification, verify

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST, SECOND, THIRD = "2026-07-14.jsonl", "2026-07-15.jsonl", "2026-07-16.jsonl"
NOON = datetime(2026, 7, 14, 12, tzinfo=UTC)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Write a trail of three days with four lines each."""
    times = iter(
        [NOON + timedelta(days=day, minutes=line) for day in range(3) for line in range(4)]
    )
    trail = Trail.open(tmp_path / "audit", clock=lambda: next(times))
    for number in range(12):
        trail.append({"event": "test", "sql": f"SELECT {number}"})
    return tmp_path / "audit"


def read(path: Path) -> list[bytes]:
    """Read the lines of a file, newlines kept."""
    return path.read_bytes().splitlines(keepends=True)


def findings(directory: Path, head: str | None = None) -> list[tuple[str, int, str]]:
    """Say where and what `verify` finds wrong."""
    return [problem[:3] for problem in verify(directory, head=head).problems]


def relinked(line: bytes, before: bytes) -> bytes:
    """Give `line` a fitting link to another line before it, as a careful forger would."""
    event = json.loads(line)
    event["prev"] = chain.digest(before.removesuffix(b"\n"))
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"


def test_a_trail_left_alone_is_whole(directory: Path) -> None:
    last = read(directory / THIRD)[-1].removesuffix(b"\n")

    assert verify(directory) == Verification(
        files=3, lines=12, sealed=0, head=chain.digest(last), problems=()
    )


def test_an_empty_directory_is_whole_and_has_no_lines(tmp_path: Path) -> None:
    assert verify(tmp_path).lines == 0


def test_a_directory_that_is_not_there_is_no_whole_trail(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        verify(tmp_path / "nowhere")


@pytest.mark.parametrize("file", [FIRST, SECOND, THIRD, chain.HEAD_FILE])
def test_a_flipped_bit_anywhere_is_found(directory: Path, file: str) -> None:
    path = directory / file
    whole = path.read_bytes()

    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert findings(directory), f"byte {place} of {file}"

    path.write_bytes(whole)
    assert findings(directory) == []


@pytest.mark.parametrize("file", [FIRST, SECOND, THIRD])
def test_a_file_cut_off_anywhere_is_found(directory: Path, file: str) -> None:
    path = directory / file
    whole = path.read_bytes()

    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert findings(directory), f"{size} bytes of {file}"


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        pytest.param(
            lambda lines: [*lines[:1], lines[1].replace(b"SELECT 5", b"SELECT 6"), *lines[2:]],
            [(SECOND, 2, "edited")],
            id="edit a line",
        ),
        pytest.param(
            lambda lines: [*lines[:1], b"nothing to see\n", *lines[2:]],
            [(SECOND, 2, "unreadable")],
            id="edit a line until it is none",
        ),
        pytest.param(
            lambda lines: [
                lines[0],
                forged := lines[1].replace(b"SELECT 5", b"SELECT 6"),
                relinked(lines[2], forged),
                lines[3],
            ],
            [(SECOND, 3, "edited")],
            id="edit a line and mend the link to it",
        ),
        pytest.param(
            lambda lines: [*lines[:1], *lines[2:]], [(SECOND, 2, "removed")], id="delete a line"
        ),
        pytest.param(
            lambda lines: [*lines[:1], *lines[3:]], [(SECOND, 2, "removed")], id="delete two lines"
        ),
        pytest.param(
            lambda lines: [*lines[:2], lines[1], *lines[2:]],
            [(SECOND, 3, "inserted")],
            id="repeat a line",
        ),
        pytest.param(
            lambda lines: [*lines[:3], lines[0], *lines[3:]],
            [(SECOND, 4, "inserted")],
            id="repeat an earlier line",
        ),
        pytest.param(
            lambda lines: [*lines[:2], relinked(lines[0], lines[1]), *lines[2:]],
            [(SECOND, 3, "inserted")],
            id="insert a line with a fitting link",
        ),
        pytest.param(
            lambda lines: [*lines[:2], relinked(lines[0], b"no such line"), *lines[2:]],
            [(SECOND, 3, "inserted")],
            id="insert a line with a made-up link",
        ),
        pytest.param(
            lambda lines: [*lines[:2], b"\n", *lines[2:]],
            [(SECOND, 3, "unreadable")],
            id="insert an empty line",
        ),
        pytest.param(
            lambda lines: [lines[0], lines[2], lines[1], lines[3]],
            [(SECOND, 2, "reordered"), (SECOND, 3, "reordered"), (SECOND, 4, "reordered")],
            id="swap two lines",
        ),
        pytest.param(lambda _: [], [(THIRD, 1, "removed")], id="empty a day"),
    ],
)
def test_what_was_done_to_a_day_is_named(
    directory: Path,
    tamper: Callable[[list[bytes]], list[bytes]],
    expected: list[tuple[str, int, str]],
) -> None:
    path = directory / SECOND

    path.write_bytes(b"".join(tamper(read(path))))

    assert findings(directory) == expected


def test_every_deletion_swap_and_copy_of_a_line_is_found(directory: Path) -> None:
    path = directory / SECOND
    lines = read(path)

    for place in range(len(lines)):
        rest = [*lines[:place], *lines[place + 1 :]]
        for target in range(len(lines) + 1):
            copied = [*lines[:target], lines[place], *lines[target:]]
            moved = [*rest[:target], lines[place], *rest[target:]]
            for tampered in (rest, copied, moved):
                path.write_bytes(b"".join(tampered))
                assert bool(findings(directory)) == (tampered != lines)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (FIRST, (SECOND, 1, "removed")),
        (SECOND, (THIRD, 1, "removed")),
        (THIRD, (chain.HEAD_FILE, 0, "truncated")),
    ],
)
def test_a_whole_day_that_is_gone_is_found(
    directory: Path, file: str, expected: tuple[str, int, str]
) -> None:
    (directory / file).unlink()

    assert findings(directory) == [expected]


def test_the_first_line_of_all_edited_is_named(directory: Path) -> None:
    path = directory / FIRST
    path.write_bytes(path.read_bytes().replace(chain.GENESIS.encode(), b"f" * 64, 1))

    assert (FIRST, 1, "edited") in findings(directory)


def test_two_days_that_changed_names_are_found(directory: Path) -> None:
    (directory / FIRST).rename(directory / "spare")
    (directory / SECOND).rename(directory / FIRST)
    (directory / "spare").rename(directory / SECOND)

    assert {what for _, _, what in findings(directory)} == {"reordered"}


def test_lines_cut_off_at_the_end_are_told_by_head(directory: Path) -> None:
    path = directory / THIRD
    path.write_bytes(b"".join(read(path)[:-2]))

    assert findings(directory) == [(chain.HEAD_FILE, 0, "truncated")]


def test_the_last_line_edited_is_told_by_head(directory: Path) -> None:
    path = directory / THIRD
    path.write_bytes(path.read_bytes().replace(b"SELECT 11", b"SELECT 12"))

    assert findings(directory) == [(chain.HEAD_FILE, 0, "edited")]


def test_a_trail_cut_off_with_its_head_is_told_by_a_head_kept_elsewhere(directory: Path) -> None:
    known = verify(directory).head
    path = directory / THIRD
    lines = read(path)
    path.write_bytes(b"".join(lines[:-1]))
    last = lines[-2].removesuffix(b"\n")
    chain.write_head(directory, chain.Head(chain.digest(last), 11, THIRD))

    assert findings(directory) == []
    assert findings(directory, known) == [("", 0, "truncated")]


def test_a_trail_written_anew_is_told_by_a_head_kept_elsewhere(
    directory: Path, tmp_path: Path
) -> None:
    known = verify(directory).head
    forged = Trail.open(tmp_path / "forged")
    for _ in range(12):
        forged.append({"event": "test", "sql": "SELECT 'nothing to see'"})

    assert findings(tmp_path / "forged") == []
    assert findings(tmp_path / "forged", known) == [("", 0, "truncated")]


def test_a_head_known_from_earlier_is_still_there(directory: Path) -> None:
    earlier = chain.digest(read(directory / FIRST)[1].removesuffix(b"\n"))

    assert findings(directory, earlier) == []
    assert findings(directory, f" {earlier.upper()}\n") == []
    assert findings(directory, chain.GENESIS) == []


def test_a_missing_head_is_told(directory: Path) -> None:
    (directory / chain.HEAD_FILE).unlink()

    assert findings(directory) == [(chain.HEAD_FILE, 0, "truncated")]


def test_lines_appended_while_verify_reads_are_no_fault(directory: Path) -> None:
    head = (directory / chain.HEAD_FILE).read_bytes()
    trail = Trail.open(directory)
    for _ in range(3):
        trail.append({"event": "test"})
    (directory / chain.HEAD_FILE).write_bytes(head)

    assert findings(directory) == []


def test_a_line_cut_off_in_a_crash_is_told_until_it_is_closed_off(directory: Path) -> None:
    with (directory / THIRD).open("ab") as file:
        file.write(b'{"ts"')

    assert findings(directory) == [(THIRD, 5, "torn")]


@pytest.mark.parametrize("claim", ["after", "torn_sha256", "prev"])
def test_a_seal_that_does_not_fit_what_it_closes_off_is_no_excuse(
    directory: Path, claim: str
) -> None:
    path = directory / THIRD
    junk = b"junk"
    seal: dict[str, object] = {
        "event": "recovered",
        "after": chain.digest(read(path)[-1].removesuffix(b"\n")),
        "torn_sha256": chain.digest(junk),
        "seq": 13,
        "prev": chain.digest(junk),
    }
    with path.open("ab") as file:
        file.write(junk + b"\n" + chain.encode(seal) + b"\n")
    assert findings(directory) == []

    seal[claim] = chain.digest(b"something else")
    path.write_bytes(b"".join(read(path)[:-1]) + chain.encode(seal) + b"\n")

    assert findings(directory) == [(THIRD, 5, "unreadable")]


@pytest.mark.parametrize("name", [".", FIRST, chain.HEAD_FILE, chain.LOCK_FILE])
def test_a_file_open_to_others_is_told(directory: Path, name: str) -> None:
    (directory / name).chmod(0o744)

    assert findings(directory) == [(name, 0, "mode")]


def test_a_file_of_another_user_is_told(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Path.lstat

    def lstat(path: Path) -> os.stat_result:
        status = list(honest(path))
        status[stat.ST_UID] += path.name == FIRST
        return os.stat_result(status)

    monkeypatch.setattr(Path, "lstat", lstat)

    assert findings(directory) == [(FIRST, 0, "mode")]


def test_two_things_wrong_with_one_file_are_both_told(directory: Path) -> None:
    (directory / chain.HEAD_FILE).write_bytes(b"")
    (directory / chain.HEAD_FILE).chmod(0o644)

    assert findings(directory) == [(chain.HEAD_FILE, 0, "mode"), (chain.HEAD_FILE, 0, "truncated")]


def test_a_link_in_place_of_a_file_is_told(directory: Path, tmp_path: Path) -> None:
    (directory / FIRST).rename(tmp_path / "moved")
    (directory / FIRST).symlink_to(tmp_path / "moved")

    assert findings(directory) == [(FIRST, 0, "mode")]
