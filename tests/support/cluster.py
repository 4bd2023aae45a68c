"""A Postgres that may be killed, restarted and moved: one of a test's own, never the shared one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread
import psutil

if TYPE_CHECKING:
    from pg_guard_mcp.demo.cluster import EmbeddedServer

_SECONDS = 60
_LOOK_SECONDS = 0.05


class Cluster:
    """A throw-away server, from the side of who runs the machine."""

    def __init__(self, server: EmbeddedServer) -> None:
        """Find out how the server was started, so that it can be started again."""
        self._data = server.directory / "data"
        postmaster = psutil.Process(server.process_id)
        self._pg_ctl = Path(postmaster.exe()).with_name("pg_ctl")
        self._user, self._group = postmaster.uids().real, postmaster.gids().real

    @property
    def postmaster(self) -> int:
        """The number of the first of its processes."""
        return int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])

    def kill(self, process_id: int) -> None:
        """Send one of its processes SIGKILL, as a machine out of memory does."""
        os.kill(process_id, signal.SIGKILL)

    async def restart(self, mode: str = "immediate") -> None:
        """Start it again with the options it had, ending it first if it still runs."""
        await anyio.to_thread.run_sync(self._restart, mode)

    async def listen_on(self, address: str) -> None:
        """Restart it so that any host can reach it at `address`, too; at none if that is empty."""
        options = self._data / "postmaster.opts"
        told = options.read_text()
        options.write_text(re.sub('(?<=--listen_addresses=)[^"]*', address, told))
        with (self._data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all all scram-sha-256\n")
        await self.restart()

    def _forget_the_dead(self) -> None:
        """Take away what a killed postmaster left: pg_ctl waits for it, and some inits reap late.

        Not before its backends have gone, for they still write.
        """
        with suppress(FileNotFoundError, psutil.NoSuchProcess):
            if psutil.Process(self.postmaster).status() != psutil.STATUS_ZOMBIE:
                return
            for _ in range(int(_SECONDS / _LOOK_SECONDS)):
                if not any(_cwd(process) == self._data for process in psutil.process_iter()):
                    # A line each for number, directory, time, port and sockets. (PostgreSQL manual,
                    # Database File Layout.)
                    told = (self._data / "postmaster.pid").read_text().split("\n")
                    (self._data / "postmaster.pid").unlink()
                    (Path(told[4]) / f".s.PGSQL.{told[3]}.lock").unlink(missing_ok=True)
                    return
                time.sleep(_LOOK_SECONDS)
            raise AssertionError("backends outlive their postmaster")

    def _restart(self, mode: str) -> None:
        self._forget_the_dead()
        subprocess.run(
            [self._pg_ctl, "-D", self._data, "-m", mode, "-w", "-t", str(_SECONDS), "restart"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            user=self._user if os.geteuid() == 0 else None,
            group=self._group if os.geteuid() == 0 else None,
            extra_groups=[] if os.geteuid() == 0 else None,
        )


def _cwd(process: psutil.Process) -> Path | None:
    with suppress(psutil.Error):
        return Path(process.cwd())
    return None
