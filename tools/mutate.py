"""Every rule and branch of the guard, turned around one at a time, must make a test fail.

    uv run --with coverage python -m tools.mutate [--modules rules policy] [--sample 100]
        [--seconds 3600] [--json FILE]

The tests of the guard that need no Postgres are collected once. A first run under coverage tells
which of them reach each line. Then each mutation (`tools.mutations`) gets a fork of this process,
its functions are given the mutated code, and only those tests run, until one fails. What no test
notices there is tried once more in a fresh process, where the module is mutated before anybody
imports it. Whatever survives that is listed, but for what `survivors.toml` explains. Exit 1: less
than nine in ten were noticed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
import tomllib
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tools import swapping
from tools.importing import import_mutated
from tools.mutations import Mutation, mutated, mutations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
GUARD = SOURCE / "pg_guard_mcp" / "guard"
TESTS = ("tests/guard",)
PYTEST = (
    *("-x", "-p", "no:cacheprovider", "-p", "no:terminal"),
    *("-o", "addopts=", "-m", "not clients and not slow"),
)
DATABASES = {"postgres", "postgres15", "each_postgres", "fresh_shop"}
_FALLBACK = ("tests/guard/test_corpus.py", "tests/guard/test_policy.py")
"""For a module of which no line runs in a test: it is all import."""
PATIENCE = 5.0
"""A mutation that makes the tests take so many times as long is noticed, like one that hangs."""
LONGEST_SECONDS = 3_600.0
WANTED = 0.9


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of one module's mutations."""

    module: str
    killed: int = 0
    explained: int = 0
    survivors: list[Mutation] = field(default_factory=list)

    @property
    def tried(self) -> int:
        """Count them."""
        return self.killed + self.explained + len(self.survivors)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line asks for."""

    modules: Sequence[str]
    sample: int | None
    deadline: float


class NoDatabase:
    """Leaves out the tests that need Postgres."""

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Keep the others."""
        out = [item for item in items if DATABASES & set(getattr(item, "fixturenames", ()))]
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


class Mutating:
    """Mutates instead of running the tests, once they are collected."""

    def __init__(self, wanted: Wanted) -> None:
        """Keep what to mutate."""
        self._wanted = wanted
        self.outcomes: list[Outcome] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Find out who reaches what, then mutate module by module."""
        reached = reaching(session.items)
        for path in sorted(GUARD.rglob("*.py")):
            name = path.relative_to(GUARD).as_posix()
            if any(part in name for part in self._wanted.modules):
                tests = {line: names for line, names in reached[name].items() if names}
                self.outcomes.append(mutate(path, tests, session.items, self._wanted))
                _say(self.outcomes[-1])
        return True


def main(arguments: list[str] | None = None) -> int:
    """Mutate, and report."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutate")
    parser.add_argument("--modules", nargs="*", default=[""], help="part of a module's path")
    parser.add_argument("--sample", type=int, help="so many of each module's, chosen by chance")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    os.chdir(ROOT)
    mutating = Mutating(
        Wanted(
            modules=options.modules,
            sample=options.sample,
            deadline=time.monotonic() + options.seconds,
        )
    )
    pytest.main([*PYTEST, *TESTS], plugins=[NoDatabase(), mutating])
    if options.json:
        plain = [asdict(outcome) for outcome in mutating.outcomes]
        options.json.write_text(json.dumps(plain, indent=1), encoding="utf-8")
    tried = sum(outcome.tried for outcome in mutating.outcomes)
    killed = sum(outcome.killed + outcome.explained for outcome in mutating.outcomes)
    sys.stdout.write(f"\n{killed} of {tried} killed or explained: {killed / max(tried, 1):.1%}\n")
    return 0 if killed >= WANTED * tried else 1


def mutate(
    path: Path, reached: Mapping[int, set[str]], items: Sequence[pytest.Item], wanted: Wanted
) -> Outcome:
    """Try every mutation of one module, or a sample of them."""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    outcome = Outcome(module=path.relative_to(GUARD).as_posix())
    explained = set(_explained(outcome.module))
    everything = set().union(*reached.values()) or set(_FALLBACK)
    started = time.monotonic()
    if not _passes(path, None, everything, LONGEST_SECONDS):
        message = f"the tests of {outcome.module} fail before it is mutated"
        raise RuntimeError(message)
    seconds = PATIENCE * (time.monotonic() - started)
    chosen = mutations(source)
    if wanted.sample is not None and wanted.sample < len(chosen):
        chosen = Random(1).sample(chosen, wanted.sample)  # noqa: S311 - the same ones every time
    for mutation in chosen:
        if time.monotonic() > wanted.deadline:
            break
        # A line that runs at import is reached by no test, and matters to all of them.
        tests = reached.get(mutation.line) or everything
        if (lines[mutation.line - 1].strip(), mutation.what) in explained:
            outcome.explained += 1
        elif _passes(path, mutation.number, tests, seconds, items) and _passes(
            path, mutation.number, tests, seconds
        ):
            outcome.survivors.append(mutation)
        else:
            outcome.killed += 1
    return outcome


def _passes(
    path: Path,
    number: int | None,
    tests: set[str],
    seconds: float,
    items: Sequence[pytest.Item] = (),
) -> bool:
    """Tell whether `tests` pass with one mutation, or none.

    With `items`, which this process has collected, they run in a fork of it; else in a process
    that imports everything anew.
    """
    own_first = _own_tests_first(path)
    if items:
        chosen = [item for item in items if _function(item) in tests]
        chosen.sort(key=lambda item: own_first(item.nodeid))
        return _in_a_fork(lambda: _run_swapped(path, number, chosen), seconds)
    return _in_a_fork(lambda: _run_anew(path, number, sorted(tests, key=own_first)), seconds)


def _in_a_fork(work: Callable[[], bool], seconds: float) -> bool:
    """Do something in a fork, silently; False if it takes too long or dies."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        try:
            passed = work()
        except BaseException:  # noqa: BLE001 - whatever a mutation does to the tests, it is noticed
            passed = False
        os._exit(0 if passed else 1)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status == 0
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _run_swapped(path: Path, number: int | None, items: Sequence[pytest.Item]) -> bool:
    """Mutate what is imported, and run tests that are collected; True if nobody notices."""
    guard = [module for name, module in sys.modules.items() if ".guard" in name]
    module = sys.modules.get(_name(path))
    if module is None or number is None:
        return True
    if not swapping.swap(module, mutated(path.read_text(encoding="utf-8"), number)):
        return True
    swapping.forget(guard)
    for item, following in zip(items, [*items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if item.session.testsfailed:
            return False
    return True


def _run_anew(path: Path, number: int | None, tests: Sequence[str]) -> bool:
    """Import everything, one module of it mutated, and run tests; True if nobody notices."""
    for name in [name for name in sys.modules if name.startswith(("pg_guard_mcp", "tests"))]:
        del sys.modules[name]
    if number is not None:
        import_mutated(_name(path), path, mutated(path.read_text(encoding="utf-8"), number))
    status = pytest.main([*PYTEST, *(tests or TESTS)], plugins=[NoDatabase()])
    return status == pytest.ExitCode.OK


def reaching(items: Sequence[pytest.Item]) -> dict[str, dict[int, set[str]]]:
    """Run the tests once in a fork, and find which of them reach each line, by module."""
    with tempfile.TemporaryDirectory() as directory:
        data_file = Path(directory) / "coverage"
        if not _in_a_fork(lambda: _run_covered(data_file, items), LONGEST_SECONDS):
            failed = data_file.with_name("failed")
            which = failed.read_text(encoding="utf-8") if failed.exists() else "in time"
            message = f"the tests fail before anything is mutated: {which}"
            raise RuntimeError(message)
        return _read_coverage(data_file)


def _run_covered(data_file: Path, items: Sequence[pytest.Item]) -> bool:
    import coverage

    measured = coverage.Coverage(data_file=str(data_file), source=[str(GUARD)], config_file=False)
    measured.start()
    for item, following in zip(items, [*items[1:], None], strict=True):
        measured.switch_context(_function(item))
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if item.session.testsfailed:
            data_file.with_name("failed").write_text(item.nodeid, encoding="utf-8")
            return False
    measured.stop()
    measured.save()
    return True


def _read_coverage(data_file: Path) -> dict[str, dict[int, set[str]]]:
    import coverage

    data = coverage.CoverageData(str(data_file))
    data.read()
    found: dict[str, dict[int, set[str]]] = defaultdict(dict)
    for measured in data.measured_files():
        name = Path(measured).relative_to(GUARD).as_posix()
        for line, contexts in data.contexts_by_lineno(measured).items():
            found[name][line] = {context for context in contexts if context}
    return found


def _function(item: pytest.Item) -> str:
    """Name a test without its parameters."""
    return item.nodeid.partition("[")[0]


def _own_tests_first(path: Path) -> Callable[[str], tuple[bool, str]]:
    """Order tests so that those named after the module come first: they notice most."""
    return lambda test: (f"test_{path.stem}.py" not in test, test)


def _name(path: Path) -> str:
    """Name the module in a file."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _explained(module: str) -> Iterator[tuple[str, str]]:
    """Yield the survivors that are known to change nothing: the line, and the mutation."""
    path = Path(__file__).with_name("survivors.toml")
    tables: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))["survivor"]
    for table in tables:
        if table["module"] == module:
            yield table["line"], table["what"]


def _say(outcome: Outcome) -> None:
    lines = (GUARD / outcome.module).read_text(encoding="utf-8").splitlines()
    out = sys.__stdout__ or sys.stdout  # pytest has put its own in place
    out.write(
        f"\n{outcome.module}: {outcome.killed} killed, {outcome.explained} explained,"
        f" {len(outcome.survivors)} survive of {outcome.tried}"
    )
    for one in outcome.survivors:
        out.write(f"\n    {one.line}: {one.what}: {lines[one.line - 1].strip()}")
    out.flush()


if __name__ == "__main__":
    sys.exit(main())
