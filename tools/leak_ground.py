"""The databases that leaks are looked for in: the demo shop, made small, with canaries in it.

Two worlds are alike but for what is masked, and every secret of one world is shown by its mask as
the other's is: same first letter, same last four, same year. So whatever can be asked must be
answered alike. A third world is the first but for one value of one row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pg_guard_mcp.model import AccessRules, Relation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

CANARY = "zqxj"
"""Begins every secret text. No word, no digest in hex and no query has it."""

SMALL = """
DELETE FROM shop.support_tickets WHERE order_id > 320;
DELETE FROM shop.reviews WHERE id > 120;
DELETE FROM shop.payments WHERE order_id > 320;
DELETE FROM shop.order_items WHERE order_id > 320;
DELETE FROM shop.orders WHERE id > 320;
UPDATE shop.orders SET customer_id = 1 + customer_id % 60;
UPDATE shop.reviews SET customer_id = 1 + customer_id % 60, product_id = 1 + product_id % 40;
UPDATE shop.support_tickets SET customer_id = 1 + customer_id % 60;
UPDATE shop.order_items SET product_id = 1 + product_id % 40;
DELETE FROM shop.customers WHERE id > 60;
DELETE FROM shop.products WHERE id > 40;
DELETE FROM shop.order_items WHERE line > 1;
CREATE MATERIALIZED VIEW shop.cards AS
SELECT id, card_number AS card, ssn, upper(email) AS mail FROM shop.customers;
CREATE VIEW shop.cards_again AS SELECT card, id AS number, mail || ssn AS both FROM shop.cards;
CREATE VIEW shop.everyone AS SELECT c AS whole, c.id, c.notes AS remark FROM shop.customers AS c;
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO agent_ro;
DO $$
DECLARE
    name text;
BEGIN
    -- What is vacuumed at a moment of its own has another plan in one world than in the other.
    FOR name IN SELECT oid::regclass FROM pg_class
                WHERE relkind IN ('r', 'm') AND relnamespace = 'shop'::regnamespace
    LOOP
        EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = false)', name);
    END LOOP;
END $$;
"""

RULES = AccessRules(
    schemas=("shop",),
    # A view with a whole row in it does not open with its schema.
    relations=(Relation("shop", "everyone"),),
    deny_relations=("shop.api_keys",),
    allow_functions=("shop.net_price",),
    masks={
        "shop.customers.email": "email",
        "shop.customers.phone": "last4",
        "shop.customers.ssn": "redact",
        "shop.customers.card_number": "last4",
        "shop.customers.date_of_birth": "year",
        "shop.customers.notes": "redact",
        "shop.orders.shipping_address": "redact",
        "shop.orders.tags": "redact",
        "shop.order_items.unit_price": "bucket:50",
        "shop.payments.card": "first1",
        "shop.payments.amount": "bucket:1000",
        "shop.products.price": "null",
        "shop.products.attributes": "redact",
        "shop.products.on_sale": "null",
        "shop.reviews.body": "const:hidden",
        "shop.support_tickets.body": "redact",
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A masked column, and SQL that makes another value of it that its mask shows alike.

    `{word}` is a canary and a digest of the row in a world, `{number}` a number made likewise.
    """

    relation: str
    column: str
    value: str
    key: str = "id"

    def update(self, world: str, row: str = "true") -> str:
        """Write the column anew for a world, in every row or in one; NULL stays."""
        digest = f"md5('{world} {self.column} ' || {self.key})"
        value = self.value.format(
            word=f"'{CANARY}' || {digest}", number=f"('x' || left({digest}, 7))::bit(28)::int"
        )
        written = f"{self.column} = {value} WHERE {self.column} IS NOT NULL AND {row};"
        return f"UPDATE {self.relation} SET {written}"  # noqa: S608 - names of ours


SECRETS = (
    Secret(
        relation="shop.customers",
        column="email",
        value="left(email, 1) || {word} || '@' || {word} || '.'"
        " || substring(email FROM '[A-Za-z]+$')",
    ),
    Secret(relation="shop.customers", column="phone", value="{word} || right(phone, 4)"),
    Secret(relation="shop.customers", column="ssn", value="{word}"),
    Secret(
        relation="shop.customers", column="card_number", value="{word} || right(card_number, 4)"
    ),
    Secret(
        relation="shop.customers",
        column="date_of_birth",
        value="make_date(extract(year FROM date_of_birth)::int, 1 + {number} % 12,"
        " 1 + {number} % 27)",
    ),
    Secret(relation="shop.customers", column="notes", value="{word}"),
    Secret(
        relation="shop.orders",
        column="shipping_address",
        value="jsonb_build_object('street', {word}, 'postcode', left({word}, 9), 'city', {word},"
        " 'country', 'US')",
    ),
    Secret(
        relation="shop.orders",
        column="tags",
        value="ARRAY(SELECT {word} || n FROM generate_series(1, cardinality(tags)) AS n)",
    ),
    Secret(
        relation="shop.order_items",
        column="unit_price",
        value="floor(unit_price / 50) * 50 + {number} % 50",
        key="order_id",
    ),
    Secret(relation="shop.payments", column="card", value="left(card, 1) || {word}"),
    Secret(
        relation="shop.payments",
        column="amount",
        value="floor(amount / 1000) * 1000 + {number} % 1000",
    ),
    Secret(relation="shop.products", column="price", value="1 + {number} % 10000"),
    Secret(
        relation="shop.products",
        column="attributes",
        value="jsonb_build_object('colour', {word}, 'weight_g', 1000 + {number} % 9000,"
        " 'fragile', true)",
    ),
    Secret(
        relation="shop.products",
        column="on_sale",
        value="daterange(DATE '2026-01-01' + {number} % 100, DATE '2026-06-01' + {number} % 100)",
    ),
    Secret(relation="shop.reviews", column="body", value="{word}"),
    Secret(relation="shop.support_tickets", column="body", value="{word}"),
)

# In the order of their keys, so that writing a row anew does not move it.
TIDY = """
CLUSTER shop.customers USING customers_pkey;
CLUSTER shop.orders USING orders_pkey;
CLUSTER shop.order_items USING order_items_pkey;
CLUSTER shop.payments_2025 USING payments_2025_pkey;
CLUSTER shop.products USING products_pkey;
CLUSTER shop.reviews USING reviews_pkey;
CLUSTER shop.support_tickets USING support_tickets_pkey;
REFRESH MATERIALIZED VIEW shop.cards;
ANALYZE;
"""

RELATIONS: Mapping[str, Mapping[str, str]] = {
    "customers": {
        "id": "int",
        "full_name": "text",
        "email": "text",
        "phone": "text",
        "ssn": "text",
        "card_number": "text",
        "date_of_birth": "date",
        "country": "text",
        "created_at": "timestamp",
        "loyalty_points": "int",
        "notes": "text",
    },
    "orders": {
        "id": "int",
        "customer_id": "int",
        "status": "enum",
        "placed_at": "timestamp",
        "total": "num",
        "shipping_address": "json",
        "tags": "texts",
    },
    "order_items": {
        "order_id": "int",
        "line": "int",
        "product_id": "int",
        "quantity": "int",
        "unit_price": "num",
    },
    "payments": {
        "id": "int",
        "order_id": "int",
        "method": "text",
        "card": "text",
        "amount": "num",
        "paid_at": "timestamp",
    },
    "payments_2025": {
        "id": "int",
        "order_id": "int",
        "method": "text",
        "card": "text",
        "amount": "num",
        "paid_at": "timestamp",
    },
    "products": {
        "id": "int",
        "sku": "text",
        "name": "text",
        "category": "text",
        "price": "num",
        "stock": "int",
        "attributes": "json",
        "on_sale": "range",
        "discontinued": "bool",
    },
    "reviews": {
        "id": "int",
        "product_id": "int",
        "customer_id": "int",
        "rating": "int",
        "title": "text",
        "body": "text",
        "written_on": "date",
    },
    "support_tickets": {
        "id": "int",
        "customer_id": "int",
        "order_id": "int",
        "subject": "text",
        "body": "text",
        "opened_at": "timestamp",
        "closed_at": "timestamp",
    },
    "customer_contacts": {
        "id": "int",
        "full_name": "text",
        "contact_address": "text",
        "mail_domain": "text",
        "dialable_phone": "text",
        "card_ending": "text",
        "birth_year": "int",
    },
    "customer_directory": {
        "id": "int",
        "full_name": "text",
        "country": "text",
        "customer_since": "date",
        "loyalty_points": "int",
        "orders": "int",
        "revenue": "num",
    },
    "monthly_revenue": {
        "month": "date",
        "orders": "int",
        "revenue": "num",
        "average_order": "num",
    },
    "cards": {"id": "int", "card": "text", "ssn": "text", "mail": "text"},
    "cards_again": {"card": "text", "number": "int", "both": "text"},
    "everyone": {"whole": "row", "id": "int", "remark": "text"},
    '"Loyalty Tiers"': {
        "id": "int",
        '"Name"': "text",
        '"Minimum Points"': "int",
        '"prämie"': "num",
    },
}

FAVOURITES = frozenset(
    {secret.column for secret in SECRETS}
    | {"contact_address", "mail_domain", "dialable_phone", "mail", "both", "remark", "birth_year"}
)


def flip(random: Random, number: int) -> str:
    """Write one value of one row anew, as no world has it."""
    secret = random.choice(SECRETS)
    others = f"{secret.relation} WHERE {secret.column} IS NOT NULL"
    drawn = f"ORDER BY md5('{number}' || {secret.key}) LIMIT 1"
    one = f"{secret.key} = (SELECT {secret.key} FROM {others} {drawn})"  # noqa: S608 - names of ours
    return secret.update(f"flip {number}", one)
