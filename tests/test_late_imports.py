"""What is heavy is imported after the handshake, so that a client sees the tools at once."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    *("asyncpg", "keyring", "pgparse", "postgast", "sqlglot", "opentelemetry.sdk", "rich"),
    *("phonenumbers", "stdnum"),
)


def test_a_server_that_waits_for_its_client_has_imported_nothing_heavy() -> None:
    program = f"""
import sys
import pg_guard_mcp.cli.main, pg_guard_mcp.cli.serve
import pg_guard_mcp.server.stdio, pg_guard_mcp.record.trail
print([name for name in {HEAVY!r} if name in sys.modules])
"""

    found = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout

    assert found.strip() == "[]"
