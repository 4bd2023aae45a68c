"""A hand-made catalog, named after the demo shop, and policies over it: no database needed.

    policy()                                   the shop, with its masks
    policy(masks={"shop.orders.total": "null"})  the shop, with other masks

`columns("id: integer", "email")` and `table(...)` make catalogs of a test's own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pg_guard_mcp.catalog import (
    Catalog,
    Column,
    ExtensionInfo,
    ForeignKey,
    FunctionInfo,
    Index,
    Key,
    OperatorInfo,
    RelationInfo,
    TypeInfo,
)
from pg_guard_mcp.guard import policy as policies
from pg_guard_mcp.model import AccessRules, Relation, TypeName

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pg_guard_mcp.catalog import RelationKind
    from pg_guard_mcp.guard.policy import Policy

CUSTOMERS = Relation("shop", "customers")
ORDERS = Relation("shop", "orders")
PRODUCTS = Relation("shop", "products")
PAYMENTS = Relation("shop", "payments")
TIERS = Relation("shop", "Loyalty Tiers")
SALARIES = Relation("hr", "salaries")

MASKS = {
    "shop.customers.email": "email",
    "shop.customers.phone": "last4",
    "shop.customers.ssn": "redact",
    "shop.customers.card_number": "last4",
    "shop.customers.date_of_birth": "year",
    "shop.customers.notes": "redact",
}

# pg_type's name and category of each type that the catalogs here use, by the way SQL writes it.
_TYPES = {
    "bigint": ("int8", "N"),
    "boolean": ("bool", "B"),
    "character(2)": ("bpchar", "S"),
    "date": ("date", "D"),
    "integer": ("int4", "N"),
    "jsonb": ("jsonb", "U"),
    "numeric(10,2)": ("numeric", "N"),
    "shop.order_status": ("order_status", "E"),
    "text": ("text", "S"),
    "text[]": ("_text", "A"),
    "timestamp with time zone": ("timestamptz", "D"),
    "character varying(40)": ("varchar", "S"),
    "public.citext": ("citext", "S"),
}


# Every operator of pg_catalog in PostgreSQL 15 and 18.
_OPERATORS = frozenset(
    """
    !! !~ !~* !~~ !~~* # ## #- #> #>> % & && &< &<| &> * *< *<= *<> *= *> *>= + - -> ->> -|- / <
    <-> << <<= <<| <= <> <@ <^ = > >= >> >>= >^ ? ?# ?& ?- ?-| ?| ?|| @ @-@ @> @? @@ @@@ ^ ^@ |
    |&> |/ |>> || ||/ ~ ~* ~<=~ ~<~ ~= ~>=~ ~>~ ~~ ~~*
    """.split()
)


def column(name: str, type_: str = "text", **changes: Any) -> Column:
    """Make a column of one of the types above, readable and without a default."""
    type_name, category = _TYPES[type_]
    made = Column(
        name=name,
        type=type_,
        type_name=type_name,
        type_schema=type_.partition(".")[0] if "." in type_ else "pg_catalog",
        category=category,
        nullable=True,
        default=None,
        comment=None,
        readable=True,
    )
    return replace(made, **changes)


def columns(*specifications: str) -> tuple[Column, ...]:
    """Make columns from `name` (a text) or `name: type`."""
    return tuple(column(*specification.split(": ", 1)) for specification in specifications)


def table(
    name: str, made: Iterable[Column], kind: RelationKind = "table", **changes: Any
) -> RelationInfo:
    """Make a relation from its full name and its columns."""
    schema, _, relation = name.partition(".")
    info = RelationInfo(
        relation=Relation(schema, relation), kind=kind, columns=tuple(made), estimated_rows=100
    )
    return replace(info, **changes)


def view(name: str, definition: str, made: Iterable[Column], *read: RelationInfo) -> RelationInfo:
    """Make a view as the snapshot has it: it is taken to read every column of what it names."""
    return table(name, made, "view", definition=definition, sources=every_column(*read))


def every_column(*read: RelationInfo) -> tuple[tuple[Relation, str], ...]:
    """Name every column of `read`, as the snapshot does for views and inheritance children."""
    return tuple((info.relation, each.name) for info in read for each in info.columns)


def catalog(*relations: RelationInfo, **changes: Any) -> Catalog:
    """Make a catalog of `relations`, every schema of which the role may use."""
    made = Catalog(
        database="shop",
        server_version=180006,
        relations={info.relation: info for info in relations},
        schemas={info.relation.schema: None for info in relations},
        system_operators=_OPERATORS,
    )
    return replace(made, **changes)


_CUSTOMERS = table(
    "shop.customers",
    (
        column("id", "integer", nullable=False, comment="Customer number"),
        column("full_name", comment="Name as the customer spells it"),
        column("email", nullable=False),
        column("phone"),
        column("ssn", default="'none'::text"),
        column("card_number"),
        column("date_of_birth", "date"),
        column("country", "character(2)", default="'US'::bpchar"),
        column("created_at", "timestamp with time zone"),
        column("loyalty_points", "integer", nullable=False, default="0"),
        column("notes"),
    ),
    estimated_rows=3200,
    comment="One row a person with an account; holds personal data",
    keys=(Key(primary=True, columns=("id",)), Key(primary=False, columns=("email",))),
    indexes=(
        Index(name="customers_country_idx", unique=False, columns=("country",), method="btree"),
        Index(name="customers_lower_idx", unique=True, columns=(None, "id"), method="btree"),
    ),
)

_ORDERS = table(
    "shop.orders",
    columns(
        "id: integer",
        "customer_id: integer",
        "status: shop.order_status",
        "placed_at: timestamp with time zone",
        "total: numeric(10,2)",
        "shipping_address: jsonb",
        "tags: text[]",
    ),
    estimated_rows=10000,
    keys=(Key(primary=True, columns=("id",)),),
)

_ORDER_ITEMS = table(
    "shop.order_items",
    columns(
        "order_id: integer",
        "line: integer",
        "product_id: integer",
        "quantity: integer",
        "unit_price: numeric(10,2)",
    ),
)

_PRODUCTS = table(
    "shop.products",
    columns(
        "id: integer",
        "sku",
        "name",
        "category",
        "price: numeric(10,2)",
        "stock: integer",
        "attributes: jsonb",
        "discontinued: boolean",
    ),
    comment="What the shop sells",
)

_TIERS = table(
    "shop.Loyalty Tiers",
    columns("id: integer", "Name", "Minimum Points: integer", "prämie: integer"),
)

_PAYMENT_COLUMNS = columns(
    "id: integer",
    "order_id: integer",
    "method",
    "card",
    "amount: numeric(10,2)",
    "paid_at: timestamp with time zone",
)
_PAYMENTS = table("shop.payments", _PAYMENT_COLUMNS, "partitioned table")
_PAYMENTS_2025 = table("shop.payments_2025", _PAYMENT_COLUMNS, sources=every_column(_PAYMENTS))
_PAYMENTS_2026 = table("shop.payments_2026", _PAYMENT_COLUMNS, sources=every_column(_PAYMENTS))

_REVIEWS = table(
    "shop.reviews",
    columns(
        "id: integer", "product_id: integer", "customer_id: integer", "rating: integer", "title"
    ),
)

_TICKETS = table(
    "shop.support_tickets",
    columns("id: integer", "customer_id: integer", "order_id: integer", "subject", "body"),
)

_MEMBERS = table("shop.members", columns("id: integer", "handle: public.citext", "joined: date"))

_API_KEYS = table("shop.api_keys", columns("id: integer", "owner", "secret"))

_SALARIES = table(
    "hr.salaries",
    (
        column("id", "integer", readable=False),
        column("employee", readable=False),
        column("annual_salary", "numeric(10,2)", readable=False),
    ),
)

_CONTACTS = view(
    "shop.customer_contacts",
    " SELECT customers.id, customers.full_name, lower(customers.email) AS contact_address"
    " FROM shop.customers;",
    columns("id: integer", "full_name", "contact_address"),
    _CUSTOMERS,
)

_REVENUE = table(
    "shop.monthly_revenue",
    columns("month: date", "orders: bigint"),
    "materialized view",
    definition=" SELECT date_trunc('month'::text, orders.placed_at)::date AS month,"
    " count(*) AS orders FROM shop.orders GROUP BY (date_trunc('month'::text, orders.placed_at));",
    sources=every_column(_ORDERS),
)


def _foreign_key(source: Relation, name: str, target: Relation) -> ForeignKey:
    return ForeignKey(source=source, columns=(name,), target=target, target_columns=("id",))


_ORDERS_TO_CUSTOMERS = _foreign_key(ORDERS, "customer_id", CUSTOMERS)
_KEYS_TO_CUSTOMERS = _foreign_key(_API_KEYS.relation, "id", CUSTOMERS)
_CUSTOMERS_TO_SALARIES = _foreign_key(CUSTOMERS, "id", SALARIES)

SHOP = catalog(
    replace(
        _CUSTOMERS,
        foreign_keys=(_CUSTOMERS_TO_SALARIES,),
        referenced_by=(_ORDERS_TO_CUSTOMERS, _KEYS_TO_CUSTOMERS),
    ),
    replace(_ORDERS, foreign_keys=(_ORDERS_TO_CUSTOMERS,)),
    _ORDER_ITEMS,
    _PRODUCTS,
    _TIERS,
    _PAYMENTS,
    _PAYMENTS_2025,
    _PAYMENTS_2026,
    _REVIEWS,
    _TICKETS,
    _MEMBERS,
    _API_KEYS,
    _SALARIES,
    _CONTACTS,
    _REVENUE,
    types=(
        TypeInfo("shop", "order_status", "e"),
        TypeInfo(
            "shop",
            "postcode",
            "d",
            parts=(TypeName("pg_catalog", "text"),),
            checks=("shop.salary_of(VALUE) IS NOT NULL",),
        ),
        TypeInfo("shop", "address", "c", parts=(TypeName("shop", "postcode"),)),
        TypeInfo("hr", "grade", "e"),
        TypeInfo("public", "citext", "b", array="_citext", extension="citext"),
    ),
    functions=(
        FunctionInfo(schema="shop", name="net_price", volatile=False, security_definer=False),
        FunctionInfo(schema="shop", name="vat_rate", volatile=False, security_definer=False),
        FunctionInfo(schema="shop", name="record_visit", volatile=True, security_definer=False),
        FunctionInfo(schema="shop", name="salary_of", volatile=False, security_definer=True),
    ),
    operators=(
        OperatorInfo("public", "=", ("citext_eq",), ("citext",)),
        OperatorInfo("public", "%", ("similarity_op",), ("pg_trgm",), takes_builtins=True),
        OperatorInfo("public", "<%", ("word_similarity_op",), ("pg_trgm",), takes_builtins=True),
    ),
    extensions=(
        ExtensionInfo("citext", "public", "1.8"),
        ExtensionInfo("pg_trgm", "public", "1.6"),
    ),
    schemas={"shop": "Customers, catalogue, orders and support of the demo shop"},
)

RULES = AccessRules(
    schemas=("shop",),
    deny_relations=("shop.api_keys",),
    allow_functions=("shop.net_price",),
    masks=MASKS,
)


def policy(known: Catalog = SHOP, **changes: Any) -> Policy:
    """Build the shop's policy, with some of its rules changed."""
    return policies.build(replace(RULES, **changes), known)


def bare_policy(
    *relations: RelationInfo, masks: dict[str, str], schemas: Sequence[str] = ("shop",)
) -> Policy:
    """Build a policy over a catalog of `relations` alone."""
    rules = AccessRules(schemas=tuple(schemas), masks=masks)
    return policies.build(rules, catalog(*relations))
