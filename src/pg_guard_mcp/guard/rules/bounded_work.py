"""No work that constants alone show to be too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.model import Finding, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.guard.policy import Policy

MAX_AMOUNTS = {
    "characters": 10_000_000,
    "combinations": 1_000_000_000,
    "descents": 1,
    "elements": 10_000_000,
    "endless": 0,
    "needle": 10_000,
    "points": 1_000,
    "rows": 10_000_000,
    "set": 1_000,
}
"""How much of each a statement may be sure to ask for.

Measured on 15 and 18, two cores: ten million rows of generate_series take 1 s and 140 MB of
temporary files, ten million characters 30 MB, ten million elements 90 MB, ten million gathered into
one array 3 s and 300 MB. A hundred times that are gigabytes, which no limit of a transaction stops.
A billion combinations take a minute. Points, needles and sets are compared each with each, without
a look at the timeout: two paths of 10,000 points ran for 120 s under one of 2 s. Two descents
through one document made a gigabyte in 2 s.
"""

_MANY = 10**15
"""Larger numbers are not read out."""
_WORDS = {
    "characters": (
        "{name} would build {least} characters or more in one value",
        "Build at most {most:,}; left(), substr() and GROUP BY keep values short.",
    ),
    "combinations": (
        "{name} would combine its items into {least} rows or more",
        "Join them ON a condition, or generate fewer rows.",
    ),
    "descents": (
        "{name} descends through the whole document {least} times",
        "Write .** once: it reaches every level already.",
    ),
    "elements": (
        "{name} would build {least} elements or more",
        "Build at most {most:,}.",
    ),
    "endless": (
        "the recursive query {name} has no end",
        "End it: WHERE n < 1000 in its second half, or a LIMIT on what reads it.",
    ),
    "needle": (
        "{name} would look for a text of {least} characters or more",
        "Look for at most {most:,} of them.",
    ),
    "points": (
        "{name} would make a polygon of {least} points",
        "Make at most {most:,}.",
    ),
    "rows": (
        "{name} would make {least} rows or more",
        "Make at most {most:,}, in larger steps.",
    ),
    "set": (
        "{name} would go by a set of {least} characters or more",
        "Name at most {most:,} characters; regexp_replace takes classes of them.",
    ),
}


def bounded_work(statement: Statement, _policy: Policy) -> Iterator[Finding]:
    """Refuse what would take gigabytes or hours, as far as the statement's constants prove it.

    A timeout does not stop memory in time, and some of Postgres's functions do not look at it. What
    depends on rows is let through and meets the limits of the transaction.
    """
    for amount in statement.amounts:
        most = MAX_AMOUNTS[amount.what]
        if amount.least > most:
            message, hint = _WORDS[amount.what]
            yield Finding(
                rule="bounded-work",
                message=message.format(name=amount.name, least=f"{min(amount.least, _MANY):,}"),
                hint=hint.format(most=most),
            )
