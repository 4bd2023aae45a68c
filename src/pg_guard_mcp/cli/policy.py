"""`pg-guard-mcp policy suggest`: what a policy could say, drawn from the database itself."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from pg_guard_mcp.cli import configuration

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from pg_guard_mcp.catalog import Catalog
    from pg_guard_mcp.model import AccessRules
    from pg_guard_mcp.suggesting import Suggestion


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe `policy` and its commands to the command line."""
    policy = subparsers.add_parser("policy", help="propose masks for a database")
    commands = policy.add_subparsers(dest="policy_command", required=True, metavar="COMMAND")
    _add_suggest(commands)


def _add_suggest(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    suggest = commands.add_parser(
        "suggest",
        help="masks for a database, as a [mask] table",
        description="Propose masks by the names and comments of columns and by what the detectors "
        "see in some rows; a sampled value is never shown. Prints TOML for the configuration file. "
        "Look through it: what is not proposed may still be personal.",
    )
    suggest.add_argument(
        "--schema",
        action="append",
        metavar="NAME",
        help="look at this schema; may be repeated (default: what [access] opens, or else every "
        "schema the role may use)",
    )
    suggest.add_argument(
        "--no-samples", action="store_true", help="go by names and comments; read no row"
    )
    configuration.add_flags(suggest)
    suggest.set_defaults(run_policy_command=_suggest)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked and give the exit code.

    Raises:
        ConfigurationError: the configuration cannot be used.
        GuardError: the database cannot be asked.

    """
    code: int = anyio.run(arguments.run_policy_command, arguments)
    return code


async def _suggest(arguments: argparse.Namespace) -> int:
    """Print the masks proposed."""
    from pg_guard_mcp import suggesting
    from pg_guard_mcp.postgres import snapshot
    from pg_guard_mcp.server.assembly import open_database

    settings = configuration.load(arguments)
    database = open_database(settings, os.environ)
    application = f"pg-guard/{settings.profile}/suggest"
    rules = settings.access_rules()
    try:
        catalog = await snapshot.take(database, application, named=rules.relations)
        suggestion = await suggesting.suggest(
            _opened(rules, catalog, arguments.schema),
            catalog,
            suggesting.Sampler(
                reader=None if arguments.no_samples else database,
                limits=settings.call_limits(),
                application=application,
            ),
        )
    finally:
        await database.close()
    sys.stdout.write("\n".join(_report(suggestion, sampled=not arguments.no_samples)) + "\n")
    return 0


def _opened(rules: AccessRules, catalog: Catalog, schemas: list[str] | None) -> AccessRules:
    """Open what was asked for, or all there is where nothing is open."""
    if schemas:
        return replace(rules, schemas=tuple(schemas), relations=())
    if rules.schemas or rules.relations:
        return rules
    return replace(rules, schemas=tuple(sorted(catalog.schemas)))


def _report(suggestion: Suggestion, *, sampled: bool) -> Iterator[str]:
    """Yield the mask table, and above it what it was drawn from."""
    from pg_guard_mcp.guard.suggest import lines, samples

    count = len(suggestion.proposals)
    yield f"# Masks proposed: {count}, over {suggestion.relations} open relations."
    yield f"# Columns that the policy masks already: {suggestion.masked}; they are left out."
    drawn = f"up to {samples.ROWS} rows of each relation" if sampled else "no row"
    yield f"# Drawn from names, comments and {drawn}."
    if suggestion.unread:
        yield f"# Relations that could not be read, and went by names alone: {suggestion.unread}."
    if any(proposal.kind == "hash" for proposal in suggestion.proposals):
        yield '# "hash" takes the mask key of the profile, from the keyring or PG_GUARD_MASK_KEY.'
    yield "# What is not named here may still be personal: look through the rest yourself."
    yield from lines.written(suggestion.proposals, suggestion.columns)
