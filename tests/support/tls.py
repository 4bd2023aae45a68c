"""A throw-away Postgres that speaks TLS, with certificates made for the test.

    with speaking_tls() as server:
        server.present(server.ca.issue_cert("127.0.0.1"))

The 18 of our wheel is built without TLS; `tests.support.tls_front` speaks it for that one.
`present` changes what the server shows while it runs. Roles: `reader` logs in with a password,
`holder` with a certificate alone, `doubly` with both, `plainly` without TLS.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anyio
import trustme

from pg_guard_mcp.demo.cluster import EmbeddedServer, Login, throwaway_server
from tests.support.postgres import POSTGRES_15, connected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD = "correct-horse-battery"  # noqa: S105 - it opens a server that is gone in a moment
_DEADLINE_SECONDS = 20
_RULES = """\
local   all postgres           scram-sha-256
hostssl all holder 127.0.0.1/32 cert
hostssl all doubly 127.0.0.1/32 scram-sha-256 clientcert=verify-full
hostnossl all plainly 127.0.0.1/32 scram-sha-256
host    all reader 127.0.0.1/32 scram-sha-256
"""
_OFF = {"ssl": "off"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsServer:
    """A server with its CA; `reader` logs in over loopback."""

    server: EmbeddedServer
    ca: trustme.CA
    """Signs certificates of clients that the server trusts."""
    reader: Login

    def present(self, certificate: trustme.LeafCert, *, newest: str = "") -> None:
        """Speak TLS with this certificate from now on, and no later version than `newest`."""
        pem = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
        self._write("server.key", certificate.private_key_pem.bytes())
        self._write("server.crt", pem)
        files = {"ssl_cert_file": "server.crt", "ssl_key_file": "server.key"}
        versions = {
            "ssl_min_protocol_version": "TLSv1",
            "ssl_max_protocol_version": newest,
        }
        self._set({"ssl": "on", **files, "ssl_ca_file": "ca.crt", **versions})

    def speak_no_tls(self) -> None:
        """Speak no TLS from now on."""
        self._set(_OFF)

    def configure(self) -> None:
        """Make the roles, and say who may log in how."""
        self._write("pg_hba.conf", _RULES.encode())
        self._write("ca.crt", self.ca.cert_pem.bytes())
        roles = [
            f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'"
            for name in ("reader", "doubly", "plainly")
        ]
        anyio.run(self._reload, [*roles, "CREATE ROLE holder LOGIN"])

    def _write(self, name: str, content: bytes) -> None:
        data = self.server.directory / "data"
        path = data / name
        path.write_bytes(content)
        path.chmod(0o600)
        status = data.stat()
        os.chown(path, status.st_uid, status.st_gid)

    def _set(self, settings: dict[str, str]) -> None:
        commands = [f"ALTER SYSTEM SET {name} = '{value}'" for name, value in settings.items()]
        anyio.run(self._reload, commands)

    async def _reload(self, commands: list[str]) -> None:
        """Run commands, and wait until new connections go by them."""
        async with connected(self.server.admin) as admin:
            for command in commands:
                await admin.execute(command)
            before = await admin.fetchval("SELECT clock_timestamp()")
            await admin.execute("SELECT pg_reload_conf()")
        is_loaded = False
        with anyio.fail_after(_DEADLINE_SECONDS):
            while not is_loaded:
                await anyio.sleep(0.01)  # nobody tells: it must be asked, on a new connection
                async with connected(self.server.admin) as admin:
                    is_loaded = await admin.fetchval("SELECT pg_conf_load_time() >= $1", before)


@contextmanager
def speaking_tls() -> Iterator[TlsServer]:
    """Run PostgreSQL 15, which listens on loopback and can speak TLS."""
    with throwaway_server(POSTGRES_15, loopback=True) as server:
        reader = replace(
            server.admin, host="127.0.0.1", port=server.port, user="reader", password=PASSWORD
        )
        made = TlsServer(server=server, ca=trustme.CA(), reader=reader)
        made.configure()
        yield made


def write_ca(directory: Path, ca: trustme.CA) -> Path:
    """Write the certificate of a CA where a DSN can name it."""
    path = directory / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return path


def write_pair(directory: Path, certificate: trustme.LeafCert) -> tuple[Path, Path]:
    """Write a certificate and its key where a DSN can name them; the key is the owner's alone."""
    shown, key = directory / "client.crt", directory / "client.key"
    shown.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    key.touch(mode=0o600)
    key.write_bytes(certificate.private_key_pem.bytes())
    return shown, key
