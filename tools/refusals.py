"""A refusal in, whether the guard's contract asks for it out: the reviewed `refusals.toml`."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pg_guard_mcp.catalog import BUILTIN_TYPES
from pg_guard_mcp.guard import functions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pg_guard_mcp.model import Finding

_KEYS = {"rule", "message", "unless", "why"}


class Line(NamedTuple):
    """One line of the review."""

    rule: str
    message: re.Pattern[str]
    unless_builtin: bool
    why: str

    def fits(self, finding: Finding) -> bool:
        """Tell whether a finding says what this line is about.

        `unless = "builtin"`: the name in the message must be none that Postgres itself has. A
        function or type of its own that nobody reviewed is a gap of ours, not the contract.
        """
        match = self.message.search(finding.message)
        if finding.rule != self.rule or match is None:
            return False
        if not self.unless_builtin:
            return True
        name = finding.message.split()[2].rpartition(".")[2]
        return not (functions.is_builtin(name) or name.removeprefix("_") in BUILTIN_TYPES)


@cache
def lines() -> tuple[Line, ...]:
    """Read the review.

    Raises:
        ValueError: a line has no rule, no reason, or a key of its own making.

    """
    tables: list[dict[str, Any]] = tomllib.loads(
        Path(__file__).with_name("refusals.toml").read_text(encoding="utf-8")
    )["contract"]
    for table in tables:
        if not _KEYS.issuperset(table) or not table.get("rule") or not table.get("why"):
            message = f"refusals.toml: {table} is no line"
            raise ValueError(message)
    return tuple(
        Line(
            table["rule"],
            re.compile(table.get("message", "")),
            table.get("unless") == "builtin",
            table["why"],
        )
        for table in tables
    )


def contract(findings: Iterable[Finding]) -> str | None:
    """Return why the contract refuses a statement, or None: it was honest.

    One finding is enough: without it the statement would be another one.
    """
    found: Sequence[Finding] = tuple(findings)
    return next(
        (line.why for line in lines() for finding in found if line.fits(finding)),
        None,
    )
