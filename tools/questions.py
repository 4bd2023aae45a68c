"""Questions whose right answers are known beforehand, for servers under load or in trouble."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from random import Random

    import asyncpg
    from tests.support.answers import Answer

SLOW = "SELECT count(*) FROM shop.orders AS a, shop.orders AS b, shop.orders AS c"
"""Days of work, and nothing that a rule could see."""

_ORDERS = "SELECT id, total FROM shop.orders WHERE id BETWEEN {low} AND {high} ORDER BY id"
_MOST_ROWS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is in the shop, read past the server."""

    totals: Mapping[int, str]
    """The total of each order."""
    emails: Mapping[int, str]
    """The e-mail of each customer, which must not come out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A call, and what is wrong with an answer to it, if anything is."""

    kind: str
    tool: str
    arguments: dict[str, object]
    fault: Callable[[Answer], str | None]


async def learn(admin: asyncpg.Connection[asyncpg.Record]) -> Truth:
    """Read the truth."""
    orders = await admin.fetch("SELECT id, total::text AS total FROM shop.orders")
    customers = await admin.fetch("SELECT id, email FROM shop.customers")
    return Truth(
        totals={row["id"]: row["total"] for row in orders},
        emails={row["id"]: row["email"] for row in customers},
    )


def draw(random: Random, truth: Truth) -> Question:
    """Draw a question of any kind, the frequent ones more often."""
    kinds, weights = zip(*KINDS.items(), strict=True)
    make: Callable[[Random, Truth], Question] = random.choices(kinds, weights)[0]
    return make(random, truth)


def orders(random: Random, truth: Truth) -> Question:
    """Ask for some orders."""
    low = random.randint(1, len(truth.totals) - _MOST_ROWS)
    wanted = range(low, low + random.randint(1, _MOST_ROWS))
    rows = [(str(number), truth.totals[number]) for number in wanted]
    sql = _ORDERS.format(low=wanted[0], high=wanted[-1])
    return _rows("orders", sql, rows)


def nested(random: Random, truth: Truth) -> Question:
    """Ask for the same in a text that the second parser reads in its own process."""
    number = random.randint(1, len(truth.totals))
    sql = (
        f"SELECT ((((((CASE WHEN (((id)) = {number}) THEN ((((total)))) END)))))) FROM shop.orders"
        f" WHERE ((((((((id)))))))) = (((({number}))))"
    )
    return _rows("nested", sql, [(truth.totals[number],)])


def masked(random: Random, truth: Truth) -> Question:
    """Ask for what is masked."""
    number = random.randint(1, len(truth.emails))

    def fault(answer: Answer) -> str | None:
        if answer.is_error:
            return answer.text
        if truth.emails[number] in answer.text:
            return "an e-mail came out"
        return None if len(answer.rows) == 1 else answer.text

    sql = f"SELECT email FROM shop.customers WHERE id = {number}"
    return Question(kind="masked", tool="query", arguments={"sql": sql}, fault=fault)


def write(random: Random, _truth: Truth) -> Question:
    """Ask for what is refused."""
    sql = f"DELETE FROM shop.orders WHERE id = {random.randint(1, 9)}"
    return Question(kind="write", tool="query", arguments={"sql": sql}, fault=_code("refused"))


def missing(random: Random, _truth: Truth) -> Question:
    """Ask for a relation that is not there, for which the catalog is read anew at times."""
    sql = f"SELECT * FROM shop.nothing_{random.randint(1, 99)}"
    return Question(kind="missing", tool="query", arguments={"sql": sql}, fault=_code("refused"))


def failing(_random: Random, _truth: Truth) -> Question:
    """Ask for what fails in Postgres, in the middle of its rows."""
    sql = "SELECT 1 / (400 - id) FROM shop.orders ORDER BY id"
    return Question(
        kind="failing",
        tool="query",
        arguments={"sql": sql, "max_rows": 1000},
        fault=_code("database-error"),
    )


def plan(random: Random, _truth: Truth) -> Question:
    """Ask for a plan."""
    sql = _ORDERS.format(low=1, high=random.randint(2, 99))
    return Question(kind="plan", tool="explain", arguments={"sql": sql}, fault=_says("orders"))


def listing(_random: Random, _truth: Truth) -> Question:
    """Ask for the relations."""
    return Question(
        kind="listing", tool="list_schemas", arguments={"schema": "shop"}, fault=_says("customers")
    )


def description(_random: Random, _truth: Truth) -> Question:
    """Ask for the columns of one."""
    return Question(
        kind="description",
        tool="describe_view",
        arguments={"name": "shop.customers"},
        fault=_says("loyalty_points"),
    )


KINDS: Mapping[Callable[[Random, Truth], Question], int] = {
    orders: 40,
    masked: 10,
    nested: 10,
    write: 8,
    missing: 4,
    failing: 6,
    plan: 8,
    listing: 7,
    description: 7,
}
"""How often each kind is drawn."""


def _rows(kind: str, sql: str, rows: Sequence[tuple[str, ...]]) -> Question:
    def fault(answer: Answer) -> str | None:
        return None if not answer.is_error and answer.rows == list(rows) else answer.text

    return Question(kind=kind, tool="query", arguments={"sql": sql}, fault=fault)


def _says(word: str) -> Callable[[Answer], str | None]:
    return lambda answer: None if not answer.is_error and word in answer.text else answer.text


def _code(code: str) -> Callable[[Answer], str | None]:
    return lambda answer: None if answer.code == code else answer.text
