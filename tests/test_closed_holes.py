"""Holes that attackers found, each kept closed over real Postgres with a superuser behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp import pipeline
from pg_guard_mcp.errors import GuardError, Refused, Unavailable
from tests.guarding import SHOP, ask, call, execute, guarding, outcome
from tests.support.postgres import connected

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import Shop

CANARY = "QUETZAL"
MASKED = SHOP + '[mask]\n"shop.vault.secret" = "redact"\n'
MASKED_ELSEWHERE = SHOP + '[mask]\n"shop.customers.ssn" = "redact"\n'
VAULT = f"""
CREATE TABLE shop.vault (id int, secret text);
INSERT INTO shop.vault VALUES (1, '{CANARY}');
GRANT SELECT ON shop.vault TO agent_ro;
CREATE SCHEMA tools;
GRANT USAGE ON SCHEMA tools TO agent_ro;
CREATE FUNCTION tools.read(int) RETURNS text LANGUAGE sql STABLE
    AS 'SELECT secret FROM shop.vault WHERE id = $1';
"""


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("ada@example.com", "a***@***.com"),
        ("ada@localhost", "***"),
        ("me@example.com; password: hunter2", "***"),
        ("key = sk.verysecretvalue@x", "***"),
        ("two@example.com\nlines@example.com", "***"),
        ("no address", "***"),
        ("", "***"),
    ],
)
async def test_the_email_mask_shows_nothing_of_what_is_no_address(
    fresh_shop: Shop, tmp_path: Path, stored: str, shown: str
) -> None:
    await execute(fresh_shop.admin, "CREATE TABLE shop.mails (mail text)")
    quoted = stored.replace("'", "''")
    await execute(fresh_shop.admin, f"INSERT INTO shop.mails VALUES ('{quoted}')")
    tables = SHOP + '[mask]\n"shop.mails.mail" = "email"\n'

    async with guarding(tmp_path, fresh_shop.admin, tables) as (guard, _):
        assert await ask(guard, "SELECT mail FROM shop.mails") == [(shown,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ('x'::text).planted",
        "SELECT g.planted FROM unnest(ARRAY['x'::text]) AS g",
        "SELECT g.pg_ls_dir FROM unnest(ARRAY['.'::text]) AS g",
        "SELECT (g).pg_read_file FROM unnest(ARRAY['PG_VERSION'::text]) AS g",
        "SELECT (16400::oid).regclass",
        "SELECT ('hr'::text).regnamespace",
        "SELECT g.pg_typeof FROM unnest(ARRAY[1]) AS g",
    ],
)
async def test_no_function_or_cast_is_reached_as_an_attribute(
    fresh_shop: Shop, tmp_path: Path, sql: str
) -> None:
    """`planted` stands for what an extension puts into pg_catalog."""
    await execute(
        fresh_shop.admin,
        """
        SET allow_system_table_mods = on;
        CREATE FUNCTION pg_catalog.planted(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
        """,
    )

    async with guarding(tmp_path, fresh_shop.admin) as (guard, _):
        assert await outcome(guard, sql) == "refused"


async def test_the_type_of_a_value_spells_out_no_hidden_relation(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    async with connected(fresh_shop.admin) as admin:
        number = await admin.fetchval("SELECT 'hr.salaries'::regtype::oid::text")

    async with guarding(tmp_path, fresh_shop.admin) as (guard, _):
        rows = await ask(guard, f"SELECT ARRAY[pg_typeof(1), '{number}']")
        assert rows == [(f"{{integer,{number}}}",)]
        assert await ask(guard, "SELECT * FROM pg_typeof(lower(')')) AS t") == [("text",)]


VIEWS_WITH_USER_CODE = {
    "operator": """
        CREATE OPERATOR tools.<<!>> (RIGHTARG = int, FUNCTION = tools.read);
        CREATE VIEW shop.seen AS SELECT OPERATOR(tools.<<!>>) 1 AS line;
        """,
    "cast": """
        CREATE TYPE tools.box AS (n int);
        CREATE FUNCTION tools.open(tools.box) RETURNS text LANGUAGE sql STABLE
            AS 'SELECT tools.read($1.n)';
        CREATE CAST (tools.box AS text) WITH FUNCTION tools.open(tools.box);
        CREATE VIEW shop.seen AS SELECT (ROW(1)::tools.box)::text AS line;
        """,
    "function": "CREATE VIEW shop.seen AS SELECT tools.read(id) AS line FROM shop.vault;",
    "aggregate": """
        CREATE FUNCTION tools.step(text, int) RETURNS text LANGUAGE sql STABLE
            AS 'SELECT tools.read($2)';
        CREATE AGGREGATE tools.peek(int) (SFUNC = tools.step, STYPE = text);
        CREATE VIEW shop.seen AS SELECT tools.peek(id) AS line FROM shop.vault;
        """,
}


@pytest.mark.parametrize("shape", VIEWS_WITH_USER_CODE)
async def test_a_view_with_user_code_shows_no_masked_value(
    fresh_shop: Shop, tmp_path: Path, shape: str
) -> None:
    await execute(fresh_shop.admin, VAULT + VIEWS_WITH_USER_CODE[shape])
    named = MASKED.replace('["shop"]', '["shop"]\nrelations = ["shop.seen"]')

    for directory, tables in (("by schema", MASKED), ("by name", named)):
        async with guarding(tmp_path / directory, fresh_shop.admin, tables) as (guard, _):
            try:
                shown = await pipeline.query(call("query", sql="SELECT * FROM shop.seen"), guard)
            except GuardError as error:
                shown = error.as_text()
        assert CANARY not in shown


@pytest.mark.parametrize(
    "made",
    [
        "CREATE FUNCTION tools.f(int) RETURNS text LANGUAGE sql STABLE AS 'SELECT tools.read($1)'",
        """CREATE FUNCTION tools.f(int) RETURNS text LANGUAGE plpgsql STABLE AS $$
           DECLARE r text; BEGIN EXECUTE 'SELECT secret FROM shop.va' || 'ult' INTO r; RETURN r; END
           $$""",
        """CREATE FUNCTION tools.step(text, int) RETURNS text LANGUAGE sql STABLE
           AS 'SELECT tools.read($2)';
           CREATE AGGREGATE tools.f(int) (SFUNC = tools.step, STYPE = text)""",
        """CREATE FUNCTION tools.step(text, int) RETURNS text LANGUAGE sql VOLATILE
           AS 'SELECT $1';
           CREATE AGGREGATE tools.f(int) (SFUNC = tools.step, STYPE = text)""",
    ],
)
async def test_an_allowed_function_that_could_show_a_masked_value_stops_the_policy(
    fresh_shop: Shop, tmp_path: Path, made: str
) -> None:
    await execute(fresh_shop.admin, VAULT + made)
    tables = MASKED.replace('["shop"]', '["shop"]\nallow_functions = ["tools.f"]')

    async with guarding(tmp_path, fresh_shop.admin, tables) as (guard, _):
        with pytest.raises(Unavailable, match="policy does not fit"):
            await ask(guard, "SELECT tools.f(1)")


async def test_a_child_that_joins_later_is_noticed(fresh_shop: Shop, tmp_path: Path) -> None:
    await execute(fresh_shop.admin, VAULT + "CREATE TABLE shop.parent (id int, secret text)")

    async with guarding(tmp_path, fresh_shop.admin, MASKED) as (guard, _):
        assert await ask(guard, "SELECT * FROM shop.parent") == []
        await execute(fresh_shop.admin, "ALTER TABLE shop.vault INHERIT shop.parent")
        assert await outcome(guard, "SELECT * FROM shop.parent") == "unavailable"
        assert await ask(guard, "SELECT * FROM shop.parent") == [("1", "[redacted]")]


async def test_a_users_cast_between_built_in_types_stops_the_policy(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    await execute(
        fresh_shop.admin,
        """
        CREATE FUNCTION public.evil(text) RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE CAST (text AS int) WITH FUNCTION public.evil(text) AS IMPLICIT;
        """,
    )

    async with guarding(tmp_path, fresh_shop.admin) as (guard, _):
        assert await outcome(guard, "SELECT 'abc'::text::int") == "unavailable"


async def test_a_column_is_never_captured_by_another_relation_of_the_same_name(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    await execute(
        fresh_shop.admin,
        VAULT + "CREATE TABLE tools.vault (id int); INSERT INTO tools.vault VALUES (777)",
    )
    tables = MASKED.replace('["shop"]', '["shop", "tools"]')
    sql = "SELECT (SELECT shop.vault.id FROM tools.vault LIMIT 1) FROM shop.vault"

    async with guarding(tmp_path, fresh_shop.admin, tables) as (guard, _):
        with pytest.raises(Refused) as refusal:
            await ask(guard, sql)

    assert [finding.rule for finding in refusal.value.findings] == ["masked-relation-shape"]


async def test_a_mask_that_fits_no_column_stops_the_policy(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    tables = SHOP + '[mask]\n"shop.customers.emial" = "email"\n'

    async with guarding(tmp_path, fresh_shop.admin, tables) as (guard, _):
        assert await outcome(guard, "SELECT 1") == "unavailable"


async def test_detectors_see_comments_and_defaults_too(fresh_shop: Shop, tmp_path: Path) -> None:
    await execute(
        fresh_shop.admin,
        """
        CREATE TABLE shop.noted (k text DEFAULT 'AKIAIOSFODNN7EXAMPLE');
        COMMENT ON TABLE shop.noted IS 'card 4111 1111 1111 1111';
        """,
    )

    tables = SHOP + '[mask.detectors]\nenabled = ["payment-card", "cloud-key"]\n'
    async with guarding(tmp_path, fresh_shop.admin, tables) as (guard, _):
        described = await pipeline.describe_view(call("describe_view", name="noted"), guard)

    assert "[payment-card]" in described
    assert "[cloud-key]" in described


async def test_a_huge_cell_is_left_out_and_small_chunks_follow(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    async with guarding(tmp_path, fresh_shop.admin) as (guard, _):
        (row,) = await ask(guard, "SELECT repeat('x', 3000000), 1")

    assert row == ("[a value of 3000000 bytes, too large to show: select a part of it]", "1")


@pytest.mark.parametrize(
    ("relation", "column"),
    [
        ("bands", "low"),
        ("bands_1", "low"),
        ("v_bands", "band"),
        ("v_bands", "low"),
        ("v_bands", "cut"),
        ("v_bands", "found"),
        ("v_again", "again"),
        ("v_named", "ssn"),
    ],
)
async def test_whether_a_computed_column_is_null_tells_nothing_of_what_it_is_computed_from(
    fresh_shop: Shop, tmp_path: Path, relation: str, column: str
) -> None:
    await execute(
        fresh_shop.admin,
        """
        CREATE TABLE shop.bands (
            id integer, ssn text,
            low text GENERATED ALWAYS AS (CASE WHEN ssn < '5' THEN 'low' END) STORED
        );
        CREATE TABLE shop.bands_1 () INHERITS (shop.bands);
        INSERT INTO shop.bands VALUES (1, '123'), (2, '987');
        INSERT INTO shop.bands_1 VALUES (3, '123'), (4, '987');
        CREATE VIEW shop.v_bands AS
        SELECT id, CASE WHEN ssn < '5' THEN 'low' END AS band, low, nullif(ssn, '123') AS cut,
               (SELECT b.ssn FROM shop.bands AS b WHERE b.id = a.id AND b.ssn < '5') AS found
        FROM shop.bands AS a;
        CREATE VIEW shop.v_again AS SELECT band AS again FROM shop.v_bands;
        CREATE VIEW shop.v_named AS SELECT nullif(ssn, '123') AS ssn FROM shop.bands;
        GRANT SELECT ON ALL TABLES IN SCHEMA shop TO agent_ro;
        """,
    )
    tables = SHOP + '[mask]\n"shop.*.ssn" = "redact"\n'

    async with guarding(tmp_path, fresh_shop.agent, tables) as (guard, _):
        shown = await ask(guard, f"SELECT DISTINCT {column} FROM shop.{relation}")

    assert shown == [("[redacted]",)]


@pytest.mark.parametrize("masked", ["said", "list", "kept"])
async def test_the_labels_of_a_masked_enum_cannot_be_listed(
    fresh_shop: Shop, tmp_path: Path, masked: str
) -> None:
    await execute(
        fresh_shop.admin,
        f"""
        CREATE TYPE shop.said AS ENUM ('calm', '{CANARY}');
        CREATE DOMAIN shop.kept AS shop.said;
        CREATE TABLE shop.spelled (said shop.said, list shop.said[], kept shop.kept);
        INSERT INTO shop.spelled VALUES ('calm', '{{calm}}', 'calm');
        GRANT SELECT ON shop.spelled TO agent_ro;
        """,
    )
    tables = SHOP + f'[mask]\n"shop.spelled.{masked}" = "redact"\n'
    lists = ("enum_range(said)", "enum_last(NULL::shop.said)", "enum_range(said, NULL)")

    async with guarding(tmp_path / "one", fresh_shop.agent, tables) as (guard, _):
        for expression in (*lists, "enum_first(said)", "(said).enum_last"):
            with pytest.raises(Refused):
                await ask(guard, f"SELECT {expression} FROM shop.spelled")
    async with guarding(tmp_path / "two", fresh_shop.agent, MASKED_ELSEWHERE) as (guard, _):
        assert await ask(guard, "SELECT enum_range(said) FROM shop.spelled")
