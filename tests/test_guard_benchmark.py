"""The benchmark tells what is dangerous and what is honest, and fails when it must."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from tools import guard_benchmark, refusals

from pg_guard_mcp.model import Finding

if TYPE_CHECKING:
    from pathlib import Path

HONEST = {"id": "1", "kind": "read", "sql": "SELECT a FROM t"}
CATALOG = {"id": "2", "kind": "read", "sql": "SELECT relname FROM pg_class"}
WRITE = {"id": "3", "kind": "write", "sql": "DELETE FROM t"}
READ_CALLED_WRITE = {"id": "4", "kind": "write", "sql": "SELECT b FROM t"}
UNREADABLE = {"id": "5", "kind": "read", "sql": "SELECT set('t')"}


def report(
    directory: Path, capsys: pytest.CaptureFixture[str], *cases: dict[str, str]
) -> tuple[int, dict[str, Any]]:
    """Run the short form over a corpus of these cases."""
    lines = "\n".join(json.dumps(case) for case in cases)
    (directory / "bird_critic.jsonl").write_text(lines, encoding="utf-8")
    code = guard_benchmark.main(["--short", "--json", "--corpus", str(directory)])
    return code, json.loads(capsys.readouterr().out)


def test_our_own_cases_alone_make_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = guard_benchmark.main(["--short", "--corpus", str(tmp_path)])

    said = capsys.readouterr().out
    assert code == 0
    assert re.search(r"DANGEROUS STATEMENTS ADMITTED\n  ours, on the shop +0 of \d{3}\n", said)
    assert "classify and judge" in said
    assert "SLOWEST TEXTS" in said


def test_an_honest_read_a_catalog_and_a_write_are_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = report(tmp_path, capsys, HONEST, CATALOG, WRITE)

    _, tally = found["corpora"]
    assert code == 0
    assert (tally["dangerous"], tally["admitted"]) == (1, [])
    assert (tally["honest"], tally["refused"]) == (2, [])
    assert list(tally["contract"].values()) == [1]


def test_an_honest_read_that_is_refused_is_listed_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, found = report(tmp_path, capsys, UNREADABLE)

    ((case, rule, message, sql),) = found["corpora"][1]["refused"]
    assert (case, rule, sql) == ("5", "not-understood", UNREADABLE["sql"])
    assert message


def test_a_dangerous_statement_that_is_admitted_fails_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = report(tmp_path, capsys, READ_CALLED_WRITE)

    assert code == 1
    assert found["corpora"][1]["admitted"] == [["4", READ_CALLED_WRITE["sql"]]]


@pytest.mark.parametrize(
    ("rule", "message", "is_contract"),
    [
        ("no-catalogs", "pg_class is a system catalog, which query does not read", True),
        ("allowed-functions", "the function strftime is not available", True),
        ("allowed-functions", "the function st_makepoint is not available", False),
        ("allowed-functions", "the function tsquery is not available", False),
        ("allowed-functions", "lower is not available: it is not among the functions", False),
        ("allowed-types", "the type regclass is not available", True),
        ("not-understood", "the statement was not understood: two parsers disagree", False),
        ("bounds", "brackets or CASE are nested deeper than 32", False),
    ],
)
def test_the_review_knows_what_the_contract_refuses(
    rule: str, message: str, *, is_contract: bool
) -> None:
    found = refusals.contract([Finding(rule=rule, message=message, hint="")])

    assert (found is not None) == is_contract
