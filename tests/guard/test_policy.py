"""What is open, what is closed, and that nobody can tell closed from missing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.catalog import FunctionInfo, RelationVersion, TypeInfo
from pg_guard_mcp.errors import ConfigurationError, Refused
from pg_guard_mcp.guard.classify import classify
from pg_guard_mcp.guard.policy import admit, judge, shape_only
from pg_guard_mcp.guard.rules import NAME_RULES, RULES
from pg_guard_mcp.model import Finding, Relation, Statement, Verdict
from tests.support.catalogs import (
    CUSTOMERS,
    ORDERS,
    SALARIES,
    SHOP,
    catalog,
    columns,
    policy,
    table,
    view,
)

if TYPE_CHECKING:
    from pg_guard_mcp.catalog import Catalog
    from pg_guard_mcp.guard.policy import Policy


def findings(sql: str, under: Policy) -> tuple[Finding, ...]:
    """Return everything that speaks against `sql`."""
    return judge(classify(sql, max_bytes=50_000), under, RULES).findings


def rules(sql: str, under: Policy) -> list[str]:
    """Return the rules that speak against `sql`, in the order of their findings."""
    return [finding.rule for finding in findings(sql, under)]


def is_open(relation: Relation, under: Policy) -> bool:
    """Tell whether `relation` is open, asked in every way there is."""
    answers = {
        relation in under.open_relations,
        under.resolve(relation.schema, relation.name) is not None,
        not rules(f'SELECT 1 FROM "{relation.schema}"."{relation.name}"', under),
    }
    (answer,) = answers
    return answer


def problems(known: Catalog = SHOP, **changes: object) -> list[str]:
    """Return what is wrong with the shop's rules after some changes."""
    with pytest.raises(ConfigurationError) as error:
        policy(known, **changes)
    assert all(problem.fix for problem in error.value.problems)
    return [problem.message for problem in error.value.problems]


def test_nothing_is_open_until_it_is_named() -> None:
    assert not policy(schemas=(), allow_functions=()).open_relations


def test_a_schema_opens_what_is_in_it_and_nothing_else() -> None:
    opened = policy().open_relations

    assert {relation.schema for relation in opened} == {"shop"}
    assert Relation("shop", "api_keys") not in opened
    assert len(opened) == 13


def test_a_relation_can_be_opened_alone() -> None:
    opened = policy(schemas=(), relations=(ORDERS,), allow_functions=())

    assert set(opened.open_relations) == {ORDERS}
    assert is_open(ORDERS, opened)
    assert not is_open(CUSTOMERS, opened)


@pytest.mark.parametrize(
    ("pattern", "closed"),
    [
        ("shop.orders", True),
        ("shop.*", True),
        ("*.orders", True),
        ("*", True),
        ("shop.o*s", True),
        ("shop.order", False),
        ("orders", False),
        ("shop.order?", False),
        ("SHOP.orders", False),
        ("shop.orders.id", False),
        ("shop.[o]rders", False),
        ("shop_orders", False),
        ("hr.*", False),
    ],
)
def test_a_deny_pattern_closes_what_it_matches_whole(pattern: str, closed: bool) -> None:
    assert is_open(ORDERS, policy(deny_relations=(pattern,))) is not closed


def test_a_deny_pattern_wins_over_a_relation_that_is_named() -> None:
    assert not is_open(ORDERS, policy(relations=(ORDERS,), deny_relations=("shop.orders",)))


def test_what_the_role_may_not_read_stays_closed() -> None:
    assert not is_open(
        SALARIES, policy(replace(SHOP, schemas={"shop": None, "hr": None}), schemas=("shop", "hr"))
    )


def test_views_only_closes_tables_of_every_kind() -> None:
    opened = policy(views_only=True).open_relations

    assert {relation.name for relation in opened} == {"customer_contacts", "monthly_revenue"}


def test_system_schemas_cannot_be_opened() -> None:
    system = [
        table(f"{schema}.pg_tables", columns("a"))
        for schema in ("pg_catalog", "information_schema", "pg_toast", "pg_temp_1")
    ]
    known = catalog(*system)

    assert not policy(
        known, schemas=tuple(known.schemas), masks={}, allow_functions=()
    ).open_relations


@pytest.mark.parametrize("name", ["orders", "customers"])
def test_an_unqualified_name_is_looked_up_in_the_schemas_as_they_are_named(name: str) -> None:
    known = catalog(
        *(table(f"{schema}.{name}", columns("a")) for schema in ("first", "second")),
        table("first.closed", columns("a")),
        table("second.closed", columns("a")),
    )
    under = policy(
        known,
        schemas=("second", "first"),
        deny_relations=("second.closed",),
        masks={},
        allow_functions=(),
    )

    assert under.resolve(None, name) == Relation("second", name)
    assert under.resolve("first", name) == Relation("first", name)
    assert under.resolve(None, "closed") == Relation("first", "closed")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM hr.salaries",
        "SELECT * FROM salaries",
        "SELECT * FROM shop.api_keys",
        "SELECT * FROM api_keys",
        "SELECT 'a'::hr.grade",
        "SELECT shop.salary_of(1)",
        "SELECT vat_rate(1)",
    ],
)
def test_what_is_closed_is_refused_in_the_same_words_as_what_is_missing(sql: str) -> None:
    """The same statement, where the closed thing is there and where it is not."""
    without = replace(
        SHOP,
        relations={
            relation: info
            for relation, info in SHOP.relations.items()
            if relation.name not in {"salaries", "api_keys"}
        },
        types=tuple(kind for kind in SHOP.types if kind.name == "order_status"),
        functions=tuple(each for each in SHOP.functions if each.name == "net_price"),
    )

    assert findings(sql, policy())
    assert findings(sql, policy()) == findings(sql, policy(without))


def test_a_hint_names_open_relations_and_readable_columns_only() -> None:
    hidden = table(
        "shop.salaries", (*columns("id: integer"), replace(columns("secret")[0], readable=False))
    )
    under = policy(
        catalog(hidden, table("shop.salary", columns("x"))),
        masks={},
        allow_functions=(),
        deny_relations=("shop.salary",),
    )

    (finding,) = findings("SELECT * FROM shop.salary", under)

    assert finding.hint == "Did you mean shop.salaries? Its columns are id."


def test_a_hint_is_given_for_a_name_that_is_nearly_right() -> None:
    (with_schema,) = findings("SELECT * FROM shop.order", policy())
    (without,) = findings("SELECT * FROM product", policy())
    (far,) = findings("SELECT * FROM xyz", policy())

    assert with_schema.hint.startswith("Did you mean shop.orders? Its columns are id, customer_id,")
    assert without.hint.startswith("Did you mean shop.products?")
    assert far.hint == "Call list_schemas to see what is."


def test_all_findings_are_reported_at_once_and_each_once() -> None:
    sql = "SELECT pg_sleep(1), pg_sleep(2), $1, 'x'::regclass FROM hr.salaries, pg_class FOR UPDATE"

    assert rules(sql, policy()) == [
        "no-row-locks",
        "no-parameters",
        "no-catalogs",
        "allowed-relations",
        "no-delay",
        "allowed-types",
    ]


def test_an_admitted_statement_is_the_one_that_was_judged() -> None:
    statement = classify("SELECT 1", max_bytes=100)

    assert admit(judge(statement, policy(), RULES)) is statement


def test_one_finding_is_enough_to_refuse() -> None:
    finding = Finding(rule="a-rule", message="no", hint="Do without.")

    with pytest.raises(Refused) as refusal:
        admit(Verdict(statement=Statement(sql="SELECT 1"), findings=(finding,)))

    assert refusal.value.findings == (finding,)


def test_every_rule_is_asked_about_every_statement() -> None:
    asked = []

    def noting(rule: object) -> object:
        def ask(statement: Statement, _: Policy) -> list[Finding]:
            asked.append((rule, statement.sql))
            return []

        return ask

    judge(Statement(sql="SELECT 1"), policy(), [noting(rule) for rule in RULES])  # type: ignore[misc]  # stand-ins

    assert asked == [(rule, "SELECT 1") for rule in RULES]


def test_rules_that_name_things_are_those_a_fresh_catalog_may_lift() -> None:
    names = {rule.__name__.replace("_", "-") for rule in RULES}

    assert (
        names
        >= NAME_RULES
        == {
            "allowed-columns",
            "allowed-extensions",
            "allowed-functions",
            "allowed-operators",
            "allowed-relations",
            "allowed-types",
        }
    )


def test_every_finding_says_what_to_do() -> None:
    sql = (
        "SELECT pg_sleep(1), nosuch(), $1, 'x'::regclass, 1 OPERATOR(a.+) 2, ctid"
        " FROM hr.x, pg_class, shop.customers TABLESAMPLE system (1)"
    )

    found = findings(sql, policy())

    assert len({finding.rule for finding in found}) == 9
    for finding in found:
        assert finding.hint.endswith(".")
        assert not finding.message.endswith(".")


def test_only_enums_of_open_schemas_are_types_of_users() -> None:
    under = policy()

    assert under.names.type("shop", "order_status") == ("shop", "order_status")
    assert under.names.type(None, "order_status") == ("shop", "order_status")
    for name in (("shop", "postcode"), ("shop", "address"), ("hr", "grade"), (None, "grade")):
        assert under.names.type(*name) is None


def test_only_functions_that_the_rules_name_are_open() -> None:
    under = policy()

    assert under.names.function("shop", "net_price") == ("shop", "net_price")
    assert under.names.function(None, "net_price") == ("shop", "net_price")
    for name in ("vat_rate", "record_visit", "salary_of"):
        assert under.names.function("shop", name) is None
        assert under.names.function(None, name) is None


def test_a_function_that_has_become_volatile_is_closed() -> None:
    under = policy()
    changed = tuple(
        replace(function, volatile=True, security_definer=True) for function in SHOP.functions
    )

    assert (
        replace(under, catalog=replace(SHOP, functions=changed)).names.function("shop", "net_price")
        is None
    )


@pytest.mark.parametrize("name", ["date", "uuid", "interval", "point"])
def test_a_built_in_type_keeps_its_name_beside_an_enum_of_the_same_name(name: str) -> None:
    """Postgres looks into pg_catalog first, and so must the policy."""
    known = replace(SHOP, types=(TypeInfo("shop", name, "e"),))

    assert policy(known).names.type(None, name) is None
    assert policy(known).names.type("shop", name) == ("shop", name)


def test_a_built_in_function_keeps_its_name_beside_a_function_of_the_same_name() -> None:
    lower = FunctionInfo(schema="shop", name="lower", volatile=False, security_definer=False)
    under = policy(replace(SHOP, functions=(lower,)), allow_functions=("shop.lower",))

    assert under.names.function(None, "lower") is None
    assert under.names.function("shop", "lower") == ("shop", "lower")


def test_every_problem_with_the_rules_is_reported_at_once() -> None:
    found = problems(
        schemas=("shop", "nosuch"),
        relations=(Relation("shop", "nosuch"), SALARIES),
        allow_functions=("shop.nosuch", "shop.record_visit", "shop.salary_of", "net_price"),
        masks={
            "customers.email": "email",
            "shop.customers.email": "scramble",
            "shop.customers.id": "email",
            "shop.orders.total": "bucket",
            "shop.orders.status": "redact:x",
        },
    )

    for part in (
        "access.schemas names 'nosuch'",
        "access.relations names shop.nosuch",
        "access.relations names hr.salaries",
        "access.allow_functions names shop.nosuch,",
        "access.allow_functions names shop.record_visit, which is VOLATILE, and",
        "access.allow_functions names shop.salary_of, which is SECURITY DEFINER, and",
        "access.allow_functions names net_price,",
        "mask pattern 'customers.email' does not name schema, relation and column",
        "mask kind 'scramble' does not exist",
        "mask 'email' cannot serve shop.customers.id, which is integer",
        "mask kind 'bucket' has no width",
        "mask kind 'redact:x' takes no argument",
    ):
        assert sum(part in message for message in found) == 1, part


def test_a_closed_schema_and_a_missing_one_read_alike_to_the_operator() -> None:
    (closed,) = problems(schemas=("shop", "hr"))
    (missing,) = problems(schemas=("shop", "nosuch"))

    assert closed.replace("hr", "nosuch") == missing


@pytest.mark.parametrize(
    "source",
    [
        "SELECT email FROM shop.customers",
        'SELECT email FROM "shop"."customers"',
        "SELECT email FROM CUSTOMERS",
        "BEGIN RETURN (SELECT max(contact_address) FROM customer_contacts); END",
    ],
)
def test_an_allowed_function_must_not_name_a_masked_relation(source: str) -> None:
    (net_price,) = (each for each in SHOP.functions if each.name == "net_price")
    known = replace(SHOP, functions=(replace(net_price, source=source),))

    (found,) = problems(known)

    assert found.startswith("access.allow_functions names shop.net_price, whose source names shop.")


def test_an_allowed_function_must_not_name_a_masked_relation_with_a_blank_in_its_name() -> None:
    reader = FunctionInfo(
        schema="shop",
        name="tier",
        volatile=False,
        security_definer=False,
        source='SELECT "Name" FROM shop."Loyalty Tiers"',
    )
    known = replace(SHOP, functions=(reader,))

    (found,) = problems(
        known, allow_functions=("shop.tier",), masks={"shop.Loyalty Tiers.Name": "redact"}
    )

    assert "whose source names shop.Loyalty Tiers" in found


def test_an_allowed_function_must_not_reach_a_masked_relation_through_another() -> None:
    """What it returns would be unmasked, whoever reads the relation for it."""
    outer = FunctionInfo(
        schema="shop",
        name="outer_price",
        volatile=False,
        security_definer=False,
        source="SELECT shop.inner_price(1)",
    )
    inner = replace(outer, name="inner_price", source="SELECT email FROM shop.customers")
    known = replace(SHOP, functions=(outer, inner))

    assert problems(known, allow_functions=("shop.outer_price",))


def test_an_allowed_function_may_name_what_is_not_masked() -> None:
    (net_price,) = (each for each in SHOP.functions if each.name == "net_price")
    known = replace(SHOP, functions=(replace(net_price, source="SELECT total FROM shop.orders"),))

    assert policy(known).names.function("shop", "net_price")


def test_a_view_with_effects_is_opened_by_its_own_name_only() -> None:
    locking = view(
        "shop.locking",
        "SELECT pg_advisory_lock(orders.id) AS l FROM shop.orders",
        columns("l"),
        table("shop.orders", columns("id: integer")),
    )
    known = catalog(table("shop.orders", columns("id: integer")), locking)

    by_schema = policy(known, masks={}, allow_functions=())
    by_name = policy(known, masks={}, allow_functions=(), relations=(locking.relation,))

    assert not is_open(locking.relation, by_schema)
    assert is_open(locking.relation, by_name)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM hr.salaries", []),
        ("SELECT 'a'::shop.whatever, 'a'::whatever", []),
        ("SELECT 'a'::regclass", ["allowed-types"]),
        ("SELECT 'a'::pg_catalog.nosuch", ["allowed-types"]),
        ("SELECT pg_sleep(1) FROM hr.salaries", ["no-delay"]),
        ("SELECT * FROM pg_class", ["no-catalogs"]),
        ("SELECT $1", ["no-parameters"]),
        ("SELECT shop.anything(1)", ["allowed-functions"]),
        ("DELETE FROM hr.salaries", ["read-only"]),
    ],
)
def test_by_shape_alone_only_what_needs_the_database_is_left_out(
    sql: str, expected: list[str]
) -> None:
    assert rules(sql, shape_only()) == expected


def test_versions_follow_views_down_to_what_they_read() -> None:
    base = table("shop.base", columns("a"), version=RelationVersion(1, "one"))
    middle = replace(
        view("shop.middle", "SELECT base.a FROM shop.base", columns("a"), base),
        version=RelationVersion(2, "two"),
    )
    top = replace(
        view("shop.top", "SELECT middle.a FROM shop.middle", columns("a"), middle),
        version=RelationVersion(3, "three"),
    )
    under = policy(catalog(base, middle, top), masks={}, allow_functions=())

    assert under.versions([top.relation]) == ((1, "one"), (2, "two"), (3, "three"))
    assert under.versions([base.relation, base.relation]) == ((1, "one"),)
    assert under.versions([Relation("shop", "nosuch")]) == ()


def test_before_14_extract_is_a_form_of_date_part() -> None:
    old = policy(replace(SHOP, server_version=130_023))

    assert rules("SELECT extract(year from now())", old) == []


def test_before_14_there_is_no_extract_that_could_be_called() -> None:
    """Somebody's own could stand in for it."""
    old = policy(replace(SHOP, server_version=130_023))

    assert rules("SELECT pg_catalog.extract('year', now())", old) == ["allowed-functions"]
    with pytest.raises(Refused):
        findings("SELECT \"extract\"('year', now())", old)
