"""How long a verdict takes: over honest reads beside the parsers alone, and over slow texts."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, NamedTuple

import sqlglot
from tests.support.slow import slow_texts

from pg_guard_mcp.errors import GuardError
from pg_guard_mcp.guard import grammar
from pg_guard_mcp.guard import policy as policies
from pg_guard_mcp.guard.classify import classify
from pg_guard_mcp.guard.rules import RULES
from pg_guard_mcp.model import Limits
from tools.corpora import cases, ours
from tools.worst_case import judged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

AGENTS = ("bird_critic", "defog")
ANALYSTS = ("tpc", "mimic")


class Times(NamedTuple):
    """The distribution of one measurement, and its median beside that of sqlglot's parse."""

    what: str
    statements: int
    median: float
    p90: float
    p99: float
    ratio: float


class Worst(NamedTuple):
    """One slow text."""

    name: str
    size: int
    milliseconds: float
    outcome: str


def measure(directory: Path) -> list[Times]:
    """Measure verdicts and both parsers over the same honest reads, in one run."""
    found: list[Times] = []
    for what, corpora in (("agents", AGENTS), ("analysts", ANALYSTS)):
        reads = [
            case.sql
            for corpus in corpora
            for case in cases(corpus, directory)
            if case.answer == "admit" and _is_admitted(case.sql)
        ]
        if reads:
            found += _measured(what, reads)
    own = [case.sql for case in ours() if case.answer == "admit" and _is_admitted(case.sql)]
    return found or _measured("our own", own)


def worst() -> list[Worst]:
    """Measure the slow texts that are checked in, each the faster of two tries."""
    found = []
    for name, text in slow_texts():
        microseconds, outcome = min(judged(text) for _ in range(2))
        found.append(Worst(name, len(text.encode()), microseconds / 1e3, outcome))
    return sorted(found, key=lambda one: -one.milliseconds)


def _measured(what: str, reads: Sequence[str]) -> list[Times]:
    policy, max_bytes = policies.shape_only(), Limits().max_sql_bytes

    def verdict(sql: str) -> object:
        return policies.judge(classify(sql, max_bytes=max_bytes), policy, RULES)

    second = _times(_parsed, reads)
    rows = {
        "classify and judge": _times(verdict, reads),
        "sqlglot's parse alone": second,
        "libpg_query's parse alone": _times(grammar.parse, reads),
    }
    return [
        Times(
            f"{what}: {name}",
            len(times),
            _at(times, 0.5),
            _at(times, 0.9),
            _at(times, 0.99),
            _at(times, 0.5) / _at(second, 0.5),
        )
        for name, times in rows.items()
    ]


def _times(work: Callable[[str], object], reads: Sequence[str]) -> list[float]:
    """Return sorted microseconds of CPU; each text is seen once, after a few others."""
    for sql in reads[:20]:
        work(sql)
    gc.collect()
    times = []
    for sql in reads:
        started = time.thread_time_ns()
        work(sql)
        times.append((time.thread_time_ns() - started) / 1e3)
    return sorted(times)


def _at(times: Sequence[float], share: float) -> float:
    return times[min(int(len(times) * share), len(times) - 1)]


def _parsed(sql: str) -> object:
    try:
        return sqlglot.parse(sql, read="postgres")
    except sqlglot.errors.SqlglotError:
        return None  # read in plainer grammar by the guard


def _is_admitted(sql: str) -> bool:
    try:
        statement = classify(sql, max_bytes=Limits().max_sql_bytes)
    except GuardError:
        return False
    return not policies.judge(statement, policies.shape_only(), RULES).findings
