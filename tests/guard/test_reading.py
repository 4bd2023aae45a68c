"""The walk over Postgres's tree: every fact, every scope, and nothing it does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pg_guard_mcp.guard import grammar, reading
from pg_guard_mcp.guard.facts import RelationName
from pg_guard_mcp.uses import FunctionUse, TypeUse

if TYPE_CHECKING:
    from pg_guard_mcp.guard.facts import Reading


def read(sql: str) -> Reading:
    """Read `sql` by Postgres's own grammar."""
    return reading.read(grammar.parse(sql))


def relations(sql: str) -> set[str]:
    """Return the relations of `sql`, as `schema.name` or `name`."""
    return {
        f"{relation.schema}.{relation.name}" if relation.schema else relation.name
        for relation in read(sql).relations
    }


def functions(sql: str) -> set[tuple[str, str]]:
    """Return spelling and notation of every function of `sql`."""
    return {(use.spelling, use.notation) for use in read(sql).functions}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("WITH a AS (SELECT 1) SELECT * FROM a", set()),
        ("WITH a AS (SELECT * FROM a) SELECT * FROM a", {"a"}),
        ("WITH RECURSIVE a AS (SELECT * FROM a) SELECT * FROM a", set()),
        ("WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT * FROM b", set()),
        ("WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a", {"b"}),
        ("WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a", set()),
        ("WITH a AS (SELECT 1) SELECT * FROM s.a", {"s.a"}),
        ("WITH a AS (SELECT 1) SELECT (SELECT 1 FROM a)", set()),
        ("WITH a AS (SELECT 1) SELECT * FROM (SELECT * FROM (SELECT * FROM a) x) y", set()),
        ("WITH a AS (SELECT 1) SELECT 1 UNION SELECT * FROM a", set()),
        ("(WITH a AS (SELECT 1) SELECT * FROM a) UNION SELECT * FROM a", {"a"}),
        ("SELECT * FROM a UNION (WITH a AS (SELECT 1) SELECT * FROM a)", {"a"}),
        ("SELECT (WITH a AS (SELECT 1) SELECT * FROM a), (SELECT * FROM a)", {"a"}),
        ("WITH a AS (WITH b AS (SELECT 1) SELECT * FROM b) SELECT * FROM b", {"b"}),
        ("WITH a AS (WITH a AS (SELECT 1) SELECT * FROM a) SELECT * FROM a", set()),
        ("WITH a AS (WITH b AS (SELECT * FROM a) SELECT * FROM b) SELECT * FROM a", {"a"}),
        ("WITH RECURSIVE a AS (WITH b AS (SELECT * FROM a) SELECT * FROM b) SELECT 1", set()),
        (
            "WITH a AS (SELECT 1), b AS (WITH a AS (SELECT * FROM a) SELECT * FROM a) SELECT 1",
            set(),
        ),
        ('WITH "A" AS (SELECT 1) SELECT * FROM a', {"a"}),
        ('WITH A AS (SELECT 1) SELECT * FROM "a"', set()),
        ("WITH a AS (SELECT 1) SELECT * FROM a AS b, b", {"b"}),
        ("WITH a AS (SELECT 1) TABLE a", set()),
        ("WITH a AS (SELECT 1) SELECT * FROM ONLY a", set()),
        ("WITH a AS (SELECT 1) VALUES ((SELECT 1 FROM a))", set()),
        ("WITH a AS (SELECT 1) SELECT 1 ORDER BY (SELECT 1 FROM a) LIMIT (SELECT 1 FROM a)", set()),
        ("WITH a AS (SELECT 1), a2 AS (SELECT * FROM a, c) SELECT * FROM a2, d", {"c", "d"}),
        ("WITH x AS NOT MATERIALIZED (SELECT * FROM x) SELECT * FROM x", {"x"}),
    ],
)
def test_a_cte_is_visible_exactly_where_postgres_sees_it(sql: str, expected: set[str]) -> None:
    assert relations(sql) == expected


def test_a_relation_is_noted_with_all_that_is_written_about_it() -> None:
    (relation,) = read("SELECT 1 FROM ONLY shop.orders AS o TABLESAMPLE system (1)").relations

    assert relation == RelationName(
        schema="shop", name="orders", start=19, aliased=True, only=True, sampled=True, alias="o"
    )


def test_two_uses_of_one_relation_are_two_facts() -> None:
    first, second = sorted(
        read("SELECT 1 FROM orders, orders o TABLESAMPLE system (1)").relations,
        key=lambda relation: relation.start,
    )

    assert (first.aliased, first.sampled, first.only) == (False, False, False)
    assert (second.aliased, second.sampled, second.start) == (True, True, 22)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT f(1)", {("f", "call")}),
        ("SELECT s.f(1)", {("s.f", "call")}),
        ("SELECT d.s.f(1)", {("d.s.f", "call")}),
        ('SELECT "F"(1)', {("F", "call")}),
        ("SELECT * FROM f(1)", {("f", "call")}),
        ("SELECT * FROM ROWS FROM (f(1), g(2))", {("f", "call"), ("g", "call")}),
        ("SELECT * FROM a TABLESAMPLE s.f (1)", {("s.f", "call")}),
        ("SELECT * FROM a TABLESAMPLE bernoulli (1)", set()),
        ("SELECT extract(year FROM a)", {("pg_catalog.extract", "syntax")}),
        ("SELECT a AT TIME ZONE 'UTC'", {("pg_catalog.timezone", "syntax")}),
        ("SELECT trim(a)", {("pg_catalog.btrim", "syntax")}),
        ("SELECT * FROM xmltable('/a' PASSING a COLUMNS b int)", {("xmltable", "syntax")}),
        ("SELECT coalesce(a, 1)", {("coalesce", "grammar")}),
        ("SELECT nullif(a, 1)", {("nullif", "grammar")}),
        ("SELECT greatest(a, 1), least(a, 1)", {("greatest", "grammar"), ("least", "grammar")}),
        ("SELECT grouping(a) FROM t GROUP BY a", {("grouping", "grammar")}),
        ("SELECT (a).f", {("f", "attribute")}),
        ("SELECT (a).f.g", {("f", "attribute"), ("g", "attribute")}),
        ("SELECT (a[1]).f", {("f", "attribute")}),
        ("SELECT (SELECT 1).f", {("f", "attribute")}),
        ("SELECT (a).*", set()),
        ("SELECT CAST(a AS f)", set()),
    ],
)
def test_every_function_is_noted_with_its_notation(
    sql: str, expected: set[tuple[str, str]]
) -> None:
    assert functions(sql) == expected


def test_a_function_is_noted_with_its_place_and_its_arguments() -> None:
    (use,) = read("SELECT 'ä', pg_catalog.concat(1, 2, 3)").functions

    assert use == FunctionUse(
        schema="pg_catalog",
        name="concat",
        spelling="pg_catalog.concat",
        notation="call",
        start=13,
        arguments=3,
    )


def test_types_are_noted_wherever_one_can_be_named() -> None:
    found = read(
        "SELECT a::s.t, CAST(b AS u[]), date '2026-01-01', JSON_OBJECT('a': 1 RETURNING v)"
        " FROM json_to_record('{}') AS x(c w), JSON_TABLE('{}', '$' COLUMNS (d y PATH '$')) AS z"
    ).types

    assert {(use.schema, use.name) for use in found} == {
        ("s", "t"),
        *((None, name) for name in ("u", "date", "v", "w", "y")),
    }


def test_a_type_is_noted_with_its_place() -> None:
    assert read("SELECT 'ä'::order_status").types == [
        TypeUse(schema=None, name="order_status", start=len("SELECT 'ä'::".encode()))
    ]


def test_columns_are_noted_with_their_parts_as_postgres_folds_them() -> None:
    found = read('SELECT *, o.*, Shop."Orders".ID FROM o').columns

    assert [(use.parts, use.start) for use in sorted(found, key=lambda use: use.start)] == [
        (("*",), 7),
        (("o", "*"), 10),
        (("shop", "Orders", "id"), 15),
    ]


def test_names_are_those_of_ctes_and_of_every_kind_of_alias() -> None:
    found = read(
        "WITH a AS (SELECT 1) SELECT 1 AS h FROM x AS b, (SELECT 1) AS c, f() AS d,"
        " (y JOIN z USING (i) AS e) AS g, ROWS FROM (f()) AS j(k)"
    ).names

    assert found == {"a", "b", "c", "d", "e", "g", "j"}


def test_operators_are_noted_where_they_have_a_schema() -> None:
    found = read(
        "SELECT 1 OPERATOR(s.+) 2, 1 OPERATOR(d.s.-) 2, 1 OPERATOR(t.=) ANY (ARRAY[1]),"
        " 1 OPERATOR(u.=) ANY (SELECT 1), 3 + 4 FROM a ORDER BY b USING OPERATOR(v.<)"
    ).operators

    assert set(found) == {("s", "+"), ("d.s", "-"), ("t", "="), ("u", "="), ("v", "<")}


def test_collations_and_parameters_are_noted() -> None:
    facts = read('SELECT a COLLATE "C", b COLLATE s.d, $2 FROM t ORDER BY c COLLATE "x" LIMIT $1')

    assert {(use.schema, use.name) for use in facts.collations} == {
        (None, "C"),
        ("s", "d"),
        (None, "x"),
    }
    assert set(facts.parameters) == {1, 2}


@pytest.mark.parametrize(
    ("sql", "rules"),
    [
        ("SELECT 1", []),
        ("", ["one-statement"]),
        ("SELECT 1; SELECT 2", ["one-statement"]),
        ("SELECT 1 INTO t", ["no-select-into"]),
        ("SELECT 1 FROM t FOR UPDATE", ["no-row-locks"]),
        ("SELECT 1 FROM d.s.t", ["allowed-relations"]),
        ("WITH a AS (DELETE FROM t RETURNING 1) SELECT 1", ["no-data-modifying-cte"]),
        ("DROP TABLE t", ["no-ddl"]),
    ],
)
def test_what_the_form_alone_forbids_is_a_finding(sql: str, rules: list[str]) -> None:
    assert [finding.rule for finding in read(sql).findings] == rules


def test_all_statements_of_a_text_are_read() -> None:
    assert relations("SELECT * FROM a; SELECT * FROM b") == {"a", "b"}


def select(**fields: Any) -> list[dict[str, Any]]:
    """Forge a parse tree: a SELECT with some fields."""
    return [{"stmt": {"SelectStmt": fields}}]


@pytest.mark.parametrize(
    ("tree", "unknown"),
    [
        (select(targetList=[{"ResTarget": {"val": {"NewExpr": {}}}}]), "NewExpr"),
        (select(fromClause=[{"GraphTable": {}}]), "GraphTable"),
        (select(whereClause={"MergeSupportFunc": {}}), "MergeSupportFunc"),
        (select(newClause={"fields": [1]}), "newClause"),
        (select(targetList=[{"ResTarget": {"val": {"FuncCall": {"novel": {"a": 1}}}}}]), "novel"),
        (select(newList=[{"a": 1}]), "newList"),
        (select(groupClause=[[{"NewNode": {}}]]), "groupClause"),
        (select(groupClause=[1]), "groupClause"),
        (select(larg={"whereClause": {"NewNode": {}}}), "NewNode"),
        (select(withClause={"ctes": [{"CommonTableExpr": {"ctename": "a", "x": {"Y": {}}}}]}), "Y"),
        (select(targetList=[{"TypeCast": {"typeName": {"setof": True}}}]), "TypeName"),
        (select(targetList=[{"TypeCast": {"typeName": {"pct_type": True}}}]), "TypeName"),
        (select(targetList=[{"TypeCast": {"typeName": {"typeOid": 1}}}]), "TypeName"),
        (select(whereClause={"UpdateStmtX": {}}), "UpdateStmtX"),
        (select(whereClause={"RawStmt": {}}), "RawStmt"),
        (select(whereClause={"DropStmt": {}}), "DropStmt"),
    ],
)
def test_a_node_or_a_field_of_a_newer_grammar_is_not_understood(
    tree: list[dict[str, Any]], unknown: str
) -> None:
    # Every node but the unknown one is filled in as far as the walk looks at it.
    for target in tree[0]["stmt"]["SelectStmt"].get("targetList", ()):
        call = target.get("ResTarget", {}).get("val", {}).get("FuncCall")
        if call is not None:
            call["funcname"] = [{"String": {"sval": "f"}}]

    with pytest.raises(reading.NotUnderstood, match=f"^{unknown}$"):
        reading.read(tree)


def test_a_root_that_no_table_knows_is_refused_all_the_same() -> None:
    facts = reading.read([{"stmt": {"GraphStmt": {}}}])

    assert [finding.rule for finding in facts.findings] == ["read-only"]


def test_a_chain_deeper_than_python_recurses_is_walked() -> None:
    tree: dict[str, Any] = {"ColumnRef": {"fields": [{"String": {"sval": "a"}}]}}
    for _ in range(5_000):
        tree = {"A_Expr": {"lexpr": tree, "name": [{"String": {"sval": "+"}}]}}

    facts = reading.read(select(whereClause=tree))

    assert [use.parts for use in facts.columns] == [("a",)]
