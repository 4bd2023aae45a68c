"""The cases of `tests/corpus`, read once and checked for form: a case that says nothing fails."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DIRECTORY = Path(__file__).parents[1] / "corpus"

_KEYS = {"name", "sql", "refused_by"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One statement, and every rule that must refuse it; none means it must be admitted."""

    rule: str
    """The rule whose file it is in."""
    name: str
    sql: str
    refused_by: frozenset[str]


@cache
def load_cases() -> tuple[Case, ...]:
    """Return every case, file by file.

    Raises:
        ValueError: a case has no name, no SQL, a key of its own making, or a name used before.

    """
    return tuple(case for path in sorted(DIRECTORY.glob("*.toml")) for case in _cases(path))


def _cases(path: Path) -> list[Case]:
    tables = tomllib.loads(path.read_text(encoding="utf-8"))["case"]
    for table in tables:
        if not table.get("name") or "sql" not in table or not _KEYS.issuperset(table):
            message = f"{path.name}: {table} is no case"
            raise ValueError(message)
    names = [table["name"] for table in tables]
    if repeated := {name for name in names if names.count(name) > 1}:
        message = f"{path.name}: used twice: {sorted(repeated)}"
        raise ValueError(message)
    return [
        Case(
            rule=path.stem,
            name=table["name"],
            sql=table["sql"],
            refused_by=frozenset(table.get("refused_by", ())),
        )
        for table in tables
    ]
