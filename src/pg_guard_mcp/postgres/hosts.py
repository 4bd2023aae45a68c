"""Several hosts in, one connection out: to a fresh replica, else to a primary, else why not.

The driver could choose among hosts, too, but it knows nothing of lag, gives all of them one
deadline, so that a silent one uses up the time of the others, and looks for certificates in the
environment.
"""

from __future__ import annotations

import logging
import ssl
import time
from typing import TYPE_CHECKING, Any, Literal

import anyio
import asyncpg
from asyncpg.connect_utils import SessionAttribute

from pg_guard_mcp.errors import Unavailable
from pg_guard_mcp.postgres import failures, replicas
from pg_guard_mcp.postgres.failures import HungUp, TlsNotOffered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from pg_guard_mcp.postgres.replicas import Replication, Standing
    from pg_guard_mcp.settings import Tls

    Connection = asyncpg.Connection[asyncpg.Record]
    Place = tuple[str, int]

CONNECT_SECONDS = 3.5
"""How long it may take to find out that nobody answers; a call is told so in under 5 seconds."""
AVOID_SECONDS = 30.0
"""For how long a host that did not answer is tried last."""
LOOK_AGAIN_SECONDS = 60.0
"""After how long on a primary a replica is looked for again; longer than one is avoided."""

LOGIN_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)

logger = logging.getLogger(__name__)


class Hosts:
    """The servers of one DSN, in the operator's order."""

    def __init__(
        self,
        hosts: Sequence[str],
        ports: Sequence[int],
        *,
        tls: Callable[[], Awaitable[Tls]],
        replication: Replication,
    ) -> None:
        """Keep where they are; `tls` is asked anew for every connection: certificates change."""
        self._places: list[Place] = list(zip(hosts, ports, strict=True))
        self._tls = tls
        self._replication = replication
        self._failed: dict[Place, float] = {}
        self._second_best_since: float | None = None

    @property
    def are_several(self) -> bool:
        """Whether there is another host to try."""
        return len(self._places) > 1

    def should_look_again(self) -> bool:
        """Tell, once, that connections lead to a primary since long, for want of a replica."""
        since = self._second_best_since
        if since is None or time.monotonic() - since < LOOK_AGAIN_SECONDS:
            return False
        self._second_best_since = None
        return True

    async def connect(
        self,
        _dsn: None = None,
        *,
        password: Callable[[], Awaitable[str | None]],
        **options: Any,
    ) -> Connection:
        """Connect to the best server there is; the pool calls this with what the driver needs.

        Raises:
            GuardError: no server will do, or there is no credential or certificate to show.
            OSError, asyncpg.PostgresError, asyncpg.InterfaceError: nobody let us in.

        """
        secret, tls = await password(), await self._tls()
        # The driver is given a function: where it is given nothing, it searches the environment.
        options["password"] = lambda: secret
        opened: list[Connection] = []
        found: dict[Standing, Connection] = {}
        errors: list[Exception] = []
        try:
            for place, seconds in self._in_time():
                if "primary" in found and not self._replication.required and self._avoids(place):
                    break
                try:
                    with anyio.fail_after(seconds):
                        opened.append(connection := await connect(place, tls, options))
                        standing = await self._standing(connection)
                except LOGIN_ERRORS as error:
                    self._note(place, error)
                    errors.append(error)
                    continue
                self._failed.pop(place, None)
                found.setdefault(standing, connection)
                if standing == "replica":
                    break
            chosen = self._choose(found, errors)
            opened.remove(chosen)
        finally:
            for connection in opened:
                connection.terminate()
        return chosen

    async def _standing(self, connection: Connection) -> Standing:
        """Ask a server what it is, where that matters; alone, it is asked in every call."""
        if self.are_several or self._replication.required:
            return await self._replication.standing(connection)
        return "replica"

    def _choose(
        self, found: Mapping[Standing, Connection], errors: Sequence[Exception]
    ) -> Connection:
        """Return the best of what was found. Raises: the best reason why there is none."""
        self._second_best_since = None
        if "replica" in found:
            return found["replica"]
        if "primary" in found and not self._replication.required:
            self._second_best_since = time.monotonic()
            logger.warning("no_fresh_replica connected to a primary")
            return found["primary"]
        if "replica behind" in found:
            raise Unavailable(*self._replication.too_far_behind())
        if "primary" in found:
            raise Unavailable(*replicas.MISSING)
        # A server that says why says more than one that says nothing.
        raise min(errors, key=_silence)

    def _in_time(self) -> Iterator[tuple[Place, float]]:
        """Yield each host, those that failed of late last, with its share of the time left."""
        deadline = time.monotonic() + CONNECT_SECONDS
        places = sorted(self._places, key=self._avoids)
        for index, place in enumerate(places):
            yield place, (deadline - time.monotonic()) / (len(places) - index)

    def _avoids(self, place: Place) -> bool:
        since = self._failed.get(place)
        return since is not None and time.monotonic() - since < AVOID_SECONDS

    def _note(self, place: Place, error: Exception) -> None:
        """Remember that a host failed, and tell the operator why."""
        self._failed[place] = time.monotonic()
        message, fix = failures.reason(error)
        logger.warning("connect_failed host=%s port=%d %s; fix: %s", *place, message, fix)


async def connect(place: Place, tls: Tls, options: dict[str, Any]) -> Connection:
    """Connect to one server; where TLS is optional and does not work out, without it.

    Raises:
        OSError, asyncpg.PostgresError, asyncpg.InterfaceError: it did not let us in.

    """
    try:
        return await _connect(place, tls.context or False, options)
    except (OSError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        if not (tls.is_optional and _may_do_without(error)):
            raise
    return await _connect(place, False, options)


async def _connect(
    place: Place, context: ssl.SSLContext | Literal[False], options: dict[str, Any]
) -> Connection:
    host, port = place
    try:
        connection: Connection = await asyncpg.connect(
            host=[host],
            port=[port],
            ssl=context,
            # Said, or the environment is asked.
            direct_tls=False,
            target_session_attrs=SessionAttribute.any,
            krbsrvname="postgres",
            gsslib="gssapi",
            # No prepared statement outlives its call, so a transaction pooler may stand between.
            **{"statement_cache_size": 0, **options},
        )
    except ConnectionError as error:
        if "rejected SSL upgrade" in str(error):  # the driver has no type of its own for it
            raise TlsNotOffered from None
        raise
    except asyncpg.ConnectionDoesNotExistError as error:
        # In TLS 1.3 a server looks at our certificate when for us the handshake is over. What it
        # says then may be lost, because we are speaking already.
        if isinstance(error.__cause__, ssl.SSLError):
            raise error.__cause__ from None
        if context:
            raise HungUp from None
        raise
    return connection


def _may_do_without(error: Exception) -> bool:
    """Tell whether it is TLS that failed, or a rule for those who speak it."""
    if isinstance(error, ssl.SSLCertVerificationError | asyncpg.InvalidPasswordError):
        return False
    return isinstance(
        error, TlsNotOffered | ssl.SSLError | asyncpg.InvalidAuthorizationSpecificationError
    )


def _silence(error: Exception) -> int:
    if isinstance(error, asyncpg.PostgresError):
        return 0
    return 1 if isinstance(error, HungUp | TlsNotOffered | ssl.SSLError) else 2
