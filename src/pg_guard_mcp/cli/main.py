"""`pg-guard-mcp COMMAND`: finds the command, and is the last to catch what goes wrong.

Only the command that is asked for is imported: a server that starts must not wait for the code
of the others.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import TYPE_CHECKING

from pg_guard_mcp import __version__
from pg_guard_mcp.errors import ConfigurationError, GuardError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

COMMANDS = ("demo", "serve", "decide", "policy", "credentials", "audit")
DONE, FAILED, UNUSABLE = 0, 1, 2
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 a check failed, 2 bad usage."""
    words = list(sys.argv[1:] if argv is None else argv)
    chosen = words[0] if words and words[0] in COMMANDS else None
    modules = {name: _module(name) for name in ([chosen] if chosen else COMMANDS)}
    arguments = _parser(modules).parse_args(words)
    try:
        return int(modules[arguments.command].run(arguments))
    except ConfigurationError as error:
        sys.stderr.write(error.as_text() + "\n")
        return UNUSABLE
    except GuardError as error:
        sys.stderr.write(error.as_text() + "\n")
        return FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED


def _parser(modules: dict[str, ModuleType]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pg-guard-mcp",
        description="Gives an AI agent read access to Postgres without giving it the database.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in modules.values():
        module.add_parser(subparsers)
    return parser


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"pg_guard_mcp.cli.{name}")
