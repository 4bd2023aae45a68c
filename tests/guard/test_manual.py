"""What the manual's grammar can say, both parsers understand, wherever in a read it stands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.errors import Refused
from pg_guard_mcp.guard import agreement, bounds, grammar, lexer, plainer, reading, type_names
from pg_guard_mcp.guard.classify import classify

if TYPE_CHECKING:
    from collections.abc import Iterator

MANUAL = Path(__file__).parent / "manual"

PLACES = (
    "SELECT {} FROM t",
    "SELECT ({}) AS x, a FROM t",
    "SELECT a FROM t WHERE {} IS NOT NULL",
    "SELECT a FROM t ORDER BY {} DESC",
    "SELECT count(*) FROM t GROUP BY {}",
    "SELECT a FROM t JOIN u ON ({}) IS NULL",
    "SELECT coalesce({}, NULL) FROM t",
    "SELECT CASE WHEN a THEN {} END FROM t",
    "SELECT x.y FROM t, LATERAL (SELECT {} AS y) AS x",
    "WITH x AS (SELECT {} AS y FROM t) SELECT y FROM x",
    "SELECT ROW({}), ARRAY[{}] FROM t",
    "VALUES (1, {})",
)
_WINDOWS = "WINDOW w AS (PARTITION BY a)"


def lines(name: str) -> list[str]:
    """Read one file of the manual's grammar."""
    text = (MANUAL / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("-- ")]


EXPRESSIONS, QUERIES = lines("expressions.sql"), lines("queries.sql")


def is_sql(sql: str) -> bool:
    """Tell whether Postgres's grammar accepts `sql`."""
    try:
        grammar.parse(sql)
    except grammar.NotSql:
        return False
    return True


def is_understood(sql: str) -> bool:
    """Tell whether both parsers understand a statement, and it is a read."""
    try:
        return not classify(sql, max_bytes=50_000).findings
    except Refused:
        return False


def statements() -> Iterator[str]:
    """Yield every expression at its simplest place, and every query."""
    yield from (f"SELECT {expression} FROM t" for expression in EXPRESSIONS)
    yield from QUERIES


@pytest.mark.parametrize("place", PLACES)
def test_every_expression_is_understood_wherever_it_stands(place: str) -> None:
    written = [place.format(*[each] * place.count("{}")) for each in EXPRESSIONS]

    assert [sql for sql in written if is_sql(sql) and not is_understood(sql)] == []
    assert sum(map(is_sql, written)) > 0.95 * len(EXPRESSIONS)


@pytest.mark.parametrize(
    "frame",
    [
        "{}",
        "SELECT * FROM ({}) AS x",
        "SELECT EXISTS ({})",
        "WITH x AS ({}) SELECT * FROM x",
        "({}) UNION ALL (SELECT 1)",
    ],
)
def test_every_query_is_understood_wherever_it_stands(frame: str) -> None:
    written = [frame.format(query) for query in QUERIES]

    assert [sql for sql in written if is_sql(sql) and not is_understood(sql)] == []
    assert sum(map(is_sql, written)) > 0.9 * len(QUERIES)


@pytest.mark.parametrize("keyword", sorted(agreement._KEYWORDS))
def test_each_line_of_the_keyword_table_is_needed(
    keyword: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that explains nothing would only explain away a real difference one day."""
    sqls = [sql for sql in statements() if keyword in sql.lower() or keyword == "row"]
    monkeypatch.setattr(agreement, "_KEYWORDS", agreement._KEYWORDS - {keyword})

    assert not all(is_understood(sql) for sql in sqls)


@pytest.mark.parametrize("word", sorted(plainer._WORDS))
def test_each_word_that_is_made_plainer_is_needed(
    word: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqls = [sql for sql in statements() if word in sql.upper().encode()]
    others = {each: find for each, find in plainer._WORDS.items() if each != word}
    monkeypatch.setattr(plainer, "_WORDS", others)

    assert not all(is_understood(sql) for sql in sqls)


@pytest.mark.parametrize("finder", ["_behind_a_dot", "_numbers", "_operators"])
def test_each_kind_of_token_that_is_made_plainer_is_needed(
    finder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plainer, finder, lambda *_: iter(()))

    assert not all(is_understood(sql) for sql in statements())


def test_the_names_of_types_that_are_made_shorter_have_to_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(type_names, "shorten", lambda *_: iter(()))

    assert not all(is_understood(sql) for sql in statements())


def planted(sql: str) -> Iterator[str]:
    """Yield `sql` with a call, and with a relation, in the place of each of its words and values.

    What Postgres's grammar does not accept is left out.
    """
    tokens, _ = bounds.check(sql.encode())
    for token in tokens:
        if token.kind in {lexer.Kind.WORD, lexer.Kind.LITERAL, lexer.Kind.NUMBER}:
            for plant in ("pg_sleep(9)", "(SELECT x FROM hr.salaries)", "hr.salaries"):
                text = f"{sql[: token.start]} {plant} {sql[token.end :]}"
                if sql.isascii() and is_sql(text):
                    yield text


@pytest.mark.parametrize("part", range(8))
def test_making_a_statement_plainer_takes_no_call_and_no_relation_away(part: int) -> None:
    """Planted in every place that the grammar has for one: what was read is still to be read."""
    lost = []
    for sql in list(statements())[part::8]:
        for text in planted(sql):
            facts = reading.read(grammar.parse(text))
            names = {use.name for use in facts.functions} | {use.name for use in facts.relations}
            tokens, finding = bounds.check(text.encode())
            if finding:
                continue
            plain = plainer.plainer(text.encode(), tokens, (use.start for use in facts.types))
            lost += [
                (text, plain)
                for name in names & {"pg_sleep", "salaries"}
                if name.encode() not in plain
            ]

    assert lost == []
