"""Each kind of mask on each type: an expression that Postgres can read, or a problem."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg_guard_mcp.guard import grammar, masking, reading
from pg_guard_mcp.guard.masking import (
    KINDS,
    Mask,
    column_problem,
    expression,
    hmac_pads,
    matches,
    pattern_problems,
    uses_key,
)
from tests.support.catalogs import column

TEXTS = ("text", "character(2)", "character varying(40)")
DATES = ("date", "timestamp with time zone")
NUMBERS = ("integer", "bigint", "numeric(10,2)")
OTHERS = ("boolean", "jsonb", "text[]", "shop.order_status")
TYPES = (*TEXTS, *DATES, *NUMBERS, *OTHERS)
UNBOUNDED = {
    "character(2)": "bpchar",
    "character varying(40)": "character varying",
    "numeric(10,2)": "numeric",
}
"""What a mask of such a type is cast to: nothing of it may be cut off."""
ARGUMENTS = {"bucket": "bucket:10", "const": "const:x"}

SERVES = {
    "redact": set(TYPES),
    "null": set(TYPES),
    "const": set(TYPES),
    "clean": set(TYPES),
    "email": set(TEXTS),
    "last4": set(TEXTS),
    "first1": set(TEXTS),
    "hash": {*TEXTS, "bigint"},
    "year": set(DATES),
    "bucket": set(NUMBERS),
}


def mask(name: str) -> Mask:
    """Make a mask of a kind, with an argument where it needs one."""
    return Mask(kind=ARGUMENTS.get(name, name))


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("name", KINDS)
def test_each_kind_serves_the_types_it_can_and_is_a_problem_on_others(
    name: str, type_: str
) -> None:
    problem = column_problem(mask(name), column("c", type_), "shop.t.c")

    assert (problem is None) == (type_ in SERVES[name])
    if problem is not None:
        assert problem.message == f"mask {name!r} cannot serve shop.t.c, which is {type_}"
        assert problem.fix


@pytest.mark.parametrize(
    ("name", "type_"),
    [(name, type_) for name in KINDS for type_ in sorted(SERVES[name]) if name != "clean"],
)
def test_each_expression_reads_nothing_but_its_column_and_calls_only_built_in_functions(
    name: str, type_: str
) -> None:
    column_name = 'Ein "Name"; DROP'
    text = expression(mask(name), column(column_name, type_))

    facts = reading.read(grammar.parse(f"SELECT {text}"))

    assert {use.parts for use in facts.columns} <= {(column_name,)}
    called = {use.schema for use in facts.functions if use.notation != "grammar"}
    assert called <= {"pg_catalog"}
    assert {use.schema for use in facts.types} <= {"pg_catalog", "shop", None}
    assert set(facts.parameters) == ({1, 2} if name == "hash" else set())
    assert not facts.relations
    assert not facts.findings


@pytest.mark.parametrize(
    ("name", "type_"),
    [(name, type_) for name in KINDS for type_ in sorted(SERVES[name]) if name != "clean"],
)
def test_each_expression_has_the_type_of_its_column(name: str, type_: str) -> None:
    assert f" AS {UNBOUNDED.get(type_, type_)})" in expression(mask(name), column("c", type_))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("null", "CAST(NULL AS text)"),
        (
            "redact",
            "CASE WHEN \"c\" IS NULL THEN CAST(NULL AS text) ELSE CAST('[redacted]' AS text) END",
        ),
        (
            "first1",
            (
                'CASE WHEN "c" IS NULL THEN CAST(NULL AS text) ELSE CAST(pg_catalog.left('
                "CAST(\"c\" AS pg_catalog.text), 1) OPERATOR(pg_catalog.||) '***' AS text) END"
            ),
        ),
        ("const", "CAST('x' AS text)"),
    ],
)
def test_an_expression_is_as_written_here(name: str, expected: str) -> None:
    assert expression(mask(name), column("c")) == expected


def test_what_is_not_text_is_redacted_to_null() -> None:
    for type_ in (*DATES, *NUMBERS, *OTHERS):
        expected = f"CAST(NULL AS {UNBOUNDED.get(type_, type_)})"
        assert expression(mask("redact"), column("c", type_)) == expected


def test_a_constant_cannot_leave_its_quotes() -> None:
    text = expression(Mask(kind="const:'; DROP TABLE x; --"), column("c"))

    assert text == "CAST('''; DROP TABLE x; --' AS text)"
    assert len(grammar.parse(f"SELECT {text}")) == 1


def test_a_constant_may_hold_colons() -> None:
    assert Mask(kind="const:a:b").argument == "a:b"
    assert Mask(kind="const:a:b").name == "const"


@pytest.mark.parametrize("kind", ["unheard-of", "redacted", ""])
def test_an_unknown_kind_redacts(kind: str) -> None:
    """The settings refuse it; if one came through, it must not show the value."""
    assert "[redacted]" in expression(Mask(kind=kind), column("c"))


def test_only_the_hash_reads_the_key() -> None:
    assert [name for name in KINDS if uses_key(mask(name))] == ["hash"]


@given(st.binary(max_size=64), st.text(max_size=50))
def test_the_two_pads_make_the_hmac_of_the_standard_library(key: bytes, message: str) -> None:
    """Done here as the expression does it in SQL: sha256(outer || sha256(inner || text))."""
    inner, outer = (bytes.fromhex(pad.removeprefix("\\x")) for pad in hmac_pads(key))
    text = message.encode(errors="ignore")

    nested = hashlib.sha256(outer + hashlib.sha256(inner + text).digest()).hexdigest()

    assert nested == hmac.new(key, text, "sha256").hexdigest()


def test_the_pads_are_a_block_each_and_hold_no_plain_key() -> None:
    key = b"k" * 32

    for pad in hmac_pads(key):
        assert pad.startswith("\\x")
        assert len(bytes.fromhex(pad[2:])) == 64
        assert key.hex() not in pad


@pytest.mark.parametrize("size", [0, 32, 64])
def test_any_key_up_to_a_block_has_pads(size: int) -> None:
    assert all(len(pad) == 130 for pad in hmac_pads(b"k" * size))


def test_a_key_longer_than_a_block_is_hashed_first_as_the_standard_says() -> None:
    key = b"k" * 65
    inner, outer = (bytes.fromhex(pad.removeprefix("\\x")) for pad in hmac_pads(key))

    nested = hashlib.sha256(outer + hashlib.sha256(inner + b"x").digest()).hexdigest()

    assert nested == hmac.new(key, b"x", "sha256").hexdigest()


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("shop.customers.email", "shop.customers.email", True),
        ("*.*.email", "shop.customers.email", True),
        ("*", "shop.customers.email", True),
        ("*.*.*mail", "shop.customers.email", True),
        ("shop.*", "shop.customers.email", True),
        ("*password*", "shop.users.password_hash", True),
        ("shop.customers.email", "shop.customers.email2", False),
        ("shop.customers.email", "xshop.customers.email", False),
        ("shop.customers.email", "shop.customersxemail", False),
        ("shop.customers.?mail", "shop.customers.email", False),
        ("shop.[c]ustomers.email", "shop.customers.email", False),
        ("*.EMAIL", "shop.customers.email", False),
        ("*", "shop.a\nb.c", True),
        ("shop.a", "shop.a\n", False),
        ("", "", True),
    ],
)
def test_a_star_is_any_run_of_characters_and_nothing_else_is_special(
    pattern: str, name: str, fits: bool
) -> None:
    assert matches(pattern, name) is fits


@given(st.text(max_size=20))
def test_a_pattern_without_stars_fits_itself_only(name: str) -> None:
    plain = name.replace("*", "")

    assert matches(plain, plain)
    assert not matches(plain, plain + "x")


@pytest.mark.parametrize(
    "kind",
    [
        *("redact", "null", "email", "last4", "first1", "hash", "year", "clean"),
        *("bucket:1", "bucket:999999999999", "const:", "const:a b", "const:a:b"),
    ],
)
def test_a_kind_as_documented_is_no_problem(kind: str) -> None:
    assert not list(pattern_problems("shop.customers.email", kind))


@pytest.mark.parametrize(
    "kind",
    [
        *("", "REDACT", "scramble", "redact:x", "hash:key", "year:", " redact", "null "),
        *("bucket", "bucket:", "bucket:0", "bucket:-1", "bucket:1.5", "bucket:10; DROP"),
        "bucket:1000000000000",
    ],
)
def test_any_other_kind_is_one_problem_with_a_fix(kind: str) -> None:
    (problem,) = pattern_problems("shop.customers.email", kind)

    assert problem.message
    assert problem.fix


@pytest.mark.parametrize("pattern", ["email", "customers.email", "*.email", "*"])
def test_a_pattern_names_schema_relation_and_column(pattern: str) -> None:
    (problem,) = pattern_problems(pattern, "redact")

    assert repr(pattern) in problem.message


def test_the_list_of_kinds_is_the_documented_one() -> None:
    assert set(KINDS) == set(SERVES)
    assert masking.REDACTED == "[redacted]"
