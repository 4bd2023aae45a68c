"""An embedded Postgres with the shop in it, and the files a server of it starts from."""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from pg_guard_mcp.demo.embedded import embedded_postgres_server
from pg_guard_mcp.demo.shop import policy_toml, seed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.demo.embedded import EmbeddedServer, Login


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What the demo plays on."""

    server: EmbeddedServer
    agent: Login
    directory: Path
    policy_file: Path
    audit_directory: Path


@contextmanager
def demo_stage(*, keep: bool = False) -> Iterator[Stage]:
    """Start Postgres, seed the shop and write the policy; take all of it away at the end.

    With `keep`, everything stays after a clean end.

    Raises: ConfigurationError.
    """
    with embedded_postgres_server(keep=keep) as server:
        agent = anyio.run(seed, server.admin)
        with _directory(keep=keep) as directory:
            yield _furnish(directory, server, agent)


@contextmanager
def _directory(*, keep: bool) -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="pg-guard-demo-"))
    kept = False
    try:
        yield directory
        kept = keep
    finally:
        if not kept:
            shutil.rmtree(directory, ignore_errors=True)


def _furnish(directory: Path, server: EmbeddedServer, agent: Login) -> Stage:
    """Write the credential, mode 600, and the policy that points to it."""
    credential = directory / "agent_ro.password"
    credential.touch(mode=0o600)
    credential.write_text(agent.password + "\n", encoding="ascii")
    audit_directory = directory / "audit"
    policy_file = directory / "pg-guard.toml"
    policy_file.write_text(
        policy_toml(agent.dsn(), f"file:{credential}")
        + f"\n[audit]\ndirectory = {json.dumps(str(audit_directory))}\n",
        encoding="utf-8",
    )
    return Stage(
        server=server,
        agent=agent,
        directory=directory,
        policy_file=policy_file,
        audit_directory=audit_directory,
    )
