"""Masks follow the data: through views of any depth, families of tables and computed columns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.guard.lineage import resolve
from pg_guard_mcp.model import Relation
from tests.support.catalogs import catalog, column, columns, every_column, table, view

if TYPE_CHECKING:
    from pg_guard_mcp.catalog import RelationInfo
    from pg_guard_mcp.guard.masking import Mask

PEOPLE = table("s.people", columns("id: integer", "email", "phone", "born: date", "city"))
ORDERS = table("s.orders", columns("id: integer", "person: integer", "total: integer"))
MASKS = {"s.people.email": "email", "s.people.born": "year"}


def masks(*relations: RelationInfo, patterns: dict[str, str] | None = None) -> dict[str, Mask]:
    """Return every mask there is, by `relation.column` within schema s."""
    found, problems = resolve(MASKS if patterns is None else patterns, catalog(*relations))
    assert not problems
    return {
        f"{relation.name}.{name}": mask
        for relation, by_column in found.items()
        for name, mask in by_column.items()
    }


def kinds_of_view(
    definition: str, *names: str, read: tuple[RelationInfo, ...] = (PEOPLE,)
) -> dict[str, str]:
    """Return the kind of mask on each masked column of a view of that definition."""
    made = view("s.v", definition, columns(*names), *read)
    found = masks(PEOPLE, ORDERS, *read[1:], made) if read[0] is PEOPLE else masks(*read, made)
    return {
        name.removeprefix("v."): mask.kind for name, mask in found.items() if name.startswith("v.")
    }


@pytest.mark.parametrize(
    ("definition", "names"),
    [
        ("SELECT people.id, people.email FROM s.people", ("id", "email")),
        ("SELECT id, email FROM s.people", ("id", "email")),
        ("SELECT people.email AS address FROM s.people", ("email",)),
        ("SELECT p.email FROM s.people p", ("email",)),
        ('SELECT "P".email AS "A" FROM s.people "P"', ("email",)),
        ("SELECT people.city AS x, people.email FROM s.people", ("x", "email")),
        ("SELECT people.email FROM s.people WHERE people.city = 'x' LIMIT 1", ("email",)),
        ("SELECT DISTINCT people.email FROM s.people", ("email",)),
        ("SELECT people.email FROM s.people WHERE s.f(people.id)", ("email",)),
        ("SELECT people.email FROM s.people ORDER BY people.born", ("email",)),
    ],
)
def test_a_column_that_is_plainly_a_masked_one_keeps_its_mask(
    definition: str, names: tuple[str, ...]
) -> None:
    assert kinds_of_view(definition, *names) == {"email": "email"}


def test_a_column_may_be_shown_twice_and_under_any_name() -> None:
    definition = (
        "SELECT people.email AS a, people.email AS city, people.city AS email FROM s.people"
    )

    assert kinds_of_view(definition, "a", "city", "email") == {"a": "email", "city": "email"}


@pytest.mark.parametrize(
    "expression",
    [
        "lower(people.email)",
        "people.email || ''",
        "people.email::text",
        "people.email IS NULL",
        "people.email = people.phone",
        "CASE WHEN people.email = 'x' THEN 1 END",
        "COALESCE(people.city, people.email)",
        "ARRAY[people.email]",
        "ROW(people.email)",
        "count(DISTINCT people.email)",
        "max(people.email)",
        "count(*) FILTER (WHERE people.email = 'x')",
        "string_agg(people.city, ',' ORDER BY people.email)",
        "mode() WITHIN GROUP (ORDER BY people.email)",
        "rank() OVER (ORDER BY people.email)",
        "rank() OVER (PARTITION BY people.email)",
        "rank() OVER w",
        "rank() OVER (w)",
        "rank() OVER (w ORDER BY people.city)",
        "(SELECT people.email)",
        "EXISTS (SELECT 1 FROM s.people q WHERE q.email = people.email)",
        "people.*::s.people",
        "row_to_json(people.*)",
        "people",
        "(people.*).email",
        "people.nosuch",
        "s.f(people.id)",
        "s.f(people.email)",
        "people.id OPERATOR(s.+) 1",
    ],
)
def test_a_column_that_computes_over_a_masked_one_is_redacted(expression: str) -> None:
    definition = (
        f"SELECT {expression} AS e, people.city AS c FROM s.people"
        " WINDOW w AS (PARTITION BY people.email)"
    )

    assert kinds_of_view(definition, "e", "c") == {"e": "redact"}


@pytest.mark.parametrize(
    "expression",
    [
        "people.city || people.id::text",
        "1",
        "count(*)",
        "max(people.city)",
        "pg_catalog.lower(city)",
    ],
)
def test_a_column_without_masked_ones_behind_it_has_no_mask(expression: str) -> None:
    assert kinds_of_view(f"SELECT {expression} AS e FROM s.people", "e") == {}


@pytest.mark.parametrize(
    "definition",
    [
        "SELECT x.a, x.b FROM s.people, LATERAL unnest(ARRAY[people.email]) x(a, b)",
        "SELECT people.id, people.city FROM people",
        "SELECT p.a, p.b FROM s.people p(a, b, c, d, e, f)",
        "SELECT p.nosuch AS a, people.city AS b FROM s.people p",
        "SELECT p.ctid AS a, q.city AS b FROM s.people p, s.gone q",
        "SELECT s.people.id AS a, people.nosuch AS b FROM s.people",
        "VALUES (1, 'x'::text)",
        "SELECT people.id FROM s.people",
        "SELECT people.id, people.city FROM s.people; SELECT 1",
        "WITH d AS (DELETE FROM s.people RETURNING id, city) SELECT d.id, d.city FROM d",
        "WITH d(a, b, c) AS (SELECT id, city FROM s.people) SELECT d.a, d.b FROM d",
        "WITH RECURSIVE d AS (SELECT d.id, d.city FROM d) SELECT d.id, d.city FROM d",
        "SELECT id, city FROM s.people UNION ALL SELECT 1",
        "SELECT x.* FROM s.people, LATERAL unnest(ARRAY[people.email]) x",
        "SELECT people.id AS a, people.city AS b INTO s.x FROM s.people",
        "DELETE FROM s.people",
        "SELECT nonsense FROM",
        "",
    ],
)
def test_a_view_that_cannot_be_followed_is_redacted_in_every_column(definition: str) -> None:
    assert kinds_of_view(definition, "a", "b") == {"a": "redact", "b": "redact"}


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("SELECT p.email, o.total FROM s.people p JOIN s.orders o ON o.id = p.id", {"a": "email"}),
        ("SELECT p.email, o.total FROM s.people p, s.orders o", {"a": "email"}),
        ("SELECT p.email, o.total FROM (s.people p LEFT JOIN s.orders o ON true)", {"a": "email"}),
        ("SELECT o.id, o.total FROM s.people p JOIN s.orders o ON p.email = 'x'", {}),
        ("SELECT j.email, j.total FROM (s.people p JOIN s.orders o ON true) j", {"a": "email"}),
        ("SELECT id, total FROM s.people JOIN s.orders USING (id)", {}),
        ("SELECT p.email || o.total::text, o.total FROM s.people p, s.orders o", {"a": "redact"}),
        ("SELECT o.id, q.email FROM s.orders o, s.people p, s.people q", {"b": "email"}),
    ],
)
def test_columns_of_a_join_are_followed_by_their_aliases(
    definition: str, expected: dict[str, str]
) -> None:
    assert kinds_of_view(definition, "a", "b", read=(PEOPLE, ORDERS)) == expected


def test_a_view_over_no_masked_relation_has_no_masks() -> None:
    made = view("s.v", "WITH x AS (SELECT 1) SELECT total FROM s.orders", columns("total"), ORDERS)

    assert set(masks(PEOPLE, ORDERS, made)) == {"people.email", "people.born"}


def test_a_function_of_a_user_makes_any_view_suspect_while_there_are_masks() -> None:
    made = view(
        "s.v", "SELECT s.f(orders.id) AS e, orders.total FROM s.orders", columns("e", "t"), ORDERS
    )

    assert masks(PEOPLE, ORDERS, made)["v.e"].kind == "redact"
    assert "v.t" not in masks(PEOPLE, ORDERS, made)
    assert masks(ORDERS, made, patterns={}) == {}


def test_a_function_of_a_user_is_found_wherever_it_stands() -> None:
    made = view("s.v", "SELECT x.a FROM s.f() x(a)", columns("a"))

    assert masks(PEOPLE, made)["v.a"].kind == "redact"


def test_a_mask_that_cannot_serve_the_views_type_becomes_redaction() -> None:
    made = view("s.v", "SELECT people.born FROM s.people", (column("born", "text"),), PEOPLE)

    assert masks(PEOPLE, made)["v.born"].kind == "redact"


def test_a_definition_that_reads_what_postgres_does_not_know_of_is_redacted() -> None:
    """The two were read one after the other: in between somebody may have replaced the view."""
    made = view("s.v", "SELECT orders.id AS a, orders.total AS b FROM s.orders", columns("a", "b"))

    assert {name: mask.kind for name, mask in masks(PEOPLE, ORDERS, made).items()} == {
        "people.email": "email",
        "people.born": "year",
        "v.a": "redact",
        "v.b": "redact",
    }


def test_a_definition_that_leaves_out_a_masked_relation_postgres_knows_of_is_redacted() -> None:
    made = view("s.v", "SELECT orders.id AS a FROM s.orders", columns("a"), ORDERS, PEOPLE)

    assert masks(PEOPLE, ORDERS, made)["v.a"].kind == "redact"


def test_a_diamond_of_views_is_followed_once_each() -> None:
    made = [view("s.v0", "SELECT people.email AS x FROM s.people", columns("x"), PEOPLE)]
    for number in range(1, 200):
        below = made[-1]
        definition = f"SELECT a.x FROM {below.relation} a, {below.relation} b"
        made.append(view(f"s.v{number}", definition, columns("x"), below))

    assert masks(PEOPLE, *reversed(made))["v199.x"].kind == "email"


@pytest.mark.parametrize(
    "definition",
    [
        "SELECT " + "(" * 400 + "people.email" + " || 'x'::text)" * 400 + " AS x FROM s.people",
        " UNION ALL ".join(["SELECT lower(people.email) AS x FROM s.people"] * 300),
        "SELECT x.x FROM " + "(SELECT x.x FROM " * 40 + "s.w x" + ") x" * 40,
        "WITH q0 AS (SELECT w.x FROM s.w)"
        + "".join(f", q{n + 1} AS (SELECT a.x FROM q{n} a, q{n} b)" for n in range(100))
        + " SELECT q100.x FROM q100",
    ],
    ids=["operators", "branches", "subqueries", "with"],
)
def test_a_long_or_deep_definition_is_followed_to_its_end(definition: str) -> None:
    below = view("s.w", "SELECT lower(people.email) AS x FROM s.people", columns("x"), PEOPLE)
    made = view("s.v", definition, columns("x"), PEOPLE if "people" in definition else below)

    assert masks(PEOPLE, below, made)["v.x"].kind == "redact"
    for patterns in ({"s.people.city": "redact"}, {**MASKS, "s.w.x": "clean"}):
        expected = "people.email" in definition and "s.w.x" in patterns
        assert ("v.x" in masks(PEOPLE, below, made, patterns=patterns)) == expected


def test_recursion_in_recursion_ends_in_doubt_before_it_ends_in_hours() -> None:
    definition = "SELECT people.city AS c0, people.city AS c1 FROM s.people"
    for number in range(12):
        definition = (
            f"WITH RECURSIVE r{number}(c0, c1) AS (SELECT people.city, people.city FROM s.people"
            f" UNION ALL SELECT w.c1, w.c0 FROM ({definition}) w, r{number})"
            f" SELECT r{number}.c0, r{number}.c1 FROM r{number}"
        )

    assert kinds_of_view(definition, "c0", "c1") in ({}, {"c0": "redact", "c1": "redact"})


def test_masks_are_inherited_through_any_depth_and_in_any_order() -> None:
    first = view("s.a", "SELECT people.email AS x FROM s.people", columns("x"), PEOPLE)
    second = view("s.b", "SELECT a.x AS y, 1 AS z FROM s.a", columns("y", "z"), first)
    third = view("s.c", "SELECT lower(b.y) AS w, b.z FROM s.b", columns("w", "z"), second)
    fourth = view("s.d", "SELECT c.w FROM s.c", columns("w"), third)

    for order in ((PEOPLE, first, second, third, fourth), (fourth, third, second, first, PEOPLE)):
        found = masks(*order)
        assert {name: mask.kind for name, mask in found.items()} == {
            "people.email": "email",
            "people.born": "year",
            "a.x": "email",
            "b.y": "email",
            "c.w": "redact",
            "d.w": "redact",
        }


def test_a_mask_says_where_it_comes_from() -> None:
    made = view(
        "s.v",
        "SELECT people.email AS a, people.email || people.born::text AS b FROM s.people",
        columns("a", "b"),
        PEOPLE,
    )

    found = masks(PEOPLE, made)

    assert found["people.email"].pattern == "s.people.email"
    assert found["people.email"].origins == ()
    assert found["v.a"].origins == ((PEOPLE.relation, "email"),)
    assert set(found["v.b"].origins) == {(PEOPLE.relation, "email"), (PEOPLE.relation, "born")}


def test_masks_of_a_closed_relation_are_inherited_all_the_same() -> None:
    hidden = replace(
        PEOPLE, columns=tuple(replace(each, readable=False) for each in PEOPLE.columns)
    )
    made = view("s.v", "SELECT people.email FROM s.people", columns("email"), hidden)

    assert masks(hidden, made)["v.email"].kind == "email"


def test_views_that_read_each_other_end() -> None:
    one = view("s.a", "SELECT b.x FROM s.b", columns("x"))
    two = view("s.b", "SELECT a.x FROM s.a", columns("x"))
    one = replace(one, sources=((two.relation, "x"), (PEOPLE.relation, "email")))
    two = replace(two, sources=((one.relation, "x"),))

    assert "people.email" in masks(PEOPLE, one, two)


def test_a_view_is_resolved_even_where_its_source_is_not_in_the_catalog() -> None:
    made = replace(
        view("s.v", "SELECT gone.x FROM s.gone", columns("x")),
        sources=((Relation("s", "gone"), "x"),),
    )

    assert set(masks(PEOPLE, made)) == {"people.email", "people.born"}


# Families


def family() -> list[RelationInfo]:
    """Make a partitioned table with two partitions, one of which is partitioned again."""
    parent = table("s.parent", columns("id: integer", "card"), "partitioned table")
    left = table("s.left", parent.columns, sources=every_column(parent))
    right = table("s.right", parent.columns, "partitioned table", sources=every_column(parent))
    below = table("s.below", (*parent.columns, *columns("more")), sources=every_column(right))
    return [below, left, parent, right]


@pytest.mark.parametrize("named", ["parent", "left", "right", "below"])
def test_a_mask_on_one_of_a_family_is_on_all_of_it(named: str) -> None:
    found = masks(*family(), patterns={f"s.{named}.card": "last4"})

    assert {name: mask.kind for name, mask in found.items()} == dict.fromkeys(
        ("parent.card", "left.card", "right.card", "below.card"), "last4"
    )
    assert not found[f"{named}.card"].origins


def test_a_column_that_only_a_child_has_is_its_own() -> None:
    assert set(masks(*family(), patterns={"s.below.more": "redact"})) == {"below.more"}


def test_a_childs_own_pattern_wins_over_its_parents() -> None:
    found = masks(*family(), patterns={"s.parent.card": "last4", "s.left.card": "redact"})

    assert found["left.card"].kind == "redact"
    assert found["right.card"].kind == "last4"


def test_a_view_over_a_partition_inherits_the_mask_of_its_parent() -> None:
    below, left, parent, right = family()
    made = view("s.v", 'SELECT "left".card FROM s."left"', columns("card"), left)

    found = masks(below, left, parent, right, made, patterns={"s.parent.card": "last4"})

    assert found["v.card"].kind == "last4"


# Generated columns


def generated(expression: str) -> RelationInfo:
    """Make a table with a column that is computed from the others."""
    made = column("made", generated=True, default=expression)
    return table("s.people", (*PEOPLE.columns, made))


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("lower(email)", "redact"),
        ("email", "redact"),
        ("(email || city)", "redact"),
        ("lower(city)", None),
        ("s.f(city)", "redact"),
        ("row_to_json(people.*)::text", "redact"),
        ("nonsense (", "redact"),
    ],
)
def test_a_column_generated_from_a_masked_one_is_redacted(
    expression: str, kind: str | None
) -> None:
    found = masks(generated(expression))

    assert (found["people.made"].kind if "people.made" in found else None) == kind


def test_a_generated_column_may_have_a_mask_of_its_own() -> None:
    patterns = {**MASKS, "s.people.made": "clean"}

    assert "people.made" not in masks(generated("lower(email)"), patterns=patterns)


def test_a_column_generated_from_one_that_a_parent_masks_is_redacted() -> None:
    parent = table("s.parent", columns("email"))
    made = column("made", generated=True, default="lower(email)")
    child = table("s.child", (*parent.columns, made), sources=every_column(parent))

    for order in ((parent, child), (child, parent)):
        found = masks(*order, patterns={"s.parent.email": "email"})
        assert {name: mask.kind for name, mask in found.items()} == {
            "parent.email": "email",
            "child.email": "email",
            "child.made": "redact",
        }


def test_a_default_is_not_a_generated_column() -> None:
    plain = column("made", default="'none'::text")

    assert "people.made" not in masks(table("s.people", (*PEOPLE.columns, plain)))


# Patterns


def test_clean_ends_the_inheritance_there_and_below() -> None:
    first = view("s.a", "SELECT lower(people.email) AS x FROM s.people", columns("x"), PEOPLE)
    second = view("s.b", "SELECT a.x FROM s.a", columns("x"), first)

    found = masks(PEOPLE, first, second, patterns={**MASKS, "s.a.x": "clean"})

    assert set(found) == {"people.email", "people.born"}


def test_clean_on_one_view_leaves_another_masked() -> None:
    first = view("s.a", "SELECT people.email AS x FROM s.people", columns("x"), PEOPLE)
    second = view("s.b", "SELECT people.email AS x FROM s.people", columns("x"), PEOPLE)

    found = masks(PEOPLE, first, second, patterns={**MASKS, "s.a.x": "clean"})

    assert set(found) == {"people.email", "people.born", "b.x"}


@pytest.mark.parametrize(
    "patterns",
    [
        {"*.*.email": "redact", "s.people.email": "email"},
        {"s.people.email": "email", "*.*.email": "redact"},
        {"s.*.email": "redact", "s.people.em*": "email", "*": "null"},
        {"*.*.*mail": "null", "*.people.email": "email", "s.*.email": "redact"},
        {"s.people.email": "email", "s.people.email*": "redact", "s.*people.email": "null"},
    ],
)
def test_the_most_specific_pattern_wins_wherever_it_stands(patterns: dict[str, str]) -> None:
    assert masks(PEOPLE, patterns=patterns)["people.email"].kind == "email"


def test_a_pattern_on_a_view_wins_over_what_it_inherits() -> None:
    made = view("s.v", "SELECT people.email FROM s.people", columns("email"), PEOPLE)

    found = masks(PEOPLE, made, patterns={**MASKS, "s.v.email": "null"})

    assert found["v.email"].kind == "null"


def test_a_mask_that_cannot_serve_is_a_problem_for_each_column_it_names() -> None:
    found, problems = resolve({"s.*.id": "email"}, catalog(PEOPLE, ORDERS))

    assert len(problems) == 2
    assert {problem.message for problem in problems} == {
        "mask 'email' cannot serve s.people.id, which is integer",
        "mask 'email' cannot serve s.orders.id, which is integer",
    }
    assert set(found) == {PEOPLE.relation, ORDERS.relation}
