"""The whole verdict at once, in this process: for texts of ours, which keep nobody waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.guard import policy as policies
from pg_guard_mcp.guard.classify import gate, read_here
from pg_guard_mcp.guard.rewrite import rewrite
from pg_guard_mcp.guard.rules import RULES
from pg_guard_mcp.model import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pg_guard_mcp.guard.policy import Policy, Rule
    from pg_guard_mcp.model import GuardedQuery

LIMITS = Limits()


def judged(
    sql: str, policy: Policy, rules: Sequence[Rule] = RULES, *, to_plan: bool = False
) -> GuardedQuery:
    """Turn an agent's text into SQL that may run, as `judging.judged` does with helpers.

    `to_plan` is for a query that will be planned and not run.

    Raises:
        Refused: something speaks against it.

    """
    statement = read_here(gate(sql, max_bytes=LIMITS.max_sql_bytes))
    admitted = policies.admit(policies.judge(statement, policy, rules))
    return rewrite(admitted, policy, to_plan=to_plan)
