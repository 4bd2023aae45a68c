"""PgBouncer in front of a Postgres of ours, as many operators have it in front of theirs.

It listens on loopback, as an account without rights where we are root, with no setting that Debian
does not have either but those that say where everything is. The variable PGBOUNCER names another
binary than Debian's, to try another version.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pg_guard_mcp.demo.site import spawn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.demo.cluster import Login
    from tests.support.postgres import OwnServer

_BINARY = Path(os.environ.get("PGBOUNCER", "/usr/sbin/pgbouncer"))
_LOOPBACK = "127.0.0.1"
_SECONDS = 20.0
_KNOWS_PREPARED_STATEMENTS = (1, 21)


def has_pgbouncer() -> bool:
    """Tell whether this machine has PgBouncer."""
    return _BINARY.exists()


@cache
def _version() -> tuple[int, ...]:
    if not has_pgbouncer():
        return (0,)
    said = subprocess.run([_BINARY, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"PgBouncer (\d+)\.(\d+)", said.stdout)
    assert found, said.stdout
    return tuple(map(int, found.groups()))


def kinds() -> list[dict[str, str]]:
    """Give the settings that matter to a client, each way that this version has them."""
    modes = [{"pool_mode": mode} for mode in ("transaction", "session")]
    if _version() < _KNOWS_PREPARED_STATEMENTS:
        return modes
    return [
        {**mode, "max_prepared_statements": number} for mode in modes for number in ("0", "200")
    ]


@dataclass(slots=True, kw_only=True)
class PgBouncer:
    """A PgBouncer that runs, or did a moment ago; `login` is the way through it."""

    server: OwnServer
    port: int
    directory: Path
    process: subprocess.Popen[bytes]

    def login(self, login: Login) -> Login:
        """Return the login that goes through PgBouncer."""
        return replace(login, host=_LOOPBACK, port=self.port)

    def lead_to(self, login: Login) -> None:
        """Lead its clients to another server from now on, without a word to them."""
        path = self.directory / "ini"
        lines = path.read_text(encoding="ascii").splitlines(keepends=True)
        path.write_text("".join([lines[0], _databases(login), *lines[2:]]), encoding="ascii")
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """End it at once, with all its connections."""
        self.process.kill()  # of the gentler signals, no two versions make the same
        self.process.wait(_SECONDS)

    def start(self) -> None:
        """Start it again, where it was."""
        self.process = _started(self.server, self.directory, self.port)


@contextmanager
def pgbouncer(server: OwnServer, *, connections: int = 8, **settings: str) -> Iterator[PgBouncer]:
    """Run PgBouncer in front of `server`, with so many connections to each of its databases."""
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        port = probe.getsockname()[1]
    site = server.server._hold.site
    directory = site.home / f"pgbouncer-{secrets.token_hex(4)}"
    directory.mkdir(mode=0o700)
    users = directory / "users"
    users.write_text(
        "".join(f'"{login.user}" "{login.password}"\n' for login in (server.admin, server.agent)),
        encoding="ascii",
    )
    lines = {
        "listen_addr": _LOOPBACK,
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "scram-sha-256",
        "auth_file": users,
        "logfile": directory / "log",
        "default_pool_size": connections,
        "server_login_retry": 1,
        **settings,
    }
    (directory / "ini").write_text(
        f"[databases]\n{_databases(server.admin)}[pgbouncer]\n"
        + "".join(f"{name} = {value}\n" for name, value in lines.items()),
        encoding="ascii",
    )
    if site.account:
        for path in (users, directory / "ini", directory):
            os.chown(path, *site.account)
    process = _started(server, directory, port)
    bouncer = PgBouncer(server=server, port=port, directory=directory, process=process)
    try:
        yield bouncer
    finally:
        bouncer.stop()


def _databases(login: Login) -> str:
    return f"* = host={login.host} port={login.port}\n"


def _started(server: OwnServer, directory: Path, port: int) -> subprocess.Popen[bytes]:
    process = spawn(server.server._hold.site, [_BINARY, directory / "ini"])
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection((_LOOPBACK, port), timeout=1):
            return process
        threading.Event().wait(0.01)
    process.kill()
    raise AssertionError("PgBouncer did not start: " + (directory / "log").read_text())
