"""Our labelled cells and tables in, precision and recall of each detector and its speed out.

    uv run python -m tools.detector_benchmark [--misses]

A cell with a value counts as found only if it became exactly what it must: the mark in the value's
place, all else untouched, the form still valid. A mark anywhere else counts as a false alarm.
Speed is over text that holds nothing, all detectors of the default policy on, the median of runs.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable
from random import Random
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from pg_guard_mcp.guard.detectors import DEFAULT_DETECTORS, DETECTORS, mask
from pg_guard_mcp.model import ResultColumn, ResultSet
from tools.detector_cases import SEED, cases
from tools.detector_lookalikes import NEGATIVE
from tools.detector_tables import tables
from tools.detector_values import digits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MARK = re.compile(rf"\[({'|'.join(DETECTORS)})\]")
_BYTES = 4_000_000
_RUNS = 7


class Miss(NamedTuple):
    """A cell that did not become what it should have."""

    detector: str
    what: str
    cell: str
    became: str


class Score(NamedTuple):
    """How often a detector was right."""

    detector: str
    found: int
    missed: int
    false_alarms: int

    @property
    def precision(self) -> float:
        """Return the share of its marks that stand where they should."""
        return _share(self.found, self.false_alarms)

    @property
    def recall(self) -> float:
        """Return the share of the values that it found."""
        return _share(self.found, self.missed)


def _share(right: int, wrong: int) -> float:
    return right / (right + wrong) if right + wrong else 1.0


Judge = Callable[[int], tuple[list[Score], list[Miss], int]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tools.detector_benchmark", description=__doc__)
    parser.add_argument("--misses", action="store_true", help="show each cell that went wrong")
    parser.add_argument("--seed", type=int, default=SEED, help="of the labelled sets")
    parser.add_argument("--no-speed", action="store_true", help="leave out the speed")
    options = parser.parse_args(arguments)
    for name, judge in (("VALUES", judge_cases), ("CELLS OF TABLES", judge_tables)):
        scores, misses, count = judge(options.seed)
        sys.stdout.write("\n".join(_report(name, scores, count)) + "\n\n")
        for miss in misses if options.misses else ():
            shown = f"{miss.cell[:200]!r} -> {miss.became[:200]!r}"
            sys.stdout.write(f"  {miss.detector or '-'}  {miss.what}: {shown}\n")
    if not options.no_speed:
        sys.stdout.write("\n".join(_speeds()) + "\n")
    return 0


def judge_cases(seed: int = SEED) -> tuple[list[Score], list[Miss], int]:
    """Mask each cell of the labelled set alone, every detector on."""
    misses, found = [], []
    made = cases(seed)
    for case in made:
        column = ResultColumn("c", case.type)
        masked, _ = mask(ResultSet(columns=(column,), rows=[(case.cell,)]), DETECTORS)
        became = masked.rows[0][0] or ""
        if became != case.expected:
            misses.append(Miss(case.detector, case.what, case.cell, became))
        elif case.detector:
            found.append(case.detector)
    return scored(found, misses), misses, len(made)


def judge_tables(seed: int = SEED) -> tuple[list[Score], list[Miss], int]:
    """Mask each table as a whole, every detector on."""
    misses, found, count = [], [], 0
    for table in tables(seed):
        masked, _ = mask(table.result, DETECTORS)
        for before, after, labels in zip(table.result.rows, masked.rows, table.labels, strict=True):
            columns = table.result.columns
            for column, old, new, label in zip(columns, before, after, labels, strict=True):
                count += 1
                marks = set(_MARK.findall(new or ""))
                if marks != ({label} if label else set()):
                    what = f"{table.name}.{column.name}"
                    misses.append(Miss(label, what, old or "", new or ""))
                elif label:
                    found.append(label)
    return scored(found, misses), misses, count


def scored(found: list[str], misses: list[Miss]) -> list[Score]:
    """Count for each detector what it found, missed and should not have found."""
    scores = []
    for detector in DETECTORS:
        alarms = sum(
            detector in _MARK.findall(miss.became) and miss.detector != detector for miss in misses
        )
        missed = sum(miss.detector == detector for miss in misses)
        scores.append(Score(detector, found.count(detector), missed, alarms))
    return scores


def _report(name: str, scores: list[Score], count: int) -> Iterator[str]:
    yield f"{name}: {count:,}"
    heads = f"{'found':>6} {'missed':>7} {'alarms':>7} {'precision':>10} {'recall':>8}"
    yield f"  {'detector':<14} {heads}"
    for score in scores:
        yield (
            f"  {score.detector:<14} {score.found:>6} {score.missed:>7} {score.false_alarms:>7}"
            f" {100 * score.precision:>9.2f}% {100 * score.recall:>7.2f}%"
        )


_WORDS = (
    "the customer wrote that a well-known order from last week has not arrived at our warehouse, so"
    " we (again) asked the carrier: it's on its way. Delivery is expected on Monday or Tuesday"
).split()


def _prose(source: Random) -> str:
    return " ".join(source.choice(_WORDS) for _ in range(60))


def _uuids(source: Random) -> str:
    names = ("request", "session", "order", "trace")
    return " ".join(f"{name}={NEGATIVE['uuid'](source)}" for name in names)


def _document(source: Random) -> str:
    return json.dumps(
        {
            "order_id": source.randrange(10**9),
            "customer": {"name": "Ann Lee", "city": "Oslo", "vip": False},
            "items": [{"sku": f"CH-{digits(source, 4)}-OAK", "price": source.randrange(9999) / 100}]
            * 3,
            "created_at": "2026-05-01T12:00:00Z",
        }
    )


def _escaped(source: Random) -> str:
    return json.dumps({"message": json.dumps({"id": source.randrange(10**6), "name": "Zoë"})})


def _digits(source: Random) -> str:
    return (
        f"2026-05-{source.randint(10, 28)} 12:{source.randint(10, 59)}:11.{digits(source, 6)}"
        f" pid={digits(source, 5)} ms={NEGATIVE['epoch millis'](source)} size={digits(source, 8)}"
        f" id=1{digits(source, 15)} {digits(source, 3)} {digits(source, 4)}"
    )


TEXTS: dict[str, Callable[[Random], str]] = {
    "prose": _prose,
    "four UUIDs a row": _uuids,
    "a UUID a cell": NEGATIVE["uuid"],
    "JSON": _document,
    "JSON in JSON": _escaped,
    "logs of digits": _digits,
    "base64": NEGATIVE["base64 image"],
    "prose beyond ASCII": lambda source: (
        _prose(source).replace("o", "ö") + " \u2013 \u201cok\u201d"
    ),
}

HOSTILE = (
    *("4", "4111 ", "4111-1111-1111-1112 ", "123-45-", "DE89 ", "#AA00", "eyJ", "eyJaaaaaaaaaa."),
    *("-----BEGIN PRIVATE KEY-----", "-a", "\\", "\\u0034", '"', "[", '{"a":', "://", "://a:"),
    *("a@", "a.", "+1-", "(555) ", "0 ", "sk-a", "SG.aaaaaaaaaaaaaaaaa", "AKIA", "ghp_", "_a"),
    *(
        "key=",
        "password=",
        "host=password=",
        '"kty"',
        '"d":"',
        "LS0tLS1CRUdJTi",
        "PuTTY-User-Key-File-2: ",
    ),
    *(
        "%34",
        "&#52;",
        "\u200b4",
        "\uff14",
        "ssn 123",
        "\\x34",
        "0151 234",
        "+49 30 9",
        "555-234-5678 ",
    ),
)


def _speeds() -> Iterator[str]:
    yield f"SPEED on text that holds nothing, MB/s of CPU time (median and best of {_RUNS})"
    for name, make in TEXTS.items():
        source = Random(SEED)  # noqa: S311 - the same texts in every run
        cells: list[tuple[str | None, ...]] = []
        size = 0
        while size < _BYTES:
            cell = make(source)
            cells.append((cell,))
            size += len(cell.encode())
        result = ResultSet(columns=(ResultColumn("c", "text"),), rows=cells)
        times = [_seconds(result) for _ in range(_RUNS)]
        _, changed = mask(result, DEFAULT_DETECTORS)
        yield (
            f"  {name:<20} {size / median(times) / 1e6:>7.1f} {size / min(times) / 1e6:>7.1f}"
            f"{f'   {changed} of {len(cells)} cells are masked' if changed else ''}"
        )
    yield "TIME over hostile text of n and of 2n characters, all detectors on, seconds of CPU time"
    for unit in HOSTILE:
        once, twice = (
            _seconds(
                ResultSet(
                    columns=(ResultColumn("c", "text"),), rows=[(unit * (size // len(unit)),)]
                ),
                DETECTORS,
            )
            for size in (200_000, 400_000)
        )
        yield f"  {unit!r:<34} {once:>7.3f} {twice:>7.3f}  x {twice / once:.1f}"


def _seconds(result: ResultSet, enabled: tuple[str, ...] = DEFAULT_DETECTORS) -> float:
    start = time.process_time()
    mask(result, enabled)
    return time.process_time() - start


if __name__ == "__main__":
    sys.exit(main())
