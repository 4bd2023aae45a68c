"""Have everything go wrong that may, and print what came of it.

    uv run python -m tools.faults [WORD ...] [--major 15] [--json]

With words, only the faults whose name holds one of them. Network namespaces, file systems of their
own and a clock that jumps need Linux, root, iproute2 and faketime; what a machine has not is said
and left out. Exit 1: an answer was wrong, or something was lost or left.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.cluster import Cluster
from tests.support.postgres import postgres_15_with_shop, postgres_18_with_shop

from tools.faults import FAULTS
from tools.faults.trial import tried

if TYPE_CHECKING:
    from tools.faults.trial import Figures

_SERVERS = {18: postgres_18_with_shop, 15: postgres_15_with_shop}
_COLUMNS = (
    "fault",
    "sent",
    "verdicts",
    "lost",
    "wrong",
    "backends",
    "connections",
    "slowest",
    "well",
)
_WIDTHS = 34, 7, 9, 5, 6, 9, 12, 9, 7


def main(arguments: list[str] | None = None) -> int:
    """Try the faults, and report."""
    parser = argparse.ArgumentParser(prog="python -m tools.faults")
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--major", type=int, choices=_SERVERS, default=18, help="of Postgres")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    chosen = [
        fault
        for fault in FAULTS
        if not options.words or any(word in fault.name for word in options.words)
    ]
    if not options.json:
        _say(_row(dict(zip(_COLUMNS, _COLUMNS, strict=True))))
    good = True
    with tempfile.TemporaryDirectory() as directory, _SERVERS[options.major]() as server:
        cluster = Cluster(server.server)
        for number, fault in enumerate(chosen):
            if fault.needs is not None and (missing := fault.needs()):
                _say(f"{fault.name}: left out, for there is no {missing}")
                continue
            place = Path(directory) / str(number)
            figures = asyncio.run(tried(fault, server, cluster, place))
            good = good and figures.is_good
            _say(json.dumps(asdict(figures)) if options.json else _told(figures))
    return 0 if good else 1


def _told(figures: Figures) -> str:
    cells = asdict(figures) | {
        "wrong": len(figures.wrong),
        "slowest": f"{figures.slowest:.1f} s",
        "well": f"{figures.well:.1f} s",
    }
    ends = ", ".join(f"{code} {count}" for code, count in sorted(figures.codes.items()))
    lines = [_row(cells), f"    {ends}" + (f"; {figures.remark}" if figures.remark else "")]
    return "\n".join([*lines, *(f"    WRONG {wrong[:300]}" for wrong in figures.wrong[:10])])


def _row(cells: dict[str, object]) -> str:
    first, *rest = _COLUMNS
    text = f"{cells[first]!s:<{_WIDTHS[0]}}"
    return text + "".join(
        f"{cells[name]!s:>{width}}" for name, width in zip(rest, _WIDTHS[1:], strict=True)
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
