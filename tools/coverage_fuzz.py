"""A coverage-guided run over classify, judge and rewrite.

    uv run --with atheris python -m tools.coverage_fuzz DIRECTORY [libFuzzer's own flags]

The guard's modules are instrumented; libFuzzer keeps what reaches a new branch in DIRECTORY, which
starts with our cases. Half of its mutations are those of `tools.mutants`. A finding is: any
exception but a refusal, a verdict that takes over two seconds of CPU, an answer that is longer
than twenty findings can be, or an admitted text that `tools.invariants` objects to.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import atheris

with atheris.instrument_imports(include=["pg_guard_mcp.guard"]):
    from pg_guard_mcp.errors import Refused
    from pg_guard_mcp.guard import policy as policies
    from pg_guard_mcp.guard.classify import classify
    from pg_guard_mcp.guard.rewrite import rewrite
    from pg_guard_mcp.guard.rules import RULES

from tests.reads import SHOP_READS
from tests.support import catalogs

from pg_guard_mcp.model import Limits
from tools.corpora import ours
from tools.invariants import broken
from tools.mutants import Mutator, taken_apart

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_CPU_SECONDS = 2.0
MAX_ANSWER_CHARACTERS = 20_000


class Found(Exception):
    """What must not be."""


def target(policy: policies.Policy) -> Callable[[bytes], None]:
    """Make the function that libFuzzer calls."""

    def judge(data: bytes) -> None:
        sql = data.decode(errors="surrogateescape")
        started = time.thread_time()
        admitted = False
        try:
            statement = classify(sql, max_bytes=Limits().max_sql_bytes)
            rewrite(policies.admit(policies.judge(statement, policy, RULES)), policy)
            admitted = True
        except Refused as refusal:
            if len(refusal.as_text()) > MAX_ANSWER_CHARACTERS:
                raise Found("a refusal without end") from None
        if time.thread_time() - started > MAX_CPU_SECONDS:
            raise Found("a slow verdict")
        if admitted and (wrong := list(broken(sql, policy))):
            raise Found(f"admitted with {wrong}")

    return judge


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Mutate bytes as libFuzzer does, or tokens as we do."""
    random = Random(seed)  # noqa: S311 - libFuzzer's own seed, to be repeated
    words = taken_apart(data.decode(errors="replace"))
    if not words or random.randrange(2):
        return bytes(atheris.Mutate(data, max_size))
    mutator = Mutator(random=random, statements=_STATEMENTS)
    return mutator.changed(words).encode(errors="surrogateescape")[:max_size]


_STATEMENTS = [
    words
    for sql in (*(case.sql for case in ours()), *(read.sql for read in SHOP_READS))
    if (words := taken_apart(sql))
]


def main(arguments: list[str]) -> Any:
    """Seed the directory with our cases, and fuzz until libFuzzer ends."""
    logging.disable(logging.CRITICAL)
    directory = Path(arguments[1])
    directory.mkdir(parents=True, exist_ok=True)
    for number, case in enumerate(ours()):
        (directory / f"case-{number}").write_bytes(case.sql.encode(errors="surrogateescape"))
    atheris.Setup(arguments, target(catalogs.policy()), custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
