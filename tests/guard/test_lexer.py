"""The lexer cuts SQL where Postgres cuts it, and never anywhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg_guard_mcp.guard import grammar
from pg_guard_mcp.guard.lexer import (
    Kind,
    Token,
    Unterminated,
    identifier,
    quote,
    quote_literal,
    tokens,
)
from tests.support.corpus import Case, load_cases

PIECES = st.sampled_from(
    [
        *(
            "SELECT",
            "a",
            "größe",
            "E",
            "U&",
            "b",
            "$1",
            "$",
            "$a$",
            "$$",
            "'",
            '"',
            "''",
            "\\",
            "\\'",
        ),
        *("--", "/*", "*/", "/", "*", "-", "+", "\n", "\t", " ", ".", "..", "::", ":=", ":", ";"),
        *("(", ")", "[", "]", "1", "1.5", "1e3", "0x1F", "1_000", "=>", "@>", "?|", "{", "\u3000"),
    ]
)
HOSTILE = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=30).map("".join))


def kinds(sql: str) -> list[tuple[Kind, str]]:
    """Return each token's kind and text."""
    return [(token.kind, token.text.decode()) for token in tokens(sql.encode())]


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("orders", Kind.WORD),
        ("_a1$", Kind.WORD),
        ("größe", Kind.WORD),
        ('"a b"', Kind.QUOTED),
        ('"a""b"', Kind.QUOTED),
        ("'a'", Kind.LITERAL),
        ("'it''s'", Kind.LITERAL),
        ("'a\\'", Kind.LITERAL),
        ("'two\nlines'", Kind.LITERAL),
        (r"E'a\'b'", Kind.LITERAL),
        (r"e'a\\'", Kind.LITERAL),
        ("E'it''s'", Kind.LITERAL),
        ("B'01'", Kind.LITERAL),
        ("x'1F'", Kind.LITERAL),
        ("N'a'", Kind.LITERAL),
        ("$$it's$$", Kind.LITERAL),
        ("$a$ $b$ $$ $a$", Kind.LITERAL),
        ("$größe$'$größe$", Kind.LITERAL),
        ("1", Kind.NUMBER),
        ("1.5e-3", Kind.NUMBER),
        (".5", Kind.NUMBER),
        ("1.", Kind.NUMBER),
        ("1_000", Kind.NUMBER),
        ("0x1F", Kind.NUMBER),
        ("0o17", Kind.NUMBER),
        ("0b11", Kind.NUMBER),
        ("$1", Kind.PARAMETER),
        ("$12", Kind.PARAMETER),
        ("(", Kind.SYMBOL),
        ("::", Kind.SYMBOL),
        (":=", Kind.SYMBOL),
        ("=>", Kind.SYMBOL),
        ("..", Kind.SYMBOL),
        (";", Kind.SYMBOL),
        ("{", Kind.SYMBOL),
        ("<=", Kind.OPERATOR),
        ("@>", Kind.OPERATOR),
        ("!~~*", Kind.OPERATOR),
        ("-- to the end", Kind.COMMENT),
        ("/* a /* nested */ one */", Kind.COMMENT),
        ("/* 'no quote' -- no comment */", Kind.COMMENT),
    ],
)
def test_one_token_of_each_kind_is_read_whole(sql: str, kind: Kind) -> None:
    assert kinds(sql) == [(kind, sql)]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("a--b\nc", ["a", "--b", "c"]),
        ("a--b\rc", ["a", "--b", "c"]),
        ("1+--x\n2", ["1", "+", "--x", "2"]),
        ("1+/*x*/2", ["1", "+", "/*x*/", "2"]),
        ("a.b", ["a", ".", "b"]),
        ("1..2", ["1", "..", "2"]),
        ("a::b", ["a", "::", "b"]),
        ("a$1", ["a$1"]),
        ("a$$b$$", ["a$$b$$"]),
        ("1$$b$$", ["1", "$$b$$"]),
        ("$1a", ["$1", "a"]),
        ("'a' 'b'", ["'a'", "'b'"]),
        ("nE'x'", ["nE", "'x'"]),
        ("U&'x'", ["U", "&", "'x'"]),
        (r"'a\'; b", [r"'a\'", ";", "b"]),
        ("*/", ["*/"]),
        ("- - -1", ["-", "-", "-", "1"]),
    ],
)
def test_tokens_end_where_those_of_postgres_end(sql: str, expected: list[str]) -> None:
    assert [text for _, text in kinds(sql)] == expected


@pytest.mark.parametrize(
    "sql",
    ["'", "'a''", '"', '"a""', "E'a\\'", "$$", "$a$ $b$", "/*", "/* /* */", "x'", "a 'b", "''' "],
)
def test_what_is_never_closed_is_reported(sql: str) -> None:
    with pytest.raises(Unterminated):
        list(tokens(sql.encode()))


@given(HOSTILE)
def test_tokens_cover_everything_but_white_space_and_never_overlap(sql: str) -> None:
    text = sql.encode(errors="ignore")
    try:
        found = list(tokens(text))
    except Unterminated:
        return

    position, between = 0, b""
    for token in found:
        assert token.start >= position
        assert token.end > token.start
        assert token.text == text[token.start : token.end]
        between += text[position : token.start]
        position = token.end
    assert not (between + text[position:]).strip(b" \t\n\r\f")


@given(HOSTILE)
def test_what_postgres_parses_has_its_offsets_at_the_start_of_tokens(sql: str) -> None:
    """Splices stand on the grammar's offsets: they must be edges of tokens of ours."""
    statement = f"SELECT {sql} FROM shop.orders".replace("\0", "")
    text = statement.encode(errors="ignore")
    try:
        tree = grammar.parse(text.decode())
    except grammar.NotSql:
        return

    starts = {token.start for token in tokens(text)}
    assert set(relation_offsets(tree)) <= starts


@pytest.mark.parametrize("case", load_cases(), ids=lambda case: case.name)
def test_every_relation_of_the_corpus_starts_with_a_token(case: Case) -> None:
    try:
        tree = grammar.parse(case.sql)
    except grammar.NotSql:
        return

    starts = {token.start for token in tokens(case.sql.encode())}
    assert set(relation_offsets(tree)) <= starts


def relation_offsets(tree: object) -> list[int]:
    """Return where every relation in a parse tree begins."""
    if isinstance(tree, list):
        return [offset for item in tree for offset in relation_offsets(item)]
    if not isinstance(tree, dict):
        return []
    found = [offset for value in tree.values() for offset in relation_offsets(value)]
    if "RangeVar" in tree:
        found.append(tree["RangeVar"].get("location", 0))
    return found


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("Orders", "orders"),
        ('"Orders"', "Orders"),
        ('"a""b"', 'a"b'),
        ("ÄPFEL", "Äpfel"),
        ('"prämie"', "prämie"),
    ],
)
def test_a_name_is_folded_as_postgres_folds_it(sql: str, name: str) -> None:
    (token,) = tokens(sql.encode())

    assert identifier(token) == name
    assert grammar_name(sql) == name


def grammar_name(sql: str) -> str:
    """Return what Postgres's own parser makes of a name."""
    (statement,) = grammar.parse(f"SELECT 1 AS {sql}")
    select = statement["stmt"]["SelectStmt"]  # type: ignore[index]  # the tree is untyped
    return str(select["targetList"][0]["ResTarget"]["name"])


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_a_quoted_name_reads_back_as_itself(name: str) -> None:
    (token,) = tokens(quote(name).encode())

    assert token.kind is Kind.QUOTED
    assert identifier(token) == name


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_quoted_literal_is_one_literal(value: str) -> None:
    found = list(tokens(quote_literal(value).encode()))

    assert [token.kind for token in found] == [Kind.LITERAL]
    assert found[0].text[1:-1].replace(b"''", b"'").decode() == value


def test_a_long_text_is_one_linear_scan() -> None:
    """A scan that went back over what it read would need hours for this."""
    text = b"SELECT " + b"((a + 'b') || $$c$$ /* d */) , " * 50_000

    found = list(tokens(text))

    assert len(found) == 1 + 50_000 * 11
    assert found[0] == Token(Kind.WORD, 0, 6, b"SELECT")
