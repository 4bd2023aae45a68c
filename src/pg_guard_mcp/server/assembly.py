"""Settings in, a `Guard` out: where credential, database, trail and rules come together."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread

from pg_guard_mcp.access import credentials
from pg_guard_mcp.current_policy import CurrentPolicy
from pg_guard_mcp.errors import ConfigurationError, Problem, Unavailable
from pg_guard_mcp.pipeline import Guard
from pg_guard_mcp.postgres.database import Database
from pg_guard_mcp.postgres.replicas import Replication
from pg_guard_mcp.record.trail import Trail
from pg_guard_mcp.second_parser import Parsers
from pg_guard_mcp.settings import (
    client_limits,
    client_rules,
    parse_credential,
    require_database,
    tls_for,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pg_guard_mcp.settings import Settings, Tls

logger = logging.getLogger(__name__)

T = TypeVar("T")
_KEYRING_SECONDS = 15.0


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
            _from_keyring,
            partial(credentials.mask_key, settings.profile, environment=environment),
        ),
    )


def open_database(settings: Settings, environment: Mapping[str, str]) -> Database:
    """Prepare the connection pool; it connects when first asked.

    Raises:
        ConfigurationError: no database is configured, or its certificates cannot be used.

    """
    target = require_database(settings)
    source = parse_credential(settings.database.credential)
    tls_for(target)  # what cannot be used stops the start

    async def tls() -> Tls:
        """Read the certificates for one connection: so renewed ones need no restart."""
        try:
            return await anyio.to_thread.run_sync(tls_for, target)
        except ConfigurationError as error:
            raise _credential_trouble(error) from None

    async def password() -> str | None:
        """Fetch the credential for one connection: so a rotated one needs no restart."""
        secret = await _from_keyring(
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


async def _from_keyring(ask: Callable[[], T]) -> T:
    """Ask in a thread and for a while only: a locked keyring waits for a person.

    Raises: Unavailable.
    """
    try:
        with anyio.fail_after(_KEYRING_SECONDS):
            return await anyio.to_thread.run_sync(ask, abandon_on_cancel=True)
    except ConfigurationError as error:
        raise _credential_trouble(error) from None
    except TimeoutError:
        problem = Problem("the keyring does not answer", "unlock it, or use another source")
        raise _credential_trouble(ConfigurationError([problem])) from None


def _credential_trouble(error: ConfigurationError) -> Unavailable:
    """Tell the operator what is wrong, and the agent only that something is."""
    for problem in error.problems:
        logger.error("credential_problem %s; fix: %s", problem.message, problem.fix)
    return Unavailable(
        "the server has no usable database credential",
        "Tell the operator: `pg-guard-mcp credentials test` says what is missing.",
    )
