"""The second lock finds what nobody may see wherever it stands, and leaves the rest alone."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg_guard_mcp.guard.detectors import DEFAULT_DETECTORS, DETECTORS, mask
from pg_guard_mcp.model import ResultColumn, ResultSet

if TYPE_CHECKING:
    from collections.abc import Callable

CARD = "4111111111111111"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"  # noqa: S105 - a made-up one
KEY_BEGIN, KEY_END = "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"
FORTY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
EVERY = frozenset(DETECTORS)
IN_BASE64 = base64.b64encode(f"{KEY_BEGIN}\nMIIE\n{KEY_END}\n".encode()).decode()

CARDS = (
    *(CARD, "4012888888881881", "4222222222222", "4000000000000000006"),
    *("5555555555554444", "2223003122003222", "378282246310005", "371449635398431"),
    *("30569309025904", "38520000023237", "36227206271667", "3056930009020004"),
    *("6011111111111117", "3530111333300000", "6200000000000005", "6205500000000000004"),
    *("2201382000000013", "6759649826438453", "6304000000000000"),
    *("4111 1111 1111 1111", "4111-1111-1111-1111", "4111.1111.1111.1111"),
    *("3782 822463 10005", "3056 930902 5904", "4000 0000 0000 0000 006"),
    *("4111\u00a01111\u00a01111\u00a01111", "4111\u20131111\u20131111\u20131111"),
)

FOUND = [
    ("4111_1111_1111_1111", "[payment-card]"),
    ("4111/1111/1111/1111", "[payment-card]"),
    ("4111 - 1111 - 1111 - 1111", "[payment-card]"),
    ("4111+1111+1111+1111", "[payment-card]"),
    ("411111111111 1111", "[payment-card]"),
    ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "[payment-card]"),
    ("card 4111111111111111, exp 12/25", "card [payment-card], exp 12/25"),
    ("4111 1111 1111 1111 123", "[payment-card] 123"),
    ("2 4111 1111 1111 1111 12/25", "2 [payment-card] 12/25"),
    ("2000 4111 1111 1111 1111", "2000 [payment-card]"),
    ("PAN4111111111111111.", "PAN[payment-card]."),
    ("%B4111111111111111^DOE/JOHN", "%B[payment-card]^DOE/JOHN"),
    (";4111111111111111=25121011", ";[payment-card]=25121011"),
    (f"{CARD},{CARD}", "[payment-card],[payment-card]"),
    ("ssn 123-45-6789.", "ssn [us-ssn]."),
    ("SSN-123-45-6789", "SSN-[us-ssn]"),
    ("SSN: 123456789", "SSN: [us-ssn]"),
    ("social security number is 123 45 6789", "social security number is [us-ssn]"),
    ("<ssn>123456789</ssn>", "<ssn>[us-ssn]</ssn>"),
    ("123\u201145\u20116789", "[us-ssn]"),
    ("DE89370400440532013000", "[iban]"),
    ("pay DE89 3704 0044 0532 0130 00 today", "pay [iban] today"),
    ("GB82 WEST 1234 5698 7654 32", "[iban]"),
    ("NO9386011117947", "[iban]"),
    ("DE89-3704-0044-0532-0130-00", "[iban]"),
    ("XX12 DE89 3704 0044 0532 0130 00", "XX12 [iban]"),
    ("iban:fr1420041010050500013m02606;", "iban:[iban];"),
    ("MT84MALT011000012345MTLCAST001S", "[iban]"),
    (f"Bearer {TOKEN}", "Bearer [jwt]"),
    (f"access_{TOKEN};", "access_[jwt];"),
    ("eyJhbGciOiJSU0EtT0FFUCJ9..AxY8DCtDaGlsbGljb3RoZQ.KDlTtXchhZTGufMY.XFBoMYUZodetZdvT", "[jwt]"),
    (f"{KEY_BEGIN}\nMIIE-abc\n{KEY_END}\nafter", "[private-key]\nafter"),
    (f"{KEY_BEGIN}\nProc-Type: 4\n\nMIIE", "[private-key]"),
    (f'a="{KEY_BEGIN} MIIE" b', 'a="[private-key]" b'),
    ("AGE-SECRET-KEY-1" + "Q" * 58, "[private-key]"),
    ("PuTTY-User-Key-File-3: x\nPrivate-MAC: " + "0a" * 32 + "\nb", "[private-key]\nb"),
    ("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nP2/5\nx", "[private-key]"),
    ("PrivateKey = " + "a1B+" * 10 + "abc=", "PrivateKey = [private-key]"),
    ('{"kty":"EC","d":"' + "a1B2" * 9 + '"}', '{"kty":"EC","d":"[private-key]"}'),
    (f"x: {IN_BASE64}\nlast line", "x: [private-key]\nlast line"),
    ("id AKIAIOSFODNN7EXAMPLE", "id [cloud-key]"),
    (f"AKIAIOSFODNN7EXAMPLE,{FORTY}", "[cloud-key],[cloud-key]"),
    (f"aws_secret_access_key = {FORTY}", "aws_secret_access_key = [cloud-key]"),
    (f'{{"SecretAccessKey": "{FORTY}"}}', '{"SecretAccessKey": "[cloud-key]"}'),
    ("ghp_" + "a1B2" * 9, "[cloud-key]"),
    ("github_pat_" + "a1B2" * 8, "[cloud-key]"),
    ("glpat-" + "a1B2_" * 4, "[cloud-key]"),
    ("xoxb-123456789012-abcdefABCDEF", "[cloud-key]"),
    (
        "https://hooks.slack.com/services/T0/B0/" + "x" * 24,
        "https://hooks.slack.com/services/[cloud-key]",
    ),
    ("sk_live_" + "a1B2" * 6, "[cloud-key]"),
    ("rk_live_" + "a1B2" * 6, "[cloud-key]"),
    ("AIza" + "a1B2_" * 7, "[cloud-key]"),
    ("sk-ant-api03-" + "a1B2_" * 8, "[cloud-key]"),
    ("sk-proj-" + "a1B2_" * 8, "[cloud-key]"),
    ("sk-" + "a1B2" * 12, "[cloud-key]"),
    ("npm_" + "a1B2" * 9, "[cloud-key]"),
    ("SG." + "a1B2" * 5 + "." + "a1B2" * 10, "[cloud-key]"),
    ("SK" + "0a1b" * 8, "[cloud-key]"),
    ("AccountKey=" + "a1B2" * 21 + "aa==", "AccountKey=[cloud-key]"),
    ("postgres://app:p@ss@db:5432/shop", "postgres://app:[cloud-key]@db:5432/shop"),
    ("redis://:hunter2@cache", "redis://:[cloud-key]@cache"),
    ("Server=db;User Id=a;Password=hunter2;", "Server=db;User Id=a;Password=[cloud-key];"),
    ("host=db user=a password=hunter2 port=1", "host=db user=a password=[cloud-key] port=1"),
    ("postgres://app:pa/ss@db:5432/x", "postgres://app:[cloud-key]@db:5432/x"),
    ("PGPASSWORD=hunter2 psql", "PGPASSWORD=[cloud-key] psql"),
    ("(DB_PASSWORD=hunter2)", "(DB_PASSWORD=[cloud-key])"),
    ("db.internal:5432:shop:app:hunter2", "db.internal:5432:shop:app:[cloud-key]"),
    ("ALTER ROLE a PASSWORD 'hunter 2'", "ALTER ROLE a PASSWORD '[cloud-key]'"),
    ('{"host": "db", "password": "hunter2"}', '{"host": "db", "password": "[cloud-key]"}'),
    ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic [cloud-key]"),
    ("x-api-key: " + "0a1b" * 8, "x-api-key: [cloud-key]"),
    ("Bearer " + "a1B2" * 8, "Bearer [cloud-key]"),
    ("?sv=1&sig=" + "a1B2" * 10 + "%3D", "?sv=1&sig=[cloud-key]"),
    ("SharedAccessKey=" + "a1B+" * 10 + "abc=", "SharedAccessKey=[cloud-key]"),
    ("1234567890:AA" + "a1B_" * 8 + "x", "[cloud-key]"),
    ("M" + "a1B2" * 6 + ".a1B2a1." + "a1B2" * 7, "[cloud-key]"),
    ("hvs." + "a1B2" * 10, "[cloud-key]"),
    ("0a1b" * 8 + "-us12", "[cloud-key]"),
    ("sk-or-v1-" + "0a1b" * 16, "[cloud-key]"),
    ("a" * 52 + "JQQJ99" + "A1b2" * 6 + "xy", "[cloud-key]"),
    ("'ann@b.example'", "'[email]'"),
    ("...ann@b.example", "[email]"),
    ("ann@\u043f\u0440\u0438.\u0440\u0444", "[email]"),
    ("write to Ann.Lee+x@mail.example.co.uk!", "write to [email]!"),
    ("call +49 (151) 234-56789 now", "call [phone] now"),
    ("(555) 234-5678 or 1-555-234-5678", "[phone] or [phone]"),
    ("0151 2345678, 01 23 45 67 89", "[phone], [phone]"),
]

LEFT_ALONE = [
    *("4111 1111-1111/1111", "DE89370400440532013000X", "AB-123-45-6789", "021-42562"),
    *(
        "40936093-7735-2800",
        "2311-957518888954",
        "5912-4111-1111-1111-1111",
        "45 26538 61 39 093 16888",
        "+53.8079407550",
    ),
    *("fc5c:d36a:5432:fc73:f000:4743:ae17:7633", "logo@2x.png", "git@github.com:a/b.git"),
    *("https://0a1b2c@o1.ingest.sentry.io/4", "pk_live_" + "a1B2" * 6, "cus_NffrFeUfNV2Hib"),
    *("re_evaluate_customer_retention_score_v2", "cache_key=" + "0a1b" * 8, "password=required"),
    *("client_secret: projects/1/secrets/db-password/versions/2", "password: hunter2"),
    *("postgres://u:&lt;password&gt;@h/d", "api_key=" + "*" * 30, "page_token=" + "a1B2" * 8),
    *(
        "host=db password=${PASSWORD}",
        "Server=x;Password=****;",
        "sk-or-a-class-of-many-words-here",
    ),
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUQ=",
    *("4111111111111112", "1111111111111111", "ORD-2024-0000123456", "41111111111111111111"),
    *("0.4111111111111111", "4111111111111111.5", "+4111111111111111", "20240501123045123"),
    *("x4111111111111111", "4111111111111111a", "DE4111111111111111", "1714566645123456"),
    *("490154203237518", "356938035643809", "4006381333931", "9783161484100", "v4.11.1"),
    *("000-12-3456", "666-12-3456", "900-12-3456", "123-00-4567", "123-45-0000", "123456789"),
    *("AB-123-45-6789", "1-123-45-6789", "123-45-6789-0", "123-45-67890", "A123-45-6789"),
    *("DE89370400440532013001", "XX89370400440532013000", "DE8937040044053201300012"),
    *("XDE89370400440532013000", "DE89 37 04", "eyJhbGciOiJIUzI1NiJ9", "eyJ.eyJ.x"),
    *("-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----"),
    *("sk-loading-indicator-animated-dots-for-everyone", "AKIASHORT", "ghp_short", "TASK-1234"),
    *("https://localhost:8080/@vite/client", "postgres://app@db/shop"),
    *("postgres://u:****@db", "postgres://u:${PASSWORD}@db", "postgres://u:[cloud-key]@db"),
    *("postgres://u:{password}@db", "postgres://u:%s@db", f"x{TOKEN}"),
    *("2024-05-01 12:30:45.123456+00", "10.0.0.1:5432", "@handle", "a@b", "12.03.2024", "00:15:32"),
]


def masked(cell: str, type_name: str = "text", enabled: frozenset[str] = EVERY) -> str:
    """Give `cell` back as the only one of a result, with every detector at work."""
    column = ResultColumn("c", type_name)
    result, changed = mask(ResultSet(columns=(column,), rows=[(cell,)]), enabled)
    answer = result.rows[0][0]
    assert changed == (answer != cell)
    assert answer is not None
    return answer


def column_of(cells: list[str | None], type_name: str) -> ResultSet:
    return ResultSet(columns=(ResultColumn("c", type_name),), rows=[(cell,) for cell in cells])


def with_check_digit(digits: str, weights: tuple[int, int]) -> str:
    """Complete `digits` by the last one, as bar codes (3, 1) and IMEIs (2, 1) do."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        product = int(digit) * weights[place % 2]
        total += product if weights[0] == 3 else product // 10 + product % 10
    return digits + str(-total % 10)


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("around", ["{}", "pay {} now", "({})", "card_{}", "VISA:{}", "{},x"])
def test_a_card_number_is_found_in_every_length_grouping_and_surrounding(
    card: str, around: str
) -> None:
    assert masked(around.format(card)) == around.format("[payment-card]")


@pytest.mark.parametrize(("cell", "answer"), FOUND)
def test_a_value_is_replaced_and_nothing_around_it(cell: str, answer: str) -> None:
    assert masked(cell) == answer


@pytest.mark.parametrize("cell", LEFT_ALONE)
def test_a_look_alike_is_left_alone(cell: str) -> None:
    assert masked(cell) == cell


@pytest.mark.parametrize(
    "make",
    [
        lambda source: str(uuid.UUID(int=source.getrandbits(128))),
        lambda source: hashlib.md5(source.randbytes(9), usedforsecurity=False).hexdigest(),
        lambda source: hashlib.sha256(source.randbytes(9)).hexdigest().upper(),
        lambda source: str(source.randint(10**12, 2 * 10**12)),
        lambda source: str(source.randint(10**15, 2 * 10**15)),
        lambda source: repr(source.random() * 10),
        lambda source: f"ORD-2024-{source.randint(0, 10**10):010}",
        lambda source: " ".join(str(source.randint(1900, 2030)) for _ in range(6)),
        lambda source: with_check_digit(f"4{source.randint(0, 10**11):011}", (3, 1)),
        lambda source: with_check_digit(f"35{source.randint(0, 10**12 - 1):012}", (2, 1)),
        lambda source: f"+49151{source.randint(0, 10**8):08}",
    ],
)
def test_ids_times_hashes_and_codes_raise_no_false_alarm(
    make: Callable[[random.Random], str],
) -> None:
    source = random.Random(7)  # noqa: S311 - the same cells in every run
    cells: list[str | None] = [make(source) for _ in range(3_000)]

    assert mask(column_of(cells, "text"), frozenset(DEFAULT_DETECTORS))[1] == 0


def test_one_random_number_in_thirty_four_of_sixteen_digits_is_a_card_number() -> None:
    source = random.Random(7)  # noqa: S311 - the same cells in every run
    cells: list[str | None] = [f"{source.randint(0, 10**16 - 1):016}" for _ in range(10_000)]
    notes = [f"no. {cell}" for cell in cells]

    assert 250 < mask(column_of([*notes], "text"), frozenset(DEFAULT_DETECTORS))[1] < 340
    assert mask(column_of(cells, "int8"), frozenset(DEFAULT_DETECTORS))[1] == 0


@pytest.mark.parametrize(
    ("type_name", "cell", "answer"),
    [
        ("json", r'{"pan": "\u0034111111111111111"}', '{"pan": "[payment-card]"}'),
        ("json", r'{"k": "\u4111111111111111"}', r'{"k": "\u4111111111111111"}'),
        ("text", r'{"k": "\u4111111111111111"}', r'{"k": "\u4111111111111111"}'),
        ("json", r'{"log": "{\"pan\":\"\\u0034111111111111111\"}"}', None),
        ("json", r'{"ssn": "\n123-45-6789\t"}', r'{"ssn": "\n[us-ssn]\t"}'),
        ("json", r'{"m": "\nann@b.example\n"}', r'{"m": "\n[email]\n"}'),
        ("json", r'"postgres:\/\/u:pw@db\/x"', r'"postgres:\/\/u:[cloud-key]@db\/x"'),
        ("json", f'["{KEY_BEGIN}\\nMIIE\\n{KEY_END}\\n", "b"]', r'["[private-key]\n", "b"]'),
        ("jsonb", f'["{KEY_BEGIN}\\nMIIE", "b"]', '["[private-key]", "b"]'),
        ("jsonb", f'{{"a": {CARD}, "b": [{CARD}]}}', '{"a": "[payment-card]", "b": ["[payment-'),
        ("text", f' {{"a": {CARD}}}', ' {"a": "[payment-card]"}'),
        ("text", f"{{a: {CARD}}}", "{a: [payment-card]}"),
        ("jsonb", f'{{"a": -{CARD}, "b": 1}}', f'{{"a": -{CARD}, "b": 1}}'),
        ("jsonb", f'{{"a": {CARD}e3, "b": 1}}', f'{{"a": {CARD}e3, "b": 1}}'),
        ("_text", f'{{{CARD},NULL,"a \\"{CARD}\\""}}', '{[payment-card],NULL,"a \\"[payment-card]'),
        ("_text", r'{"\\u0034111111111111111",b}', '{"[payment-card]",b}'),
        ("_json", f'{{"{{\\"a\\": {CARD}}}",NULL}}', '{"{\\"a\\": \\"[payment-card]\\"}",NULL}'),
        ("_jsonb", f'{{{CARD},1,"\\"b\\""}}', '{"\\"[payment-card]\\"",1,"\\"b\\""}'),
        ("record", f'("{CARD} x",2)', '("[payment-card] x",2)'),
        ("bytea", "\\x" + f"pan {CARD}".encode().hex(), "\\x" + b"pan [payment-card]".hex()),
        ("bytea", "\\x" + CARD.encode().hex() + "3", "\\x" + b"[payment-card]".hex()),
        ("bytea", f"pan {CARD}", "pan [payment-card]"),
        ("bytea", "\\x00ff", "\\x00ff"),
    ],
)
def test_documents_arrays_and_bytes_are_searched_and_stay_what_they_are(
    type_name: str, cell: str, answer: str | None
) -> None:
    found = masked(cell, type_name)

    assert found.startswith(answer or '{"log": "{\\"pan\\":\\"[payment-card]\\"}"}')


@pytest.mark.parametrize(
    ("type_name", "cells", "changed"),
    [
        ("int8", [CARD], 1),
        ("numeric", [CARD, None, "5555555555554444", "7"], 2),
        ("int8", [CARD, "4111111111111112"], 0),
        ("numeric", [f"{CARD}.50"], 0),
        ("_int8", [f"{{{CARD},NULL}}"], 1),
        ("float8", ["4.111111111111111e+15", "378282246310005"], 2),
        ("float8", ["4.111111111111112e+15", "0.5"], 0),
        ("int8", [None], 0),
    ],
)
def test_a_column_of_numbers_is_cards_when_most_of_its_values_are(
    type_name: str, cells: list[str | None], changed: int
) -> None:
    assert mask(column_of(cells, type_name), EVERY)[1] == changed
    assert mask(column_of(cells, type_name), EVERY - {"payment-card"})[1] == 0


@pytest.mark.parametrize(
    ("cells", "changed"),
    [
        ([f"4{number:015}" for number in range(40)], 0),
        ([f"4{number:015}" for number in range(19)], 2),
        ([CARD] * 40, 40),
        ([CARD] * 10 + ["4111111111111112"] * 30, 10),
        ([f"4{number:015}" for number in range(40)] + ["x"], 4),
        ([f"4{number:015}" for number in range(40)] + [f"pan {CARD}"], 5),
    ],
)
def test_a_column_of_nothing_but_order_numbers_keeps_those_that_look_like_cards(
    cells: list[str | None], changed: int
) -> None:
    assert mask(column_of(cells, "text"), EVERY)[1] == changed


@pytest.mark.parametrize(
    ("cell", "answer"),
    [
        ("\uff14\uff11\uff11\uff11" + "\uff11" * 12, "[payment-card]"),
        ("\u0664" + "\u0661" * 15, "[payment-card]"),
        ("\U0001d7d2" + "\U0001d7cf" * 15, "[payment-card]"),
        ("4111\u200b1111\u200d1111\u00ad1111", "[payment-card]"),
        ("\u201c4111\u22121111\u22121111\u22121111\u201d", "\u201c[payment-card]\u201d"),
        ("4111\u30001111\u20091111\u00a01111", "[payment-card]"),
        ("q=4111%201111%201111%201111&x=1", "q=[payment-card]&x=1"),
        ("q=4111%C2%A01111%E2%80%911111%2D1111", "q=[payment-card]"),
        ("<a>&#52;111&#x31;111&nbsp;1111&#160;1111</a>", "<a>[payment-card]</a>"),
        ("ann%40b.example", "[email]"),
        (r"\x" + CARD.encode().hex(), r"\x" + b"[payment-card]".hex()),
        (r'{"a": "\\x' + CARD.encode().hex() + '"}', None),
        ("&bogus; &#0; &#9999999; %zz 4111", "&bogus; &#0; &#9999999; %zz 4111"),
        (f"100%{CARD}", "100%[payment-card]"),
    ],
)
def test_no_script_escape_or_invisible_character_hides_a_value(
    cell: str, answer: str | None
) -> None:
    expected = r'{"a": "\\x' + b"[payment-card]".hex() + '"}' if answer is None else answer

    assert masked(cell) == expected


def test_bytes_with_zeros_do_not_lead_to_another_cell() -> None:
    zeros, card = "\\x" + "00" * 9, "\\x" + f"pan {CARD}".encode().hex()

    result, changed = mask(column_of([zeros, None, card, zeros], "bytea"), EVERY)

    assert changed == 1
    assert result.rows[2][0] == "\\x" + b"pan [payment-card]".hex()


def test_a_bound_of_a_range_of_texts_is_quoted() -> None:
    assert masked(f"[{CARD},x)", "words") == '["[payment-card]",x)'
    assert masked(f'["a {CARD}",x)', "words") == '["a [payment-card]",x)'
    assert masked(f"[{CARD},x)") == "[[payment-card],x)"


def test_what_a_number_plan_is_not_asked_for_is_taken_for_what_it_looks_like() -> None:
    """Asking takes long, and an answer may hold a million numbers."""
    phones = "0100 100 1000, " * 60
    accounts = "GB18" + "0" * 18

    assert masked(phones, enabled=frozenset({"phone"})).count("[phone]") == 40
    assert masked(accounts) == accounts
    assert masked(f"{accounts} " * 1_100, enabled=frozenset({"iban"})).count("[iban]") == 100


@pytest.mark.parametrize("type_name", ["uuid", "int4", "timestamptz", "_float4", "tstzrange"])
def test_a_type_that_cannot_hold_such_a_value_is_not_searched(type_name: str) -> None:
    assert masked(CARD, type_name) == CARD


@pytest.mark.parametrize("detector", DETECTORS)
def test_only_enabled_detectors_work(detector: str) -> None:
    cell = f"{CARD} 123-45-6789 NO9386011117947 a@b.example +49 151 23456789 {TOKEN} {KEY_BEGIN}-"
    cell = f"redis://:hunter2@c {cell}{KEY_END}"

    assert masked(cell, enabled=frozenset({detector})).count("[") == 1
    assert f"[{detector}]" in masked(cell, enabled=frozenset({detector}))
    assert masked(cell, enabled=frozenset()) == cell


def test_an_unknown_detector_is_an_error_and_not_a_gap() -> None:
    with pytest.raises(KeyError):
        mask(column_of([CARD], "text"), ("payment-card", "no-such-detector"))


def test_overlapping_finds_leave_nothing_of_either() -> None:
    assert masked(f"https://u:{TOKEN}@h") == "https://u:[cloud-key]@h"
    assert masked("https://u:pw@mail.example") == "https://u:[cloud-key]@mail.example"


@pytest.mark.parametrize(
    "before", ["[" * 100_000, '"' + "\\" * 65, "{" * 9, '{"n": ' + "9" * 9_000]
)
def test_what_cannot_be_read_as_json_is_masked_as_text(before: str) -> None:
    assert masked(f"{before} {CARD}") == f"{before} [payment-card]"


def test_only_the_hit_cells_change_and_are_counted() -> None:
    columns = (ResultColumn("id", "int4"), ResultColumn(CARD, "text"), ResultColumn("n", "json"))
    rows: list[tuple[str | None, ...]] = [
        ("1", CARD, None),
        ("2", None, f"[{CARD}]"),
        ("3", "", ""),
    ]
    raw = ResultSet(columns=columns, rows=rows, cap="rows")

    result, changed = mask(raw, DEFAULT_DETECTORS)

    expected: list[tuple[str | None, ...]] = [
        ("1", "[payment-card]", None),
        ("2", None, '["[payment-card]"]'),
        ("3", "", ""),
    ]
    assert (result, changed) == (replace(raw, rows=expected), 2)
    assert raw.rows[0][1] == CARD


@pytest.mark.parametrize("columns", [(), (ResultColumn("c", "text"),)])
def test_an_empty_result_stays_empty(columns: tuple[ResultColumn, ...]) -> None:
    rows: list[tuple[str | None, ...]] = [] if columns else [(), ()]
    raw = ResultSet(columns=columns, rows=rows)

    assert mask(raw, DEFAULT_DETECTORS) == (raw, 0)


def escaped(text: str, source: random.Random) -> str:
    """Write `text` as a JSON string, any of its characters in the long form."""
    return "".join(
        f"\\u{ord(char):04x}" if source.random() < 0.5 else json.dumps(char)[1:-1] for char in text
    )


@given(
    before=st.text(st.characters(codec="ascii", exclude_characters="0123456789"), max_size=12),
    after=st.text(st.characters(codec="ascii", exclude_characters="0123456789"), max_size=12),
    source=st.randoms(use_true_random=False),
    depth=st.integers(1, 3),
)
def test_no_spelling_of_json_hides_a_card_number(
    before: str, after: str, source: random.Random, depth: int
) -> None:
    value = f"{before} {CARD} {after}"
    document = value
    for _ in range(depth):
        document = f'["{escaped(document, source)}", 1]'

    answer = masked(document, "json", frozenset({"payment-card"}))

    for _ in range(depth):
        answer = json.loads(answer)[0]
    assert answer == f"{before} [payment-card] {after}"


@given(st.text(st.sampled_from('41 -.\\"{}[],:u0/@aeyJ\n'), max_size=60))
def test_any_text_is_masked_to_something_that_needs_no_more_masking(text: str) -> None:
    for type_name in ("text", "json", "_jsonb"):
        once = masked(text, type_name)

        assert masked(once, type_name) == once


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "4",
            "4111 ",
            "4111-1111-1111-1112 ",
            "123-45-",
            "DE89 ",
            "AA00",
            "eyJ",
            "eyJaaaaaaaaaa.",
        ),
        *("-----BEGIN PRIVATE KEY-----", "-a", "\\", "\\u0034", '"', "[", '{"a":', "://", "://a:"),
        *("a@", "a.", "+1-", "(555) ", "0 ", "sk-a", "SG.aaaaaaaaaaaaaaaaa", "AKIA", "ghp_", "_a"),
        *("glpat-", "ghs_a", "sk-", "dop_v1_", "password: ", "4 ", "SG.", "pat."),
    ],
)
def test_hostile_text_is_searched_in_time_linear_in_its_length(unit: str) -> None:
    """A search that were not would keep this suite from ending."""
    masked(unit * (200_000 // len(unit)))
