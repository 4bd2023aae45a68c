"""The texts of `tests/corpus/slow`: what once took the guard long, or was found to take longest.

They are kept as recipes, for the longest has 50,000 bytes.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple

DIRECTORY = Path(__file__).parents[1] / "corpus" / "slow"

_KEYS = {"name", "before", "unit", "between", "after", "bytes"}


class SlowText(NamedTuple):
    """A text, and how it was made."""

    name: str
    text: str


def slow_texts() -> list[SlowText]:
    """Write every text out: a frame, and as many units in it as fit.

    Raises:
        ValueError: a recipe has no name, no unit, or a key of its own making.

    """
    found = []
    for path in sorted(DIRECTORY.glob("*.toml")):
        for table in tomllib.loads(path.read_text(encoding="utf-8"))["text"]:
            if not _KEYS.issuperset(table) or not table.get("name") or not table.get("unit"):
                message = f"{path.name}: {table} is no recipe"
                raise ValueError(message)
            text = written(
                table.get("before", ""),
                table["unit"],
                table.get("between", ""),
                table.get("after", ""),
                table["bytes"],
            )
            found.append(SlowText(table["name"], text))
    return found


def written(before: str, unit: str, between: str, after: str, max_bytes: int) -> str:
    """Write as many units as fit into `max_bytes`, and one at least."""
    room = max_bytes - len((before + after).encode())
    each = len((unit + between).encode())
    count = max(1, (room + len(between.encode())) // each)
    return f"{before}{between.join([unit] * count)}{after}"
