"""The operator's rules and a database in, the policy as of now out: made once, renewed on demand.

A name that is not found may have been made a second ago, so a refusal by name renews the catalog
first. How often that may happen is bounded: a client that asks for nonsense must not keep the
database busy with its own catalog.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from pg_guard_mcp.errors import (
    ConfigurationError,
    DatabaseError,
    GuardError,
    Problem,
    Unavailable,
)
from pg_guard_mcp.guard import masking, powers
from pg_guard_mcp.guard import policy as policies
from pg_guard_mcp.guard.narrowing import narrow
from pg_guard_mcp.postgres import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pg_guard_mcp.catalog import Power
    from pg_guard_mcp.guard.policy import Policy
    from pg_guard_mcp.model import AccessRules
    from pg_guard_mcp.postgres.database import Database

logger = logging.getLogger(__name__)

NOBODY: Mapping[str, AccessRules] = MappingProxyType({})
_RENEW_SECONDS = 5.0
_OLD_SECONDS = 300.0
"""How old comments, row estimates and privileges may grow; changed columns are found at once."""


class CurrentPolicy:
    """Holds the policy, and makes it when it is first asked for."""

    def __init__(
        self,
        rules: AccessRules,
        database: Database,
        *,
        profile: str,
        clients: Mapping[str, AccessRules] = NOBODY,
        any_role: bool = False,
    ) -> None:
        """Keep what policies are made of, for everybody and for single clients; ask nobody yet.

        `any_role` is the operator's word that the role may do more than read.
        """
        self._rules = rules
        self._clients = clients
        self._any_role = any_role
        self._warned_of: tuple[Power, ...] = ()
        self._database = database
        self._application = f"pg-guard/{profile}/catalog"
        self._lock = anyio.Lock()
        self._policy: Policy | None = None
        self._narrowed: dict[str, Policy] = {}
        self._made = 0.0
        self._failures = 0
        self._failure: GuardError | None = None

    async def current(self, client: str = "") -> Policy:
        """Return a client's policy, making it first if there is none or it is old.

        Raises:
            GuardError: the catalog cannot be read, or the rules do not fit it.

        """
        return await self._for(client, await self._not_older_than(_OLD_SECONDS))

    async def refreshed(self, client: str = "") -> Policy:
        """Return a policy from a catalog read anew, unless that was done moments ago.

        Raises:
            GuardError: as `current`.

        """
        return await self._for(client, await self._not_older_than(_RENEW_SECONDS))

    def forget(self) -> None:
        """Make the next call read the catalog anew."""
        self._policy = None

    async def _not_older_than(self, seconds: float) -> Policy:
        """Return the policy, making it if it is older; who waited for one that failed is told so.

        Each would try by itself otherwise, one after the other: of a Postgres that is dead the
        tenth would hear after half a minute.
        """
        failures = self._failures
        async with self._lock:
            if self._policy is None or time.monotonic() - self._made >= seconds:
                if self._failure and self._failures != failures:
                    raise self._failure.with_traceback(None)
                try:
                    self._policy = await self._make()
                except GuardError as error:
                    self._failures += 1
                    self._failure = error
                    raise
            return self._policy

    async def _for(self, client: str, everybody: Policy) -> Policy:
        """Narrow the policy for a client that has rules of its own, once a catalog."""
        if client not in self._clients:
            return everybody
        if client not in self._narrowed:
            with _told():
                narrowed = await anyio.to_thread.run_sync(narrow, everybody, self._clients[client])
                await check_constants(narrowed, self._database, self._application)
            self._narrowed[client] = narrowed
        return self._narrowed[client]

    async def _make(self) -> Policy:
        catalog = await snapshot.take(
            self._database, self._application, named=self._rules.relations
        )
        self._made = time.monotonic()
        self._narrowed.clear()
        self._check_role(catalog.powers)
        with _told():
            # Of 3,000 tables it takes half a second.
            policy = await anyio.to_thread.run_sync(policies.build, self._rules, catalog)
            await check_constants(policy, self._database, self._application)
            return policy

    def _check_role(self, found: tuple[Power, ...]) -> None:
        """Refuse to serve with a role that may do more than read, unless the operator said so.

        Raises:
            Unavailable: it may, and nobody said so.

        """
        say = logger.warning if self._any_role else logger.error
        if found != self._warned_of or not self._any_role:
            for problem in powers.problems(found):
                say("role_problem %s; fix: %s", problem.message, problem.fix)
        self._warned_of = found
        if found and not self._any_role:
            raise Unavailable(
                "the server's database role may do more than read",
                "Tell the operator: the server's log names each right and how to take it away.",
            )


async def check_constants(policy: Policy, database: Database, application: str) -> None:
    """Have Postgres read every constant that stands for a column as that column's type.

    Raises:
        ConfigurationError: it cannot read one; all such problems at once.
        GuardError: Postgres cannot be asked.

    """
    problems: list[Problem] = []
    for query, where in masking.constants(policy.masks, policy.catalog).items():
        try:
            await database.fetch(query, max_rows=1, application=application)
        except DatabaseError:
            problems.append(
                Problem(
                    f"the constant that masks {where} is no value of its type",
                    "write one that Postgres reads as that type, or use null",
                )
            )
    if problems:
        raise ConfigurationError(problems)


@contextmanager
def _told() -> Iterator[None]:
    """Tell the operator what does not fit, and the agent only that something does not."""
    try:
        yield
    except ConfigurationError as error:
        for problem in error.problems:
            logger.error(  # noqa: TRY400 - a traceback would say nothing more
                "policy_problem %s; fix: %s", problem.message, problem.fix
            )
        raise Unavailable(
            "the server's policy does not fit the database",
            "Tell the operator: the server's log names each problem and its fix.",
        ) from None
