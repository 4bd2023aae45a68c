"""A streaming standby of a throw-away Postgres: what a test does on one, the other replays.

    with primary_with_shop(INSTALLATIONS[18]) as primary, standby_of(primary) as standby: ...

Both are made of the same installation. `caught_up` waits for a standby to have replayed all there
is; `configure_standby` changes its settings, which needs no restart for those of recovery.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anyio

from pg_guard_mcp.demo import cluster, embedded, shop
from pg_guard_mcp.demo.cluster import throwaway_server
from pg_guard_mcp.demo.site import choose_site, furnish, run
from tests.support.postgres import POSTGRES_15, OwnServer, connected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pg_guard_mcp.demo.site import Installation

_DEADLINE_SECONDS = 20
# Commits are written when they are told of, or nobody could wait for them to arrive elsewhere.
_SENDS = {
    "wal_level": "replica",
    "max_wal_senders": "6",
    "wal_keep_size": "128MB",
    "synchronous_commit": "on",
    "wal_retrieve_retry_interval": "100ms",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node(OwnServer):
    """A server of a cluster of our own."""

    installation: Installation

    def freeze(self) -> None:
        """Stop the postmaster where it is, so that it answers nobody; its end is not held up."""
        os.kill(self.server.process_id, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.server.process_id, signal.SIGCONT)


def installation_of(major: int) -> Installation:
    """Return where PostgreSQL 18 or 15 is installed, with settings that let it be replicated."""
    installation = POSTGRES_15 if major == 15 else embedded._find_wheel()
    return replace(installation, settings={**installation.settings, **_SENDS})


@contextmanager
def primary_with_shop(major: int) -> Iterator[Node]:
    """Run a primary with the shop on it."""
    installation = installation_of(major)
    with throwaway_server(installation) as server:
        agent = asyncio.run(shop.seed(server.admin))
        admin = replace(server.admin, database=shop.DATABASE)
        yield Node(
            admin=admin,
            agent=agent,
            maintenance=server.admin,
            major=major,
            server=server,
            installation=installation,
        )


@contextmanager
def standby_of(primary: Node) -> Iterator[Node]:
    """Run a standby that streams from `primary`, from a backup taken now."""
    installation = primary.installation
    site = choose_site(installation, None)
    hold = cluster._Hold(site, cluster._start_caretaker(site))
    source = primary.server.admin
    where = (
        f"host={source.host} port={source.port} user={source.user} passfile={site.password_file}"
    )
    try:
        with furnish(site, installation, f"*:*:*:*:{source.password}\n") as log:
            site.password_file.chmod(0o600)  # or libpq would not look at it
            backup: list[str | Path] = [
                "-D",
                site.data,
                "-d",
                where,
                "-R",
                "-X",
                "stream",
                "-c",
                "fast",
                "--no-sync",
            ]
            assert run(site, [site.binaries / "pg_basebackup", *backup], log), site.log.read_text()
            cluster._start(site, installation, log, port=source.port, listen="")
        server = replace(
            primary.server,
            admin=replace(source, host=str(site.sockets)),
            socket_directory=site.sockets,
            directory=site.home,
            log=site.log,
            process_id=int((site.data / "postmaster.pid").read_text().split("\n", 1)[0]),
            _hold=hold,
        )
        yield replace(
            primary,
            admin=replace(primary.admin, host=str(site.sockets)),
            agent=replace(primary.agent, host=str(site.sockets)),
            maintenance=server.admin,
            server=server,
        )
    finally:
        hold.clean_up()


async def caught_up(standby: Node, primary: Node) -> None:
    """Wait until the standby has replayed what the primary has written, and receives."""
    async with connected(primary.admin) as ahead, connected(standby.admin) as behind:
        end = await ahead.fetchval("SELECT pg_current_wal_lsn()::text")
        async with asyncio.timeout(_DEADLINE_SECONDS):
            # Nobody tells when a standby has replayed something: it must be asked.
            while not await behind.fetchval(  # noqa: ASYNC110 - see above
                """
                SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn
                       AND EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')
                """,
                end,
            ):
                await anyio.sleep(0.01)


async def no_longer_receives(standby: Node) -> None:
    """Wait until the standby has noticed that its primary is gone."""
    async with connected(standby.admin) as admin, asyncio.timeout(_DEADLINE_SECONDS):
        while await admin.fetchval(  # noqa: ASYNC110 - see `caught_up`
            "SELECT EXISTS (SELECT FROM pg_stat_wal_receiver)"
        ):
            await anyio.sleep(0.01)


async def configure_standby(standby: Node, **settings: str) -> None:
    """Change settings of a standby, and wait until it goes by them."""
    async with connected(standby.admin) as admin:
        for name, value in settings.items():
            quoted = value.replace("'", "''")
            await admin.execute(f"ALTER SYSTEM SET {name} = '{quoted}'")
        await admin.execute("SELECT pg_reload_conf()")
        async with asyncio.timeout(_DEADLINE_SECONDS):
            for name, value in settings.items():
                while value != await admin.fetchval(  # noqa: ASYNC110 - see `caught_up`
                    "SELECT current_setting($1)", name
                ):
                    await anyio.sleep(0.01)


async def promote(standby: Node) -> None:
    """Make a standby a primary, and wait for that."""
    async with connected(standby.admin) as admin:
        assert await admin.fetchval("SELECT pg_promote(true, 60)")
