"""TLS verifies the server by default, and gives up only as much as the mode says."""

from __future__ import annotations

import ssl
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.errors import ConfigurationError
from pg_guard_mcp.settings import PLAIN, ConnectionTarget, SslMode, tls_for
from pg_guard_mcp.settings.dsn import parse_dsn

if TYPE_CHECKING:
    from pathlib import Path

TARGET = parse_dsn("postgresql://ro@db/shop")
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBdjCCARugAwIBAgIUfHvWN239d7Wu2WHgAYXHbVjmjtkwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjExMDI4MTJaGA8yMTI2MTAyODEwMjgx
MlowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNRJ
zW2haHyj8TpcKaZRJE5yMezOa+IUPUQSJH9CBQRqrbyt6YTcwnYX58f4lv9Vb8yV
2B3oKZgtm8lgH8Lz8XGjUzBRMB0GA1UdDgQWBBSzgh6sV5Ygnj7dis15nhNK0v7l
VjAfBgNVHSMEGDAWgBSzgh6sV5Ygnj7dis15nhNK0v7lVjAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0kAMEYCIQDEkwp9PGEqiUAks01vAgG9fIwv8Bhe7ob9
czDlQcLWGgIhAO0ZB//wWOW10BOOJNLUmZcoAkK51tNDphG4AR3CR0NK
-----END CERTIFICATE-----
"""


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    """Write a certificate to trust."""
    path = tmp_path / "ca.pem"
    path.write_text(CERTIFICATE, encoding="ascii")
    return path


def context_of(target: ConnectionTarget) -> ssl.SSLContext:
    """Return the context of a mode that has one."""
    context = tls_for(target).context
    assert context
    return context


@pytest.mark.parametrize(
    ("mode", "verify_mode", "is_hostname_checked"),
    [
        (None, ssl.CERT_REQUIRED, True),
        ("verify-full", ssl.CERT_REQUIRED, True),
        ("verify-ca", ssl.CERT_REQUIRED, False),
        ("require", ssl.CERT_NONE, False),
    ],
)
def test_a_mode_verifies_what_its_name_says(
    mode: SslMode | None, verify_mode: ssl.VerifyMode, *, is_hostname_checked: bool
) -> None:
    context = context_of(replace(TARGET, ssl=mode))

    assert context.verify_mode is verify_mode
    assert context.check_hostname is is_hostname_checked
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_mode_that_verifies_nobody_heeds_a_ca_that_is_named_as_libpq_does(ca: Path) -> None:
    context = context_of(replace(TARGET, ssl="require", root_certificate=str(ca)))

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert not context.check_hostname


def test_tls_is_optional_on_this_machine_alone() -> None:
    local = parse_dsn("postgresql://ro@localhost/shop")

    assert tls_for(replace(local, ssl="prefer")).is_optional
    assert not tls_for(replace(local, ssl="require")).is_optional
    assert not tls_for(replace(TARGET, ssl="prefer")).is_optional
    assert tls_for(replace(local, ssl="disable")) == PLAIN


def test_the_keys_of_a_session_are_written_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))

    assert context_of(replace(TARGET, ssl="verify-full")).keylog_filename is None


def test_only_the_named_certificates_are_trusted(ca: Path) -> None:
    context = context_of(replace(TARGET, root_certificate=str(ca)))

    (trusted,) = context.get_ca_certs()
    assert trusted["subject"] == ((("commonName", "test"),),)


def test_certificates_that_cannot_be_read_stop_the_start(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("nonsense", encoding="ascii")

    for broken in (path, tmp_path / "missing.pem"):
        with pytest.raises(ConfigurationError, match="sslrootcert"):
            tls_for(replace(TARGET, root_certificate=str(broken)))
