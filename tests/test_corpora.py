"""Other people's statements through `decide`: no write is admitted, and no honest read refused.

The corpora are kept beside the checkout; where they are not, there is nothing to test here. They
name relations that no database of ours has, so it is the shape alone that is judged.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.reads import CORPUS

if TYPE_CHECKING:
    from collections.abc import Iterator

__test__ = CORPUS.is_dir()

DECIDE = (sys.executable, "-m", "pg_guard_mcp", "decide", "--jsonl", "--shape-only")

CATALOGS = {"no-catalogs", "no-catalog-functions"}
# What speaks against BIRD-CRITIC's reads: catalogs; functions Postgres does not have, PostGIS and
# functions their authors had defined among them; casts to `regclass`; parameters; `crosstab`, which
# runs SQL it gets as text; an advisory lock under a name of its own making.
EXPECTED_RULES = CATALOGS | {
    "allowed-functions",
    "allowed-types",
    "no-parameters",
    "no-session-state",
    "no-sql-text",
    "not-understood",
}


class Judged(NamedTuple):
    """A case of a corpus, and what was decided about it."""

    case: dict[str, Any]
    decision: dict[str, Any]

    @property
    def is_admitted(self) -> bool:
        """Tell whether it would run."""
        return bool(self.decision["verdict"] == "admitted")

    @property
    def rules(self) -> set[str]:
        """Name the rules that refuse it."""
        return {finding["rule"] for finding in self.decision["findings"]}

    @property
    def messages(self) -> str:
        """Give all that is said against it."""
        return "\n".join(finding["message"] for finding in self.decision["findings"])


@cache
def judged(corpus: str) -> tuple[Judged, ...]:
    """Judge a whole file of cases in one process."""
    text = (CORPUS / f"{corpus}.jsonl").read_bytes()
    answered = subprocess.run(DECIDE, input=text, capture_output=True, check=True)
    assert answered.stderr == b""
    cases = map(json.loads, text.splitlines())
    return tuple(
        Judged(case, decision)
        for case, decision in zip(cases, map(json.loads, answered.stdout.splitlines()), strict=True)
    )


def of_kind(corpus: str, *kinds: str) -> Iterator[Judged]:
    """Pick the cases of some kinds."""
    return (one for one in judged(corpus) if one.case["kind"] in kinds)


def ids(cases: Iterator[Judged]) -> list[str]:
    """Name cases."""
    return [one.case["id"] for one in cases]


@pytest.mark.parametrize(("corpus", "reads"), [("defog", 284), ("tpc", 121), ("mimic", 149)])
def test_no_read_of_an_analyst_is_refused(corpus: str, reads: int) -> None:
    refused = ids(one for one in of_kind(corpus, "read") if not one.is_admitted)

    assert refused == []
    assert len(list(of_kind(corpus, "read"))) >= reads


@pytest.mark.parametrize("corpus", ["bird_critic", "mimic", "monitoring", "pg_regress"])
def test_no_write_no_two_statements_and_nothing_invalid_is_admitted(corpus: str) -> None:
    others = list(of_kind(corpus, "write", "multiple", "invalid", "empty"))

    assert ids(one for one in others if one.is_admitted) == []
    assert others


def test_a_read_is_admitted_as_it_was_written() -> None:
    changed = [
        one.case["id"]
        for corpus in ("defog", "tpc", "mimic", "bird_critic", "pg_regress")
        for one in of_kind(corpus, "read")
        if one.is_admitted and one.decision["sql"] != one.case["sql"]
    ]

    assert changed == []


def test_a_refusal_has_findings_with_hints_and_no_sql() -> None:
    incomplete = [
        one.case["id"]
        for corpus in ("attacks", "bird_critic", "monitoring", "pg_regress")
        for one in judged(corpus)
        if not one.is_admitted
        and not (
            one.decision["sql"] is None
            and one.decision["findings"]
            and all(finding["hint"] and finding["message"] for finding in one.decision["findings"])
        )
    ]

    assert incomplete == []


def test_of_bird_critic_only_what_cannot_run_here_is_refused() -> None:
    reads = list(of_kind("bird_critic", "read"))
    refused = [one for one in reads if not one.is_admitted]

    assert set().union(*(one.rules for one in refused)) <= EXPECTED_RULES
    assert len(refused) <= 0.05 * len(reads)
    assert sum("not-understood" in one.rules for one in refused) <= 0.001 * len(reads)
    assert len(reads) > 2_000


def test_the_functions_refused_in_bird_critic_are_none_of_postgres() -> None:
    names = set(
        re.findall(
            r"the function (\S+) is not available",
            "\n".join(one.messages for one in of_kind("bird_critic", "read")).lower(),
        )
    )

    assert {name for name in names if not name.startswith("st_")} <= {
        "array_intersect",
        "f_gap_fill_update",
        "fn_concat",
        "get_superhero_id_columns",
        "group_concat",
        "insert_and_return_superhero",
        "instr",
        "julianday",
        "new_function",
        "pragma_table_info",
        "strftime",
        "words_get_chat",
    }


def test_of_the_honest_cases_beside_attacks_two_extension_functions_alone_are_refused() -> None:
    honest = [one for one in judged("attacks") if one.case["expected"] == "allow"]
    refused = [one for one in honest if not one.is_admitted]

    assert {one.messages for one in refused} <= {
        "the function gen_random_bytes is not available",
        "the function hstore is not available",
    }
    assert len(refused) <= 2
    assert len(honest) >= 190


def test_every_attack_whose_shape_gives_it_away_is_refused() -> None:
    """The others call what a database of theirs defines, and are refused for names."""
    admitted = {
        one.case["id"]
        for one in judged("attacks")
        if one.case["expected"] == "block" and one.is_admitted
    }

    assert admitted <= {
        "fn.file.027",
        "parse.037",
        "parse.059",
        "parse.062",
        *("udf.004", "udf.008", "udf.009", "udf.014", "udf.015", "udf.017", "udf.018", "udf.019"),
    }


def test_what_monitoring_asks_is_refused_for_the_catalogs_it_reads() -> None:
    reads = list(of_kind("monitoring", "read"))

    assert len(ids(one for one in reads if one.is_admitted)) == 1
    assert sum(bool(one.rules & CATALOGS) for one in reads) >= 0.85 * len(reads)


def test_of_postgres_s_own_regression_tests_nearly_every_read_is_understood() -> None:
    reads = list(of_kind("pg_regress", "read"))
    unread = ids(one for one in reads if "not-understood" in one.rules)

    assert len(unread) <= 0.001 * len(reads)
    assert len(reads) > 8_000
