"""A search for the text inside the bounds that takes the guard longest.

    uv run python -m tools.worst_case [--seconds 300] [--seed 1] [--json] [--keep]

Recipes (`tools.recipes`) are made at random, changed a little, and kept when they got slower: a
small population for each class of size, the best of which are tried in every other class. Each
text is judged in a process of its own, which is ended when it takes too long or dies with the
parser. Time is the CPU's, least of three for whatever looks like a record. `--keep` writes the
records to `tests/corpus/slow`, where a test finds them.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from pg_guard_mcp.errors import GuardError
from pg_guard_mcp.guard import grammar
from pg_guard_mcp.guard import policy as policies
from pg_guard_mcp.guard.classify import classify
from pg_guard_mcp.guard.rules import RULES
from pg_guard_mcp.model import Limits
from tools.recipes import FRAMES, UNITS, Recipe, changed, random_recipe

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

CLASSES = (1_000, 5_000, 15_000, 50_000)
DIRECTORY = Path(__file__).parents[1] / "tests" / "corpus" / "slow"
POPULATION = 24
KIN = 4
"""How many of a population may share their unit: it must not become copies of one thing."""
FRESH = 0.15
"""How many recipes are made from nothing."""
DEADLINE_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A text, how long its verdict took, and what it was."""

    recipe: Recipe
    max_bytes: int
    text: str
    microseconds: float
    outcome: str


@dataclass(slots=True, kw_only=True)
class Search:
    """The slowest found so far, by class of size."""

    random: Random
    worker: Worker
    known: re.Pattern[str]
    best: dict[int, list[Trial]] = field(default_factory=lambda: {size: [] for size in CLASSES})
    tried: int = 0

    def step(self) -> None:
        """Try one text, and its recipe in other sizes if it is a record."""
        size = self.random.choices(CLASSES, weights=(8, 5, 3, 1))[0]
        population = self.best[size]
        if len(population) < POPULATION or self.random.random() < FRESH:
            recipe = random_recipe(self.random)
        else:
            # A tournament of three: the better ones have more descendants.
            parent = min(self.random.choices(range(len(population)), k=3))
            recipe = population[parent].recipe
            everybody = [trial.recipe for trials in self.best.values() for trial in trials]
            for _ in range(self.random.choice((1, 1, 2, 4))):
                recipe = changed(recipe, everybody, self.random)
        if self.consider(recipe, size):
            for other in CLASSES:
                if other != size:
                    self.consider(recipe, other)

    def consider(self, recipe: Recipe, size: int) -> bool:
        """Judge a recipe's text in one size; tell whether it is among the slowest."""
        text = recipe.text(size)
        if len(text.encode()) > size or self.known.search(text) or not is_sql(recipe):
            return False
        self.tried += 1
        microseconds, outcome = self.worker.judge(text)
        population = self.best[size]
        floor = population[-1].microseconds if len(population) >= POPULATION else 0.0
        if microseconds <= floor:
            return False
        for _ in range(2):
            microseconds = min(microseconds, self.worker.judge(text)[0])
        if microseconds <= floor or any(trial.text == text for trial in population):
            return False
        trial = Trial(
            recipe=recipe, max_bytes=size, text=text, microseconds=microseconds, outcome=outcome
        )
        kin = [one for one in population if one.recipe.unit == recipe.unit]
        if len(kin) >= KIN:
            if kin[-1].microseconds >= microseconds:
                return False
            population.remove(kin[-1])
        population.append(trial)
        population.sort(key=lambda one: -one.microseconds)
        del population[POPULATION:]
        return True


class Worker:
    """A process that judges texts, and is made anew when one of them takes it down."""

    def __init__(self) -> None:
        """Start it."""
        self._context = multiprocessing.get_context("spawn")
        self._start()

    def judge(self, text: str) -> tuple[float, str]:
        """Return the microseconds one verdict took, and the verdict."""
        self._connection.send(text)
        try:
            if self._connection.poll(DEADLINE_SECONDS):
                microseconds, outcome = self._connection.recv()
                return float(microseconds), str(outcome)
        except EOFError:
            self._process.join()
            died = f"died with {self._process.exitcode}"
            self._start()
            return DEADLINE_SECONDS * 1e6, died
        self.close()
        self._start()
        return DEADLINE_SECONDS * 1e6, "not in time"

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.join()

    def _start(self) -> None:
        self._connection, theirs = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()


def _serve(connection: Connection) -> None:
    """Judge what comes."""
    while True:
        connection.send(judged(connection.recv()))


def judged(text: str) -> tuple[float, str]:
    """Judge a text by its shape, and measure it."""
    policy, max_bytes = policies.shape_only(), Limits().max_sql_bytes
    started = time.thread_time_ns()
    try:
        verdict = policies.judge(classify(text, max_bytes=max_bytes), policy, RULES)
        rules = [finding.rule for finding in verdict.findings]
    except GuardError as error:
        rules = [finding.rule for finding in getattr(error, "findings", ())] or [error.code]
    return (time.thread_time_ns() - started) / 1e3, ",".join(sorted(set(rules))) or "admitted"


def is_sql(recipe: Recipe) -> bool:
    """Tell whether Postgres's grammar takes the recipe; what it does not is refused at once."""
    try:
        grammar.parse(recipe.text(1))
    except (grammar.NotSql, grammar.TooDeep, UnicodeEncodeError):
        return False
    return True


def main(arguments: list[str] | None = None) -> int:
    """Search, and report."""
    parser = argparse.ArgumentParser(prog="python -m tools.worst_case", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true", help=f"write the records to {DIRECTORY}")
    parser.add_argument(
        "--without",
        type=re.compile,
        default=re.compile("(?!)"),
        metavar="REGEX",
        help="leave out texts like this, to look past what is known",
    )
    options = parser.parse_args(arguments)
    search = Search(random=Random(options.seed), worker=Worker(), known=options.without)  # noqa: S311 - a search, not a secret
    for frame in FRAMES:
        for unit in UNITS:
            search.consider(Recipe(frame=frame, unit=unit), 1_000)
    deadline = time.monotonic() + options.seconds
    while time.monotonic() < deadline:
        search.step()
    search.worker.close()
    write(search, as_json=options.json)
    if options.keep:
        keep(search)
    return 0


def write(search: Search, *, as_json: bool) -> None:
    """Report the slowest of each class."""
    if as_json:
        found = [
            {
                "max_bytes": size,
                "microseconds": trial.microseconds,
                "outcome": trial.outcome,
                "sql": trial.text,
            }
            for size, trials in search.best.items()
            for trial in trials
        ]
        sys.stdout.write(json.dumps({"tried": search.tried, "slowest": found}, indent=1) + "\n")
        return
    sys.stdout.write(f"{search.tried:,} texts tried\n")
    for size, trials in search.best.items():
        sys.stdout.write(f"\nup to {size:,} bytes\n")
        for trial in trials[:10]:
            frame, core = trial.recipe.frame, trial.recipe.core()
            shape = f"{frame.before}[{core}]{frame.between}...{frame.after}"
            sys.stdout.write(f"{trial.microseconds:>12,.0f} us  {trial.outcome:<24.24} {shape}\n")


def keep(search: Search) -> None:
    """Write the slowest three of each class as cases."""
    for size, trials in search.best.items():
        for number, trial in enumerate(trials[:3], 1):
            path = DIRECTORY / f"{size}-{number}.sql"
            path.write_text(trial.text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
