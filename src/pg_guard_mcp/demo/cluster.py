"""A throw-away Postgres: an installation in, a running server out, nothing left behind.

Two things are decided here, each against the obvious alternative:

- Passwords, not trust. Under trust, whoever reaches the socket is superuser.
- A caretaker process, not signal handlers. It waits on a pipe that closes when this process ends,
  however it ends: SIGKILL runs no handler, and MCP clients do send it.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import socket
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote, urlencode

from pg_guard_mcp.demo.site import Installation, Site, choose_site, furnish, run, spawn
from pg_guard_mcp.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_LOOPBACK = "127.0.0.1"
_SOCKET_PORT = 5432
_SUPERUSER = "postgres"

# Durability is off: a demo or a test that loses its machine has lost nothing. Autovacuum is off so
# that estimates stay as the seed left them.
_SETTINGS = {
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "unix_socket_permissions": "0700",
}

# Arguments: pg_ctl, the data directory, then the directories to remove. Every end of the pipe but
# the word `keep` means: clean up.
_CARETAKER = """
trap '' HUP INT TERM
read -r word
[ "$word" = keep ] && exit 0
"$1" -D "$2" -m immediate -w -t 20 stop
shift 2
rm -rf -- "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How a role logs in; the password shows neither in a repr nor in `dsn`."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str

    def dsn(self) -> str:
        """Return a connection URI without the password."""
        user, database = quote(self.user, safe=""), quote(self.database, safe="")
        if not self.host.startswith("/"):
            return f"postgresql://{user}@{self.host}:{self.port}/{database}"
        where = urlencode({"host": self.host, "port": self.port}, quote_via=quote, safe="/")
        return f"postgresql://{user}@/{database}?{where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedServer:
    """A running server of ours; `admin` is its superuser."""

    admin: Login
    socket_directory: Path
    port: int
    directory: Path
    """Everything the server owns but a socket whose path would be too long."""
    log: Path
    process_id: int
    """The postmaster's; SIGINT ends it."""
    _hold: _Hold = field(repr=False)

    def stop(self) -> None:
        """End the server and remove its directory; a second time does nothing."""
        self._hold.clean_up()


@dataclass(frozen=True, slots=True)
class _Hold:
    """A site on which a server may run, and the caretaker that will end it if we cannot."""

    site: Site
    caretaker: subprocess.Popen[bytes]

    def clean_up(self) -> None:
        """End the server and remove every trace of it."""
        if self.site.data.exists():
            # Immediate: the data goes anyway. It fails where no server runs, which is as well.
            command = _pg_ctl(self.site, "-m", "immediate", "stop")
            run(self.site, command, subprocess.DEVNULL)
        self.release()
        for directory in (self.site.home, self.site.sockets):
            shutil.rmtree(directory, ignore_errors=True)

    def release(self) -> None:
        """Send the caretaker home, so that the server outlives us."""
        with suppress(ValueError):  # it was sent before
            self.caretaker.communicate(b"keep\n")


@contextmanager
def throwaway_server(
    installation: Installation,
    directory: Path | None = None,
    *,
    keep: bool = False,
    loopback: bool = False,
) -> Iterator[EmbeddedServer]:
    """Run a new server in a fresh directory under `directory`, and remove both afterwards.

    `keep` leaves it running when the block ends without an exception. `loopback` has it listen on
    a free port of 127.0.0.1 besides its socket.

    Raises:
        ConfigurationError: there is no directory to use, or Postgres did not start.

    """
    site = choose_site(installation, directory)
    hold = _Hold(site, _start_caretaker(site))
    kept = False
    try:
        port = _free_port() if loopback else _SOCKET_PORT
        admin = Login(
            host=str(site.sockets),
            port=port,
            user=_SUPERUSER,
            password=secrets.token_urlsafe(24),
            database="postgres",
        )
        with furnish(site, installation, admin.password) as log:
            _initialise(site, installation, log)
            _start(site, installation, log, port=port, listen=_LOOPBACK if loopback else "")
        yield EmbeddedServer(
            admin=admin,
            socket_directory=site.sockets,
            port=port,
            directory=site.home,
            log=site.log,
            process_id=int((site.data / "postmaster.pid").read_text().split("\n", 1)[0]),
            _hold=hold,
        )
        kept = keep
    finally:
        if kept:
            hold.release()
        else:
            hold.clean_up()


def _start_caretaker(site: Site) -> subprocess.Popen[bytes]:
    script = ("/bin/sh", "-c", _CARETAKER, "sh")
    paths = (site.binaries / "pg_ctl", site.data, site.home, site.sockets)
    return spawn(site, [*script, *paths], stdin=subprocess.PIPE)


def _initialise(site: Site, installation: Installation, log: BinaryIO) -> None:
    options = [
        f"--pgdata={site.data}",
        f"--username={_SUPERUSER}",
        f"--pwfile={site.password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--no-sync",
        *installation.initdb_options,
    ]
    succeeded = run(site, [site.binaries / "initdb", *options], log)
    site.password_file.unlink()
    if not succeeded:
        raise _failure("be initialised", log)


def _start(
    site: Site, installation: Installation, log: BinaryIO, *, port: int, listen: str
) -> None:
    settings = {
        **_SETTINGS,
        **installation.settings,
        "listen_addresses": listen,
        "port": str(port),
        "unix_socket_directories": f'"{site.sockets}"',
    }
    # On the command line, where no file that is not ours any more has to be written.
    options = shlex.join(f"--{name}={value}" for name, value in settings.items())
    if not run(site, _pg_ctl(site, "-s", "-o", options, "start"), log):
        raise _failure("start", log)


def _pg_ctl(site: Site, *arguments: str) -> Sequence[str | Path]:
    return [site.binaries / "pg_ctl", "-D", site.data, "-w", "-t", "60", *arguments]


def _failure(what: str, log: BinaryIO) -> ConfigurationError:
    lines = os.pread(log.fileno(), 50_000, 0).decode(errors="replace").splitlines()
    telling = [line for line in lines if "FATAL:" in line or "error:" in line] or [
        "no reason given"
    ]
    fix = "mend what it says; disk space, shared memory and process limits are the usual causes"
    return ConfigurationError([Problem(f"Postgres could not {what}: {telling[0]}", fix)])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
