"""What the guard lets in, whom it turns away and how long it takes: one report.

    uv run python -m tools.guard_benchmark [--corpus DIR] [--json] [--short]

Dangerous statements admitted must be 0. Honest reads refused are split by `refusals.toml` into
those the contract refuses (catalogs, settings, other people's functions) and honest ones, of which
each is listed. Times are of a cold verdict: nothing of it is kept from call to call. `--corpus`
names the directory of other people's statements; without it only our own cases are judged, and
`--short` leaves out what needs Postgres. Exit 1: something dangerous was admitted, or two readings
disagreed.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tests.reads import CORPUS

from tools import agreement, honesty, verdict_times
from tools.corpora import HONEST, cases, ours

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.oracle import Agreement

    from tools.honesty import Tally

RATES = {"bird_critic": 0.001, "defog": 0.001, "tpc": 0.001, "mimic": 0.001, "pg_regress": 0.02}
"""How many of a corpus' reads may be refused that the contract does not refuse; else none."""

_SHOWN = 100


def main(arguments: list[str] | None = None) -> int:
    """Measure, and report."""
    parser = argparse.ArgumentParser(prog="python -m tools.guard_benchmark")
    parser.add_argument("--corpus", type=Path, default=CORPUS, metavar="DIR")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--short", action="store_true", help="without Postgres; what CI runs")
    options = parser.parse_args(arguments)
    tallies = list(judge_everything(options.corpus, with_database=not options.short))
    times = verdict_times.measure(options.corpus)
    worst = verdict_times.worst()
    agreements = {} if options.short else agreement.count(options.corpus)
    good = not any(tally.admitted for tally in tallies) and not any(
        each.disagreements for each in agreements.values()
    )
    if options.json:
        report = {
            "corpora": [asdict(tally) for tally in tallies],
            "times": [time._asdict() for time in times],
            "worst": [one._asdict() for one in worst],
            "agreement": {name: asdict(each) for name, each in agreements.items()},
            "good": good,
        }
        sys.stdout.write(json.dumps(report, indent=1) + "\n")
    else:
        sys.stdout.write("\n".join(_lines(tallies, times, worst, agreements)) + "\n")
    return 0 if good else 1


def judge_everything(directory: Path, *, with_database: bool) -> Iterator[Tally]:
    """Judge every corpus there is, by shape and on the databases that are ours to make."""
    yield honesty.tally("ours, on the shop", ours(), honesty.shop_policy())
    for corpus in (*HONEST, "monitoring"):
        found = list(cases(corpus, directory))
        if corpus == "attacks":
            # Some call what their database defines, and are dangerous by their names alone.
            found = [case for case in found if case.answer == "admit"]
        if found:
            yield honesty.tally(f"{corpus}, by shape", found, honesty.shape_policy())
    attacks = [case for case in cases("attacks", directory) if case.answer == "refuse"]
    if with_database and attacks:
        yield honesty.tally(
            "attacks, on the lab as superuser", attacks, honesty.lab_policy(directory)
        )


def _lines(
    tallies: list[Tally],
    times: list[verdict_times.Times],
    worst: list[verdict_times.Worst],
    agreements: Mapping[str, Agreement],
) -> Iterator[str]:
    yield "DANGEROUS STATEMENTS ADMITTED"
    for tally in tallies:
        yield f"  {tally.name:<34} {len(tally.admitted):>4} of {tally.dangerous:,}"
        for case, sql in tally.admitted:
            yield f"      {case}  {_short(sql)}"
    yield ""
    yield "HONEST READS REFUSED, what the contract refuses left out"
    for tally in tallies:
        refused = len(tally.refused)
        share = 100 * refused / tally.honest if tally.honest else 0.0
        allowed = RATES.get(tally.name.partition(",")[0], 0.0)
        yield (
            f"  {tally.name:<34} {refused:>4} of {tally.honest:<6,} {share:6.2f}%"
            f"  (target {100 * allowed:.1f}%, contract {sum(tally.contract.values())})"
        )
        for one in tally.refused:
            yield f"      {one.case}  [{one.rule}] {one.message}  {_short(one.sql)}"
    yield ""
    yield "READS THE CONTRACT REFUSES, by reason"
    reasons = sorted({why for tally in tallies for why in tally.contract})
    for why in reasons:
        counts = ", ".join(
            f"{tally.name.partition(',')[0]} {tally.contract[why]}"
            for tally in tallies
            if why in tally.contract
        )
        yield f"  {why}: {counts}"
    yield ""
    yield "VERDICT TIME, microseconds of CPU for one cold verdict (median, p90, p99)"
    for row in times:
        yield (
            f"  {row.what:<34} {row.median:>8,.0f} {row.p90:>8,.0f} {row.p99:>8,.0f}"
            f"   over {row.statements:,}; median x {row.ratio:.2f} of the second parser alone"
        )
    yield ""
    yield "SLOWEST TEXTS (tests/corpus/slow), milliseconds of the server's own CPU"
    for slow in worst:
        yield f"  {slow.milliseconds:>8,.1f}  {slow.size:>6,} bytes  {slow.name} ({slow.outcome})"
    if agreements:
        yield ""
        yield "AGREEMENT WITH POSTGRES'S OWN ANALYZER"
    for name, each in agreements.items():
        counted = ", ".join(f"{value} {key}" for key, value in asdict(each).items() if value)
        yield f"  {name}: {counted}".replace("_", " ")


def _short(sql: str) -> str:
    text = " ".join(sql.split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


if __name__ == "__main__":
    sys.exit(main())
