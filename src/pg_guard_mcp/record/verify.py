"""Judges a trail by its files alone: is every line there, as written, and in its place.

Every change breaks a link or misses the head. What kind of change it looks like is told by the
lines' numbers and by the digests that other lines refer to: a best guess for the reader. Certain is
only that something was changed, and where.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from pg_guard_mcp.record import chain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Damage = Literal[
    "edited", "inserted", "removed", "reordered", "truncated", "torn", "unreadable", "mode"
]


class Fault(NamedTuple):
    """One thing wrong with a trail. `line` is 0 where the file as a whole is meant."""

    file: str
    line: int
    what: Damage
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What `verify` found; `sealed` counts lines torn in a crash and closed off since: no fault."""

    files: int
    lines: int
    sealed: int
    head: str
    problems: tuple[Fault, ...]

    @property
    def intact(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


class _Link(NamedTuple):
    """A line as far as the chain is concerned."""

    file: str
    line: int
    digest: str
    seq: int
    prev: str
    seal: _Seal | None


class _Seal(NamedTuple):
    """What an event `recovered` claims."""

    after: object
    torn_sha256: object
    lost_seq: object


class _Torn(NamedTuple):
    """A line that is no event."""

    file: str
    line: int
    content: bytes
    terminated: bool


class _Run(NamedTuple):
    """An event, the event before it, and the torn lines between the two."""

    before: _Link | None
    torn: list[_Torn]
    link: _Link | None


def verify(directory: Path, *, head: str | None = None) -> Verification:
    """Check every line, link, mode and the head of the trail in `directory`.

    `head` is the digest of any line that was printed or traced earlier; it must still be there. A
    server may append meanwhile: HEAD is read first, so new lines can only come after it.

    Raises: OSError when the directory or a file in it cannot be read.
    """
    anchor = chain.read_head(directory)
    paths = chain.day_files(directory)
    runs = list(_runs(entry for path in paths for entry in _entries(path)))
    links = [run.link for run in runs if run.link is not None]
    sealed = sum(len(run.torn) for run in runs if _is_sealed(run))
    faults = [
        *_unsafe_files(directory, paths),
        *_pieces(runs),
        *_breaks(runs, links),
        *_losses(links),
        *_missing_heads(links, anchor, head),
    ]
    return Verification(
        files=len(paths),
        lines=len(links),
        sealed=sealed,
        head=links[-1].digest if links else chain.GENESIS,
        problems=tuple(sorted(faults)),
    )


def _entries(path: Path) -> Iterator[_Link | _Torn]:
    """Read one file. A line without its newline is not whole, whatever it says."""
    for line in chain.lines(path):
        entry = chain.parse(line.content) if line.terminated else None
        if entry is None:
            yield _Torn(path.name, line.number, line.content, line.terminated)
            continue
        event, seal = entry.event, None
        if event.get("event") == "recovered":
            seal = _Seal(event.get("after"), event.get("torn_sha256"), event.get("lost_seq"))
        digest = chain.digest(line.content)
        yield _Link(path.name, line.number, digest, entry.seq, entry.prev, seal)


def _runs(entries: Iterator[_Link | _Torn]) -> Iterator[_Run]:
    """Put each event together with the one before it and the torn lines between."""
    before: _Link | None = None
    torn: list[_Torn] = []
    for entry in entries:
        if isinstance(entry, _Torn):
            torn.append(entry)
            continue
        yield _Run(before, torn, entry)
        before, torn = entry, []
    if torn:
        yield _Run(before, torn, None)


def _is_sealed(run: _Run) -> bool:
    """Tell whether a server closed these torn lines off, and they are still as it found them."""
    if not run.torn or run.link is None or run.link.seal is None:
        return False
    seal, contents = run.link.seal, [piece.content for piece in run.torn]
    return (
        run.link.prev == chain.digest(contents[-1])
        and seal.torn_sha256 == chain.digest(b"\n".join(contents))
        and seal.after == (run.before.digest if run.before else chain.GENESIS)
    )


def _pieces(runs: list[_Run]) -> Iterator[Fault]:
    """Report lines that are no events and that no server closed off."""
    for run in runs:
        for piece in () if _is_sealed(run) else run.torn:
            if piece.terminated:
                yield Fault(piece.file, piece.line, "unreadable", "it is not an event of the trail")
            else:
                message = "its end is missing: a crash, or cut; the next call closes it off"
                yield Fault(piece.file, piece.line, "torn", message)


def _breaks(runs: list[_Run], links: list[_Link]) -> Iterator[Fault]:
    """Report each event whose `prev` is not the line before it; torn lines speak for themselves."""
    places = {link.digest: index for index, link in reversed(list(enumerate(links)))}
    followed = {link.prev for link in links}
    inserted: set[tuple[str, int]] = set()
    for index, (run, link) in enumerate(zip(runs, links, strict=False)):
        before = run.before
        if run.torn or link.prev == (before.digest if before else chain.GENESIS):
            continue
        if before is not None and (before.file, before.line) in inserted:
            continue  # The line before does not belong, so this one cannot follow it.
        place = -1 if link.prev == chain.GENESIS else places.get(link.prev)
        if places[link.digest] != index:
            fault = Fault(link.file, link.line, "inserted", "it is a copy of an earlier line")
        elif place is None:
            fault = _by_number(link, before)
        elif before is not None and place < index - 1 and before.digest not in followed:
            fault = Fault(before.file, before.line, "inserted", "nothing in the chain follows it")
        else:
            fault = Fault(link.file, link.line, "reordered", "it follows another line in the chain")
        if fault.what == "inserted":
            inserted.add((fault.file, fault.line))
        yield fault


def _by_number(link: _Link, before: _Link | None) -> Fault:
    """Name a break whose other end is gone, by the numbers on both sides of it."""
    expected = before.seq + 1 if before else 1
    if link.seq > expected:
        message = f"{link.seq - expected} before it are gone"
        return Fault(link.file, link.line, "removed", message)
    if link.seq < expected:
        return Fault(link.file, link.line, "inserted", "neither its link nor its number fits here")
    changed = before or link
    return Fault(
        changed.file, changed.line, "edited", "it is not the line that the next one follows"
    )


def _losses(links: list[_Link]) -> Iterator[Fault]:
    """Report what a server noticed itself when it came back to a trail shorter than it was left."""
    for link in links:
        if link.seal is not None and link.seal.lost_seq is not None:
            message = (
                f"the server found line {link.seal.lost_seq} of the trail gone, and wrote this"
            )
            yield Fault(link.file, link.line, "truncated", message)


def _missing_heads(
    links: list[_Link], anchor: chain.Head | None, known: str | None
) -> Iterator[Fault]:
    """Report a head that is no longer part of the chain: HEAD's, or the one the reader knows."""
    digests = {chain.GENESIS, *(link.digest for link in links)}
    last = links[-1].seq if links else 0
    if anchor is None and last > 1:
        message = "it is missing or unreadable, so nothing here tells whether the end was cut off"
        yield Fault(chain.HEAD_FILE, 0, "truncated", message)
    if anchor is not None and anchor not in {(link.digest, link.seq, link.file) for link in links}:
        what: Damage = "truncated" if anchor.seq > last else "edited"
        message = f"line {anchor.seq} of the trail, the last one written, is not there; {last} is"
        yield Fault(chain.HEAD_FILE, 0, what, message)
    if known is not None and known.strip().lower() not in digests:
        message = f"no line has the digest {known.strip()[:64]}: cut off since, or written anew"
        yield Fault("", 0, "truncated", message)


def _unsafe_files(directory: Path, paths: list[Path]) -> Iterator[Fault]:
    """Report what others could read or change. Windows keeps rights where modes do not show."""
    if os.name == "nt":
        return
    owner = directory.lstat().st_uid
    for path in (directory, directory / chain.HEAD_FILE, directory / chain.LOCK_FILE, *paths):
        if not os.path.lexists(path):
            continue
        status, name = path.lstat(), "." if path == directory else path.name
        if stat.S_ISLNK(status.st_mode):
            yield Fault(name, 0, "mode", "it is a link")
        elif status.st_uid != owner:
            yield Fault(name, 0, "mode", "it belongs to another user than the directory")
        elif status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield Fault(name, 0, "mode", f"it is open to others (mode {status.st_mode & 0o777:o})")
