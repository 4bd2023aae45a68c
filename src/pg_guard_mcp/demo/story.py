"""The demo's story: a stage in, seven acts on the page, `StoryBroken` where one does not hold.

Nothing here is told that is not checked: each act ends in what it proved, and every answer is
searched for every secret of the shop before it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from mcp.shared.exceptions import MCPError

from pg_guard_mcp.demo.agent import NAME, agent_on
from pg_guard_mcp.demo.backstage import backstage_of
from pg_guard_mcp.demo.evidence import show_trace, show_trail
from pg_guard_mcp.demo.proof import StoryBroken, prove
from pg_guard_mcp.record.receiver import receiving

if TYPE_CHECKING:
    from pathlib import Path

    from pg_guard_mcp.demo.agent import Agent, Answer
    from pg_guard_mcp.demo.backstage import Backstage, Running
    from pg_guard_mcp.demo.page import Page
    from pg_guard_mcp.demo.stage import Stage

TIMEOUT_SECONDS = 2
_LAST_WORDS = 1_000
_LOOKS = 250
_POLL_SECONDS = 0.02

_TOOLS = ["query", "explain", "list_schemas", "describe_view"]
_JOIN = (
    "SELECT * FROM shop.orders AS o JOIN shop.customers AS c ON c.id = o.customer_id"
    " WHERE c.country = 'DE'"
)
_REVENUE = "SELECT status, count(*), sum(total) FROM shop.orders GROUP BY status ORDER BY 2 DESC"
_QUICK = (
    ("list_schemas", "schema", "shop"),
    ("describe_view", "name", "shop.customers"),
    ("query", "sql", _REVENUE),
    ("explain", "sql", _JOIN),
)

_ALIASED = (
    "SELECT c.id, c.full_name, c.email AS contact, c.ssn AS x, c.card_number, c.date_of_birth"
    " FROM shop.customers AS c WHERE c.country = 'US' ORDER BY c.id LIMIT 3"
)
_WHOLE_ROW = "SELECT row_to_json(c) FROM shop.customers AS c WHERE c.id = 42"
_PROBE = "SELECT count(*) FROM shop.customers WHERE ssn LIKE '8%'"

_REFUSED = (
    ("DELETE FROM shop.orders", "read-only"),
    ("SELECT 1; COMMIT", "one-statement"),
    ("DROP TABLE shop.orders CASCADE", "no-ddl"),
    ("SELECT * FROM pg_read_file('/etc/passwd')", "no-server-files"),
    ("SELECT owner, secret FROM shop.api_keys", "allowed-relations"),
    ("SELECT id FROM shop.orders FOR UPDATE", "no-row-locks"),
)
_SLEEP = "SELECT pg_sleep(45)"
_HEAVY = "SELECT count(*) FROM shop.orders AS a, shop.orders AS b, shop.orders AS c"

_INJECTION = "SELECT body FROM shop.support_tickets WHERE id = 266"
_PASTED = "SELECT id, body FROM shop.support_tickets WHERE id IN (366, 466, 566)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What every act needs."""

    agent: Agent
    backstage: Backstage
    page: Page
    secrets: frozenset[str]

    async def ask(self, tool: str, name: str, value: str) -> Answer:
        """Call a tool, show the call, and let no secret by."""
        self.page.call(tool, value)
        answer = await self.agent.call(tool, {name: value})
        prove(not leaked(self.secrets, answer.text), "a value behind a mask reached the agent")
        return answer

    async def read(self, sql: str, *, whole: bool = False) -> str:
        """Ask for rows that the agent must get, and show them."""
        answer = await self.ask("query", "sql", sql)
        prove(not answer.is_error, f"an honest query was turned away: {answer.text}")
        show = self.page.whole_answer if whole else self.page.answer
        show(answer.text)
        return answer.text

    async def be_refused(self, sql: str, rule: str) -> None:
        """Ask for what the agent must not get, and show what it is told."""
        answer = await self.ask("query", "sql", sql)
        prove(answer.is_error and f"refused: [{rule}]" in answer.text, f"not refused: {sql}")
        prove("hint: " in answer.text, f"refused without a hint: {sql}")
        self.page.refusal(answer.text)


async def tell(stage: Stage, page: Page) -> None:
    """Play all acts.

    Raises:
        StoryBroken: something the story says is not so.

    """
    log = stage.directory / "server.log"
    with receiving() as receiver:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
            "PG_GUARD_LIMITS__STATEMENT_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS),
        }
        async with backstage_of(stage) as backstage:
            secrets = await backstage.secrets()
            try:
                async with agent_on(stage, environment, log) as agent:
                    scene = Scene(agent=agent, backstage=backstage, page=page, secrets=secrets)
                    for act in (_tools, _masks, _refusals, _time, _injection):
                        await act(scene)
            except ExceptionGroup as group:  # the client wraps whatever passes it
                raise _unwrapped(group, log) from None
        calls = len(agent.heard)
        trace_id = show_trail(stage.audit_directory, calls, page)
        show_trace(receiver.spans(), trace_id, page)
        written = [path.read_bytes() for path in (log, *stage.audit_directory.iterdir())]
        for body in (*receiver.bodies, *written):
            prove(not leaked(secrets, body.decode(errors="replace")), "a secret was written down")
    turned_away = sum(answer.is_error for answer in agent.heard)
    page.say(
        f"\n{calls} calls, {turned_away} of them turned away with a reason and a hint,"
        " each with its verdict on the trail."
    )
    page.say(
        f"{len(secrets):,} secret values in the database; none in an answer, the log, the trail"
        " or the trace."
    )


def leaked(secrets: frozenset[str], text: str) -> bool:
    """Tell whether any secret stands in a text."""
    return any(secret in text for secret in secrets)


def _unwrapped(group: ExceptionGroup[Exception], log: Path) -> Exception:
    """Find what ended the story; where the server did, say what it said last."""
    broken: Exception | None = group.subgroup(StoryBroken)
    while isinstance(broken, ExceptionGroup):
        broken = broken.exceptions[0]
    if broken is None and group.subgroup(MCPError):
        last_words = log.read_text(encoding="utf-8", errors="replace")[-_LAST_WORDS:]
        return StoryBroken(f"the server does not answer; its log ends with\n{last_words}")
    return broken or group


async def _tools(scene: Scene) -> None:
    scene.page.act(
        "1. What an agent gets",
        "Four tools and no more. It never sees a connection, a password or another database.",
    )
    tools = await scene.agent.tools()
    prove(sorted(tools) == sorted(_TOOLS), f"the server offers {tools}")
    for tool, name, value in _QUICK:
        answer = await scene.ask(tool, name, value)
        prove(not answer.is_error, f"{tool} failed: {answer.text}")
        scene.page.answer(answer.text, lines=7)


async def _masks(scene: Scene) -> None:
    scene.page.act(
        "2. What is masked",
        "The masks stand in the SQL, below whatever the agent writes: no alias, no function and no"
        " filter reaches behind them.",
    )
    aliased = await scene.read(_ALIASED)
    prove("\t[redacted]\t" in aliased, "a number came through under another name")
    whole = await scene.read(_WHOLE_ROW, whole=True)
    prove('"ssn":"[redacted]"' in whole, "a whole row shows a number behind the mask")
    probed = await scene.read(_PROBE)
    truth = await scene.backstage.value(_PROBE)
    prove(probed.split("\n")[3] == "0" and truth != 0, "a filter sees behind the mask")
    scene.page.checked(f"{truth} social security numbers begin with 8; the filter found masks only")


async def _refusals(scene: Scene) -> None:
    scene.page.act(
        "3. What is refused",
        "Two parsers must agree on what a statement is, and every rule on what it may do."
        " A refusal says what to do instead.",
    )
    before = await scene.backstage.value("SELECT count(*) FROM shop.orders")
    for sql, rule in _REFUSED:
        await scene.be_refused(sql, rule)
    after = await scene.backstage.value("SELECT count(*) FROM shop.orders")
    prove(before == after, "rows of shop.orders are gone")
    scene.page.checked(f"shop.orders holds its {after:,} rows")
    sqlstate = await scene.backstage.sqlstate_without_guard("DELETE FROM shop.orders")
    prove(sqlstate in {"25006", "42501"}, "without the guard, the role can delete")
    scene.page.checked(
        f"the role's own login, without the guard, cannot delete (SQLSTATE {sqlstate})"
    )


async def _time(scene: Scene) -> None:
    scene.page.act(
        "4. What takes too long",
        f"A query may run for {TIMEOUT_SECONDS} s here, and Postgres itself ends it.",
    )
    await scene.be_refused(_SLEEP, "no-delay")
    seen: list[Running] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_look_on, scene.backstage, seen)
        answer = await scene.ask("query", "sql", _HEAVY)
        tasks.cancel_scope.cancel()
    prove(answer.text.startswith("timeout: "), f"a heavy query was not ended: {answer.text}")
    scene.page.refusal(answer.text)
    prove(bool(seen), "pg_stat_activity never showed the query")
    prove(NAME in seen[0].application_name, "pg_stat_activity does not say whose query it is")
    prove(await _at_rest(scene.backstage), "the query runs on in Postgres")
    scene.page.checked(f"while it ran, pg_stat_activity named it {seen[0].application_name}")
    scene.page.checked(f"after {answer.seconds:.1f} s nothing of it runs on in Postgres")


async def _injection(scene: Scene) -> None:
    scene.page.act(
        "5. What strangers wrote into the data",
        "A ticket gives orders to the agent and pretends that the data ends. It cannot: the fence"
        " carries a tag drawn for this one answer.",
    )
    text = await scene.read(_INJECTION, whole=True)
    first, *_, last = text.split("\n")[1:]
    prove(first.startswith("<data ") and last == f"</{first[1:]}", "the data stands in no fence")
    prove(text.count(last) == 1, "a ticket closed the fence")
    pasted = await scene.read(_PASTED)
    prove("[payment-card]" in pasted and "[us-ssn]" in pasted, "a pasted number was not found")
    scene.page.checked("the fence closes once, at the end; what customers pasted is masked as well")


async def _look_on(backstage: Backstage, seen: list[Running]) -> None:
    """Watch until something runs."""
    while not seen:
        seen += await backstage.running()
        await anyio.sleep(_POLL_SECONDS)


async def _at_rest(backstage: Backstage) -> bool:
    """Tell whether Postgres comes to rest soon."""
    for _ in range(_LOOKS):
        if not await backstage.running():
            return True
        await anyio.sleep(_POLL_SECONDS)
    return False
