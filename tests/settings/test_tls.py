"""TLS verifies the server by default, and gives up only as much as the mode says."""

from __future__ import annotations

import ssl
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.errors import ConfigurationError
from pg_guard_mcp.settings import SslMode, tls_for
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
    context = tls_for(replace(TARGET, ssl=mode))

    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is verify_mode
    assert context.check_hostname is is_hostname_checked


def test_two_modes_may_end_without_tls() -> None:
    assert tls_for(replace(TARGET, ssl="disable")) is False
    assert tls_for(replace(TARGET, ssl="prefer")) == "prefer"


def test_only_the_named_certificates_are_trusted(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text(CERTIFICATE, encoding="ascii")

    context = tls_for(replace(TARGET, root_certificate=str(path)))

    assert isinstance(context, ssl.SSLContext)
    (trusted,) = context.get_ca_certs()
    assert trusted["subject"] == ((("commonName", "test"),),)


def test_certificates_that_cannot_be_read_stop_the_start(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("nonsense", encoding="ascii")

    for broken in (path, tmp_path / "missing.pem"):
        with pytest.raises(ConfigurationError, match="sslrootcert"):
            tls_for(replace(TARGET, root_certificate=str(broken)))
