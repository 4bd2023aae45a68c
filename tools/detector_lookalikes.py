"""A source of chance in, made-up values that look like a detector's and are none out."""

from __future__ import annotations

import base64
import uuid
from hashlib import md5, sha1, sha256
from typing import TYPE_CHECKING

from tools.detector_values import ALNUM, BASE64, card, digits, ean, iban, luhn, some

if TYPE_CHECKING:
    from random import Random

    from tools.detector_values import Make


def _broken_card(source: Random) -> str:
    number = card(source)
    while not number.isascii() or not number.isdecimal():
        number = card(source)
    return number[:-1] + str((int(number[-1]) + source.randint(1, 9)) % 10)


def _broken_iban(source: Random) -> str:
    number = iban(source).replace("\u00a0", " ")
    place = next(place for place in range(4, len(number)) if number[place].isdecimal())
    return number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :]


def _stamp(source: Random) -> str:
    day = f"202{source.randrange(7)}-{source.randint(1, 12):02}-{source.randint(1, 28):02}"
    hour = f"{source.randrange(24):02}:{source.randrange(60):02}:{source.randrange(60):02}"
    return f"{day} {hour}.{digits(source, 6)}+00"


_VIN = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"

NEGATIVE: dict[str, Make] = {
    "order id": lambda s: f"ORD-2026-{digits(s, 10)}",
    "order number": lambda s: f"1{digits(s, s.choice([11, 12, 15]))}",
    "broken card": _broken_card,
    "broken iban": _broken_iban,
    "epoch seconds": lambda s: str(s.randint(1_500_000_000, 1_800_000_000)),
    "epoch millis": lambda s: str(s.randint(1_500_000_000_000, 1_800_000_000_000)),
    "epoch micros": lambda s: str(s.randint(1_500_000_000_000_000, 1_800_000_000_000_000)),
    "timestamp": _stamp,
    "compact timestamp": lambda s: (
        f"202{s.randrange(7)}{s.randint(1, 12):02}{s.randint(1, 28):02}{digits(s, 9)}"
    ),
    "uuid": lambda s: str(uuid.UUID(int=s.getrandbits(128))),
    "uuid without dashes": lambda s: f"{s.getrandbits(128):032x}",
    "md5": lambda s: md5(s.randbytes(9), usedforsecurity=False).hexdigest(),
    "sha1": lambda s: sha1(s.randbytes(9), usedforsecurity=False).hexdigest(),
    "sha256": lambda s: sha256(s.randbytes(9)).hexdigest(),
    "git hash": lambda s: f"{s.getrandbits(28):07x}",
    "price": lambda s: f"{s.choice('$€£')}{s.randint(1, 9999):,}.{digits(s, 2)}",
    "amount": lambda s: f"{digits(s, 5)}.{digits(s, 15)}",
    "ean": lambda s: ean(s.choice(["40", "45", "50", "54", "36"]) + digits(s, 10)),
    "isbn": lambda s: ean("978" + digits(s, 9)),
    "isbn with dashes": lambda s: (
        f"978-{s.randrange(10)}-{digits(s, 3)}-{digits(s, 5)}-{s.randrange(10)}"
    ),
    "vin": lambda s: "".join(s.choice(_VIN) for _ in range(17)),
    "imei": lambda s: luhn("35" + digits(s, 12)),
    "tracking": lambda s: "1Z" + "".join(s.choice(_VIN) for _ in range(16)),
    "tracking of digits": lambda s: "9400" + digits(s, 18),
    "ipv4": lambda s: ".".join(str(s.randrange(256)) for _ in range(4)) + f":{s.randint(1, 65535)}",
    "ipv6": lambda s: ":".join(f"{s.getrandbits(16):x}" for _ in range(8)),
    "mac": lambda s: ":".join(f"{s.getrandbits(8):02x}" for _ in range(6)),
    "version": lambda s: f"v{s.randrange(20)}.{s.randrange(40)}.{s.randrange(400)}",
    "coordinates": lambda s: f"{s.uniform(-90, 90):.6f},{s.uniform(-180, 180):.6f}",
    "iso 6709": lambda s: f"+{s.uniform(10, 89):.4f}+{s.uniform(100, 179):.4f}/",
    "base64 image": lambda s: (
        "data:image/png;base64,iVBORw0KGgo" + base64.b64encode(s.randbytes(300)).decode()
    ),
    "date": lambda s: f"{s.randint(1, 28):02}.{s.randint(1, 12):02}.20{digits(s, 2)}",
    "part number": lambda s: f"{digits(s, 3)}-{digits(s, 4)}-{digits(s, 3)}",
    "sku": lambda s: f"{s.choice(['AB', 'SK', 'HW'])}-{digits(s, 3)}-{digits(s, 2)}-{digits(s, 4)}",
    "customer id": lambda s: "cus_" + some(s, ALNUM, 14),
    "payment id": lambda s: "pi_" + some(s, ALNUM, 24),
    "publishable key": lambda s: "pk_live_" + some(s, ALNUM, 24),
    "css class": lambda s: (
        f"sk-loading-indicator-animated-{s.choice(['dots', 'bars'])}-for-everyone"
    ),
    "snake case": lambda s: f"re_evaluate_customer_retention_score_{s.randrange(9)}",
    "url": lambda s: (
        f"https://a.example:8443/@{s.choice(['vite', 'id'])}/b?page_token={some(s, ALNUM, 30)}"
    ),
    "git url": lambda s: f"git@github.com:acme/repo{s.randrange(99)}.git",
    "image name": lambda s: f"logo{s.randrange(9)}@2x.png",
    "package": lambda s: f"lodash@4.{s.randrange(20)}.{s.randrange(30)}",
    "handle": lambda s: f"@user{s.randrange(1000)} and a@b",
    "stand-in": lambda s: s.choice(
        [
            "postgres://app:****@db/x",
            "redis://:${REDIS_PASSWORD}@c/0",
            "postgres://u:<password>@h/d",
        ]
    ),
    "cache key": lambda s: f"cache_key={md5(s.randbytes(4), usedforsecurity=False).hexdigest()}",
    "idempotency": lambda s: f"idempotency_key={uuid.UUID(int=s.getrandbits(128))}",
    "secret reference": lambda s: (
        f"client_secret: projects/{digits(s, 6)}/secrets/db-password/versions/{s.randrange(9)}"
    ),
    "talk of secrets": lambda s: s.choice(
        [
            "Your password: must be changed",
            "the API key=value form",
            "token: expired",
            "password=required",
        ]
    ),
    "certificate": lambda s: (
        "-----BEGIN CERTIFICATE-----\n"
        + base64.b64encode(s.randbytes(90)).decode()
        + "\n-----END CERTIFICATE-----"
    ),
    "public key": lambda s: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + some(s, BASE64, 43) + " ann",
    "percent": lambda s: f"{digits(s, 2)}% of {digits(s, 4)} and {digits(s, 4)}%",
    "years": lambda s: " ".join(str(s.randint(1950, 2039)) for _ in range(6)),
    "numbers": lambda s: " ".join(digits(s, s.choice([2, 3, 5])) for _ in range(6)),
    "measurements": lambda s: f"+{s.uniform(1, 99):.10f}",
    "nine digits": lambda s: digits(s, 9),
    "words": lambda s: " ".join(
        s.choice(["the", "order", "was", "late", "and", "paid", "by", "card"]) for _ in range(9)
    ),
}
"""What looks like one of the values and is none."""
