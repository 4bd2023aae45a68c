"""A cell with a value taken out can still be read by Postgres as what it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.guard.detectors import DETECTORS, mask
from pg_guard_mcp.model import ResultColumn, ResultSet
from tests.guarding import ask, execute, guarding
from tests.support.postgres import connected

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import Shop

CARD = "4111111111111111"
FURNITURE = """
CREATE EXTENSION IF NOT EXISTS hstore SCHEMA public;
CREATE TYPE shop.note AS (id int, body text);
CREATE TYPE shop.words AS RANGE (subtype = text);
CREATE DOMAIN shop.label AS text;
"""
FORMS = [
    ("text[]", "_text", f"ARRAY['{CARD}', NULL, 'a \"b\" {CARD}']"),
    ("text[]", "_text", f"ARRAY[ARRAY['{CARD}', 'x'], ARRAY['\\', '{{}}']]"),
    ("varchar[]", "_varchar", f"ARRAY['{CARD}']"),
    ("shop.note", "note", f"ROW(1, '{CARD}')::shop.note"),
    ("shop.note", "note", f"ROW(1, 'paid, with \"{CARD}\" (\\)')::shop.note"),
    ("shop.note[]", "_note", f"ARRAY[ROW(1, 'a {CARD}')::shop.note, ROW(2, '{CARD}')::shop.note]"),
    ("shop.words", "words", f"shop.words('{CARD}', 'x')"),
    ("shop.words", "words", f"shop.words('b {CARD}', NULL)"),
    ("shop.words[]", "_words", f"ARRAY[shop.words('{CARD}', 'x')]"),
    (
        "shop.words_multirange",
        "words_multirange",
        f"shop.words_multirange(shop.words('{CARD}', 'x'), shop.words('y', 'z'))",
    ),
    ("shop.label", "label", f"'[{CARD}]'::shop.label"),
    ("json", "json", f"json_build_object('{CARD}', {CARD}, 'n', json_build_array({CARD}))"),
    ("jsonb", "jsonb", f"jsonb_build_object('a', 'x\\n{CARD}', 'b', {CARD}, 'c', -{CARD})"),
    ("jsonb", "jsonb", f"to_jsonb('pan {CARD}'::bytea)"),
    ("jsonb[]", "_jsonb", f"ARRAY[jsonb_build_object('a', {CARD}), to_jsonb({CARD})]"),
    ("bytea", "bytea", f"'\\x00'::bytea || 'pan {CARD}'::bytea || '\\x00'::bytea"),
    ("bytea[]", "_bytea", f"ARRAY['pan {CARD}'::bytea]"),
    ("hstore", "hstore", f"hstore('{CARD}', 'a \"{CARD}\"')"),
    ("tsvector", "tsvector", f"to_tsvector('simple', 'ann@b.example {CARD}')"),
    ("tsquery", "tsquery", f"to_tsquery('simple', '{CARD} & x')"),
]


async def test_postgres_reads_a_masked_cell_as_the_type_it_had(fresh_shop: Shop) -> None:
    async with connected(fresh_shop.admin) as connection:
        await connection.execute(f"SET search_path = shop, public; {FURNITURE}")
        for type_name, result_type, expression in FORMS:
            cell = await connection.fetchval(f"SELECT CAST({expression} AS text)")

            masked, changed = mask(
                ResultSet(columns=(ResultColumn("c", result_type),), rows=[(cell,)]), DETECTORS
            )
            answer = masked.rows[0][0] or ""
            cast = f"CAST(CAST(CAST($1 AS text) AS {type_name}) AS text)"
            again = await connection.fetchval(f"SELECT {cast}", answer)

            assert changed == 1, expression
            assert not found_in(answer.replace(f"-{CARD}", "")), answer
            assert "payment-card" in again or b"payment-card".hex() in again


def found_in(answer: str) -> bool:
    """Tell whether the card is there, in digits or in bytes."""
    return CARD in answer or CARD.encode().hex() in answer


async def test_a_users_type_with_a_built_in_name_hides_nothing(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    await execute(
        fresh_shop.admin,
        f"""
        CREATE TYPE shop.uuid AS (note text);
        CREATE TYPE shop.int4 AS ENUM ('4111111111111111');
        CREATE TABLE shop.odd AS
        SELECT ROW('4111 1111 1111 1111')::shop.uuid AS a, '4111111111111111'::shop.int4 AS b,
               ARRAY[ROW('4111 1111 1111 1111')]::shop.uuid[] AS c;
        GRANT SELECT ON shop.odd TO {fresh_shop.agent.user};
        """,
    )

    async with guarding(tmp_path, fresh_shop.agent) as (guard, _):
        ((first, second, third),) = await ask(guard, "SELECT * FROM shop.odd")

    assert "[payment-card]" in str(first)
    assert second == "[payment-card]"
    assert "[payment-card]" in str(third)
