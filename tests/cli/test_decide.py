"""`decide` says what would be said of a statement, and never stops half way through a file."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pg_guard_mcp.cli.main import main
from tests.support.server import configure

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import ShopServer
    from tests.support.server import Place

POLICY = """
[access]
schemas = ["shop"]
deny_relations = ["shop.api_keys"]
[mask]
"shop.customers.email" = "email"
"shop.customers.ssn" = "redact"
"""
NO_CASE = "the line is no JSON object with a text under sql"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a directory without a configuration."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)


@pytest.fixture
def place(postgres: ShopServer, tmp_path: Path) -> Place:
    """Configure the shop."""
    return configure(tmp_path / "place", postgres.agent, POLICY)


def pipe(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """Put `content` on standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))


def decided(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Read what was answered, a line each."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("sql", "code", "said"),
    [
        ("SELECT id FROM anything.at_all", 0, "admitted\nSELECT id FROM anything.at_all\n"),
        ("DROP TABLE orders", 1, "refused: [no-ddl] "),
        ("", 1, "refused: [one-statement] "),
        ("SELEC 1", 1, "refused: [syntax] "),
    ],
)
def test_the_exit_code_tells_admitted_from_refused(
    capsys: pytest.CaptureFixture[str], sql: str, code: int, said: str
) -> None:
    assert main(["decide", "--shape-only", sql]) == code

    out, err = capsys.readouterr()
    assert out.startswith(said)
    assert err == ""


def test_every_refusal_for_people_has_its_hint_below(capsys: pytest.CaptureFixture[str]) -> None:
    sql = "SELECT pg_sleep(9), lo_unlink(1) FROM pg_class FOR UPDATE"

    assert main(["decide", "--shape-only", sql]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8
    assert all(line.startswith("refused: [") for line in lines[::2])
    assert all(line.startswith("  hint: ") for line in lines[1::2])


def test_without_a_configuration_only_the_shape_can_be_judged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["decide", "SELECT 1"]) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: no database is configured\n  fix: ")


def test_a_database_that_does_not_answer_is_a_failed_check(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    dsn = f"postgresql://ro@/shop?host={tmp_path}"

    assert (
        main(["decide", "--dsn", dsn, "--policy", str(policy_without_secret(tmp_path)), "x"]) == 1
    )

    assert capsys.readouterr().err.startswith("unavailable: ")


def policy_without_secret(directory: Path) -> Path:
    """Write a policy that asks for no password."""
    path = directory / "policy.toml"
    path.write_text('[database]\ncredential = "none"\n', encoding="utf-8")
    return path


def test_the_statement_may_come_on_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe(monkeypatch, "SELECT 'größer', '雪'\n".encode())

    assert main(["decide", "--shape-only"]) == 0

    assert capsys.readouterr().out == "admitted\nSELECT 'größer', '雪'\n\n"


@pytest.mark.parametrize("content", [b"SELECT '\xff'", b"\x80", b"SELECT 1\0; DROP TABLE x"])
def test_standard_input_that_is_no_text_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    pipe(monkeypatch, content)

    assert main(["decide", "--shape-only", "--json"]) == 1

    (verdict,) = decided(capsys)
    assert [finding["rule"] for finding in verdict["findings"]] == ["bounds"]


def test_json_holds_the_verdict_and_nothing_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    admitted_code = main(["decide", "--shape-only", "--json", "SELECT 1 AS one"])
    refused_code = main(["decide", "--shape-only", "--json", "VACUUM"])

    admitted, refused = decided(capsys)
    assert (admitted_code, refused_code) == (0, 1)
    assert admitted == {
        "verdict": "admitted",
        "findings": [],
        "sql": "SELECT 1 AS one",
        "masked": [],
    }
    (finding,) = refused.pop("findings")
    assert refused == {"verdict": "refused", "sql": None, "masked": []}
    assert set(finding) == {"rule", "message", "hint"}


BAD_LINES = {
    "garbage": b"garbage",
    "another-object": b'{"query": "SELECT 1"}',
    "no-object": b'["sql"]',
    "a-text": b'"sql"',
    "null": b"null",
    "sql-is-no-text": b'{"sql": ["SELECT 1"]}',
    "deep": b'{"sql": ' + b"[" * 100_000,
    "deep-and-closed": b'{"sql": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep-objects": b'{"sql":' * 100_000,
    "not-utf-8": b'{"sql": "SELECT \xff"}',
    "a-huge-number": b'{"sql": ' + b"9" * 10_000 + b"}",
    "utf-16": '{"sql": "SELECT 1"'.encode("utf-16"),
}


@pytest.mark.parametrize("bad", BAD_LINES)
def test_a_line_that_is_no_case_is_answered_in_its_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], bad: str
) -> None:
    lines = [b'{"sql": "SELECT 1"}', BAD_LINES[bad].replace(b"\n", b" "), b'{"sql": "SELECT 2"}']
    pipe(monkeypatch, b"\n".join(lines))

    assert main(["decide", "--shape-only", "--jsonl"]) == 0

    first, between, last = decided(capsys)
    assert (first["sql"], last["sql"]) == ("SELECT 1", "SELECT 2")
    assert between["verdict"] == "refused"
    assert [finding["message"] for finding in between["findings"]] == [NO_CASE]


def test_a_text_that_is_no_unicode_is_a_refused_case(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe(monkeypatch, rb'{"sql": "SELECT \ud800"}' + b"\n" + rb'{"sql": "\u0000"}')

    assert main(["decide", "--shape-only", "--jsonl"]) == 0

    assert [verdict["findings"][0]["rule"] for verdict in decided(capsys)] == ["bounds", "bounds"]


def test_lines_keep_their_order_and_empty_ones_are_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = [f"SELECT {number}" if number % 3 else "COMMIT" for number in range(60)]
    text = "\n\n".join(json.dumps({"id": number, "sql": sql}) for number, sql in enumerate(cases))
    pipe(monkeypatch, text.encode() + b"\r\n  \n")

    assert main(["decide", "--shape-only", "--jsonl"]) == 0

    expected = [None if sql == "COMMIT" else sql for sql in cases]
    assert [verdict["sql"] for verdict in decided(capsys)] == expected


def test_a_case_may_be_meant_for_explain(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sql = "EXPLAIN SELECT 1"
    cases = [{"sql": sql}, {"sql": sql, "tool": "query"}, {"sql": sql, "tool": "explain"}]
    pipe(monkeypatch, "\n".join(map(json.dumps, cases)).encode())

    main(["decide", "--shape-only", "--jsonl"])

    assert [verdict["sql"] for verdict in decided(capsys)] == [None, None, "SELECT 1"]


def test_with_a_database_the_sql_that_would_run_shows_its_splices(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    sql = "SELECT c.email, c.id FROM customers AS c JOIN orders ON c.id = customer_id -- why"

    assert main(["decide", "--policy", str(place.policy), "--json", sql]) == 0

    (verdict,) = decided(capsys)
    spliced = verdict["sql"]
    assert spliced.startswith("SELECT c.email, c.id FROM (SELECT ")
    assert spliced.endswith(') AS c JOIN "shop".orders ON c.id = customer_id -- why')
    assert "***@***." in spliced
    assert verdict["masked"] == ["shop.customers.email", "shop.customers.ssn"]


def test_people_are_told_what_is_masked(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decide", "--policy", str(place.policy), "TABLE shop.customers"]) == 0

    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "masked: shop.customers.email, shop.customers.ssn"


def test_hidden_and_missing_relations_have_the_same_findings(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Denied by the policy, not opened by it, and not granted to the role; beside each, its like.
    pairs = [("shop.api_keys", "shop.api_kegs"), ("hr.salaries", "hr.salamies"), ("hr", "hm")]
    names = [name for pair in pairs for name in pair]
    lines = [json.dumps({"sql": f"SELECT * FROM {name}"}) for name in names]
    pipe(monkeypatch, "\n".join(lines).encode())

    assert main(["decide", "--policy", str(place.policy), "--jsonl"]) == 0

    told = [
        json.dumps(verdict).replace(name, "NAME")
        for verdict, name in zip(decided(capsys), names, strict=True)
    ]
    assert told[::2] == told[1::2]
    assert all("allowed-relations" in text for text in told)


def test_deciding_leaves_nothing_on_the_trail(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["decide", "--policy", str(place.policy), "SELECT 1"])

    assert capsys.readouterr().out == "admitted\nSELECT 1\n"
    assert not place.audit.exists()


@pytest.mark.parametrize(
    ("extensions", "sql", "code"),
    [
        ([], "SELECT ST_AsText(ST_Point(1, 2))", 1),
        (["vector"], "SELECT ST_AsText(ST_Point(1, 2))", 1),
        (["vector", "postgis"], "SELECT ST_AsText(ST_Point(1, 2))", 0),
        (["postgis"], "SELECT public.ST_Transform(g, 4326)::geometry FROM t", 0),
        (["postgis"], "SELECT ST_Transform(g, '+proj=longlat') FROM t", 1),
        (["postgis"], "SELECT ST_Transform(g, CAST('3857' AS pg_catalog.int4)) FROM t", 0),
        (["postgis"], "SELECT ST_Transform(g, '+proj=longlat'::shop.int4) FROM t", 1),
        (["postgis"], "SELECT st_estimatedextent('public', 't', 'g')", 1),
        (["earthdistance"], "SELECT cube_distance('(0)', '(1)')", 0),
    ],
)
def test_packs_can_be_switched_on_without_a_database(
    extensions: list[str], sql: str, code: int
) -> None:
    flags = [flag for name in extensions for flag in ("--extension", name)]

    assert main(["decide", "--shape-only", *flags, sql]) == code


def test_a_pack_that_was_not_reviewed_cannot_be_switched_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["decide", "--shape-only", "--extension", "plpython3u", "SELECT 1"])

    assert ended.value.code == 2
    assert "postgis" in capsys.readouterr().err
