"""The lexical gate: at a bound a statement passes, one over it is refused, before any parser."""

from __future__ import annotations

import sys
import unicodedata
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlglot.dialects.postgres import Postgres

from pg_guard_mcp.errors import Refused
from pg_guard_mcp.guard import bounds, grammar, nesting, syntax
from pg_guard_mcp.guard.classify import classify
from pg_guard_mcp.guard.lexer import Kind, Token

LIMIT = 50_000


def broken(sql: str) -> str | None:
    """Return the rule of the first bound that `sql` breaks."""
    text, finding = bounds.encode(sql, LIMIT)
    if finding is None:
        _, finding = bounds.check(text)
    return finding.rule if finding else None


def nested(opening: str, depth: int, closing: str = ")") -> str:
    """Open something `depth` times, and close it again."""
    return f"SELECT {opening * depth}1{closing * depth}"


def type_work(depth: int, times: int) -> str:
    """Repeat calls named like types, `depth` inside one another."""
    return "SELECT " + ", ".join(["date(" * depth + "1" + ")" * depth] * times)


@pytest.mark.parametrize(
    ("within", "beyond"),
    [
        (nested("(", 32), nested("(", 33)),
        (nested("ARRAY(", 6), nested("ARRAY(", 7)),
        (nested("[", 32, "]"), nested("[", 33, "]")),
        (nested("CASE WHEN true THEN ", 32, " END"), nested("CASE WHEN true THEN ", 33, " END")),
        (nested("(case when ", 16, " end)"), nested("(case when ", 17, " end)")),
        (nested("ARRAY[", 6, "]"), nested("ARRAY[", 7, "]")),
        (nested("array[", 6, "]"), nested("array[", 7, "]")),
        (nested("date(", 6), nested("date(", 7)),
        (nested("Numeric (", 6), nested("Numeric (", 7)),
        (nested("int4range(", 6), nested("int4range(", 7)),
        (nested("double precision(", 6), nested("double precision(", 7)),
        (type_work(1, 2_048), type_work(1, 2_049)),
        (type_work(6, 32), type_work(6, 33)),
        ("SELECT a" + "[1]" * 17, "SELECT a" + "[1]" * 18),
        ("SELECT a" + " [ 1 ] " * 17, "SELECT a" + " [ 1 ] " * 18),
        ("SELECT (a)" + "[1].b" * 17, "SELECT (a)" + "[1].b" * 18),
        (nested("abs(", 20), nested("abs(", 21)),
        (nested('"f" (', 20), nested('"f" (', 21)),
        ("SELECT " + "- " * 16 + "1", "SELECT " + "- " * 17 + "1"),
        ("SELECT " + "NOT " * 16 + "true", "SELECT " + "not " * 17 + "true"),
        ("SELECT " + "- NOT " * 8 + "1", "SELECT " + "- NOT " * 8 + "- 1"),
        ("SELECT " + "1," * 9_999 + "1", "SELECT " + "1," * 10_000 + "1"),
        ("SELECT 1" + "/**/" * 500, "SELECT 1" + "/**/" * 501),
        ("SELECT 1" + "--\n" * 500, "SELECT 1" + "--\n" * 501),
        ("SELECT 1 /*" + "/**/ " * 499 + "*/", "SELECT 1 /*" + "/**/ " * 500 + "*/"),
        ("SELECT 1 " + "*" * 63 + " 1", "SELECT 1 " + "*" * 64 + " 1"),
        ("SELECT 1" + "/*" * 32 + "*/" * 32, "SELECT 1" + "/*" * 33 + "*/" * 33),
        ("SELECT '" + "x" * (LIMIT - 9) + "'", "SELECT '" + "x" * (LIMIT - 8) + "'"),
        ("SELECT '" + "ä" * 24_995 + "x'", "SELECT '" + "ä" * 24_996 + "'"),
    ],
    ids=lambda sql: sql[:30],
)
def test_each_bound_lets_its_limit_pass_and_nothing_over_it(within: str, beyond: str) -> None:
    assert broken(within) is None
    assert broken(beyond) == "bounds"


def test_the_gate_knows_every_type_name_that_the_second_parser_tries() -> None:
    tried = {
        word.upper().encode()
        for name, token in Postgres.Tokenizer.KEYWORDS.items()
        if token in Postgres.Parser.TYPE_TOKENS
        for word in (name.rpartition(" ")[2],)
    }

    assert tried | {b"ARRAY"} == nesting.TYPE_WORDS


def test_the_bounds_are_as_documented() -> None:
    assert (bounds.MAX_DEPTH, bounds.MAX_TYPE_DEPTH, bounds.MAX_SUBSCRIPTS) == (32, 6, 16)
    assert bounds.MAX_CALL_DEPTH == 20
    assert (bounds.MAX_PREFIXES, bounds.MAX_TOKENS, bounds.MAX_TYPE_WORK) == (16, 20_000, 4_096)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT '((((((((((((((((((((((((((((((((((((((((((('",
        "SELECT $$" + "(" * 100 + "$$",
        'SELECT 1 AS "' + "(" * 60 + '"',
        "SELECT 1 -- " + "(" * 100,
        "SELECT 1 /* " + "ARRAY[" * 100 + " */",
        "SELECT " + ", ".join(["(1)"] * 1_000),
        "SELECT " + ", ".join(["ARRAY[1]"] * 1_000),
        "SELECT " + " + ".join(["1"] * 1_000),
        "SELECT " + ", ".join(["tags[1]"] * 1_000),
        "SELECT " + ", ".join(["-1"] * 1_000),
        "SELECT CASE WHEN a THEN 1 END, " * 100 + "1",
        "SELECT lower(upper(trim(btrim(ltrim(rtrim(reverse(repeat('a', 2))))))))",
    ],
    ids=lambda sql: sql[:30],
)
def test_what_only_looks_deep_passes(sql: str) -> None:
    assert broken(sql) is None


@pytest.mark.parametrize(
    ("opening", "closing"), [("(", "]"), ("[", ")"), ("CASE (", "END"), ("(", "END")]
)
def test_a_bracket_is_closed_by_its_own_kind_only(opening: str, closing: str) -> None:
    """Otherwise a parser could be led deeper than the count says."""
    assert broken(f"SELECT {(opening + closing + ' ') * 33}") == "bounds"


@pytest.mark.parametrize("character", [*map(chr, range(0x20)), "\x7f"])
def test_control_characters_other_than_white_space_are_refused(character: str) -> None:
    refused = character not in "\t\n\r\f"

    assert (broken(f"SELECT{character} 1") == "bounds") is refused
    assert (broken(f'SELECT 1 AS "a{character}"') == "bounds") is refused


@pytest.mark.parametrize(
    "character",
    ["\u00a0", "\u2003", "\u3000", "\u200b", "\u202e", "\u2028", "\ufeff", "\u0085", "\ue000"],
    ids=ascii,
)
def test_invisible_characters_are_refused_outside_literals_only(character: str) -> None:
    assert broken(f"SELECT{character}1") == "bounds"
    assert broken(f"SELECT a{character}b") == "bounds"
    assert broken(f'SELECT 1 AS "a{character}b"') == "bounds"
    assert broken(f"SELECT '{character}'") is None
    assert broken(f"SELECT $${character}$$") is None


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("SELECT U&'a'", "bounds"),
        ('SELECT u&"a"', "bounds"),
        ("SELECT U&a", "bounds"),
        ("SELECT u & 'a'", None),
        ("SELECT a.u &'1'", None),
        ("SELECT 'U&'", None),
        ("SELECT 'a\x00b'", "bounds"),
        ("SELECT '\ud800'", "bounds"),
        ("SELECT 'abc", "syntax"),
        ("SELECT $$", "syntax"),
        ("/* SELECT 1", "syntax"),
    ],
    ids=ascii,
)
def test_text_that_could_be_read_in_two_ways_is_refused(sql: str, rule: str | None) -> None:
    assert broken(sql) == rule


class Uncopied(str):
    """A text that reports when somebody makes a copy of it as bytes."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        """Fail, instead of making a copy."""
        message = "the whole text was copied"
        raise AssertionError(message)


def test_a_text_of_ten_megabytes_is_refused_without_a_copy() -> None:
    with pytest.raises(Refused) as refusal:
        classify(Uncopied("x" * 10_000_000), max_bytes=LIMIT)

    assert [finding.rule for finding in refusal.value.findings] == ["bounds"]


@pytest.mark.parametrize(
    "sql",
    [
        nested("(", 20_000),
        nested("ARRAY[", 5_000, "]"),
        nested("date(", 25),
        "SELECT a" + "[1]" * 5_000,
        "SELECT " + "- " * 20_000 + "1",
        "SELECT * FROM " + "(" * 15_000,
        "/*" * 20_000,
    ],
    ids=lambda sql: sql[:20],
)
def test_no_parser_ever_sees_text_that_is_out_of_bounds(
    sql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compiled build of sqlglot dies of some of these, and takes the process with it."""

    def touched(_: str) -> None:
        message = "a parser was handed hostile text"
        raise AssertionError(message)

    monkeypatch.setattr(grammar, "parse", touched)
    monkeypatch.setattr(syntax, "read", touched)

    with pytest.raises(Refused):
        classify(sql, max_bytes=LIMIT)


def test_a_statement_is_refused_for_its_number_of_tokens_without_reading_the_rest() -> None:
    found, finding = bounds.check(b"1 " * 1_000_000)

    assert finding is not None
    assert len(found) == bounds.MAX_TOKENS + 1


def test_comments_are_no_tokens() -> None:
    found, finding = bounds.check(b"SELECT /* ( */ 1 -- (")

    assert finding is None
    assert found == [Token(Kind.WORD, 0, 6, b"SELECT"), Token(Kind.NUMBER, 15, 16, b"1")]


@given(st.text(max_size=300))
@example("\x00")
@example("\ud800")
@example("SELECT $$")
@example("END)]")
def test_any_text_gets_a_verdict_and_never_a_crash(sql: str) -> None:
    text, finding = bounds.encode(sql, 200)
    if finding is None:
        _, finding = bounds.check(text)

    assert finding is None or (finding.rule in {"bounds", "syntax"} and finding.hint)


@given(st.text(max_size=300))
def test_any_text_is_classified_or_refused_and_never_crashes(sql: str) -> None:
    with suppress(Refused):
        classify(sql, max_bytes=LIMIT)


@pytest.mark.parametrize(
    ("plain", "elaborate"),
    [
        ("SELECT " + "1," * 99 + "1", "SELECT " + "1," * 99 + "1, 1"),
        ("SELECT ((((1))))", "SELECT (((((1)))))"),
        ("SELECT CASE WHEN (((a)))[1] THEN 1 END", "SELECT CASE WHEN (((a[1]))) THEN 1 END"),
        ("SELECT ((1)), ((1)), ((1))", "SELECT ((1)), (((((1)))))"),
        ("SELECT 1 FROM t" + " JOIN t ON true" * 6, "SELECT 1 FROM t" + " join t ON true" * 7),
    ],
)
def test_a_text_is_plain_up_to_its_bounds(plain: str, elaborate: str) -> None:
    assert bounds.is_plain(bounds.check(plain.encode())[0])
    assert not bounds.is_plain(bounds.check(elaborate.encode())[0])


@pytest.mark.parametrize("category", ["Zs", "Zl", "Zp", "Cf", "Co", "Cn"])
def test_no_invisible_character_stands_outside_a_literal(category: str) -> None:
    character = next(
        chr(code)
        for code in range(0x80, sys.maxunicode)
        if unicodedata.category(chr(code)) == category
    )

    assert broken(f"SELECT 1{character}") == "bounds"
    assert broken(f"SELECT '{character}'") is None
