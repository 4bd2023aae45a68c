"""The guard refuses exactly what it should: every bypass in the corpus, and nothing harmless."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import pytest

from pg_guard_mcp.errors import Refused
from pg_guard_mcp.guard import kinds
from pg_guard_mcp.guard.classify import classify
from pg_guard_mcp.guard.policy import admit, judge
from pg_guard_mcp.guard.rewrite import rewrite
from pg_guard_mcp.guard.rules import RULES
from pg_guard_mcp.model import Limits
from tests.support.catalogs import policy
from tests.support.corpus import Case, load_cases

POLICY = policy()
REVIEW = tomllib.loads((files("pg_guard_mcp.guard") / "functions.toml").read_text(encoding="utf-8"))


def refused_by(sql: str) -> frozenset[str]:
    """Return the ids of the rules that refuse `sql`; none means it may run."""
    try:
        statement = classify(sql, max_bytes=Limits().max_sql_bytes)
        rewrite(admit(judge(statement, POLICY, RULES)), POLICY)
    except Refused as refusal:
        return frozenset(finding.rule for finding in refusal.findings)
    return frozenset()


def every_rule() -> set[str]:
    """Return the id of every rule that judges SQL."""
    families = [*REVIEW["deny"].values(), *REVIEW["arguments"].values()]
    return {
        *(rule.__name__.replace("_", "-") for rule in RULES),
        *kinds._RULES.values(),
        *(finding.rule for finding in (kinds.INTO, kinds.LOCK, kinds.OTHER_DATABASE)),
        *(finding.rule for finding in (kinds.data_change("DeleteStmt"), kinds.count(2))),
        kinds.root("NoSuchStmt").rule,
        *(family["rule"] for family in families if "rule" in family),
        "bounds",
        "not-understood",
        "syntax",
    }


@pytest.mark.parametrize("case", load_cases(), ids=lambda case: f"{case.rule}: {case.name}")
def test_each_statement_is_refused_by_exactly_the_rules_it_names(case: Case) -> None:
    """Equality cuts both ways: a bypass fails here, and so does a false alarm."""
    assert refused_by(case.sql) == case.refused_by


@pytest.mark.parametrize("rule", sorted(every_rule()))
def test_each_rule_has_a_file_with_refused_and_allowed_cases(rule: str) -> None:
    own = [case for case in load_cases() if case.rule == rule]

    assert any(rule in case.refused_by for case in own)
    assert any(not case.refused_by for case in own)


def test_each_file_is_named_after_a_rule_and_each_case_names_rules() -> None:
    named = {case.rule for case in load_cases()}.union(*(case.refused_by for case in load_cases()))

    assert named == every_rule()


def test_the_corpus_does_not_shrink() -> None:
    refused = [case for case in load_cases() if case.refused_by]

    assert len(refused) >= 710
    assert len(load_cases()) - len(refused) >= 190


def test_no_statement_is_in_the_corpus_with_two_answers() -> None:
    answers: dict[str, set[frozenset[str]]] = {}
    for case in load_cases():
        answers.setdefault(case.sql, set()).add(case.refused_by)

    assert {sql for sql, answer in answers.items() if len(answer) > 1} == set()
