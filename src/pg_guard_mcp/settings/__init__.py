"""Flags, environment, `.env` and `pg-guard.toml` in; one checked `Settings` out.

Read once, at start; below that, only what it is turned into is seen: rules, limits, a target to
connect to.
"""

from pg_guard_mcp.settings.clients import client_limits, client_rules
from pg_guard_mcp.settings.dsn import ConnectionTarget, SslMode
from pg_guard_mcp.settings.load import load_settings, require_database
from pg_guard_mcp.settings.tables import Settings
from pg_guard_mcp.settings.tls import PLAIN, Tls, tls_for
from pg_guard_mcp.settings.values import CredentialSource, parse_credential

__all__ = [
    "PLAIN",
    "ConnectionTarget",
    "CredentialSource",
    "Settings",
    "SslMode",
    "Tls",
    "client_limits",
    "client_rules",
    "load_settings",
    "parse_credential",
    "require_database",
    "tls_for",
]
