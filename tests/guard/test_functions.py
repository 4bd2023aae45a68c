"""The function review: what may be called, what may not and why; the table says the same."""

from __future__ import annotations

import csv
import json
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pgparse
import pytest
from tools.functions import Facts, facts_by_name, objections, reviewed, table
from tools.signatures import MAJORS, RECORD, Signature, dump, load, of_major, read_signatures

from pg_guard_mcp.guard.functions import (
    NEWEST,
    FunctionVerdict,
    builtin_denied_single_argument,
    is_builtin,
    judge_builtin,
    nearest_allowed,
)
from tests.support.postgres import connected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import ShopServer

GUARD = files("pg_guard_mcp.guard")
REVIEW: dict[str, Any] = tomllib.loads((GUARD / "functions.toml").read_text(encoding="utf-8"))
TABLE = (GUARD / "functions.csv").read_text(encoding="utf-8")
LINES = list(csv.DictReader(TABLE.splitlines()))

DANGEROUS = {
    "no-delay": "pg_sleep pg_sleep_for pg_sleep_until",
    "no-server-files": (
        "pg_read_file pg_read_binary_file pg_ls_dir pg_ls_logdir pg_ls_waldir pg_stat_file "
        "pg_current_logfile pg_hba_file_rules pg_file_write pg_relation_filepath lo_import "
        "lo_export"
    ),
    "no-large-objects": "lo_get lo_put lo_create lo_from_bytea loread lowrite",
    "no-sql-text": (
        "query_to_xml query_to_xml_and_xmlschema table_to_xml schema_to_xmlschema "
        "database_to_xml cursor_to_xml ts_stat crosstab connectby xpath_table"
    ),
    "no-remote-access": "dblink dblink_exec dblink_connect_u postgres_fdw_disconnect",
    "no-session-state": (
        "set_config current_setting pg_show_all_settings current_query setseed pg_notify "
        "pg_export_snapshot pg_prepared_statement pg_advisory_lock pg_advisory_xact_lock_shared "
        "pg_try_advisory_lock pg_advisory_unlock_all"
    ),
    "no-sequences": "nextval setval currval lastval pg_sequence_last_value",
    "no-server-administration": (
        "pg_terminate_backend pg_cancel_backend pg_reload_conf pg_rotate_logfile pg_promote "
        "pg_switch_wal pg_create_restore_point pg_backup_start "
        "pg_create_logical_replication_slot pg_drop_replication_slot "
        "pg_logical_slot_peek_changes pg_logical_emit_message pg_replication_origin_create "
        "pg_stat_reset pg_stat_reset_shared pg_restore_relation_stats pg_clear_attribute_stats "
        "pg_log_backend_memory_contexts pg_import_system_collations gin_clean_pending_list "
        "brin_summarize_new_values binary_upgrade_set_next_pg_type_oid pg_prewarm "
        "autoprewarm_dump_now pg_buffercache_evict heap_force_kill"
    ),
    "no-catalog-functions": (
        "pg_get_viewdef pg_get_expr pg_get_functiondef pg_get_indexdef obj_description "
        "col_description format_type to_regclass to_regtype regclass has_table_privilege "
        "has_any_column_privilege pg_has_role pg_get_userbyid pg_relation_size "
        "pg_total_relation_size pg_stat_get_activity pg_stat_get_live_tuples "
        "pg_lock_status txid_current pg_current_xact_id pg_xact_status version inet_server_addr "
        "pg_backend_pid current_schemas pg_table_is_visible"
    ),
    "allowed-functions": (
        "xpath xpath_exists xmlexists ts_parse ts_token_type hashoid oideq textin "
        "no_such_function LOWER"
    ),
}


def calls(node: object) -> Iterator[tuple[str, int]]:
    """Yield the name and argument count of every function call in a libpg_query tree."""
    if isinstance(node, dict):
        call = node.get("FuncCall")
        if isinstance(call, dict):
            yield call["funcname"][-1]["String"]["sval"], len(call.get("args", ()))
        for child in node.values():
            yield from calls(child)
    elif isinstance(node, list):
        for child in node:
            yield from calls(child)


def honest_calls() -> set[tuple[str, int]]:
    """Collect the built-in functions of every honest read at hand: ours, and the shared corpus."""
    statements = [
        "SELECT count(*), sum(a), round(avg(b), 2), string_agg(c, ', ' ORDER BY c) FROM t",
        "SELECT date_trunc('month', a), extract(year FROM a), to_char(a, 'YYYY-MM'), now() FROM t",
        "SELECT a AT TIME ZONE 'UTC', (a, b) OVERLAPS (c, d), trim(e), position('x' IN e) FROM t",
        "SELECT row_number() OVER (), lag(a) OVER () FROM t",
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a), mode() WITHIN GROUP (ORDER BY b)",
        "SELECT jsonb_build_object('a', a), json_agg(t), jsonb_path_query_first(b, '$.c') FROM t",
        "SELECT e SIMILAR TO 'a%', e LIKE 'a%' ESCAPE '!', substring(e FROM 1 FOR 2) FROM t",
        "SELECT unnest(array_remove(a, NULL)), generate_series(1, 10), gen_random_uuid() FROM t",
        "SELECT ts_rank(to_tsvector('english', e), websearch_to_tsquery('x')), md5(e) FROM t",
        "SELECT ts_rewrite(a, b, c), int4range(1, 2), host(d), random(), clock_timestamp() FROM t",
    ]
    corpus = Path(__file__).resolve().parents[3] / "shared" / "corpus"
    for path in sorted(corpus.glob("*.jsonl")):
        if path.stem in {"defog", "tpc", "mimic", "bird_critic"}:
            cases = map(json.loads, path.read_text(encoding="utf-8").splitlines())
            statements += [case["sql"] for case in cases if case["kind"] == "read"]
    found: set[tuple[str, int]] = set()
    for statement in statements:
        try:
            found |= {call for call in calls(pgparse.parse(statement)) if is_builtin(call[0])}
        except pgparse.PGQueryError:
            continue
    return found


def signature(**changes: Any) -> Signature:
    """Make a harmless signature, with what a test says about it."""
    harmless: dict[str, Any] = {
        "name": "lower",
        "takes": ("text",),
        "gives": ("text",),
        "kind": "f",
        "language": "internal",
        "volatility": "i",
        "returns_set": False,
        "strict": True,
        "definer": False,
        "defaults": 0,
        "operator": False,
        "majors": (18,),
    }
    return Signature(**(harmless | changes))


def review_of(*names: str) -> dict[str, Any]:
    """Make a review that allows `names` and has looked at nothing twice."""
    return {
        "allow": {"some": {"names": [*names]}},
        "limited": {"names": []},
        "arguments": {},
        "reviewed": {"volatile": {}, "types": {}},
    }


@pytest.mark.parametrize(
    ("name", "rule"),
    [(name, rule) for rule, names in DANGEROUS.items() for name in names.split()],
)
def test_a_dangerous_function_is_refused_under_the_rule_of_its_family(name: str, rule: str) -> None:
    verdict = judge_builtin(name, 1)

    assert (verdict.allowed, verdict.rule) == (False, rule)
    assert verdict.reason
    assert verdict.hint


@pytest.mark.parametrize("call", sorted(honest_calls()), ids=lambda call: str(call[0]))
def test_an_honest_read_may_call_what_it_calls(call: tuple[str, int]) -> None:
    refused_by_design = {"pg_get_constraintdef", "pg_relation_size", "pg_total_relation_size"}

    assert judge_builtin(*call).allowed is (call[0] not in refused_by_design)


@pytest.mark.parametrize("group", REVIEW["allow"])
def test_every_allowed_function_exists_and_may_be_called_with_three_arguments(group: str) -> None:
    for name in REVIEW["allow"][group]["names"]:
        assert is_builtin(name)
        assert judge_builtin(name, 3) == FunctionVerdict(allowed=True, rule="", reason="", hint="")


def test_nothing_is_allowed_that_the_review_does_not_name() -> None:
    reviewed = {name for group in REVIEW["allow"].values() for name in group["names"]}

    assert {line["name"] for line in LINES if line["verdict"] != "deny"} == reviewed


@pytest.mark.parametrize("argument_count", [None, 0, 1, 2, 4])
def test_ts_rewrite_is_refused_unless_it_has_the_three_arguments_that_run_no_sql(
    argument_count: int | None,
) -> None:
    assert judge_builtin("ts_rewrite", 3).allowed
    assert judge_builtin("ts_rewrite", argument_count).rule == "no-sql-text"


@pytest.mark.parametrize("name", ["pg_sleep", "pg_read_file", "ts_token_type", "textin", "xml"])
def test_attribute_notation_cannot_reach_a_refused_function(name: str) -> None:
    assert name in builtin_denied_single_argument()


@pytest.mark.parametrize("name", ["lower", "txid_current", "pg_logical_emit_message", "ts_rewrite"])
def test_attribute_notation_is_left_alone_where_it_calls_nothing_refused(name: str) -> None:
    assert name not in builtin_denied_single_argument()


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("YEAR", "extract(year from x)"),
        ("STRFTIME", "to_char(x, 'YYYY-MM-DD')"),
        ("IFNULL", "coalesce(x, y)"),
        ("DATEDIFF", "a::date - b::date"),
        ("GROUP_CONCAT", "string_agg(x::text, ',')"),
        ("regexp_replce", "regexp_replace"),
        ("xpath", None),
        ("frobnicate", None),
    ],
)
def test_a_name_from_elsewhere_is_answered_in_postgres_terms(
    name: str, instead: str | None
) -> None:
    assert nearest_allowed(name) == instead


def test_the_table_and_the_record_are_what_the_tool_writes_from_the_review() -> None:
    text = RECORD.read_text(encoding="utf-8")
    signatures = load(text)
    facts = facts_by_name(signatures)

    assert list(objections(REVIEW, signatures)) == []
    assert dump(reviewed(REVIEW, signatures, facts)) == text
    assert table(REVIEW, facts) == TABLE
    assert '"' not in TABLE


async def test_the_record_is_what_the_server_at_hand_says(postgres: ShopServer) -> None:
    recorded = of_major(load(RECORD.read_text(encoding="utf-8")), postgres.major)
    async with connected(postgres.admin) as connection:
        found = await read_signatures(connection)

    assert {*found} == recorded


def test_every_supported_major_is_in_the_record_and_every_line_has_a_reason() -> None:
    reviews = load(RECORD.read_text(encoding="utf-8"))

    assert {major for one in reviews for major in one.majors} == {*MAJORS}
    assert all(review.reason for review in reviews.values())
    assert MAJORS[-1] == NEWEST


@pytest.mark.parametrize("group", REVIEW["deny"])
def test_every_refused_family_gives_its_reason_and_the_next_thing_to_try(group: str) -> None:
    family = REVIEW["deny"][group]

    assert family["reason"]
    assert family["hint"].endswith(".")


@pytest.mark.parametrize(
    "suspect",
    [
        signature(volatility="v"),
        signature(definer=True),
        signature(takes=("internal",)),
        signature(takes=("regclass",)),
        signature(takes=("_regclass",)),
        signature(gives=("refcursor",)),
        signature(gives=("index_am_handler",)),
        signature(name="upper"),
    ],
    ids=str,
)
def test_the_tool_stops_at_an_overload_nobody_looked_at_twice(suspect: Signature) -> None:
    assert list(objections(review_of("lower"), [suspect]))


def test_the_tool_passes_harmless_overloads_and_those_out_of_reach() -> None:
    review = review_of("lower") | {"arguments": {"lower": {"minimum": 1, "maximum": 1}}}
    out_of_reach = signature(takes=("text", "text"), volatility="v")

    assert list(objections(review, [signature(), out_of_reach])) == []


def test_the_tool_stops_at_a_review_that_contradicts_itself() -> None:
    twice = review_of("lower", "lower")
    limited = review_of("lower") | {"limited": {"names": ["upper"]}}

    assert list(objections(twice, [signature()])) == ["lower is allowed in two groups"]
    assert list(objections(limited, [signature()])) == ["upper is limited but not allowed"]


def test_the_facts_of_a_name_are_summed_up_over_its_overloads() -> None:
    facts = facts_by_name(
        [
            signature(majors=(15, 16, 17), name="f", takes=("text", "text")),
            signature(name="f", defaults=1, takes=("record", "text")),
            signature(name="g", operator=True),
            signature(name="g", operator=True, takes=("cstring",)),
            signature(name="h", takes=(), gives=("trigger",)),
        ]
    )

    assert facts == {
        "f": Facts("15-18", "t", "t", ""),
        "g": Facts("18", "t", "f", "operators"),
        "h": Facts("18", "f", "f", "internals"),
    }


@pytest.mark.parametrize(
    ("name", "major", "hint"),
    [
        ("any_value", 15, "Use (array_agg(x))[1]."),
        ("date_bin", 13, "Use date_trunc('hour', x)."),
        ("uuidv7", 17, "Use gen_random_uuid()."),
        ("numeric_fac", 14, "Use the functions of that version."),
    ],
)
def test_a_function_of_another_version_is_refused_with_what_this_one_has(
    name: str, major: int, hint: str
) -> None:
    verdict = judge_builtin(name, 1, major)

    assert verdict.reason == f"PostgreSQL {major} does not have it"
    assert verdict.hint == hint
    assert not is_builtin(name, major)


@pytest.mark.parametrize(
    ("name", "major"),
    [("any_value", 16), ("any_value", 0), ("numeric_fac", 13), ("uuidv7", 18), ("uuidv7", 19)],
)
def test_a_function_is_allowed_where_the_server_has_it_or_is_not_known(
    name: str, major: int
) -> None:
    assert judge_builtin(name, 1, major).allowed
    assert is_builtin(name, major)


@pytest.mark.parametrize("name", sorted(REVIEW["instead"]))
def test_what_an_older_version_has_instead_is_told_of_newer_functions_only(name: str) -> None:
    assert not judge_builtin(name, 2, 13).allowed


@pytest.mark.parametrize("name", ["jsonb", "tsquery", "uuid", "inet", "tsvector"])
def test_the_name_of_a_built_in_type_may_be_called_as_a_cast_of_one_value(name: str) -> None:
    assert judge_builtin(name, 1).allowed
    assert not judge_builtin(name, 2).allowed


@pytest.mark.parametrize("name", ["regclass", "regconfig", "aclitem", "cstring", "shop_type"])
def test_no_other_type_may_be_called(name: str) -> None:
    assert not judge_builtin(name, 1).allowed


def test_the_code_behind_operators_is_allowed_and_never_suggested() -> None:
    assert judge_builtin("texteq", 2).allowed
    assert nearest_allowed("textteq") is None
