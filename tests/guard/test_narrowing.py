"""A client's policy is never wider than everybody's, whatever its own rules say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pg_guard_mcp.errors import ConfigurationError
from pg_guard_mcp.guard.narrowing import narrow
from pg_guard_mcp.model import AccessRules, Relation
from tests.support.catalogs import CUSTOMERS, ORDERS, RULES, catalog, columns, policy, table, view

EVERYBODY = policy()
CONTACTS = Relation("shop", "customer_contacts")


def kinds(own: dict[str, str], everybody: dict[str, str] | None = None) -> dict[str, str]:
    """Return the masks on customers that a client gets who has masks of its own."""
    base = policy(masks=RULES.masks if everybody is None else everybody)
    masks = narrow(base, replace(RULES, masks=own)).masked(CUSTOMERS)
    return {column: mask.kind for column, mask in masks.items()}


def test_only_what_both_open_is_open() -> None:
    narrowed = narrow(
        policy(deny_relations=("shop.orders",)),
        AccessRules(schemas=("shop",), deny_relations=("shop.products",)),
    )

    assert ORDERS not in narrowed.open_relations
    assert Relation("shop", "products") not in narrowed.open_relations
    assert CUSTOMERS in narrowed.open_relations


def test_a_client_that_names_a_relation_does_not_open_what_its_effects_close() -> None:
    foreign = table("shop.remote", columns("id: integer"), "foreign table")
    base = policy(catalog(foreign), masks={}, allow_functions=())

    assert foreign.relation not in base.open_relations
    own = AccessRules(relations=(foreign.relation,))
    assert not narrow(base, own).open_relations


def test_masks_of_everybody_stay_and_those_of_the_client_are_added() -> None:
    everybody = {column: mask.kind for column, mask in EVERYBODY.masked(CUSTOMERS).items()}

    assert kinds({}) == everybody
    assert kinds({"shop.customers.full_name": "first1"}) == {**everybody, "full_name": "first1"}


@pytest.mark.parametrize(
    ("own", "left"),
    [
        ("clean", "email"),
        ("first1", "email"),
        ("const:x", "email"),
        ("null", "null"),
        ("redact", "redact"),
    ],
)
def test_a_mask_of_everybody_gives_way_to_one_that_shows_nothing_alone(own: str, left: str) -> None:
    assert kinds({"*.*.email": own})["email"] == left
    assert kinds({"shop.customers.email": own})["email"] == left


def test_views_inherit_the_stricter_mask_and_keep_it_from_a_client_who_declares_them_clean() -> (
    None
):
    own = {"shop.customers.email": "null", "shop.customer_contacts.contact_address": "clean"}

    narrowed = narrow(EVERYBODY, replace(RULES, masks=own))

    assert narrowed.masked(CUSTOMERS)["email"].kind == "null"
    assert narrowed.masked(CONTACTS)["contact_address"].kind == "redact"


def test_a_mask_of_the_client_alone_goes_through_views() -> None:
    base = policy(masks={})

    narrowed = narrow(base, replace(RULES, masks={"shop.customers.full_name": "redact"}))

    assert not base.masks
    assert narrowed.masked(CONTACTS)["full_name"].kind == "redact"


def test_a_function_that_reads_what_the_client_alone_has_masked_is_a_problem() -> None:
    source = replace(
        EVERYBODY.catalog.functions[0], source="SELECT total FROM shop.orders WHERE id = $1"
    )
    known = replace(EVERYBODY.catalog, functions=(source,))
    base = policy(known)

    with pytest.raises(ConfigurationError, match="whose source names"):
        narrow(base, replace(RULES, masks={"shop.orders.total": "null"}))
    narrow(base, replace(RULES, masks={"shop.orders.total": "null"}, allow_functions=()))


def test_a_client_with_masks_of_its_own_sees_no_constants_in_catalogs() -> None:
    views = table("pg_catalog.pg_views", columns("viewname", "definition"))
    people = table("shop.people", columns("email"))
    rules = AccessRules(schemas=("shop",), relations=(views.relation,))
    base = policy(catalog(views, people), masks={}, allow_functions=(), relations=(views.relation,))

    masked = narrow(base, replace(rules, masks={"shop.people.email": "null"}))

    assert narrow(base, rules).columns(views.relation) == {"viewname", "definition"}
    assert masked.columns(views.relation) == {"viewname"}


def test_masks_of_everybody_hold_constants_back_from_a_client_without_any() -> None:
    views = table("pg_catalog.pg_views", columns("viewname", "definition"))
    people = table("shop.people", columns("email"))
    rules = AccessRules(schemas=("shop",), relations=(views.relation,))
    base = policy(
        catalog(views, people, view("shop.v", " SELECT 1 AS one;", columns("one: integer"))),
        masks={"shop.people.email": "null"},
        allow_functions=(),
        relations=(views.relation,),
    )

    assert narrow(base, rules).columns(views.relation) == {"viewname"}
