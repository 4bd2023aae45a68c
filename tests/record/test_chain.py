"""A line of the trail holds one event, whatever the event holds, and is found again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg_guard_mcp.record import chain

if TYPE_CHECKING:
    from pathlib import Path

ANY_TEXT = st.text(st.characters(), max_size=300)


@given(ANY_TEXT)
def test_any_sql_is_one_line_of_printable_ascii_and_comes_back_whole(sql: str) -> None:
    line = chain.encode({"sql": sql})

    assert all(0x20 <= byte < 0x7F for byte in line)
    # Compared as UTF-16, in which two lone surrogates in a row and the pair they make are one.
    back = json.loads(line)["sql"]
    assert back.encode("utf-16", "surrogatepass") == sql.encode("utf-16", "surrogatepass")


@given(ANY_TEXT)
def test_any_text_has_a_digest(text: str) -> None:
    assert len(chain.text_digest(text)) == len(chain.GENESIS)


@pytest.mark.parametrize("sql", ["a\nb", "a\r\nb", "\x1b[2J", "\x7f", "\u2028", "\u202e", "\ud800"])
def test_what_would_break_or_hide_a_line_is_escaped(sql: str) -> None:
    line = chain.encode({"sql": sql})

    assert all(0x20 <= byte < 0x7F for byte in line)


def test_a_long_text_is_cut_and_its_digest_stays_whole() -> None:
    text = "x" * (chain.MAX_TEXT_CHARACTERS + 1)

    kept = json.loads(chain.encode({"arguments": {"search": text}}))["arguments"]["search"]

    assert kept.startswith("x" * chain.MAX_TEXT_CHARACTERS + " [cut: ")
    assert kept.endswith(f" [cut: {len(text)} characters, sha256 {chain.text_digest(text)}]")


def test_a_text_of_the_full_length_is_kept() -> None:
    text = "x" * chain.MAX_TEXT_CHARACTERS

    assert json.loads(chain.encode({"sql": text}))["sql"] == text


def test_a_long_list_is_cut_and_says_so() -> None:
    rules = json.loads(chain.encode({"rules": ["r"] * (chain.MAX_ITEMS + 1)}))["rules"]

    assert rules == ["r"] * chain.MAX_ITEMS + [f"[cut: {chain.MAX_ITEMS + 1} items]"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"seq":1}',
        b'{"seq":"1","prev":"x"}',
        b'{"seq":1,"prev":null}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"seq":' + b"9" * 5_000 + b',"prev":"x"}',
    ],
)
def test_what_is_no_event_is_read_as_none(content: bytes) -> None:
    assert chain.parse(content) is None


@pytest.mark.parametrize("padding", [0, 65_536, 600_000])
@pytest.mark.parametrize("torn", [b"", b'{"ts', b"junk\nmore", b"junk\n"])
def test_the_last_whole_line_is_found_from_the_end(
    tmp_path: Path, padding: int, torn: bytes
) -> None:
    path = tmp_path / "2026-07-14.jsonl"
    first = b'{"seq":1,"prev":"' + b"a" * padding + b'"}'
    last = b'{"seq":2,"prev":"' + b"b" * padding + b'"}'
    path.write_bytes(first + b"\n" + last + b"\n" + torn)

    tail = chain.read_tail(path)

    assert tail.digest == chain.digest(last)
    assert tail.entry is not None
    assert tail.entry.seq == 2
    assert tail.torn == torn


def test_the_end_of_a_line_is_not_taken_for_a_line(tmp_path: Path) -> None:
    path = tmp_path / "2026-07-14.jsonl"
    ending = b'{"seq":9,"prev":"forged"}\n'
    whole = b'{"seq":1,"prev":"x"}'
    # Reading backwards by 65,536 bytes starts exactly at `ending`, in the middle of its line.
    path.write_bytes(whole + b"\njunk" + ending + b"t" * (65_536 - len(ending)))

    assert chain.read_tail(path).digest == chain.digest(whole)


def test_a_file_without_a_whole_line_is_all_torn(tmp_path: Path) -> None:
    path = tmp_path / "2026-07-14.jsonl"
    path.write_bytes(b'{"seq":1,"prev":"unterminated"}')

    tail = chain.read_tail(path)

    assert tail == (chain.GENESIS, None, b'{"seq":1,"prev":"unterminated"}')


def test_head_is_read_back_as_written(tmp_path: Path) -> None:
    head = chain.Head("ab" * 32, 7, "2026-07-14.jsonl")

    chain.write_head(tmp_path, head)

    assert chain.read_head(tmp_path) == head


@pytest.mark.parametrize("content", [b"", b"ab", b"x" * 99, b"a" * 5_000])
def test_a_head_that_is_not_ours_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / chain.HEAD_FILE).write_bytes(content)

    assert chain.read_head(tmp_path) is None
    assert chain.read_head(tmp_path / "nowhere") is None
