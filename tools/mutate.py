"""Every rule and branch of the guard, turned around one at a time, must make a test fail.

    uv run --with coverage python -m tools.mutate [--modules rules policy] [--sample 100]
        [--seconds 3600] [--json FILE]

The tests of the guard that need no Postgres run once under coverage, which tells which of them
reach each line. Then each mutation (`tools.mutations`) gets a process of its own with the mutated
module in it, and only those tests run, until one fails. A mutation that no test notices survives;
`survivors.toml` has the ones that change nothing anybody could see, with the reason. Exit 1: less
than nine in ten were killed.
"""

from __future__ import annotations

import argparse
import ast
import importlib.machinery
import importlib.util
import json
import os
import signal
import sys
import tempfile
import time
import tomllib
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tools.mutations import Mutation, mutated, mutations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import CodeType

    import coverage

ROOT = Path(__file__).resolve().parents[1]
GUARD = ROOT / "src" / "pg_guard_mcp" / "guard"
TESTS = ("tests/guard",)
DATABASES = {"postgres", "postgres15", "each_postgres", "fresh_shop"}
_FALLBACK = ("tests/guard/test_corpus.py", "tests/guard/test_policy.py")
"""For a module that runs at import alone."""
DEADLINE_SECONDS = 60.0
WANTED = 0.9
_PRELOADED = ("sqlglot.dialects.postgres", "sqlglot.parsers.postgres", "pgparse", "asyncpg")


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


class Without(importlib.machinery.SourceFileLoader):
    """Imports one module with a mutation in it."""

    def __init__(self, name: str, path: Path, number: int | None) -> None:
        """Keep which; without a number it is the module as it is."""
        super().__init__(name, str(path))
        source = path.read_text(encoding="utf-8")
        self._mutated = ast.parse(source) if number is None else mutated(source, number)

    def find_spec(self, name: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        """Answer for the one module."""
        if name != self.name:
            return None
        places = [str(Path(self.path).parent)] if self.is_package(name) else None
        return importlib.util.spec_from_file_location(
            name, self.path, loader=self, submodule_search_locations=places
        )

    def get_code(self, _name: str) -> CodeType:
        """Compile what was mutated, never what was cached."""
        return compile(self._mutated, self.path, "exec")


class NoDatabase:
    """Leaves out the tests that need Postgres."""

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Keep the others."""
        out = [item for item in items if DATABASES & set(getattr(item, "fixturenames", ()))]
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


class Contexts:
    """Tells coverage which test runs, all parameters of it taken together."""

    def __init__(self, measured: coverage.Coverage) -> None:
        """Keep whom to tell."""
        self._measured = measured

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Tell it."""
        self._measured.switch_context(item.nodeid.partition("[")[0])


def main(arguments: list[str] | None = None) -> int:
    """Mutate, and report."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutate")
    parser.add_argument("--modules", nargs="*", default=[""], help="part of a module's path")
    parser.add_argument("--sample", type=int, help="so many of each module's, chosen by chance")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    os.chdir(ROOT)
    for name in _PRELOADED:  # once here, and not in every process
        importlib.import_module(name)
    reached = reaching()
    deadline = time.monotonic() + options.seconds
    outcomes = []
    for path in sorted(GUARD.rglob("*.py")):
        name = path.relative_to(GUARD).as_posix()
        if any(part in name for part in options.modules) and time.monotonic() < deadline:
            outcomes.append(mutate(path, reached[name], options.sample, deadline))
            _say(outcomes[-1])
    if options.json:
        options.json.write_text(json.dumps([_plain(outcome) for outcome in outcomes], indent=1))
    tried = sum(outcome.tried for outcome in outcomes)
    killed = sum(outcome.killed + outcome.explained for outcome in outcomes)
    sys.stdout.write(f"{killed} of {tried} killed or explained: {killed / max(tried, 1):.1%}\n")
    return 0 if killed >= WANTED * tried else 1


def mutate(
    path: Path, reached: Mapping[int, set[str]], sample: int | None, deadline: float
) -> Outcome:
    """Try every mutation of one module, or a sample of them."""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    outcome = Outcome(module=path.relative_to(GUARD).as_posix())
    explained = set(_explained(outcome.module))
    everything = set().union(*reached.values()) or set(_FALLBACK)
    if is_killed(path, None, everything):
        message = f"the tests of {outcome.module} fail, or are not found, before it is mutated"
        raise RuntimeError(message)
    chosen = mutations(source)
    if sample is not None and sample < len(chosen):
        chosen = Random(1).sample(chosen, sample)  # noqa: S311 - the same ones every time
    for mutation in chosen:
        if time.monotonic() > deadline:
            break
        # A line that runs at import is reached by no test, and matters to all of them.
        tests = reached.get(mutation.line) or everything
        if (lines[mutation.line - 1].strip(), mutation.what) in explained:
            outcome.explained += 1
        elif is_killed(path, mutation.number, tests):
            outcome.killed += 1
        else:
            outcome.survivors.append(mutation)
    return outcome


def is_killed(path: Path, number: int | None, tests: Iterable[str]) -> bool:
    """Run `tests` in a process of their own, with one mutation or none; tell whether one fails."""
    child = os.fork()
    if child == 0:
        _run_mutated(path, number, sorted(tests, key=_own_tests_first(path)))
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status != 0
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def _own_tests_first(path: Path) -> Callable[[str], tuple[bool, str]]:
    """Order tests so that those named after the module come first: they notice most."""
    return lambda test: (f"test_{path.stem}.py" not in test, test)


def _run_mutated(path: Path, number: int | None, tests: Sequence[str]) -> None:
    """Run in the child, and never return."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    parts = path.relative_to(ROOT / "src").with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    sys.meta_path.insert(0, Without(name, path, number))
    try:
        status = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests], plugins=[NoDatabase()])
    except BaseException:  # noqa: BLE001 - whatever a mutation does to the tests, it is noticed
        os._exit(1)
    # None of the tests could be collected: the mutation was noticed at import.
    os._exit(0 if status == pytest.ExitCode.OK else 1)


def reaching() -> dict[str, dict[int, set[str]]]:
    """Run the tests once, and find which of them reach each line, by module."""
    with tempfile.TemporaryDirectory() as directory:
        data_file = Path(directory) / "coverage"
        child = os.fork()
        if child == 0:
            _run_covered(data_file)
        _, status = os.waitpid(child, 0)
        if status != 0:
            message = "the tests fail before anything is mutated"
            raise RuntimeError(message)
        return _read_coverage(data_file)


def _run_covered(data_file: Path) -> None:
    """Run in the child, and never return."""
    import coverage

    measured = coverage.Coverage(data_file=str(data_file), source=[str(GUARD)], config_file=False)
    measured.start()
    status = pytest.main(
        ["-q", "-p", "no:cacheprovider", *TESTS], plugins=[NoDatabase(), Contexts(measured)]
    )
    measured.stop()
    measured.save()
    os._exit(int(status))


def _read_coverage(data_file: Path) -> dict[str, dict[int, set[str]]]:
    import coverage

    data = coverage.CoverageData(str(data_file))
    data.read()
    found: dict[str, dict[int, set[str]]] = defaultdict(dict)
    for measured in data.measured_files():
        name = Path(measured).relative_to(GUARD).as_posix()
        for line, contexts in data.contexts_by_lineno(measured).items():
            if tests := {context for context in contexts if context}:
                found[name][line] = tests
    return found


def _explained(module: str) -> Iterator[tuple[str, str]]:
    """Yield the survivors that are known to change nothing: the line, and the mutation."""
    path = Path(__file__).with_name("survivors.toml")
    tables: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))["survivor"]
    for table in tables:
        if table["module"] == module:
            yield table["line"], table["what"]


def _say(outcome: Outcome) -> None:
    lines = (GUARD / outcome.module).read_text(encoding="utf-8").splitlines()
    sys.stdout.write(
        f"{outcome.module}: {outcome.killed} killed, {outcome.explained} explained,"
        f" {len(outcome.survivors)} survive of {outcome.tried}\n"
    )
    for one in outcome.survivors:
        sys.stdout.write(f"    {one.line}: {one.what}: {lines[one.line - 1].strip()}\n")
    sys.stdout.flush()


def _plain(outcome: Outcome) -> dict[str, object]:
    return {
        "module": outcome.module,
        "killed": outcome.killed,
        "explained": outcome.explained,
        "survivors": [(one.line, one.what) for one in outcome.survivors],
    }


if __name__ == "__main__":
    sys.exit(main())
