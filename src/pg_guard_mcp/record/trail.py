"""The trail: an append-only chain of events that several servers may share. No trail, no query.

Every append is synchronous: when `append` returns, the line is with the operating system and
survives a crash of ours. What a power cut can take is in docs/audit.md.

An append takes the lock, looks where the chain ends now, writes one line with one `write`, and
moves HEAD. Where it finds the chain's end other than it was left (a line cut off in a crash, lines
gone), it first writes an event `recovered` that says so; nothing is ever overwritten or put right
in silence.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import stat
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
from filelock import lock_descriptor, unlock_descriptor

from pg_guard_mcp.errors import AuditUnavailable, Problem
from pg_guard_mcp.record import chain, telemetry
from pg_guard_mcp.record.chain import Head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

logger = logging.getLogger(__name__)

CHECKPOINT_EVERY = 100
"""The head is told to the log and to OpenTelemetry each time so many lines have been written."""

_LOCK_POLL_SECONDS = 0.001
_IMPATIENT_SECONDS = 0.05
"""How long to wait for a lock that was once waited for in vain: nobody is served meanwhile."""
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def default_directory(profile: str) -> Path:
    """Name the directory that holds the trail of `profile` when the operator names none."""
    state = platformdirs.user_state_path("pg-guard-mcp", appauthor=False)
    return state / "audit" / re.sub(r"[^\w-]", "_", profile)


def check_directory(directory: Path, project: Path) -> Problem | None:
    """Say why `directory` cannot hold the trail of an agent at work in `project`, if it cannot.

    The agent can write in its project, and must not be able to write its own record there.
    """
    where = directory.resolve()
    if _is_project(project.resolve()) and any(
        # By inode: on a file system that ignores case, two spellings are one place.
        ancestor.exists() and ancestor.samefile(project)
        for ancestor in (where, *where.parents)
    ):
        return Problem(
            f"the audit directory {directory} is inside the project the agent works in",
            "set audit.directory to one outside of it, or leave it out for the default",
        )
    try:
        _check_owned(os.lstat(directory), stat.S_ISDIR, _OTHERS)
    except FileNotFoundError:
        return None
    except OSError as error:
        return Problem(
            f"the audit directory {directory} is not safe: {error.strerror}",
            f"use a directory of your own, closed to others: chmod 700 {directory}",
        )
    return None


class Trail:
    """The end of a chain on disk. Use `Trail.open`; safe to use from several threads."""

    def __init__(
        self,
        directory: Path,
        *,
        synced: bool,
        lock_seconds: float,
        clock: Callable[[], datetime],
    ) -> None:
        """Hold the place; `open` looks at it."""
        self._directory = directory
        self._synced = synced
        self._lock_seconds = lock_seconds
        self._clock = clock
        self._head = chain.EMPTY
        self._size = 0
        self._patience = lock_seconds

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        synced: bool = False,
        lock_seconds: float = 2.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> Trail:
        """Open the trail in `directory`, making it where there is none.

        With `synced`, every line is flushed to the disk itself before `append` returns.

        Raises: AuditUnavailable.
        """
        trail = cls(directory, synced=synced, lock_seconds=lock_seconds, clock=clock)
        with trail._failing_closed():
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_owned(os.lstat(directory), stat.S_ISDIR, _OTHERS)
            with trail._locked():
                trail._catch_up()
        return trail

    @property
    def head(self) -> str:
        """The digest of the last line this server knows of."""
        return self._head.digest

    def append(self, event: Mapping[str, object]) -> str:
        """Write `event` as the next line, with `ts`, `seq` and `prev`; give the line's digest.

        Raises: AuditUnavailable.
        """
        with self._failing_closed(), self._locked():
            if not self._is_current():
                self._catch_up()
            before, now = self._head, self._now()
            # A clock that was set back must not lead back to a file the chain has left.
            file = max(f"{now:%Y-%m-%d}.jsonl", before.file)
            self._write(file, now, event, before)
            head = self._head
        if head.seq % CHECKPOINT_EVERY == 0 or head.file != before.file:
            self.checkpoint()
        return head.digest

    def checkpoint(self) -> None:
        """Tell the head to the log and to OpenTelemetry, out of reach of who can edit the files."""
        head = self._head
        logger.info("audit_checkpoint head=%s seq=%d file=%s", head.digest, head.seq, head.file)
        telemetry.checkpoint(head.digest, head.seq)

    def _is_current(self) -> bool:
        """Tell whether the trail still ends where this server left it."""
        if self._head == chain.EMPTY or chain.read_head(self._directory) != self._head:
            return False
        try:
            return (self._directory / self._head.file).stat().st_size == self._size
        except FileNotFoundError:
            return False

    def _catch_up(self) -> None:
        """Find the end of the chain on disk, and write `recovered` where it is not as it was left.

        HEAD moves after its line, so a crash between the two leaves it one line behind: no loss.
        """
        found, prev, torn = self._find_end()
        told = chain.read_head(self._directory)
        left = told if told is not None and told.seq >= self._head.seq else self._head
        is_lost = left.digest not in {found.digest, prev}
        if torn or is_lost:
            self._recover(found, torn, left if is_lost else None)
            return
        self._head = found
        if found != chain.EMPTY:
            self._size = (self._directory / found.file).stat().st_size
            if told != found:
                chain.write_head(self._directory, found)

    def _find_end(self) -> tuple[Head, str, bytes]:
        """Find the last whole line, what it says of the line before it, and torn bytes after it."""
        torn, file = b"", ""
        for path in reversed(chain.day_files(self._directory)):
            tail = chain.read_tail(path)
            torn, file = torn or tail.torn, file or (path.name if tail.torn else "")
            if tail.entry is not None:
                found = Head(tail.digest, tail.entry.seq, file or path.name)
                return found, tail.entry.prev, torn
        return chain.EMPTY._replace(file=file), chain.GENESIS, torn

    def _recover(self, found: Head, torn: bytes, lost: Head | None) -> None:
        """Close torn bytes off as a line of their own, and say what was found."""
        now = self._now()
        event: dict[str, object] = {
            "event": "recovered",
            "after": found.digest,
            "torn_bytes": 0,
            "torn_sha256": None,
            "lost_head": lost.digest if lost else None,
            "lost_seq": lost.seq if lost else None,
        }
        before, seal = found, b""
        if torn:
            content = torn.removesuffix(b"\n")
            seal = b"" if torn.endswith(b"\n") else b"\n"
            event |= {"torn_bytes": len(content), "torn_sha256": chain.digest(content)}
            before = found._replace(digest=chain.digest(content.rsplit(b"\n", 1)[-1]))
        logger.warning(
            "audit_recovered file=%s torn_bytes=%d lost_head=%s",
            found.file,
            len(torn),
            event["lost_head"],
        )
        self._write(found.file or f"{now:%Y-%m-%d}.jsonl", now, event, before, seal)

    def _write(
        self,
        file: str,
        now: datetime,
        event: Mapping[str, object],
        before: Head,
        seal: bytes = b"",
    ) -> None:
        """Write one line after `before`, then move HEAD."""
        stamp = f"{now:%Y-%m-%dT%H:%M:%S.%f}Z"
        seq = before.seq + 1
        line = chain.encode({"ts": stamp, **event, "seq": seq, "prev": before.digest})
        content = seal + line + b"\n"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | chain.OPEN_FLAGS
        descriptor = os.open(self._directory / file, flags, 0o600)
        try:
            _check_owned(os.fstat(descriptor), stat.S_ISREG, stat.S_IWGRP | stat.S_IWOTH)
            if os.write(descriptor, content) != len(content):
                raise OSError(errno.ENOSPC, "the line was written in part")
            if self._synced:
                os.fsync(descriptor)
            self._size = os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
        self._head = Head(chain.digest(line), seq, file)
        chain.write_head(self._directory, self._head)

    def _now(self) -> datetime:
        """Tell the time in UTC, by which lines are dated and filed."""
        return self._clock().astimezone(UTC)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the trail against every other server and thread."""
        flags = os.O_RDWR | os.O_CREAT | chain.OPEN_FLAGS
        descriptor = os.open(self._directory / chain.LOCK_FILE, flags, 0o600)
        deadline = time.monotonic() + self._patience
        try:
            while not lock_descriptor(descriptor, blocking=False):
                if time.monotonic() > deadline:
                    self._patience = min(self._patience, _IMPATIENT_SECONDS)
                    raise TimeoutError(errno.ETIMEDOUT, "another process holds the lock")
                time.sleep(_LOCK_POLL_SECONDS)
            self._patience = self._lock_seconds
            try:
                yield
            finally:
                unlock_descriptor(descriptor)
        finally:
            os.close(descriptor)

    @contextmanager
    def _failing_closed(self) -> Iterator[None]:
        """Turn any failure to write into the one error that stops the call; the log has the why."""
        try:
            yield
        except OSError as error:
            place = self._directory
            logger.error("audit_unavailable directory=%s error=%s", place, error)  # noqa: TRY400 - the cause is a line, not a traceback
            raise AuditUnavailable(
                "the audit trail cannot be written", "Ask the operator; the server's log says why."
            ) from None


def _is_project(project: Path) -> bool:
    """Tell a project from a place that holds everything: some clients start servers in `/` or ~."""
    try:
        home = Path.home().resolve()
    except RuntimeError:  # a container's user may have no home
        home = Path(project.anchor)
    return project.is_dir() and not home.is_relative_to(project)


def _check_owned(status: os.stat_result, is_kind: Callable[[int], bool], forbidden: int) -> None:
    """Refuse what is a link, someone else's, or open to others. Raises: PermissionError."""
    if not is_kind(status.st_mode):
        raise PermissionError(errno.EPERM, "it is a link, or not what should be there")
    if os.name == "nt":  # Windows keeps rights in access lists, which these bits do not show.
        return
    if status.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, "it belongs to another user")
    if status.st_mode & forbidden:
        raise PermissionError(errno.EPERM, "other users may write to it or read it")
