"""Every case there is, in one form: ours, and other people's where they lie beside the checkout."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tests.reads import CORPUS
from tests.support.corpus import load_cases

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Answer = Literal["refuse", "admit", "either"]

OURS = "ours"
HONEST = ("bird_critic", "defog", "tpc", "mimic", "attacks", "pg_regress")
"""Corpora with honest reads in them."""
_BY_EXPECTED: dict[str, Answer] = {"block": "refuse", "allow": "admit"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One statement, and what its author wants said of it."""

    corpus: str
    id: str
    sql: str
    tool: str
    answer: Answer
    label: str
    schema: str = ""


def ours() -> Iterator[Case]:
    """Give the cases of `tests/corpus`, which name relations of the demo shop."""
    for case in load_cases():
        yield Case(
            corpus=OURS,
            id=f"{case.rule}: {case.name}",
            sql=case.sql,
            tool="query",
            answer="refuse" if case.refused_by else "admit",
            label="refused" if case.refused_by else "allowed",
        )


def cases(corpus: str, directory: Path = CORPUS) -> Iterator[Case]:
    """Give the cases of one corpus; none where it is not there."""
    path = directory / f"{corpus}.jsonl"
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        expected = case.get("expected")
        answer: Answer = (
            _BY_EXPECTED.get(expected, "either")
            if expected
            else ("admit" if case["kind"] == "read" else "refuse")
        )
        yield Case(
            corpus=corpus,
            id=case["id"],
            sql=case["sql"],
            tool=case.get("tool", "query"),
            answer=answer,
            label=expected or case["kind"],
            schema=case.get("schema", ""),
        )
