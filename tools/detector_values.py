"""A source of chance in, made-up values of each detector out.

The same seed makes the same values. The rules by which they are made stand here and not in the
detectors, so that a wrong rule there shows.
"""

from __future__ import annotations

import base64
import json
import string
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    Make = Callable[[Random], str]

ALNUM = string.ascii_letters + string.digits
PART = ALNUM + "-_"
HEX = "0123456789abcdef"
BASE64 = ALNUM + "+/"


def some(source: Random, alphabet: str, length: int) -> str:
    """Draw a word that has a letter and a digit, as any key of that length has."""
    word = "".join(source.choice(alphabet) for _ in range(length - 2))
    return source.choice(string.ascii_lowercase[:6]) + word + source.choice(string.digits)


def digits(source: Random, length: int) -> str:
    """Draw a number of `length` digits."""
    return "".join(source.choice(string.digits) for _ in range(length))


def luhn(number: str) -> str:
    """Complete a number by its Luhn check digit."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled // 10 + doubled % 10
    return number + str(-total % 10)


def ean(number: str) -> str:
    """Complete a number by the check digit of a bar code."""
    total = sum(int(digit) * (3, 1)[place % 2] for place, digit in enumerate(reversed(number)))
    return number + str(-total % 10)


_CARDS = (
    *(("4", 16), ("4", 16), ("4", 19), ("51", 16), ("55", 16), ("2223", 16), ("34", 15)),
    *(("37", 15), ("6011", 16), ("65", 16), ("36", 14), ("38", 14), ("3530", 16), ("62", 16)),
    *(("62", 19), ("6759", 16), ("2201", 16), ("6062", 16), ("9792", 16), ("5019", 16)),
)
_CARD_SEPARATORS = ("", "", "", " ", "-", ".", "_", "\u00a0", "\u2011", "\u2009", "  ", " - ", "/")


def card(source: Random) -> str:
    """Make a card number, as people and machines write them."""
    prefix, length = source.choice(_CARDS)
    number = luhn(prefix + digits(source, length - len(prefix) - 1))
    separator = source.choice(_CARD_SEPARATORS)
    if length in {14, 15}:
        groups = [number[:4], number[4:10], number[10:]]
    else:
        groups = [number[place : place + 4] for place in range(0, length, 4)]
    written = separator.join(groups)
    match source.randrange(20):
        case 0:
            return "".join(chr(0xFF10 + int(char)) for char in number)
        case 1:
            return "\u200b".join(groups)
        case _:
            return written


def social_security(source: Random) -> str:
    """Make a social security number."""
    area = source.choice([*range(1, 666), *range(667, 900)])
    dash = source.choice("---\u2011\u2013")
    return dash.join((f"{area:03}", f"{source.randint(1, 99):02}", f"{source.randint(1, 9999):04}"))


_BANKS = {
    "DE": "n18",
    "AT": "n16",
    "BE": "n12",
    "NO": "n11",
    "ES": "n20",
    "PL": "n24",
    "SE": "n20",
    "NL": "a4n10",
    "GB": "a4n14",
    "IE": "a4n14",
    "FR": "n10c11n2",
    "CH": "n5c12",
    "PT": "n21",
    "IT": "a1n10c12",
    "MT": "a4n5c18",
    "FI": "n14",
    "DK": "n14",
    "SA": "n2c18",
    "TR": "n5n1c16",
}


def iban(source: Random) -> str:
    """Make an account number, in one word or in groups of four."""
    country, form = source.choice(list(_BANKS.items()))
    account = ""
    while form:
        kind = form[0]
        length = "".join(_leading_digits(form[1:]))
        form = form[1 + len(length) :]
        alphabet = {"n": string.digits, "a": string.ascii_uppercase}.get(
            kind, string.ascii_uppercase + string.digits
        )
        account += "".join(source.choice(alphabet) for _ in range(int(length)))
    number = "".join(str(int(char, 36)) for char in account + country + "00")
    whole = f"{country}{98 - int(number) % 97:02}{account}"
    separator = source.choice(["", "", " ", " ", "\u00a0", "-"])
    whole = separator.join(whole[place : place + 4] for place in range(0, len(whole), 4))
    return whole.lower() if source.randrange(10) == 0 else whole


def _leading_digits(text: str) -> list[str]:
    found = []
    for char in text:
        if not char.isdecimal():
            break
        found.append(char)
    return found


_NAMES = ("ann.lee", "bob", "j.o'neil", "maria_lopez", "k.müller", "x+shop", "first.last", "o2")
_HOSTS = ("example.com", "mail.example.co.uk", "uni-köln.de", "a.io", "xn--bcher-kva.example")


def email(source: Random) -> str:
    """Make an e-mail address."""
    return f"{source.choice(_NAMES)}{source.randrange(100)}@{source.choice(_HOSTS)}"


_PHONES = (
    *("+1 (212) 5xx-xxxx", "+1-415-5xx-xxxx", "+14155xxxxxx", "(303) 5xx-xxxx", "312-5xx-xxxx"),
    *("1-800-5xx-xxxx", "206.5xx.xxxx", "+44 20 7946 0xxx", "020 7946 0xxx", "+44 7911 12xxxx"),
    *("07911 12xxxx", "+49 30 901820xx", "030 901820xx", "+49 (151) 234-56xxx", "0151 23456xxx"),
    *("+33 1 42 68 53 xx", "01 42 68 53 xx", "06.12.34.5x.xx", "+34 912 34 5x xx"),
    *("+41 44 668 18 xx", "044 668 18 xx", "+61 2 9374 4xxx", "(02) 9374 4xxx"),
    *("+91 98765 4xxxx", "+81 3-5253-1xxx", "03-5253-1xxx", "+55 11 91234-5xxx"),
    *("+31 20 123 4xxx", "0049 30 901820xx", "(555) 234-5xxx", "+1-555-010-0xxx", "555-234-5xxx"),
)


def phone(source: Random) -> str:
    """Make a phone number of a plan that is in use, or of the area kept for fiction."""
    form = source.choice(_PHONES)
    return "".join(source.choice("23456789") if char == "x" else char for char in form)


def jwt(source: Random) -> str:
    """Make a token."""
    head = {"alg": source.choice(["HS256", "RS256"]), "typ": "JWT"}
    claims = {"sub": digits(source, 8), "exp": 1700000000 + source.randrange(10**7)}
    parts = [json.dumps(part).encode() for part in (head, claims)]
    signature = source.randbytes(source.choice([32, 64, 256]))
    return ".".join(
        base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (*parts, signature)
    )


_ARMOURS = ("RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY")


def private_key(source: Random) -> str:
    """Make a private key."""
    body = base64.b64encode(source.randbytes(200)).decode()
    lines = "\n".join(body[place : place + 64] for place in range(0, len(body), 64))
    name = source.choice((*_ARMOURS, "ENCRYPTED PRIVATE KEY", "PGP PRIVATE KEY BLOCK"))
    armoured = f"-----BEGIN {name}-----\n{lines}\n-----END {name}-----"
    match source.randrange(8):
        case 0:
            return base64.b64encode(armoured.encode()).decode()
        case 1:
            return "AGE-SECRET-KEY-1" + "".join(
                source.choice("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L") for _ in range(58)
            )
        case _:
            return armoured


_KEYS: tuple[Make, ...] = (
    *(lambda s: "AKIA" + "".join(s.choice(string.ascii_uppercase + "234567") for _ in range(16)),),
    *(
        lambda s: "ghp_" + some(s, ALNUM, 36),
        lambda s: "github_pat_" + some(s, ALNUM, 22) + "_" + some(s, ALNUM, 59),
    ),
    *(lambda s: "gho_" + some(s, ALNUM, 36), lambda s: "glpat-" + some(s, PART, 20)),
    *(lambda s: f"xoxb-{digits(s, 12)}-{digits(s, 13)}-{some(s, ALNUM, 24)}",),
    *(lambda s: f"xapp-1-A{digits(s, 10)}-{digits(s, 13)}-{some(s, HEX, 64)}",),
    *(lambda s: "sk_live_" + some(s, ALNUM, 24), lambda s: "rk_test_" + some(s, ALNUM, 99)),
    *(lambda s: "whsec_" + some(s, ALNUM, 32), lambda s: "AIza" + some(s, PART, 35)),
    *(
        lambda s: "sk-ant-api03-" + some(s, PART, 93) + "AA",
        lambda s: "sk-proj-" + some(s, PART, 100),
    ),
    *(lambda s: "sk-" + some(s, ALNUM, 48), lambda s: "npm_" + some(s, ALNUM, 36)),
    *(
        lambda s: "pypi-AgEIcHlwaS5vcmc" + some(s, PART, 120),
        lambda s: "hf_" + some(s, string.ascii_letters, 34),
    ),
    *(
        lambda s: "SG." + some(s, PART, 22) + "." + some(s, PART, 43),
        lambda s: "SK" + some(s, HEX, 32),
    ),
    *(lambda s: "dop_v1_" + some(s, HEX, 64), lambda s: "shpat_" + some(s, HEX, 32)),
    *(lambda s: "hvs." + some(s, PART, 95), lambda s: "dapi" + some(s, HEX, 32)),
    *(lambda s: "sbp_" + some(s, HEX, 40), lambda s: "sb_secret_" + some(s, PART, 31)),
    *(
        lambda s: f"{digits(s, 9)[:-1]}71:AA" + some(s, PART, 33),
        lambda s: "GOCSPX-" + some(s, PART, 28),
    ),
    *(lambda s: "M" + some(s, ALNUM, 23) + "." + some(s, PART, 6) + "." + some(s, ALNUM, 27),),
    *(
        lambda s: "lin_api_" + some(s, ALNUM, 40),
        lambda s: "ntn_" + digits(s, 11) + some(s, ALNUM, 35),
    ),
    *(lambda s: "gsk_" + some(s, ALNUM, 52), lambda s: "xai-" + some(s, ALNUM, 80)),
    *(
        lambda s: some(s, HEX, 32) + "-us" + s.choice("123456789"),
        lambda s: "ya29." + some(s, PART, 120),
    ),
    *(
        lambda s: "glsa_" + some(s, ALNUM, 32) + "_" + some(s, HEX, 8),
        lambda s: "dckr_pat_" + some(s, PART, 27),
    ),
    *(
        lambda s: "rubygems_" + some(s, HEX, 48),
        lambda s: "tskey-auth-" + some(s, ALNUM, 12) + "-" + some(s, ALNUM, 32),
    ),
    *(
        lambda s: "pscale_tkn_" + some(s, PART, 43),
        lambda s: "NRAK-" + some(s, string.ascii_uppercase + string.digits, 27).upper(),
    ),
    *(
        lambda s: "dp.pt." + some(s, ALNUM, 43),
        lambda s: "pat" + some(s, ALNUM, 14) + "." + some(s, HEX, 64),
    ),
)


def cloud_key(source: Random) -> str:
    """Make a key of one of the vendors people use."""
    return source.choice(_KEYS)(source)


_CONNECTIONS = (
    *("postgres://app:SECRET@db.internal:5432/shop", "mongodb+srv://root:SECRET@c0.example.net/x"),
    *("redis://:SECRET@cache:6379/0", "Server=db;Database=x;User Id=sa;Password=SECRET;"),
    *("host=db port=5432 dbname=x user=app password=SECRET", "amqps://u:SECRET@mq.example/v"),
    *("jdbc:postgresql://db:5432/shop?user=app&password=SECRET", "PGPASSWORD=SECRET psql -h db"),
    *("Driver={ODBC};Server=x;Uid=a;Pwd=SECRET;", "https://deploy:SECRET@git.example/r.git"),
    *("DB_PASSWORD=SECRET", "ALTER ROLE app PASSWORD 'SECRET'", "db.internal:5432:shop:app:SECRET"),
)
_NAMED = (
    *("aws_secret_access_key = SECRET", "DD_API_KEY=SECRET", "Authorization: Bearer SECRET"),
    *("client_secret: SECRET", "x-api-key: SECRET", "TWILIO_AUTH_TOKEN=SECRET"),
)


def connection(source: Random) -> tuple[str, str]:
    """Make a text with a secret told by what stands beside it, and the secret."""
    if source.randrange(3):
        secret = "".join(source.choice(ALNUM + "!.-_+*~") for _ in range(source.randint(8, 24)))
        secret = "p" + secret + "7"
        return source.choice(_CONNECTIONS).replace("SECRET", secret), secret
    secret = some(source, ALNUM, 40)
    return source.choice(_NAMED).replace("SECRET", secret), secret


POSITIVE: dict[str, Make] = {
    "payment-card": card,
    "us-ssn": social_security,
    "iban": iban,
    "email": email,
    "phone": phone,
    "jwt": jwt,
    "private-key": private_key,
    "cloud-key": cloud_key,
}
