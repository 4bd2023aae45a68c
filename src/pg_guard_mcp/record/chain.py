"""The trail as it lies on disk: what a line is, how it is linked, how it is read back.

    <directory>/2026-07-14.jsonl    one JSON object a line, each with `seq` and `prev`
    <directory>/HEAD                digest, number and file of the last line
    <directory>/lock                held while a line is appended

`prev` is the SHA-256 of the whole line before, without its newline, across files too. The chain
has no key: whoever may write these files can compute it anew, which is why the head is also told
to places out of their reach (see `trail.Trail.checkpoint`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

GENESIS = "0" * 64
"""What the very first line gives as the digest of the line before it."""

HEAD_FILE = "HEAD"
LOCK_FILE = "lock"

MAX_TEXT_CHARACTERS = 65_536
MAX_ITEMS = 1_000

_DAY_FILE = re.compile(r"\d{4}-\d{2}-\d{2}\.jsonl")
_HEAD = re.compile(rb"([0-9a-f]{64}) (\d{16}) (\d{4}-\d{2}-\d{2}\.jsonl)\n")

# O_NOFOLLOW: a link in our place must not lead our writes elsewhere. O_NONBLOCK: nor may a pipe
# in our place make us wait for its other end. O_BINARY: Windows would otherwise write \r\n, and the
# digest of a line would not be that of its bytes.
OPEN_FLAGS = (
    getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
)


class Head(NamedTuple):
    """The last line of a trail: its digest, its number, and the file it stands in."""

    digest: str
    seq: int
    file: str


EMPTY = Head(GENESIS, 0, "")


class Line(NamedTuple):
    """A line as it was found; `terminated` is false when its newline is missing."""

    number: int
    content: bytes
    terminated: bool


class Entry(NamedTuple):
    """What a whole line says: its number in the trail, the digest before it, and the event."""

    seq: int
    prev: str
    event: dict[str, object]


class Tail(NamedTuple):
    """How a file ends: its last whole line, if any, and the bytes after it that are none."""

    digest: str
    entry: Entry | None
    torn: bytes


def encode(event: Mapping[str, object]) -> bytes:
    """Write `event` as one line of printable ASCII, without the newline.

    Control characters, line separators and lone surrogates are all escaped, so that one event is
    one line whatever the agent put into its SQL.
    """
    text = json.dumps(_fitting(event), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.encode("ascii")


def digest(content: bytes) -> str:
    """Give the digest by which the next line refers to this one."""
    return hashlib.sha256(content).hexdigest()


def text_digest(text: str) -> str:
    """Give the digest of a text; a lone surrogate counts as the three bytes it would take."""
    return digest(text.encode("utf-8", "surrogatepass"))


def parse(content: bytes) -> Entry | None:
    """Read a line back; None when it is not an event with a `seq` and a `prev`."""
    try:
        event = json.loads(content)
    except (ValueError, RecursionError):
        return None
    match event:
        case {"seq": int(seq), "prev": str(prev)}:
            return Entry(seq, prev, event)
    return None


def day_files(directory: Path) -> list[Path]:
    """List the day files of a trail, oldest first. Raises: OSError."""
    return sorted(path for path in directory.iterdir() if _DAY_FILE.fullmatch(path.name))


def lines(path: Path) -> Iterator[Line]:
    """Read the lines of one file, whole or not. Raises: OSError."""
    with path.open("rb") as file:
        for number, content in enumerate(file, start=1):
            yield Line(number, content.removesuffix(b"\n"), content.endswith(b"\n"))


def read_tail(path: Path) -> Tail:
    """Find the last whole line of `path`, reading backwards. Raises: OSError."""
    stretch = 65_536
    descriptor = os.open(path, os.O_RDONLY | OPEN_FLAGS)
    with os.fdopen(descriptor, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        while True:
            start = max(0, size - stretch)
            file.seek(start)
            pieces = file.read().split(b"\n")
            # Where we did not start at the beginning, the first piece is the end of a line.
            for index in range(len(pieces) - 2, -1 if start == 0 else 0, -1):
                entry = parse(pieces[index])
                if entry is not None:
                    torn = b"\n".join(pieces[index + 1 :])
                    return Tail(digest(pieces[index]), entry, torn)
            if start == 0:
                return Tail(GENESIS, None, b"\n".join(pieces))
            stretch *= 8


def read_head(directory: Path) -> Head | None:
    """Read HEAD; None when it is missing or not as we write it. Raises: OSError."""
    try:
        descriptor = os.open(directory / HEAD_FILE, os.O_RDONLY | OPEN_FLAGS)
    except FileNotFoundError:
        return None
    try:
        content = os.read(descriptor, 4096)
    finally:
        os.close(descriptor)
    match = _HEAD.fullmatch(content)
    if match is None:
        return None
    return Head(match[1].decode(), int(match[2]), match[3].decode())


def write_head(directory: Path, head: Head) -> None:
    """Write HEAD in place; its length never changes. Raises: OSError."""
    flags = os.O_WRONLY | os.O_CREAT | OPEN_FLAGS
    descriptor = os.open(directory / HEAD_FILE, flags, 0o600)
    try:
        os.write(descriptor, f"{head.digest} {head.seq:016d} {head.file}\n".encode())
    finally:
        os.close(descriptor)


def _fitting(value: object) -> object:
    """Cut what is too long for a line and say so; what was cut keeps its digest."""
    if isinstance(value, str) and len(value) > MAX_TEXT_CHARACTERS:
        whole = f"{len(value)} characters, sha256 {text_digest(value)}"
        return f"{value[:MAX_TEXT_CHARACTERS]} [cut: {whole}]"
    if isinstance(value, dict):
        return {key: _fitting(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [_fitting(item) for item in value[:MAX_ITEMS]]
        return items if len(value) <= MAX_ITEMS else [*items, f"[cut: {len(value)} items]"]
    return value
