"""Cases and a policy in, how many dangerous ones were admitted and honest ones refused out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tests.support import catalogs
from tests.support.verdicts import judged

from pg_guard_mcp.errors import GuardError, Refused
from pg_guard_mcp.guard import policy as policies
from pg_guard_mcp.guard.classify import without_explain
from pg_guard_mcp.model import Finding
from tools import refusals

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pg_guard_mcp.guard.policy import Policy
    from tools.corpora import Case


class Refusal(NamedTuple):
    """An honest read that was refused, and why."""

    case: str
    rule: str
    message: str
    sql: str


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of one corpus."""

    name: str
    dangerous: int = 0
    admitted: list[tuple[str, str]] = field(default_factory=list)
    honest: int = 0
    refused: list[Refusal] = field(default_factory=list)
    contract: dict[str, int] = field(default_factory=dict)
    """How many honest reads the contract refuses, by reason."""


def tally(name: str, cases: Iterable[Case], policy: Policy) -> Tally:
    """Judge every case."""
    found = Tally(name=name)
    for case in cases:
        findings = verdict(case, policy)
        if case.answer == "refuse":
            found.dangerous += 1
            if not findings:
                found.admitted.append((case.id, case.sql))
        elif case.answer == "admit":
            found.honest += 1
            if not findings:
                continue
            if why := refusals.contract(findings):
                found.contract[why] = found.contract.get(why, 0) + 1
            else:
                first = findings[0]
                found.refused.append(Refusal(case.id, first.rule, first.message, case.sql))
    return found


def verdict(case: Case, policy: Policy) -> tuple[Finding, ...]:
    """Return all that speaks against a case; nothing: it would run."""
    sql = without_explain(case.sql) if case.tool == "explain" else case.sql
    try:
        judged(sql, policy)
    except Refused as refusal:
        return refusal.findings
    except GuardError as error:
        return (Finding(rule=error.code, message=error.message, hint=error.hint),)
    return ()


def shape_policy() -> Policy:
    """Judge by shape alone, with every pack of extensions that can be switched on."""
    return policies.shape_only(("postgis",))


def shop_policy() -> Policy:
    """Judge by the policy our own cases are written for."""
    return catalogs.policy()


def lab_policy(directory: Path) -> Policy:
    """Judge by a policy over the lab's own catalog, read as superuser."""
    from tests.support import lab

    with lab.running(directory) as place:
        return asyncio.run(lab.policy(place))
