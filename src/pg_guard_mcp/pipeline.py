"""One call, top to bottom. Start reading here.

    ToolCall --classify--> Statement --judge--> Verdict --admit--> AdmittedStatement
             --rewrite--> GuardedQuery --fetch--> ResultSet --mask--> MaskedResult --render--> text

Promises that hold because this order does:

1. Nothing runs that was not understood: two parsers agreed on the agent's text, every rule was
   asked about it, and only our own masking subselects were spliced into it.
2. The trail says `admitted` before Postgres hears of a query, and every call leaves exactly one
   `finished` behind, cancelled ones included.
3. Nothing leaves unmasked: masks stand in the SQL below everything the agent wrote, and the
   detectors go over every cell once more on the way out.

No stage knows another. They share `model`, `catalog` and `errors`, and nothing else of ours.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from pg_guard_mcp.errors import CatalogChanged, DatabaseError, Refused
from pg_guard_mcp.guard import describe, hints, masking
from pg_guard_mcp.guard.classify import without_explain
from pg_guard_mcp.guard.detectors import mask
from pg_guard_mcp.guard.plan import (
    as_outline,
    as_plan,
    check_cost,
    costs_too_much,
    is_whole,
    render_plan,
)
from pg_guard_mcp.guard.render import render, shortened
from pg_guard_mcp.guard.rewrite import token_at
from pg_guard_mcp.guard.rules import NAME_RULES
from pg_guard_mcp.judging import admitted, judged, rewritten
from pg_guard_mcp.model import Price
from pg_guard_mcp.record.event import recorded
from pg_guard_mcp.record.telemetry import current_traceparent, span

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from pg_guard_mcp.current_policy import CurrentPolicy
    from pg_guard_mcp.guard.policy import Policy
    from pg_guard_mcp.guard.render import Rendered
    from pg_guard_mcp.model import (
        AdmittedStatement,
        Client,
        Finding,
        GuardedQuery,
        Limits,
        MaskedResult,
        ResultSet,
        ToolCall,
    )
    from pg_guard_mcp.postgres.database import Database
    from pg_guard_mcp.record.event import Record
    from pg_guard_mcp.record.trail import Trail
    from pg_guard_mcp.second_parser import Parsers

T = TypeVar("T")
_UNDEFINED_COLUMN = "42703"
_SHORT_CHARACTERS = 20_000
"""The detectors go through so many in a thousandth of a second; made to hold up, in a twentieth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What every call shares, built once at start-up."""

    profile: str
    limits: Limits
    database: Database
    policy: CurrentPolicy
    trail: Trail
    parsers: Parsers
    mask_key: Callable[[], Awaitable[bytes]]
    client_limits: Mapping[str, Limits] = field(default_factory=dict)
    """The limits of clients that have their own, by the name their settings go by."""
    large_results: CapacityLimiter = field(default_factory=partial(CapacityLimiter, 2))
    """How many are worked on at once: threads take turns, and twenty kept all others waiting."""

    def limits_of(self, client: Client) -> Limits:
        """Return what a call of this client may cost."""
        return self.client_limits.get(client.settings_name, self.limits)


async def query(call: ToolCall, guard: Guard) -> str:
    """Answer with rows."""
    limits = guard.limits_of(call.client)
    with _on_record(call, guard) as record:
        statement, policy = await _by_names(
            guard,
            call,
            record,
            lambda policy: admitted(call.sql, policy, limits, guard.parsers),
        )
        guarded = await rewritten(statement, policy)
        price = await _price(statement, policy, limits)
        record.admitted(relations=guarded.relations, masked=guarded.masked)
        max_rows = min(call.max_rows or limits.max_rows, limits.max_rows)
        result = await _fetch(guarded, call, guard, policy, max_rows, price)
        with span("mask"):
            short = await _at_leisure(guard, result, lambda: shortened(result, limits))
            masked = await _masked(guard, short, policy)
        with span("render"):
            answer = await _at_leisure(
                guard, masked, lambda: render(masked, limits, max_rows, _tag())
            )
            return _answer(record, answer)


async def explain(call: ToolCall, guard: Guard) -> str:
    """Answer with the plan Postgres would use, without running the query."""
    sql = without_explain(call.sql)
    limits = guard.limits_of(call.client)
    with _on_record(call, guard) as record:
        guarded, policy = await _by_names(
            guard,
            call,
            record,
            lambda policy: judged(sql, policy, limits, guard.parsers, to_plan=True),
        )
        plan = as_plan(guarded)
        record.admitted(relations=plan.relations, masked=plan.masked)
        result = await _fetch(plan, call, guard, policy, 1)
        if not is_whole(result):
            result = await _fetch(as_outline(plan), call, guard, policy, 1)
        with span("mask"):
            masked = await _masked(guard, result, policy)
        with span("render"):
            behind = policy.masked_below(plan.relations)
            answer = await _at_leisure(
                guard, masked, lambda: render_plan(masked, plan, limits, _tag(), behind)
            )
            return _answer(record, answer)


async def list_schemas(call: ToolCall, guard: Guard) -> str:
    """Answer with the schemas and relations that may be read."""
    limits = guard.limits_of(call.client)
    with _on_record(call, guard) as record:
        answer, _ = await _by_names(
            guard,
            call,
            record,
            lambda policy: run_sync(
                describe.list_schemas, policy, limits, call.schema, call.search, _tag()
            ),
        )
        record.admitted()
        return _answer(record, answer)


async def describe_view(call: ToolCall, guard: Guard) -> str:
    """Answer with one relation's columns, masks, keys and indexes."""
    limits = guard.limits_of(call.client)
    with _on_record(call, guard) as record:
        answer, _ = await _by_names(
            guard,
            call,
            record,
            lambda policy: run_sync(
                describe.describe_view, policy, limits, call.name or "", _tag()
            ),
        )
        record.admitted()
        return _answer(record, answer)


def turn_away(call: ToolCall, finding: Finding, guard: Guard) -> str:
    """Refuse a call whose arguments do not fit, on the record like any other.

    Raises:
        Refused: always.

    """
    with _on_record(call, guard):
        raise Refused([finding])


async def _by_names(
    guard: Guard, call: ToolCall, record: Record, attempt: Callable[[Policy], Awaitable[T]]
) -> tuple[T, Policy]:
    """Attempt something by the policy as it is; if a name was not found, once more by a fresh one.

    A relation made since the last snapshot is found that way, and a closed one costs as much time
    as a missing one.
    """
    client = call.client.settings_name
    policy = await guard.policy.current(client)
    record.served_by([power.kind for power in policy.catalog.powers])
    try:
        return await attempt(policy), policy
    except Refused as refusal:
        if not any(finding.rule in NAME_RULES for finding in refusal.findings):
            raise
        fresh = await guard.policy.refreshed(client)
        if fresh is policy:
            raise
    return await attempt(fresh), fresh


async def _price(statement: AdmittedStatement, policy: Policy, limits: Limits) -> Price | None:
    """Return how to find out what a query costs, where that is limited."""
    if not limits.max_cost:
        return None
    plan = as_plan(await rewritten(statement, policy, to_plan=True))
    behind = policy.masked_below(plan.relations)
    return Price(
        as_outline(plan),
        partial(costs_too_much, max_cost=limits.max_cost),
        plan,
        partial(check_cost, query=plan, max_cost=limits.max_cost, behind=behind),
    )


async def _fetch(
    guarded: GuardedQuery,
    call: ToolCall,
    guard: Guard,
    policy: Policy,
    max_rows: int,
    price: Price | None = None,
) -> ResultSet:
    """Send a guarded query, and tell the agent where in its own text Postgres found a fault."""
    if guarded.needs_key:
        guarded = replace(guarded, arguments=masking.hmac_pads(await guard.mask_key()))
    with span("fetch", **{"db.system.name": "postgresql", "db.operation.name": "SELECT"}):
        try:
            return await guard.database.fetch(
                guarded,
                max_rows=max_rows,
                limits=guard.limits_of(call.client),
                application=f"pg-guard/{guard.profile}/{call.client.name}",
                price=price,
                comment=f"pg-guard call={call.call_id} traceparent={current_traceparent()}",
            )
        except CatalogChanged:
            guard.policy.forget()
            raise
        except DatabaseError as error:
            error.near = token_at(guarded, error.position)
            if error.near and error.sqlstate == _UNDEFINED_COLUMN:
                known = [policy.open_relations[relation] for relation in guarded.relations]
                error.hint = hints.for_column(error.near, known)
            raise


async def _masked(guard: Guard, result: ResultSet, policy: Policy) -> MaskedResult:
    """Have the detectors look through a result."""
    return await _at_leisure(guard, result, lambda: mask(result, policy.rules.detectors)[0])


async def _at_leisure(guard: Guard, result: ResultSet, work: Callable[[], T]) -> T:
    """Work on a small result here and now, and on a large one, which takes long, in a thread."""
    characters = sum(len(cell) for row in result.rows for cell in row if cell)
    if characters + len(result.rows) <= _SHORT_CHARACTERS:
        return work()
    return await run_sync(work, limiter=guard.large_results)


@contextmanager
def _on_record(call: ToolCall, guard: Guard) -> Iterator[Record]:
    """Put a call on the trail and in a span, whatever becomes of it."""
    attributes = {
        "pg_guard.call_id": call.call_id,
        "pg_guard.profile": guard.profile,
        "pg_guard.tool": call.tool,
    }
    with span("guard", **attributes), recorded(call, guard.trail, profile=guard.profile) as record:
        yield record


def _answer(record: Record, answer: Rendered) -> str:
    """Let the trail know how much leaves, and let it leave."""
    record.answered(
        rows=answer.rows, bytes=len(answer.text.encode()), truncated=bool(answer.truncated)
    )
    return answer.text


def _tag() -> str:
    """Draw the tag of an answer's fence, which no cell can know."""
    return secrets.token_hex(4)
