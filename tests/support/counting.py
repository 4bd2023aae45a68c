"""Texts in on stdin, how many calls the second parser makes for each out: its work, not its time.

Run as a program: the parser is compiled, and compiled code cannot be counted, so this process
imports its plain Python, which takes the same steps.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Plain:
    """Finds the plain Python of sqlglot's modules, and nothing else."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, _target: object = None
    ) -> ModuleSpec | None:
        """Answer for sqlglot alone."""
        if name.partition(".")[0] != "sqlglot":
            return None
        for place in path or sys.path:
            finder = FileFinder(place, (SourceFileLoader, [".py"]))
            if spec := finder.find_spec(name):
                return spec
        return None


def calls(texts: Sequence[str]) -> list[int]:
    """Return how many Python calls each text costs the second parser."""
    answered = subprocess.run(
        (sys.executable, "-m", "tests.support.counting"),
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
    )
    counts: list[int] = json.loads(answered.stdout)
    return counts


def calls_of(work: Callable[[], object]) -> int:
    """Count the calls that some work makes: its cost, whatever else the machine does."""
    made = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal made
        made += event == "call"

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return made


def _count(text: str) -> int:
    from pg_guard_mcp.guard import syntax
    from pg_guard_mcp.guard.agreement import Disagreement, NotParsed

    def read() -> None:
        with suppress(NotParsed, Disagreement):
            syntax.read(text)

    return calls_of(read)


if __name__ == "__main__":
    sys.meta_path.insert(0, Plain())
    import logging

    logging.disable(logging.CRITICAL)
    _count("SELECT a FROM t")
    sys.stdout.write(json.dumps([_count(text) for text in json.load(sys.stdin)]))
