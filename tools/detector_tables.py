"""A seed in, tables as a shop has them out, with a label for every cell.

Nothing here is drawn from the list of look-alikes: these are columns of a schema, with what stands
in them day after day, and now and then a value that someone typed or logged.
"""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from pg_guard_mcp.model import ResultColumn, ResultSet
from tools.detector_cases import SEED
from tools.detector_lookalikes import NEGATIVE
from tools.detector_values import POSITIVE, digits, ean, luhn

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeCell = Callable[[Random, int], tuple[str | None, str]]

ROWS = 60
_SENTENCES = (
    "Customer asks where the parcel is, ordered on 2026-03-14 for 129.99 EUR.",
    "Called back, no answer. Ticket 2026-000451 stays open until 17:30.",
    "Wants a refund of $1,249.00 for order 100000004711, item 3 of 4.",
    "Serial 4532-9981-AB, firmware 4.11.1, error 0x80070005 at 12:30:45.123.",
    "Lieferung an Königstraße 12, 70173 Stuttgart, Tor 4, 08:00-16:00.",
    "Meter reading 4111 1234 5678, last year 4098 7766 5544.",
)


class Table(NamedTuple):
    """A result as Postgres would send it, and the label of each cell: the detector, or nothing."""

    name: str
    result: ResultSet
    labels: list[tuple[str, ...]]


def tables(seed: int = SEED) -> list[Table]:
    """Make the tables."""
    source = Random(seed)  # noqa: S311 - the same tables in every run
    return [_table(source, name, columns) for name, columns in _SCHEMA.items()]


def _table(source: Random, name: str, columns: dict[str, tuple[str, MakeCell]]) -> Table:
    cells = [[make(source, row) for _, make in columns.values()] for row in range(ROWS)]
    return Table(
        name,
        ResultSet(
            columns=tuple(ResultColumn(column, kind) for column, (kind, _) in columns.items()),
            rows=[tuple(cell for cell, _ in row) for row in cells],
        ),
        [tuple(label for _, label in row) for row in cells],
    )


def _clean(make: Callable[[Random, int], str | None]) -> MakeCell:
    return lambda source, row: (make(source, row), "")


def _like(name: str) -> MakeCell:
    return lambda source, _: (NEGATIVE[name](source), "")


def _every(detector: str) -> MakeCell:
    return lambda source, _: (POSITIVE[detector](source), detector)


def _note(source: Random, row: int) -> tuple[str, str]:
    sentence = source.choice(_SENTENCES)
    if row % 7:
        return sentence, ""
    detector = source.choice(list(POSITIVE))
    return f"{sentence} He sent {POSITIVE[detector](source)} by mail.", detector


def _payload(source: Random, row: int) -> tuple[str, str]:
    document = {
        "request_id": NEGATIVE["uuid"](source),
        "at": 1_760_000_000_000 + source.randrange(10**9),
        "items": [{"sku": NEGATIVE["sku"](source), "price": source.randrange(9999) / 100}],
        "etag": NEGATIVE["md5"](source),
    }
    detector = ""
    if row % 9 == 0:
        detector = source.choice(["payment-card", "jwt", "cloud-key", "iban", "us-ssn"])
        document["debug"] = POSITIVE[detector](source)
    return json.dumps(document), detector


def _log(source: Random, row: int) -> tuple[str, str]:
    line = (
        f"{NEGATIVE['timestamp'](source)} INFO pid={source.randrange(99999)}"
        f" trace={NEGATIVE['uuid without dashes'](source)} ip={NEGATIVE['ipv4'](source)}"
        f" ms={NEGATIVE['epoch millis'](source)} size={digits(source, 6)}"
    )
    if row % 8:
        return line, ""
    return f"{line} dsn=postgres://app:s3cr{digits(source, 6)}@db:5432/shop", "cloud-key"


_SCHEMA: dict[str, dict[str, tuple[str, MakeCell]]] = {
    "shop.orders": {
        "id": ("uuid", _like("uuid")),
        "number": ("text", _clean(lambda source, row: f"SO-2026-{row:06}{digits(source, 4)}")),
        "numeric_number": ("text", _clean(lambda source, _: "4" + digits(source, 15))),
        "external_id": ("int8", _clean(lambda source, _: "5" + digits(source, 15))),
        "placed_at": ("timestamptz", _like("timestamp")),
        "placed_ms": ("text", _like("epoch millis")),
        "total": (
            "numeric",
            _clean(lambda source, _: f"{source.randrange(10**6)}.{digits(source, 2)}"),
        ),
        "tracking": ("text", _like("tracking")),
        "coupon": ("text", _clean(lambda _, row: None if row % 3 else f"SPRING{row}")),
    },
    "shop.invoices": {
        "number": ("text", _clean(lambda source, row: f"INV-{row:08}-{digits(source, 3)}")),
        "iban": ("text", _every("iban")),
        "reference": (
            "text",
            _clean(lambda source, _: f"RF{digits(source, 2)}{digits(source, 16)}"),
        ),
        "amounts": (
            "_numeric",
            _clean(
                lambda source, _: (
                    "{"
                    + ",".join(f"{digits(source, 3)}.{digits(source, 2)}" for _ in range(4))
                    + "}"
                )
            ),
        ),
        "due": (
            "date",
            _clean(lambda source, _: f"2026-{source.randint(1, 12):02}-{source.randint(1, 28):02}"),
        ),
    },
    "shop.products": {
        "sku": ("text", _like("sku")),
        "ean": ("text", _clean(lambda source, _: ean("40" + digits(source, 10)))),
        "isbn": ("text", _like("isbn with dashes")),
        "image": ("text", _like("image name")),
        "attributes": (
            "jsonb",
            _clean(
                lambda source, _: json.dumps(
                    {
                        "weight": source.random(),
                        "ean": ean("50" + digits(source, 10)),
                        "dims": [source.randrange(99)] * 3,
                    }
                )
            ),
        ),
        "checksum": ("text", _like("sha256")),
    },
    "shop.devices": {
        "imei": ("text", _clean(lambda source, _: luhn("35" + digits(source, 12)))),
        "serial": ("text", _clean(lambda source, _: f"SN{digits(source, 10)}")),
        "mac": ("text", _like("mac")),
        "position": ("text", _like("coordinates")),
        "firmware": ("text", _like("version")),
        "vin": ("text", _like("vin")),
    },
    "shop.notes": {
        "id": ("int4", _clean(lambda _, row: str(row))),
        "body": ("text", _note),
        "tags": ("_text", _clean(lambda source, _: "{late," + digits(source, 4) + ",vip}")),
    },
    "shop.events": {
        "id": ("int8", _clean(lambda source, _: digits(source, 10))),
        "payload": ("jsonb", _payload),
    },
    "shop.logs": {"line": ("text", _log), "commit": ("text", _like("sha1"))},
    "shop.payments": {
        "card": ("text", _every("payment-card")),
        "card_number": ("int8", lambda source, _: (luhn("4" + digits(source, 14)), "payment-card")),
        "intent": ("text", _like("payment id")),
        "customer": ("text", _like("customer id")),
    },
    "shop.employees": {
        "ssn": ("text", _every("us-ssn")),
        "email": ("citext", _every("email")),
        "phone": ("text", _every("phone")),
        "badge": ("text", _clean(lambda source, _: f"{digits(source, 3)}-{digits(source, 5)}")),
    },
    "shop.settings": {
        "name": ("text", _clean(lambda _, row: f"setting.{row}")),
        "value": ("text", _every("cloud-key")),
        "session": ("text", _every("jwt")),
        "signing_key": ("text", _every("private-key")),
        "revision": ("uuid", _clean(lambda source, _: str(UUID(int=source.getrandbits(128))))),
    },
}
