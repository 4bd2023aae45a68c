"""TLS as operators meet it: each mode keeps its promise, and each failure has words of its own."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import anyio
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from pg_guard_mcp.cli.main import main
from pg_guard_mcp.errors import ConfigurationError, Unavailable
from pg_guard_mcp.server import assembly
from pg_guard_mcp.settings import load_settings
from tests.postgres.databases import backends, fetch, until_idle, value
from tests.support.postgres import connected
from tests.support.tls import PASSWORD, TlsServer, speaking_tls, write_ca, write_pair
from tests.support.tls_front import tls_in_front_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pg_guard_mcp.postgres.database import Database
    from tests.support.postgres import ShopServer

# The driver says goodbye to who turned it away when nobody waits any more, and these loops are over
# by then; a server's is not.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in.*(Transport|socket):pytest.PytestUnraisableExceptionWarning"
)

AGENT_HEARS = (
    "unavailable: no secure connection to Postgres could be made\n"
    "hint: Tell the operator: `pg-guard-mcp credentials test` says why."
)
NOT_LET_IN = (
    "unavailable: Postgres did not let the server in\n"
    "hint: Tell the operator: `pg-guard-mcp credentials test` says why."
)
IS_SECURE = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
YESTERDAY = datetime.now(UTC) - timedelta(days=1)
TOMORROW = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture(scope="module", params=[pytest.param(15, marks=pytest.mark.postgres15)])
def server() -> Iterator[TlsServer]:
    """Run a server that can speak TLS, as our 18 cannot; each test says what it presents."""
    with speaking_tls() as running:
        yield running


@dataclass(kw_only=True)
class Operator:
    """Somebody who configures a connection, tests it, and runs the server on it."""

    directory: Path
    port: int
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    caplog: pytest.LogCaptureFixture
    user: str = "reader"
    password: str = PASSWORD
    database: str = "postgres"
    host: str = "127.0.0.1"
    credential: str = ""
    parameters: dict[str, object] = field(default_factory=dict)

    def variables(self, ssl: str | None) -> dict[str, str]:
        """Return what configures the connection."""
        path = self.directory / "password"
        path.touch(mode=0o600)
        path.write_text(self.password)
        query = "&".join(f"{name}={text}" for name, text in self.parameters.items())
        settings = {
            "DSN": f"postgresql://{self.user}@{self.host}:{self.port}/{self.database}?{query}",
            "CREDENTIAL": self.credential or f"file:{path}",
            **({"SSL": ssl} if ssl else {}),
        }
        return {f"PG_GUARD_DATABASE__{name}": text for name, text in settings.items()}

    def open(self, ssl: str | None = None) -> Database:
        """Open the database as the server does."""
        settings = load_settings(
            environment=self.variables(ssl), directory=self.directory, flags={}
        )
        return assembly.open_database(settings, {})

    def ask(self, ssl: str | None = None) -> str:
        """Ask whether the connection is secure: `t`, `f`, or what an agent is told instead."""

        async def run() -> str:
            database = self.open(ssl)
            try:
                return await value(database, IS_SECURE) or ""
            except Unavailable as error:
                return error.as_text()
            finally:
                await database.close()

        return anyio.run(run)

    def test(self, ssl: str | None = None) -> str:
        """Run `credentials test`; give what it says of the login."""
        for name, text in self.variables(ssl).items():
            self.monkeypatch.setenv(name, text)
        self.monkeypatch.chdir(self.directory)
        self.capsys.readouterr()
        code = main(["credentials", "test"])
        out, err = self.capsys.readouterr()
        said = out.partition("login: ")[2]
        assert err == ""
        assert code == (0 if said == "works\n" else 1)
        return said

    def fails(self, message: str, fix: str, *, heard: str = AGENT_HEARS) -> None:
        """Check who is told what of a connection that cannot be made."""
        with self.caplog.at_level(logging.WARNING):
            assert self.ask() == heard
        said = self.test()

        assert said.startswith(f"failed, {message}")
        assert said.splitlines()[1].startswith(f"  fix: {fix}")
        place = f"connect_failed host={self.host} port={self.port} "
        assert f"{place}{message}; fix: {fix}" in self.caplog.text


@pytest.fixture
def anybody(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Operator:
    """Give an operator who has no server yet."""
    return Operator(
        directory=tmp_path, port=0, monkeypatch=monkeypatch, capsys=capsys, caplog=caplog
    )


@pytest.fixture
def operator(anybody: Operator, server: TlsServer) -> Operator:
    """Give an operator who trusts the server's CA."""
    anybody.port = server.server.port
    anybody.parameters = {"sslrootcert": write_ca(anybody.directory, server.ca)}
    return anybody


def test_each_mode_takes_what_it_promises_and_nothing_less(
    operator: Operator, server: TlsServer
) -> None:
    modes = ("disable", "prefer", "require", "verify-ca", "verify-full")
    stranger = trustme.CA().issue_cert("127.0.0.1")
    presented = {
        "right": lambda: server.present(server.ca.issue_cert("127.0.0.1")),
        "other name": lambda: server.present(server.ca.issue_cert("db.example")),
        "stranger": lambda: server.present(stranger),
        "no TLS": server.speak_no_tls,
    }
    ca = operator.parameters

    def asked(mode: str, **parameters: object) -> str:
        operator.parameters = parameters
        answer = operator.ask(mode)
        assert answer in ("t", "f", AGENT_HEARS)
        return answer if answer in "tf" else "-"

    seen = {}
    for name, present in presented.items():
        present()
        # Without a CA of their own, for those modes that need none.
        plain = "".join(asked(mode) for mode in modes[:3])
        named = "".join(asked(mode, **ca) for mode in modes[2:])
        seen[name] = (plain, named)

    assert seen == {
        "right": ("ftt", "ttt"),
        "other name": ("ftt", "tt-"),
        "stranger": ("ftt", "---"),
        "no TLS": ("ff-", "---"),
    }


def test_who_may_log_in_without_tls_alone_does_so_where_it_is_optional(
    operator: Operator, server: TlsServer
) -> None:
    server.present(server.ca.issue_cert("127.0.0.1"))
    operator.user = "plainly"
    operator.parameters = {}

    assert operator.ask("prefer") == "f"
    assert operator.ask("require") == NOT_LET_IN


def test_a_query_that_is_cancelled_ends_on_the_server_through_tls_too(
    operator: Operator, server: TlsServer
) -> None:
    server.present(server.ca.issue_cert("127.0.0.1"))

    async def run() -> str | None:
        database = operator.open()
        try:
            async with (
                connected(server.server.admin) as admin,
                anyio.create_task_group() as tasks,
            ):
                tasks.start_soon(fetch, database, "SELECT count(*) FROM generate_series(1, 1e12)")
                await backends(admin, "generate_series(1, 1e12)")
                tasks.cancel_scope.cancel()
            async with connected(server.server.admin) as admin:
                await until_idle(admin)
            return await value(database, IS_SECURE)
        finally:
            await database.close()

    assert anyio.run(run) == "t"


def test_a_ca_that_is_named_is_verified_in_full_with_no_more_said(
    operator: Operator, server: TlsServer
) -> None:
    server.present(server.ca.issue_cert("127.0.0.1"))
    assert operator.ask() == "t"
    assert operator.test() == "works\n"

    server.present(server.ca.issue_cert("db.example"))
    assert operator.ask() == AGENT_HEARS


def test_a_name_is_verified_like_an_address(operator: Operator, server: TlsServer) -> None:
    operator.host = "localhost"
    server.present(server.ca.issue_cert("localhost"))
    assert operator.ask() == "t"

    server.present(server.ca.issue_cert("127.0.0.1"))
    operator.fails(
        "the server's certificate is for another host name", "write the host in database.dsn"
    )


def test_a_certificate_for_another_address_is_told(operator: Operator, server: TlsServer) -> None:
    server.present(server.ca.issue_cert("127.0.0.2"))

    operator.fails(
        "the server's certificate is for another host name", "write the host in database.dsn"
    )


def test_an_unknown_ca_is_told(operator: Operator, server: TlsServer) -> None:
    server.present(trustme.CA().issue_cert("127.0.0.1"))

    untrusted = "the server's certificate is signed by nobody who is trusted here"
    operator.fails(untrusted, "name the file with the certificate of its CA: sslrootcert")
    operator.parameters = {"sslrootcert": "system"}
    operator.fails(untrusted, "name the file with the certificate of its CA: sslrootcert")


def test_a_certificate_of_another_time_is_told(operator: Operator, server: TlsServer) -> None:
    issue = server.ca.issue_cert
    server.present(issue("127.0.0.1", not_after=YESTERDAY))
    operator.fails("the server's certificate has expired", "renew it")

    server.present(issue("127.0.0.1", not_before=TOMORROW))
    operator.fails("the server's certificate is not valid yet", "check the clocks")


def test_a_server_without_tls_is_told(operator: Operator, server: TlsServer) -> None:
    server.speak_no_tls()

    operator.fails("the server does not offer TLS", "set ssl = on in postgresql.conf")


def test_a_server_that_speaks_versions_of_the_past_alone_is_told(
    operator: Operator, server: TlsServer
) -> None:
    server.present(server.ca.issue_cert("127.0.0.1"), newest="TLSv1.1")

    operator.fails(
        "the server speaks no version of TLS that is accepted here", "allow TLS 1.2 or later"
    )


@pytest.mark.parametrize("user", ["holder", "doubly"])
def test_a_client_certificate_lets_its_role_in(
    operator: Operator, server: TlsServer, user: str
) -> None:
    server.present(server.ca.issue_cert("127.0.0.1"))
    operator.user = user
    operator.credential = "none" if user == "holder" else ""
    operator.fails(
        "Postgres said 28000",
        "name a client certificate that the server trusts for this role: sslcert and sslkey",
        heard=NOT_LET_IN,
    )

    shown, key = write_pair(operator.directory, server.ca.issue_cert(common_name=user))
    operator.parameters |= {"sslcert": shown, "sslkey": key}

    assert operator.ask() == "t"
    assert operator.test() == "works\n"


def test_a_client_certificate_of_another_role_is_told(
    operator: Operator, server: TlsServer
) -> None:
    server.present(server.ca.issue_cert("127.0.0.1"))
    operator.user = "holder"
    shown, key = write_pair(operator.directory, server.ca.issue_cert(common_name="doubly"))
    operator.parameters |= {"sslcert": shown, "sslkey": key}

    operator.fails("Postgres said 28000", "name a client certificate", heard=NOT_LET_IN)


def test_a_client_certificate_that_the_server_does_not_trust_is_told(
    operator: Operator, server: TlsServer
) -> None:
    operator.user = "holder"
    stranger = trustme.CA().issue_cert(common_name="holder")
    expired = server.ca.issue_cert(common_name="holder", not_after=YESTERDAY)
    for certificate in (stranger, expired):
        shown, key = write_pair(operator.directory, certificate)
        operator.parameters |= {"sslcert": shown, "sslkey": key}

        server.present(server.ca.issue_cert("127.0.0.1"), newest="TLSv1.2")
        operator.fails("the server rejected the client certificate", "name a client certificate")

        # Later versions say so after the handshake, where it may be lost.
        server.present(server.ca.issue_cert("127.0.0.1"))
        assert operator.ask() == AGENT_HEARS
        message, fix = operator.test().splitlines()
        assert message in (
            "failed, the server rejected the client certificate",
            "failed, the server hung up after the TLS handshake",
        )
        assert "name a client certificate" in fix


def test_certificates_that_are_renewed_are_used_without_a_restart(
    operator: Operator, server: TlsServer
) -> None:
    server.present(server.ca.issue_cert("127.0.0.1"))
    operator.user = "holder"
    expired = server.ca.issue_cert(common_name="holder", not_after=YESTERDAY)
    shown, key = write_pair(operator.directory, expired)
    operator.parameters |= {"sslcert": shown, "sslkey": key}

    async def run() -> str | None:
        database = operator.open()
        try:
            with pytest.raises(Unavailable):
                await value(database, IS_SECURE)
            write_pair(operator.directory, server.ca.issue_cert(common_name="holder"))
            return await value(database, IS_SECURE)
        finally:
            await database.close()

    assert anyio.run(run) == "t"


def test_certificates_that_vanish_are_told_to_the_operator_alone(
    operator: Operator, server: TlsServer
) -> None:
    server.present(server.ca.issue_cert("127.0.0.1"))

    async def run() -> str:
        database = operator.open()
        (operator.directory / "ca.pem").unlink()
        try:
            with operator.caplog.at_level(logging.ERROR), pytest.raises(Unavailable) as caught:
                await value(database, IS_SECURE)
        finally:
            await database.close()
        return caught.value.as_text()

    assert anyio.run(run) == (
        "unavailable: the server has no usable database credential\n"
        "hint: Tell the operator: `pg-guard-mcp credentials test` says what is missing."
    )
    assert "the sslrootcert of database.dsn holds no certificates" in operator.caplog.text


def test_a_key_that_others_can_read_or_that_does_not_fit_stops_the_start(
    operator: Operator,
    server: TlsServer,
) -> None:
    ca = server.ca
    shown, key = write_pair(operator.directory, ca.issue_cert(common_name="holder"))
    operator.parameters |= {"sslcert": shown, "sslkey": key}
    operator.open()

    key.chmod(0o640)
    with pytest.raises(ConfigurationError, match="is open to other users"):
        operator.open()

    key.chmod(0o600)
    key.write_bytes(ca.issue_cert(common_name="holder").private_key_pem.bytes())
    with pytest.raises(ConfigurationError, match="are no certificate with its key"):
        operator.open()

    encrypted = load_pem_private_key(key.read_bytes(), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase")
    )
    key.write_bytes(encrypted)
    with pytest.raises(ConfigurationError, match="are no certificate with its key"):
        operator.open()

    key.unlink()
    with pytest.raises(ConfigurationError, match="are no certificate with its key"):
        operator.open()


def test_postgres_18_is_read_through_tls_and_only_from_whom_it_should(
    anybody: Operator, postgres: ShopServer
) -> None:
    ca, agent = trustme.CA(), postgres.agent
    anybody.user, anybody.database, anybody.password = agent.user, agent.database, agent.password
    anybody.parameters = {"sslrootcert": write_ca(anybody.directory, ca)}
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    with tls_in_front_of(agent, context) as anybody.port:
        assert anybody.test() == "works\n"
        assert anybody.ask() == "f"  # so says Postgres, which is behind it

        anybody.parameters = {"sslrootcert": "system"}
        anybody.fails(
            "the server's certificate is signed by nobody who is trusted here", "name the file"
        )


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_proxy_that_demands_a_client_certificate_is_told(
    anybody: Operator, postgres: ShopServer, newest: ssl.TLSVersion
) -> None:
    ca, agent = trustme.CA(), postgres.agent
    anybody.user, anybody.database, anybody.password = agent.user, agent.database, agent.password
    anybody.parameters = {"sslrootcert": write_ca(anybody.directory, ca)}
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = newest
    ca.configure_trust(context)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    with tls_in_front_of(agent, context) as anybody.port:
        assert anybody.ask() == AGENT_HEARS
        message, fix = anybody.test().splitlines()
        assert message in (
            "failed, the server broke off the TLS handshake",  # in TLS 1.2
            "failed, the server demands a client certificate",
            "failed, the server hung up after the TLS handshake",
        )
        assert "name a client certificate" in fix

        shown, key = write_pair(anybody.directory, ca.issue_cert(common_name=agent.user))
        anybody.parameters |= {"sslcert": shown, "sslkey": key}

        assert anybody.test() == "works\n"
        assert anybody.ask() == "f"
