"""`pg-guard-mcp audit`: reads the trail back for a person, and checks that it is whole."""

from __future__ import annotations

import argparse
import json
import sys
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pg_guard_mcp.cli import configuration
from pg_guard_mcp.record import chain
from pg_guard_mcp.record.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console

_EXCERPT_CHARACTERS = 100
_STYLES = {"admitted": "green", "refused": "red", "finished": "dim", "recovered": "yellow"}


class _Event(NamedTuple):
    """What one line says, and where it stands."""

    place: str
    fields: Mapping[str, object]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe `audit` and its commands to the command line."""
    audit = subparsers.add_parser("audit", help="read the trail and check that it is whole")
    commands = audit.add_subparsers(dest="audit_command", required=True, metavar="COMMAND")
    tail = commands.add_parser("tail", help="the last events, a line each")
    tail.add_argument("-n", "--lines", type=_count, default=20, metavar="N", help="how many (20)")
    show = commands.add_parser("show", help="all that is on record about one call")
    show.add_argument("call_id", metavar="CALL_ID")
    check = commands.add_parser(
        "verify",
        help="check every line and link; exit 1 when anything was changed",
        description="Check every line, link and file mode. Exit 0: whole. Exit 1: changed.",
    )
    check.add_argument(
        "--head",
        metavar="DIGEST",
        help="a head that the server's log or a trace told you: the trail must still hold it",
    )
    for command in (tail, show, check):
        command.add_argument(
            "--directory", type=Path, metavar="DIR", help="the trail, if not the profile's own"
        )
        configuration.add_flags(command)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked and give the exit code. Raises: ConfigurationError."""
    directory = arguments.directory or configuration.audit_directory(configuration.load(arguments))
    try:
        if arguments.audit_command == "tail":
            return _tail(directory, arguments.lines)
        if arguments.audit_command == "show":
            return _show(directory, arguments.call_id)
        return _verify(directory, arguments.head)
    except OSError as error:
        reason = f"the trail in {directory} cannot be read: {error.strerror}"
        return _fail(f"{reason}\n  fix: name another with --directory", code=2)


def printable(text: str, *, keep: str = "") -> str:
    """Spell out what a terminal would act on: control, bidirectional and invisible characters.

    The SQL on the trail is the agent's own; shown raw it could move the cursor and paint over the
    very line that tells on it.
    """
    return "".join(
        character
        if character.isprintable() or character in keep
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def _tail(directory: Path, count: int) -> int:
    """Print the last events, oldest first."""
    last: list[_Event] = []
    for path in reversed(chain.day_files(directory)):
        last = [*_events(path, count - len(last)), *last]
        if len(last) >= count:
            break
    console = _console()
    for event in last:
        _print(console, _summary(event), str(event.fields.get("event", "")))
    return 0


def _show(directory: Path, call_id: str) -> int:
    """Print every event of one call, field by field."""
    found = [
        event
        for path in chain.day_files(directory)
        for event in _events(path)
        if event.fields.get("call_id") == call_id
    ]
    if not found:
        return _fail(f"no call {printable(call_id)} is on the trail", code=1)
    console = _console()
    for event in found:
        kind = str(event.fields.get("event"))
        _print(console, f"{kind}  {event.place}", kind)
        for name, value in event.fields.items():
            if name != "event" and value not in (None, "", [], {}):
                _print(console, f"  {name}: {_shown(value)}")
    return 0


def _verify(directory: Path, head: str | None) -> int:
    """Print what is wrong with the trail, a line each, or that nothing is."""
    verification = verify(directory, head=head)
    size = f"lines: {verification.lines}, files: {verification.files}"
    count, sealed = len(verification.problems), verification.sealed
    for problem in verification.problems:
        place = f"{problem.file}:{problem.line}" if problem.line else problem.file
        sys.stdout.write(
            printable(f"{place or '--head'}: {problem.what}: {problem.message}") + "\n"
        )
    if not verification.intact:
        return _fail(f"the trail is not whole (problems: {count}, {size})", code=1)
    torn = f", torn in a crash and closed off: {sealed}" if sealed else ""
    sys.stdout.write(f"the trail is whole ({size}{torn})\nhead: {verification.head}\n")
    return 0


def _events(path: Path, count: int | None = None) -> Iterator[_Event]:
    """Read the events of one file, or its last `count` lines."""
    for line in deque(chain.lines(path), maxlen=count):
        entry = chain.parse(line.content)
        unreadable = {"event": "unreadable", "ts": "-"}
        yield _Event(f"{path.name}:{line.number}", entry.event if entry else unreadable)


def _summary(event: _Event) -> str:
    """Say an event in one line."""
    fields = event.fields
    parts = [fields.get("ts"), fields.get("event"), fields.get("tool"), fields.get("call_id")]
    if fields.get("event") == "finished":
        parts += [fields.get("outcome"), fields.get("sqlstate"), f"{fields.get('seconds')} s"]
        if fields.get("rows") is not None:
            parts += [f"{fields.get('rows')} rows", f"{fields.get('bytes')} bytes"]
    elif fields.get("event") in ("admitted", "refused"):
        parts += [fields.get("rules") or None, _excerpt(fields.get("sql") or fields["arguments"])]
    else:
        parts.append(event.place)
    return "  ".join(_shown(part) for part in parts if part)


def _excerpt(value: object) -> str:
    """Cut a statement to what fits a line."""
    text = " ".join(_shown(value).split())
    return text if len(text) <= _EXCERPT_CHARACTERS else f"{text[:_EXCERPT_CHARACTERS]}..."


def _shown(value: object) -> str:
    """Show a field's value; a statement keeps its lines."""
    text = value if isinstance(value, str) else json.dumps(value)
    return printable(text, keep="\n\t").replace("\n", "\n    ")


def _console() -> Console:
    """Open stdout for a person."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def _print(console: Console, text: str, event: str = "") -> None:
    """Print one line, coloured by event where the terminal has colours."""
    console.print(text, style=_STYLES.get(event, ""))


def _fail(message: str, *, code: int) -> int:
    """Say what went wrong on stderr."""
    sys.stderr.write(f"error: {message}\n")
    return code


def _count(text: str) -> int:
    """Read a number of lines."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
