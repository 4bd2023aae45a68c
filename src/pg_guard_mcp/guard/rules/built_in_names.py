"""Only Postgres's own objects where a text names one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.guard.named import is_builtin_object
from pg_guard_mcp.model import Finding, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.guard.policy import Policy

_WORDS = {
    "configuration": (
        "one of Postgres's own text search configurations",
        "Write 'english', 'simple' or another of them, or leave it out for the default.",
    ),
    "dictionary": (
        "one of Postgres's own text search dictionaries",
        "Write 'english_stem', 'simple' or another of them.",
    ),
    "type": (
        "the name of a built-in type",
        "Write 'integer', 'date' or another built-in type.",
    ),
}


def built_in_names(statement: Statement, _policy: Policy) -> Iterator[Finding]:
    """Refuse a text that names an object of the server, unless it is known to be a built-in one.

    `to_tsvector('hr.x', ...)` tells whether the schema exists, and `pg_input_is_valid('x', 't')`
    runs the code of the type.
    """
    for given in statement.objects:
        if not is_builtin_object(given):
            what, hint = _WORDS[given.kind]
            yield Finding(
                rule="built-in-names",
                message=f"{given.used_by} takes {what}, written out",
                hint=hint,
            )
