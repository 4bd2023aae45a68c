"""`pg-guard-mcp decide`: what would be said of a statement, without running it."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import anyio

from pg_guard_mcp.cli import configuration
from pg_guard_mcp.errors import GuardError, Refused
from pg_guard_mcp.guard import packs
from pg_guard_mcp.guard import policy as policies
from pg_guard_mcp.guard.classify import without_explain
from pg_guard_mcp.guard.narrowing import narrow
from pg_guard_mcp.judging import judged
from pg_guard_mcp.model import Limits
from pg_guard_mcp.second_parser import Parsers
from pg_guard_mcp.settings import client_limits, client_rules

if TYPE_CHECKING:
    import argparse

    from pg_guard_mcp.guard.policy import Policy


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command to the argument parser."""
    parser = subparsers.add_parser(
        "decide",
        help="judge SQL without running it",
        description="Say whether a statement would run, why not, and the SQL that would. "
        "Exit 0: admitted; 1: refused. With --jsonl, judge one JSON object a line from stdin "
        '(key "sql"; "tool": "explain" for that tool) and answer one a line.',
    )
    configuration.add_flags(parser)
    parser.add_argument("sql", nargs="?", metavar="SQL", help="the statement (default: stdin)")
    parser.add_argument("--json", action="store_true", help="answer as one JSON object")
    parser.add_argument("--jsonl", action="store_true", help="judge a file of cases from stdin")
    parser.add_argument(
        "--shape-only",
        action="store_true",
        help="leave out the rules that need to know which relations are open; needs no database",
    )
    parser.add_argument(
        "--extension",
        action="append",
        choices=packs.NAMES,
        default=[],
        metavar="NAME",
        help="with --shape-only: judge as if access.extensions named this one; may be repeated",
    )
    parser.add_argument(
        "--client", metavar="NAME", default="", help="judge by the settings of this client"
    )


def run(arguments: argparse.Namespace) -> int:
    """Judge, and answer on stdout.

    Raises:
        ConfigurationError: the configuration cannot be used.
        GuardError: the database cannot be asked for its catalog.

    """
    return anyio.run(_run, arguments)


async def _run(arguments: argparse.Namespace) -> int:
    if arguments.shape_only:
        policy, limits = policies.shape_only(tuple(arguments.extension)), Limits()
    else:
        policy, limits = await _open_policy(arguments)
    parsers = Parsers()
    try:
        if arguments.jsonl:
            for line in filter(bytes.strip, sys.stdin.buffer):
                _write(json.dumps(await _judge_line(line, policy, limits, parsers)))
            return 0
        sql = arguments.sql if arguments.sql is not None else _stdin()
        verdict = await decide(sql, policy, limits, parsers)
    finally:
        await parsers.close()
    _write(json.dumps(verdict) if arguments.json else _for_people(verdict))
    return 0 if verdict["verdict"] == "admitted" else 1


async def decide(sql: str, policy: Policy, limits: Limits, parsers: Parsers) -> dict[str, Any]:
    """Return the verdict on one statement as plain data."""
    try:
        guarded = await judged(sql, policy, limits, parsers)
    except Refused as refusal:
        findings = [
            {"rule": finding.rule, "message": finding.message, "hint": finding.hint}
            for finding in refusal.findings
        ]
        return {"verdict": "refused", "findings": findings, "sql": None, "masked": []}
    except GuardError as error:
        finding = {"rule": error.code, "message": error.message, "hint": error.hint}
        return {"verdict": "refused", "findings": [finding], "sql": None, "masked": []}
    return {
        "verdict": "admitted",
        "findings": [],
        "sql": guarded.sql,
        "masked": list(guarded.masked),
    }


async def _open_policy(arguments: argparse.Namespace) -> tuple[Policy, Limits]:
    """Read the catalog of the configured database and build the policy from it."""
    from pg_guard_mcp.current_policy import check_constants
    from pg_guard_mcp.postgres import snapshot
    from pg_guard_mcp.server.assembly import open_database

    settings = configuration.load(arguments)
    rules = settings.access_rules()
    clients = client_rules(settings)
    application = f"pg-guard/{settings.profile}/decide"
    database = open_database(settings, os.environ)
    try:
        catalog = await snapshot.take(database, application, named=rules.relations)
        policy, limits = policies.build(rules, catalog), settings.call_limits()
        if arguments.client in clients:
            policy = narrow(policy, clients[arguments.client])
        await check_constants(policy, database, application)
    finally:
        await database.close()
    return policy, client_limits(settings).get(arguments.client, limits)


async def _judge_line(
    line: bytes, policy: Policy, limits: Limits, parsers: Parsers
) -> dict[str, Any]:
    """Judge one case; a line that is none gets an answer too, so that lines keep their order."""
    try:
        case = json.loads(line)
        sql = case["sql"]
    except (ValueError, KeyError, TypeError, RecursionError):
        sql = None
    if not isinstance(sql, str):
        finding = {
            "rule": "arguments",
            "message": "the line is no JSON object with a text under sql",
            "hint": 'Write {"sql": "SELECT ..."}.',
        }
        return {"verdict": "refused", "findings": [finding], "sql": None, "masked": []}
    if case.get("tool") == "explain":
        sql = without_explain(sql)
    return await decide(sql, policy, limits, parsers)


def _stdin() -> str:
    return sys.stdin.buffer.read().decode(errors="surrogateescape")


def _for_people(verdict: dict[str, Any]) -> str:
    if verdict["verdict"] == "admitted":
        masked = f"\nmasked: {', '.join(verdict['masked'])}" if verdict["masked"] else ""
        return f"admitted\n{verdict['sql']}{masked}"
    return "\n".join(
        f"refused: [{finding['rule']}] {finding['message']}\n  hint: {finding['hint']}"
        for finding in verdict["findings"]
    )


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
