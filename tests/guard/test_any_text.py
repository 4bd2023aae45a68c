"""Any text gets a verdict: a refusal that teaches, or an admission that others share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from tools.invariants import broken
from tools.mutants import CLAUSES, EXPRESSIONS, NOISE, PREFIXES, RELATIONS, Mutator, taken_apart

from pg_guard_mcp.errors import Refused
from pg_guard_mcp.guard import policy as policies
from pg_guard_mcp.guard.classify import classify, without_explain
from pg_guard_mcp.guard.policy import MAX_FINDINGS
from pg_guard_mcp.guard.rewrite import rewrite
from pg_guard_mcp.guard.rules import RULES
from tests.reads import SHOP_READS
from tests.support import catalogs
from tests.support.corpus import load_cases

if TYPE_CHECKING:
    from random import Random

    from pg_guard_mcp.model import Finding

POLICY = catalogs.policy()
STATEMENTS = [
    words
    for sql in (*(case.sql for case in load_cases()), *(read.sql for read in SHOP_READS))
    if (words := taken_apart(sql))
]
VOCABULARY = sorted({word for words in STATEMENTS for word in words} | set(NOISE))
SOUP = st.lists(
    st.sampled_from([*VOCABULARY, *EXPRESSIONS, *RELATIONS, *CLAUSES, *PREFIXES]), max_size=40
)


def verdict(sql: str) -> tuple[Finding, ...]:
    """Judge a text as the server does, and look at both kinds of answer."""
    sql = without_explain(sql)
    try:
        statement = classify(sql, max_bytes=50_000)
        rewrite(policies.admit(policies.judge(statement, POLICY, RULES)), POLICY)
    except Refused as error:
        refusal = error
    else:
        assert list(broken(sql, POLICY)) == []
        return ()
    assert refusal.findings
    assert len(refusal.findings) <= MAX_FINDINGS
    assert all(finding.message and finding.hint for finding in refusal.findings)
    assert len(refusal.as_text()) <= 4_000 + 20 * len(sql)
    return refusal.findings


@given(st.text(max_size=300))
def test_any_text_gets_a_verdict(text: str) -> None:
    verdict(text)
    verdict("SELECT " + text)


@given(st.binary(max_size=300))
def test_any_bytes_get_a_verdict(data: bytes) -> None:
    verdict(data.decode(errors="surrogateescape"))


@given(SOUP, st.sampled_from(["", " ", "\n"]))
def test_any_soup_of_tokens_gets_a_verdict(words: list[str], between: str) -> None:
    verdict(between.join(words))
    verdict("SELECT " + between.join(words))


@settings(max_examples=300)
@given(st.randoms(use_true_random=False))
def test_any_mutant_of_a_statement_gets_a_verdict(random: Random) -> None:
    verdict(Mutator(random=random, statements=STATEMENTS).mutant())


def test_the_stranger_s_walk_has_nothing_against_what_is_admitted() -> None:
    admitted = [case for case in load_cases() if not case.refused_by]

    assert [case.name for case in admitted if verdict(case.sql)] == []
    assert len(admitted) >= 190
