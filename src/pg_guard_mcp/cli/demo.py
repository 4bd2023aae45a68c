"""`pg-guard-mcp demo`: the whole product in a minute, on a Postgres of its own."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    import argparse

    from pg_guard_mcp.demo.page import Page
    from pg_guard_mcp.demo.stage import Stage

_COMMANDS = ("pg-guard-mcp", "postgres-guard-mcp")
_SERVER_NAME = "pg-guard-demo"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command to the argument parser."""
    parser = subparsers.add_parser(
        "demo",
        help="the whole product in a minute",
        description="Start a Postgres with a shop in it, serve it to an agent, and show what the"
        " agent gets, what it does not get, and what is on record. Exit 1: something was not as"
        " shown.",
    )
    parser.add_argument(
        "--keep", action="store_true", help="leave the database running, for an agent of yours"
    )


def run(arguments: argparse.Namespace) -> int:
    """Tell the story.

    Raises:
        ConfigurationError: the embedded Postgres is missing, or did not start.

    """
    from pg_guard_mcp.demo.page import open_page
    from pg_guard_mcp.demo.proof import StoryBroken
    from pg_guard_mcp.demo.stage import demo_stage
    from pg_guard_mcp.demo.story import tell

    page = open_page()
    page.say("A PostgreSQL 18 of its own is starting, with a shop of 3,200 customers in it.")
    try:
        with demo_stage(keep=arguments.keep) as stage:
            anyio.run(tell, stage, page)
            if arguments.keep:
                _say_how_to_go_on(stage, page)
    except StoryBroken as broken:
        sys.stderr.write(f"error: the demo found a promise broken: {broken}\n")
        return 1
    return 0


def _say_how_to_go_on(stage: Stage, page: Page) -> None:
    """Print how to connect a client to what is left running, and how to end it."""
    command, *first = _own_command()
    words = [*first, "serve", "--policy", str(stage.policy_file)]
    page.act("Yours to try", "The database stays. For Claude Code, in any project:")
    page.say(f"\n  claude mcp add {_SERVER_NAME} -- {shlex.join([command, *words])}\n")
    page.say("For other clients, as mcp.json:\n")
    entry = {"mcpServers": {_SERVER_NAME: {"command": command, "args": words}}}
    page.say(json.dumps(entry, indent=2))
    directories = dict.fromkeys(
        [stage.server.directory, stage.server.socket_directory, stage.directory]
    )
    remove = shlex.join(map(str, directories))
    page.say("\nTo end it and remove everything:\n")
    page.say(f"  kill -INT {stage.server.process_id} && sleep 1 && rm -rf {remove}")


def _own_command() -> list[str]:
    """Give the words that start this very installation from anywhere."""
    called = Path(sys.argv[0])
    if called.name in _COMMANDS and called.exists():
        return [str(called.absolute())]
    return [sys.executable, "-m", "pg_guard_mcp"]
