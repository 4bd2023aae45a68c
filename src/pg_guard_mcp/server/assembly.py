"""Settings in, a `Guard` out: where credential, database, trail and rules come together."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio.to_thread

from pg_guard_mcp.access import credentials
from pg_guard_mcp.current_policy import CurrentPolicy
from pg_guard_mcp.errors import ConfigurationError
from pg_guard_mcp.pipeline import Guard
from pg_guard_mcp.postgres.database import Database
from pg_guard_mcp.postgres.replicas import Replication
from pg_guard_mcp.record.trail import Trail
from pg_guard_mcp.second_parser import Parsers
from pg_guard_mcp.server.keyring_desk import KeyringDesk, trouble
from pg_guard_mcp.settings import (
    client_limits,
    client_rules,
    parse_credential,
    require_database,
    tls_for,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pg_guard_mcp.settings import Settings, Tls


def open_guard(
    settings: Settings, environment: Mapping[str, str], *, audit_directory: Path
) -> Guard:
    """Build what every call shares. Connects to nothing yet.

    Raises:
        ConfigurationError: no database is configured.
        AuditUnavailable: the trail cannot be opened.

    """
    limits = settings.call_limits()
    trail = Trail.open(audit_directory)
    database = open_database(settings, environment)
    return Guard(
        profile=settings.profile,
        limits=limits,
        database=database,
        policy=CurrentPolicy(
            settings.access_rules(),
            database,
            profile=settings.profile,
            clients=client_rules(settings),
            any_role=settings.database.allow_overprivileged_role,
        ),
        client_limits=client_limits(settings),
        trail=trail,
        parsers=Parsers(),
        mask_key=partial(
            KeyringDesk().ask,
            partial(credentials.mask_key, settings.profile, environment=environment),
        ),
    )


def open_database(settings: Settings, environment: Mapping[str, str]) -> Database:
    """Prepare the connection pool; it connects when first asked.

    Raises:
        ConfigurationError: no database is configured, or its certificates cannot be used.

    """
    desk = KeyringDesk()
    target = require_database(settings)
    source = parse_credential(settings.database.credential)
    tls_for(target)  # what cannot be used stops the start

    async def tls() -> Tls:
        """Read the certificates for one connection: so renewed ones need no restart."""
        try:
            return await anyio.to_thread.run_sync(tls_for, target)
        except ConfigurationError as error:
            raise trouble(error) from None

    async def password() -> str | None:
        """Fetch the credential for one connection: so a rotated one needs no restart."""
        secret = await desk.ask(
            partial(credentials.resolve, source, profile=settings.profile, environment=environment)
        )
        return secret.get_secret_value() if secret else None

    return Database(
        hosts=target.hosts,
        ports=target.ports,
        user=target.user,
        database=target.database,
        password=password,
        tls=tls,
        limits=settings.call_limits(),
        system_identifier=settings.database.expect_system_identifier,
        replication=Replication(
            required=settings.database.require_replica,
            max_lag_seconds=settings.database.max_replica_lag_seconds,
        ),
    )
