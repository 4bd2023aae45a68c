"""A relation is opened by its schema only if reading it does nothing but read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.catalog import FunctionInfo
from pg_guard_mcp.guard.effects import reason
from pg_guard_mcp.guard.names import Names
from pg_guard_mcp.model import AccessRules
from tests.support.catalogs import catalog, columns, table, view

if TYPE_CHECKING:
    from pg_guard_mcp.catalog import RelationInfo
    from pg_guard_mcp.guard.user_types import UserTypes

BASE = table("s.base", columns("id: integer", "a"))
FUNCTIONS = (
    FunctionInfo(schema="s", name="pure", volatile=False, security_definer=False),
    FunctionInfo(schema="s", name="writer", volatile=True, security_definer=False),
    FunctionInfo(schema="s", name="definer", volatile=False, security_definer=True),
)


def known(*relations: RelationInfo) -> UserTypes:
    """Make a catalog with the functions above, and judge its types."""
    made = catalog(BASE, *relations, functions=FUNCTIONS)
    return Names(rules=AccessRules(), catalog=made, schemas=("s",)).types


def effect(definition: str) -> str | None:
    """Say what a view of that definition can do."""
    made = view("s.v", definition, columns("x"), BASE)
    return reason(made, known(made))


@pytest.mark.parametrize(
    "definition",
    [
        "SELECT base.a AS x FROM s.base",
        "SELECT lower(base.a) AS x FROM s.base",
        "SELECT COALESCE(base.a, 'x') AS x FROM s.base",
        "SELECT count(*) AS x FROM s.base GROUP BY base.a",
        "SELECT s.pure(base.a) AS x FROM s.base",
        "SELECT b.x FROM s.base b(id, x)",
        "SELECT EXTRACT(year FROM CURRENT_DATE) AS x",
        "WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM r) SELECT x FROM r",
    ],
)
def test_a_view_that_only_computes_has_no_effect(definition: str) -> None:
    assert effect(definition) is None


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("SELECT pg_advisory_lock(base.id) AS x FROM s.base", "it calls pg_advisory_lock"),
        ("SELECT s.writer() AS x", "it calls s.writer"),
        ("SELECT s.definer() AS x", "it calls s.definer"),
        ("SELECT s.nosuch() AS x", "it calls s.nosuch"),
        ("SELECT x FROM pg_sleep(1) x", "it calls pg_sleep"),
        ("SELECT 1 AS x WHERE pg_sleep(1) IS NULL", "it calls pg_sleep"),
        ("SELECT dblink.dblink('x', 'y') AS x", "it calls dblink.dblink"),
        ("SELECT (1::double precision).pg_sleep AS x", "it calls pg_sleep"),
        ("SELECT pg_class.relname AS x FROM pg_class", "it reads None.pg_class"),
        ("SELECT s.usename AS x FROM pg_catalog.pg_shadow s", "it reads pg_catalog.pg_shadow"),
        ("SELECT nonsense FROM", "its definition was not understood"),
        ("SELECT merge_action() AS x", "its definition was not understood"),
    ],
)
def test_a_view_that_can_do_more_says_what(definition: str, expected: str) -> None:
    assert effect(definition) == expected


def test_a_foreign_table_reads_through_a_connection_of_its_own() -> None:
    assert reason(replace(BASE, kind="foreign table"), known()) is not None


def test_a_table_has_no_effect() -> None:
    assert reason(BASE, known()) is None


def test_an_effect_is_found_through_views_of_any_depth() -> None:
    deep = view("s.deep", "SELECT pg_notify('a', 'b') AS x", columns("x"))
    middle = view("s.middle", "SELECT deep.x FROM s.deep", columns("x"), deep)
    top = view("s.top", "SELECT middle.x FROM s.middle", columns("x"), middle)

    assert reason(top, known(deep, middle, top)) == (
        "through s.middle, through s.deep, it calls pg_notify"
    )


def test_a_foreign_table_behind_a_view_is_an_effect_of_the_view() -> None:
    """On its connection READ ONLY does not hold, whoever opens it."""
    abroad = table("s.abroad", columns("x"), "foreign table")
    made = view("s.v", "SELECT abroad.x FROM s.abroad", columns("x"), abroad)

    assert reason(made, known(abroad, made)) is not None


def test_a_foreign_partition_behind_a_table_is_an_effect_of_the_table() -> None:
    parent = table("s.parent", columns("x"), "partitioned table")
    abroad = table("s.abroad", columns("x"), "foreign table", sources=((parent.relation, "x"),))

    assert reason(parent, known(parent, abroad)) is not None


def test_views_that_read_each_other_end() -> None:
    one = view("s.one", "SELECT two.x FROM s.two", columns("x"))
    two = view("s.two", "SELECT one.x FROM s.one", columns("x"), one)
    one = replace(one, sources=((two.relation, "x"),))

    assert reason(one, known(one, two)) is None


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("SELECT t.x OPERATOR(tools.+) 1 AS x FROM s.t", "it uses the operator tools.+"),
        ("SELECT t.x::tools.box AS x FROM s.t", "it casts to tools.box"),
        ("SELECT t.x OPERATOR(pg_catalog.+) 1 AS x FROM s.t", None),
    ],
)
def test_an_operator_or_type_of_a_user_is_code_of_a_user(
    definition: str, expected: str | None
) -> None:
    assert effect(definition) == expected
