"""Both wrappings of libpg_query tell the same: the guard may not depend on the platform."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg_guard_mcp.guard import grammar, reading
from tests.support.corpus import Case, load_cases

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Parse = Callable[[str], Sequence[Mapping[str, object]]]

PGPARSE, POSTGAST = (reader() for reader in grammar.READERS)
# Bounds come first: the two may differ on what is out of them.
WITHIN_BOUNDS = [case for case in load_cases() if "bounds" not in case.refused_by]


def outcome(parse: Parse, sql: str) -> object:
    """Return what the guard reads by `parse`, or why it does not."""
    try:
        facts = reading.read(parse(sql))
    except (grammar.NotSql, grammar.TooDeep, reading.NotUnderstood) as error:
        return type(error).__name__
    return facts


@pytest.mark.parametrize("case", WITHIN_BOUNDS, ids=lambda case: f"{case.rule}: {case.name}")
def test_both_readers_see_the_same_statement(case: Case) -> None:
    assert outcome(PGPARSE, case.sql) == outcome(POSTGAST, case.sql)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40))
def test_both_readers_agree_on_any_text(text: str) -> None:
    for sql in (text, f"SELECT {text}", f"SELECT '{text}' AS \"{text}\""):
        assert outcome(PGPARSE, sql) == outcome(POSTGAST, sql)


@pytest.mark.parametrize("parse", [PGPARSE, POSTGAST], ids=["pgparse", "postgast"])
def test_offsets_count_bytes(parse: Parse) -> None:
    facts = reading.read(parse("SELECT 'äöü' AS \"größe\", lower('x') FROM shop.orders"))

    (relation,), (function,) = facts.relations, facts.functions
    assert relation.start == len("SELECT 'äöü' AS \"größe\", lower('x') FROM ".encode())
    assert function.start == len("SELECT 'äöü' AS \"größe\", ".encode())


@pytest.mark.parametrize("parse", [PGPARSE, POSTGAST], ids=["pgparse", "postgast"])
def test_what_postgres_cannot_parse_is_reported_with_its_place(parse: Parse) -> None:
    with pytest.raises(grammar.NotSql) as error:
        parse("SELECT 1 FORM shop.orders")

    assert error.value.message == 'syntax error at or near "shop"'
    assert error.value.position == len("SELECT 1 FORM s")


@pytest.mark.parametrize("parse", [PGPARSE, POSTGAST], ids=["pgparse", "postgast"])
@pytest.mark.parametrize("count", [100, 1_000, 4_000])
def test_a_long_chain_is_read_or_refused_and_never_crashes(parse: Parse, count: int) -> None:
    with suppress(grammar.TooDeep, grammar.NotSql):
        reading.read(parse("SELECT " + "1 + " * count + "1"))


def test_the_reader_in_use_is_the_first_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Parse:
        raise ImportError

    monkeypatch.setattr(grammar, "READERS", (missing, lambda: POSTGAST))
    assert grammar._first_installed() is POSTGAST

    monkeypatch.setattr(grammar, "READERS", (missing,))
    with pytest.raises(ImportError, match="neither pgparse nor postgast"):
        grammar._first_installed()
