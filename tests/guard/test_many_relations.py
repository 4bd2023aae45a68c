"""A database of many tables costs more in proportion, not more for each pair of them."""

from __future__ import annotations

from functools import partial

from pg_guard_mcp.guard import alike
from pg_guard_mcp.guard import policy as policies
from pg_guard_mcp.guard.classify import classify
from pg_guard_mcp.guard.rules import RULES
from pg_guard_mcp.model import AccessRules, Relation
from tests.support.catalogs import bare_policy, catalog, columns, table
from tests.support.counting import calls_of


def build(count: int) -> None:
    """Make the policy of so many tables."""
    known = catalog(*(table(f"s.t{number}", columns("a", "b")) for number in range(count)))
    rules = AccessRules(schemas=("s",), masks={"*.*.a": "redact"})
    assert len(policies.build(rules, known).open_relations) == count


def test_twice_as_many_tables_cost_twice_as_much() -> None:
    build(1)
    once, twice = (calls_of(partial(build, count)) for count in (150, 300))

    assert twice < 2.5 * once


def test_the_most_alike_is_found_among_many_if_it_begins_like_it() -> None:
    relations = [Relation("s", f"xcustomer_{number}") for number in range(3 * alike.MOST)]
    customers, elsewhere = Relation("s", "customers"), Relation("t", "customers")

    assert alike.nearest([*relations, elsewhere, customers], "s", "custmers") == customers
    assert alike.nearest([*relations, elsewhere], "s", "custmers") != elsewhere
    assert alike.nearest([elsewhere, *relations[:9]], "s", "custmers") == elsewhere


def test_no_more_than_some_are_looked_at_closely() -> None:
    few, many = (
        [Relation("s", f"custo_{number}") for number in range(count)]
        for count in (alike.MOST, 20 * alike.MOST)
    )

    close, far = (calls_of(partial(alike.nearest, each, "s", "custmers")) for each in (few, many))

    assert far < 1.1 * close


def test_of_many_wrong_names_the_first_get_a_right_one() -> None:
    policy = bare_policy(table("s.orders", columns("a")), masks={}, schemas=["s"])
    names = [f"s.{letter}rders" for letter in "abcdefghi"]

    verdict = policies.judge(
        classify(f"SELECT 1 FROM {', '.join(names)}", max_bytes=10_000), policy, RULES
    )

    hints = [finding.hint for finding in verdict.findings]
    assert [hint.startswith("Did you mean s.orders?") for hint in hints] == [True] * 5 + [False] * 4
    assert set(hints[5:]) == {"Call list_schemas to see what is."}
