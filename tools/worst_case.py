"""A search for the text inside the bounds that keeps the server longest.

    uv run python -m tools.worst_case [--seconds 300] [--seed 1] [--json] [--keep]

Recipes (`tools.recipes`) are made at random, changed a little, and kept when they got slower: a
small population for each class, the best of which are tried in every other class. A class is a
size, or `plain`: what the server reads without help. What is measured is the CPU time the server
itself spends. The second parser counts where it runs in the server, which it does for plain texts
alone; elsewhere it has a process and a deadline of its own. Each text is tried in a process that
is ended when it takes too long. `--keep` writes the records to `tests/corpus/slow`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from tests.support.slow import DIRECTORY

from pg_guard_mcp.errors import GuardError, Refused
from pg_guard_mcp.guard import grammar
from pg_guard_mcp.guard import policy as policies
from pg_guard_mcp.guard.agreement import Sighting
from pg_guard_mcp.guard.classify import confirmed, first_reading, gate, read_here, understanding
from pg_guard_mcp.guard.rules import RULES
from pg_guard_mcp.model import Limits
from tools.recipes import FRAMES, UNITS, Recipe, changed, random_recipe

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from pg_guard_mcp.guard.classify import Draft, Gated

PLAIN, PLAIN_BYTES = "plain", 4_000
CLASSES = {PLAIN: PLAIN_BYTES, "1 kB": 1_000, "5 kB": 5_000, "15 kB": 15_000, "50 kB": 50_000}
WEIGHTS = (8, 4, 3, 3, 1)
POPULATION = 24
KIN = 4
"""How many of a population may share their unit: it must not become copies of one thing."""
FRESH = 0.15
"""How many recipes are made from nothing."""
DEADLINE_SECONDS = 3.0
_MAX_BYTES = Limits().max_sql_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A text, how long its verdict took, and what it was."""

    recipe: Recipe
    text: str
    microseconds: float
    outcome: str


@dataclass(slots=True, kw_only=True)
class Search:
    """The slowest found so far, by class."""

    random: Random
    worker: Worker
    known: re.Pattern[str]
    admitted_only: bool = False
    best: dict[str, list[Trial]] = field(default_factory=lambda: {name: [] for name in CLASSES})
    tried: int = 0

    def step(self) -> None:
        """Try one text, and its recipe in other classes if it is a record."""
        (name,) = self.random.choices(tuple(CLASSES), weights=WEIGHTS)
        population = self.best[name]
        if len(population) < POPULATION or self.random.random() < FRESH:
            recipe = random_recipe(self.random)
        else:
            # A tournament of three: the better ones have more descendants.
            parent = min(self.random.choices(range(len(population)), k=3))
            recipe = population[parent].recipe
            everybody = [trial.recipe for trials in self.best.values() for trial in trials]
            for _ in range(self.random.choice((1, 1, 2, 4))):
                recipe = changed(recipe, everybody, self.random)
        if self.consider(recipe, name):
            for other in CLASSES:
                if other != name:
                    self.consider(recipe, other)

    def consider(self, recipe: Recipe, name: str) -> bool:
        """Judge a recipe's text in one class; tell whether it is among the slowest."""
        text = written(recipe, name)
        if text is None or self.known.search(text) or not is_sql(recipe):
            return False
        self.tried += 1
        microseconds, outcome = self.worker.judge(text)
        population = self.best[name]
        floor = population[-1].microseconds if len(population) >= POPULATION else 0.0
        if microseconds <= floor or (self.admitted_only and outcome != "admitted"):
            return False
        for _ in range(2):
            microseconds = min(microseconds, self.worker.judge(text)[0])
        kin = [one for one in population if one.recipe.unit == recipe.unit]
        slower = microseconds > floor and all(trial.text != text for trial in population)
        if not slower or (len(kin) >= KIN and kin[-1].microseconds >= microseconds):
            return False
        if len(kin) >= KIN:
            population.remove(kin[-1])
        population.append(
            Trial(recipe=recipe, text=text, microseconds=microseconds, outcome=outcome)
        )
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
        self.judge("SELECT f(1) UNION SELECT a FROM t")  # whatever is read once is read now


def _serve(connection: Connection) -> None:
    """Judge what comes."""
    with suppress(EOFError):
        while True:
            connection.send(judged(connection.recv()))


def judged(text: str) -> tuple[float, str]:
    """Judge a text by its shape; return the CPU time that the server itself would spend."""
    policy = policies.shape_only()
    started = time.thread_time_ns()
    try:
        gated = gate(text, max_bytes=_MAX_BYTES)
        if is_read_here(gated):
            statement = read_here(gated)
        else:
            draft = first_reading(gated)
            with understanding():
                statement = confirmed(draft, _agreeing(draft) if draft.is_read else None)
        rules = [finding.rule for finding in policies.judge(statement, policy, RULES).findings]
    except GuardError as error:
        rules = [finding.rule for finding in error.findings] if isinstance(error, Refused) else []
    return (time.thread_time_ns() - started) / 1e3, ",".join(sorted(set(rules))) or "admitted"


def is_read_here(gated: Gated) -> bool:
    """Tell whether the server reads a text without help; as in `judging`."""
    return gated.is_plain and len(gated.sql) <= PLAIN_BYTES


def _agreeing(draft: Draft) -> Sighting:
    """Make up what a second parser that agrees would have seen."""
    return Sighting(
        relations={(use.schema, use.name) for use in draft.facts.relations},
        spelled={use.name for use in draft.facts.functions if use.notation == "call"},
    )


def written(recipe: Recipe, name: str) -> str | None:
    """Write a recipe as long as its class allows; None: it does not fit."""
    size = CLASSES[name]
    if name != PLAIN:
        text = recipe.text(size)
        return text if len(text.encode()) <= size else None
    shortest, longest = 1, size
    found = None
    while shortest <= longest:
        middle = (shortest + longest) // 2
        text = recipe.text(middle)
        if _is_plain(text):
            found, shortest = text, middle + 1
        else:
            longest = middle - 1
    return found


def _is_plain(text: str) -> bool:
    try:
        return is_read_here(gate(text, max_bytes=_MAX_BYTES))
    except GuardError:
        return False


def is_sql(recipe: Recipe) -> bool:
    """Tell whether Postgres's grammar takes the recipe; what it does not is refused at once."""
    try:
        grammar.parse(recipe.text(1))
    except (grammar.NotSql, grammar.TooDeep, UnicodeEncodeError):
        return False
    return True


def main(arguments: list[str] | None = None) -> int:
    """Search, and report."""
    parser = argparse.ArgumentParser(prog="python -m tools.worst_case")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true", help="write the records to the corpus")
    parser.add_argument(
        "--without",
        type=re.compile,
        default=re.compile("(?!)"),
        metavar="REGEX",
        help="leave out texts like this, to look past what is known",
    )
    parser.add_argument("--admitted", action="store_true", help="keep what is admitted alone")
    options = parser.parse_args(arguments)
    search = Search(
        random=Random(options.seed),  # noqa: S311 - a search, not a secret
        worker=Worker(),
        known=options.without,
        admitted_only=options.admitted,
    )
    for frame in FRAMES:
        for unit in UNITS:
            search.consider(Recipe(frame=frame, unit=unit), PLAIN)
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
                "class": name,
                "microseconds": trial.microseconds,
                "outcome": trial.outcome,
                "sql": trial.text,
            }
            for name, trials in search.best.items()
            for trial in trials
        ]
        sys.stdout.write(json.dumps({"tried": search.tried, "slowest": found}, indent=1) + "\n")
        return
    sys.stdout.write(f"{search.tried:,} texts tried\n")
    for name, trials in search.best.items():
        sys.stdout.write(f"\n{name}\n")
        for trial in trials[:10]:
            frame, core = trial.recipe.frame, trial.recipe.core()
            shape = f"{frame.before}[{core}]{frame.between}...{frame.after}"
            sys.stdout.write(f"{trial.microseconds:>12,.0f} us  {trial.outcome:<24.24} {shape}\n")


def keep(search: Search) -> None:
    """Write the slowest three of each class as recipes."""
    lines = ["# Written by `uv run python -m tools.worst_case --keep`."]
    for name, trials in search.best.items():
        for number, trial in enumerate(trials[:3], 1):
            parts = {
                "name": f"found for {name}, {number}: {trial.microseconds / 1e3:,.0f} ms then",
                "before": trial.recipe.frame.before,
                "unit": trial.recipe.core(),
                "between": trial.recipe.frame.between,
                "after": trial.recipe.frame.after,
                "bytes": len(trial.text.encode()),
            }
            # A JSON text is a TOML text too.
            lines += ["", "[[text]]", *(f"{key} = {json.dumps(parts[key])}" for key in parts)]
    (DIRECTORY / "found.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
