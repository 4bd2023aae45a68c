"""The demo shop: a fresh server in, a seeded database and a login for agents out, and its policy.

The role is what `role-sql` recommends, but for one grant: it may read `shop.api_keys`, so that the
demo can show the policy refusing what the role would allow.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from importlib.resources import files
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from pg_guard_mcp.demo.cluster import Login

DATABASE = "shop"
ROLE = "agent_ro"

# PUBLIC may connect to every new database and make temporary tables in it, until told otherwise,
# and before PostgreSQL 15 make anything in its schema `public`.
_ROLE_SQL = """
REVOKE ALL ON DATABASE shop, postgres, template1 FROM PUBLIC;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
CREATE ROLE agent_ro LOGIN PASSWORD '{password}'
    NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS
    CONNECTION LIMIT 8;
ALTER ROLE agent_ro SET default_transaction_read_only = on;
ALTER ROLE agent_ro SET statement_timeout = '30s';
ALTER ROLE agent_ro SET lock_timeout = '2s';
ALTER ROLE agent_ro SET idle_in_transaction_session_timeout = '60s';
GRANT CONNECT ON DATABASE shop TO agent_ro;
GRANT USAGE ON SCHEMA shop TO agent_ro;
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO agent_ro;
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO agent_ro;
REVOKE EXECUTE ON FUNCTION shop.net_price(numeric, numeric) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION shop.net_price(numeric, numeric) TO agent_ro;
"""

_POLICY_TOML = """\
# The policy of the demo shop.

[database]
dsn = {dsn}
credential = {credential}

[access]
schemas = ["shop"]                    # hr stays closed
deny_relations = ["shop.api_keys"]    # readable to the role, not to the agent
allow_functions = ["shop.net_price"]

[mask]
"shop.customers.email" = "email"
"shop.customers.phone" = "last4"
"shop.customers.ssn" = "redact"
"shop.customers.card_number" = "last4"
"shop.customers.date_of_birth" = "year"
"shop.customers.notes" = "redact"

[mask.detectors]                      # what customers paste into tickets
enabled = ["payment-card", "us-ssn", "iban", "jwt", "private-key", "cloud-key"]

[limits]
statement_timeout_seconds = 5
"""


async def seed(admin: Login) -> Login:
    """Create the database `shop` and the role `agent_ro` on a fresh server; return its login."""
    await _execute(admin, "CREATE DATABASE shop")
    shop = replace(admin, database=DATABASE)
    await _execute(shop, (files(__package__) / "shop.sql").read_text(encoding="utf-8"))
    # URL-safe base64 has no quote in it.
    password = secrets.token_urlsafe(24)
    await _execute(shop, _ROLE_SQL.format(password=password))
    return replace(shop, user=ROLE, password=password)


def policy_toml(dsn: str, credential: str) -> str:
    """Return the demo's `pg-guard.toml`."""
    # A JSON string is a TOML basic string.
    return _POLICY_TOML.format(dsn=json.dumps(dsn), credential=json.dumps(credential))


async def _execute(login: Login, script: str) -> None:
    connection = await asyncpg.connect(
        host=login.host,
        port=login.port,
        user=login.user,
        password=login.password,
        database=login.database,
    )
    try:
        await connection.execute(script)
    finally:
        await connection.close()
