"""What can go wrong, as a tree. Everything an agent may be told about a failed call is here.

    GuardError
    ├── Refused            refused: the policy said no, with every finding
    ├── TimedOut           timeout: the query ran into its limit
    ├── Cancelled          cancelled: the query was ended from outside
    ├── TooExpensive       too-expensive: its plan costs more than the limit
    ├── Busy               busy: no connection became free
    ├── DatabaseError      database-error: Postgres said no; our words, its SQLSTATE
    ├── Unavailable        unavailable: Postgres or the second parser cannot be had
    │   └── CatalogChanged  unavailable: a relation changed since the statement was judged
    ├── AuditUnavailable   audit-unavailable: the trail cannot be written, so nothing runs
    └── Internal           internal: a defect of ours

    ConfigurationError     what an operator reads at start-up: every problem, each with a fix

A message says what happened in one clause; a hint says the next thing to do. Neither ever holds a
row value, a credential, a driver's text or a name the agent may not see.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pg_guard_mcp.model import Finding


# Control characters, line separators and what turns text around.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def on_one_line(text: str) -> str:
    """Write `text` so that no name in it can end the line: of a table, or what an agent wrote.

    A hint stands outside the fences, so what followed would be read as ours.
    """
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


class GuardError(Exception):
    """A call ended without an answer."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, hint: str = "") -> None:
        """Keep what happened apart from what to do about it."""
        super().__init__(message)
        self.message = message
        self.hint = hint

    def as_text(self) -> str:
        """Say it as the agent reads it: `code: message`, then `hint: ...`."""
        return self._said([f"{self.code}: {self.message}"])

    def _said(self, lines: Sequence[str]) -> str:
        """Put what happened and the hint on lines of their own, whatever names stand in them."""
        hint = [f"hint: {self.hint}"] if self.hint else []
        return "\n".join(map(on_one_line, [*lines, *hint]))


class Refused(GuardError):
    """The guard will not run this statement."""

    code = "refused"

    def __init__(self, findings: Sequence[Finding]) -> None:
        """Carry every finding, so that one answer teaches them all."""
        self.findings = tuple(findings)
        hints = dict.fromkeys(finding.hint for finding in self.findings if finding.hint)
        super().__init__("; ".join(finding.message for finding in self.findings), " ".join(hints))

    def as_text(self) -> str:
        """Say it as one `refused: [rule] message` line a finding, then one hint line."""
        return self._said([f"refused: [{each.rule}] {each.message}" for each in self.findings])


class TimedOut(GuardError):
    """The query ran into its time limit and was ended on the server."""

    code = "timeout"


class Cancelled(GuardError):
    """The query was ended from outside: an administrator, a recovery conflict."""

    code = "cancelled"


class TooExpensive(GuardError):
    """The plan costs more than the operator allows, so the query was not run."""

    code = "too-expensive"


class Busy(GuardError):
    """No connection became free in time."""

    code = "busy"


class DatabaseError(GuardError):
    """Postgres refused or failed the query; `sqlstate` is its five-character code."""

    code = "database-error"

    def __init__(self, message: str, hint: str, sqlstate: str, position: int = 0) -> None:
        """Keep the SQLSTATE and the place in the SQL, which are safe: they hold no value.

        `position` counts characters of the sent SQL from 1; 0 is nowhere. `near` is the word of
        the agent's own text there, for whoever can tell.
        """
        super().__init__(message, hint)
        self.sqlstate = sqlstate
        self.position = position
        self.near = ""

    def as_text(self) -> str:
        """Say it with the SQLSTATE in front of our words, and the agent's word behind them."""
        near = f", near {self.near}" if self.near else ""
        return self._said([f"{self.code}: [{self.sqlstate}] {self.message}{near}"])


class Unavailable(GuardError):
    """Postgres cannot be reached or did not let us in, or the second parser cannot be asked."""

    code = "unavailable"


class CatalogChanged(Unavailable):
    """A relation is not what it was when the statement was judged."""


class AuditUnavailable(GuardError):
    """The trail cannot be written; without it nothing runs."""

    code = "audit-unavailable"


class Internal(GuardError):
    """A defect of ours; the log has the details, the agent has none."""

    code = "internal"


class Problem(NamedTuple):
    """One thing wrong with the configuration, and how to put it right."""

    message: str
    fix: str


class ConfigurationError(Exception):
    """The configuration cannot be used; carries every problem, each with its fix."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Carry all problems, so that an operator mends them in one go."""
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = tuple(problems)

    def as_text(self) -> str:
        """Say each problem on its own line, with its fix beneath."""
        return "\n".join(
            f"error: {problem.message}\n  fix: {problem.fix}" for problem in self.problems
        )
