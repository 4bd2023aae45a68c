"""An agent's text in, SQL that may run out, without keeping others waiting.

A plain text is read by both parsers at once, here: no way to write one is known that takes long.
For any other the second parser reads in a process of its own, which can be ended, while Postgres's
grammar reads here; and long texts are worked on in a thread.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

import anyio.to_thread

from pg_guard_mcp.guard import policy as policies
from pg_guard_mcp.guard.agreement import UNLIKE, Killed
from pg_guard_mcp.guard.classify import confirmed, first_reading, gate, read_here, understanding
from pg_guard_mcp.guard.rewrite import rewrite
from pg_guard_mcp.guard.rules import RULES
from pg_guard_mcp.record.telemetry import span

if TYPE_CHECKING:
    from collections.abc import Callable

    from pg_guard_mcp.guard.classify import Draft, Gated
    from pg_guard_mcp.guard.policy import Policy
    from pg_guard_mcp.model import AdmittedStatement, GuardedQuery, Limits, Statement
    from pg_guard_mcp.second_parser import Parsers, SecondParser

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_SHORT = 4_000
"""Characters that cost less than a hundredth of a second here, whatever they say."""


async def judged(
    sql: str, policy: Policy, limits: Limits, parsers: Parsers, *, to_plan: bool = False
) -> GuardedQuery:
    """Turn an agent's text into SQL that may run; nobody but the second parser is asked.

    `to_plan` is for a query that will be planned and not run.

    Raises:
        Refused: something speaks against it; every finding travels with it.

    """
    return await rewritten(await admitted(sql, policy, limits, parsers), policy, to_plan=to_plan)


async def admitted(sql: str, policy: Policy, limits: Limits, parsers: Parsers) -> AdmittedStatement:
    """Have a text read and judged.

    Raises:
        Refused: something speaks against it; every finding travels with it.

    """
    with span("classify"):
        statement = await _classify(sql, limits, parsers)
    with span("judge"):
        return policies.admit(await _work(sql, policies.judge, statement, policy, RULES))


async def rewritten(
    statement: AdmittedStatement, policy: Policy, *, to_plan: bool = False
) -> GuardedQuery:
    """Make SQL that may run of an admitted statement, or SQL that may be planned."""
    with span("rewrite"):
        return await _work(statement.sql, partial(rewrite, to_plan=to_plan), statement, policy)


async def _classify(sql: str, limits: Limits, parsers: Parsers) -> Statement:
    """Have both parsers read the text, and hold one reading against the other."""
    gated = await _work(sql, partial(gate, max_bytes=limits.max_sql_bytes), sql)
    if gated.is_plain and len(sql) <= _SHORT:
        return read_here(gated)
    with understanding():
        try:
            return await _read_by_both(sql, gated, parsers)
        except Killed:
            return await _read_by_both(sql, gated, parsers)


async def _read_by_both(sql: str, gated: Gated, parsers: Parsers) -> Statement:
    """Have the second parser read in its process while Postgres's grammar reads here."""
    async with parsers.one() as parser:
        parser.begin(sql)
        draft = await _work(sql, first_reading, gated)
        if draft.is_read:
            return await _confirmed(sql, draft, parser)
    return await _work(sql, confirmed, draft, None)


async def _confirmed(sql: str, draft: Draft, parser: SecondParser) -> Statement:
    """Hold a second reading of the text as it is against the first, or one in plainer grammar."""
    try:
        return await _work(sql, confirmed, draft, await parser.finish())
    except UNLIKE:
        if not (plain := await _work(sql, draft.plainer)):
            raise
    parser.begin(plain)
    return await _work(sql, confirmed, draft, await parser.finish())


async def _work(sql: str, work: Callable[[*Ts], T], *arguments: *Ts) -> T:
    """Work on `sql` here and now if it is short: a thread would take longer than that does."""
    if len(sql) <= _SHORT:
        return work(*arguments)
    return await anyio.to_thread.run_sync(work, *arguments)
