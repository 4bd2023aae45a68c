"""The flags that say which configuration a command reads, and reading it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pg_guard_mcp.settings import Settings, load_settings

if TYPE_CHECKING:
    import argparse


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags every command that needs settings has."""
    parser.add_argument("--policy", metavar="FILE", help="configuration file (pg-guard.toml)")
    parser.add_argument("--profile", metavar="NAME", help="name of credential, trail and traces")
    parser.add_argument("--dsn", metavar="DSN", help="where to connect; never with a password")


def audit_directory(settings: Settings) -> Path:
    """Say where the profile's trail lies."""
    from pg_guard_mcp.record.trail import default_directory

    return Path(settings.audit.directory or default_directory(settings.profile))


def load(arguments: argparse.Namespace, **flags: object) -> Settings:
    """Read the configuration from flags, environment, `.env` and file.

    Raises: ConfigurationError.
    """
    return load_settings(
        environment=os.environ,
        directory=Path.cwd(),
        flags={
            "policy": arguments.policy,
            "profile": arguments.profile,
            "database.dsn": arguments.dsn,
            **flags,
        },
    )
