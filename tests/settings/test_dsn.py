"""A DSN names servers and never a password; TLS is as strong as it is not said otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pg_guard_mcp.errors import ConfigurationError
from pg_guard_mcp.settings import ConnectionTarget, load_settings, require_database
from pg_guard_mcp.settings.dsn import parse_dsn
from pg_guard_mcp.settings.values import InvalidSettingError
from tests.settings.loading import SECRET

if TYPE_CHECKING:
    from pathlib import Path


def target(directory: Path, dsn: str, **database: str) -> ConnectionTarget:
    """Return where these settings lead."""
    flags = {f"database.{name}": value for name, value in database.items()}
    settings = load_settings(
        environment={}, directory=directory, flags={"database.dsn": dsn, **flags}
    )
    return require_database(settings)


@pytest.mark.parametrize(
    ("dsn", "hosts", "ports"),
    [
        ("postgresql://ro@db/shop", ("db",), (5432,)),
        ("postgres://ro@db:6432/shop", ("db",), (6432,)),
        ("postgresql://ro@a:1,b,c:3/shop", ("a", "b", "c"), (1, 5432, 3)),
        ("postgresql://ro@[::1]:6432,[2001:db8::1]/shop", ("::1", "2001:db8::1"), (6432, 5432)),
        ("postgresql://ro@/shop?host=/run/pg", ("/run/pg",), (5432,)),
        ("postgresql://ro@%2Frun%2Fpg:6432/shop", ("/run/pg",), (6432,)),
        ("postgresql:///?host=db&user=ro&dbname=shop&port=6432", ("db",), (6432,)),
        ("host=db user=ro dbname=shop", ("db",), (5432,)),
        ("host = a,b port=1,2 user='ro' dbname=shop", ("a", "b"), (1, 2)),
        ("host=a,b port=6432 user=ro dbname=shop", ("a", "b"), (6432, 6432)),
    ],
)
def test_a_dsn_is_read_as_libpq_reads_it(
    dsn: str, hosts: tuple[str, ...], ports: tuple[int, ...]
) -> None:
    assert parse_dsn(dsn) == ConnectionTarget(hosts=hosts, ports=ports, user="ro", database="shop")


def test_escapes_are_undone_in_both_forms() -> None:
    uri = parse_dsn("postgresql://a%40corp@db/my%20shop?sslrootcert=/etc/ca%2Bb.pem")
    keywords = parse_dsn(r"host=db user=a@corp dbname='my shop' sslrootcert=/etc/ca\+b.pem")

    assert uri == keywords
    assert uri.user == "a@corp"
    assert uri.database == "my shop"
    assert uri.root_certificate == "/etc/ca+b.pem"


def test_certificates_are_named_by_their_full_paths() -> None:
    shown = parse_dsn("postgresql://ro@db/shop?sslcert=/etc/ro.crt&sslkey=/etc/ro.key")
    trusted = parse_dsn("host=db user=ro dbname=shop sslrootcert=system")

    assert (shown.client_certificate, shown.client_key) == ("/etc/ro.crt", "/etc/ro.key")
    assert trusted.root_certificate == "system"


@pytest.mark.parametrize(
    "dsn",
    [
        f"postgresql://ro:{SECRET}@db/shop",
        "postgresql://ro:@db/shop",
        f"postgresql://ro:x/{SECRET}@db/shop",
        f"postgresql://ro:x@{SECRET}@db/shop",
        f"postgresql://ro@db/shop?password={SECRET}",
        f"postgresql://ro@db/shop?%70assword={SECRET}",
        f"postgresql://ro@db/shop?PASSWORD={SECRET}",
        "postgresql://ro@db/shop?passfile=/home/ro/.pgpass",
        f"postgresql://ro@db/shop?sslpassword={SECRET}",
        f"host=db user=ro dbname=shop password={SECRET}",
        f"host=db user=ro dbname=shop password = '{SECRET}'",
    ],
)
@pytest.mark.parametrize("source", ["file", "environment", "dotenv", "flag"])
def test_a_password_in_a_dsn_is_refused_in_every_source(
    tmp_path: Path, dsn: str, source: str
) -> None:
    if source == "file":
        text = f'[database]\ndsn = "{dsn}"'
        (tmp_path / "pg-guard.toml").write_text(text, encoding="utf-8")
    if source == "dotenv":
        (tmp_path / ".env").write_text(f'PG_GUARD_DATABASE__DSN="{dsn}"', encoding="utf-8")

    with pytest.raises(ConfigurationError) as caught:
        load_settings(
            environment={"PG_GUARD_DATABASE__DSN": dsn} if source == "environment" else {},
            directory=tmp_path,
            flags={"database.dsn": dsn} if source == "flag" else {},
        )

    text = caught.value.as_text()
    assert "holds a password" in text
    assert 'credential = "env:NAME"' in text
    assert SECRET not in text


@pytest.mark.parametrize(
    "dsn",
    [
        SECRET,
        "mysql://ro@db/shop",
        "postgresql://db/shop",
        "postgresql://ro@/shop",
        "postgresql://ro@db",
        "postgresql://ro@db:0/shop",
        "postgresql://ro@db:65536/shop",
        "postgresql://ro@db:x/shop",
        "postgresql://ro@[::1/shop",
        "postgresql://ro@[::1]x/shop",
        "postgresql://ro@a%2Cb/shop",
        "postgresql://ro@a,,b/shop",
        "postgresql://ro@db/shop%00",
        "postgresql://ro@db/shop?host=other",
        "postgresql://ro@db/shop?service=prod",
        "postgresql://ro@db/shop?options=-crole%3Dpostgres",
        "postgresql://ro@db/shop?sslmode=allow",
        "postgresql://ro@db/shop?sslrootcert=ca.pem",
        "postgresql://ro@db/shop?sslcert=ro.crt&sslkey=/etc/ro.key",
        "postgresql://ro@db/shop?sslcert=/etc/ro.crt&sslkey=ro.key",
        "postgresql://ro@db/shop?sslcert=system&sslkey=/etc/ro.key",
        "postgresql://ro@db/shop?sslcert=/etc/ro.crt",
        "postgresql://ro@db/shop?sslkey=/etc/ro.key",
        "postgresql://ro@a,b/shop?port=1,2,3",
        "host=db user=ro dbname='shop",
        "host=db user=ro dbname=shop user=other",
        "host=a,b port=1,2,3 user=ro dbname=shop",
        "host=@abstract user=ro dbname=shop",
    ],
)
def test_a_dsn_that_leaves_anything_open_is_refused(dsn: str) -> None:
    with pytest.raises(InvalidSettingError) as caught:
        parse_dsn(dsn)

    assert SECRET not in caught.value.message + caught.value.fix


@given(
    st.text(max_size=100), st.sampled_from(["", "postgresql://", "postgresql://u@h/d?", "host="])
)
def test_any_text_is_a_dsn_or_is_refused(text: str, prefix: str) -> None:
    try:
        parsed = parse_dsn(prefix + text)
    except InvalidSettingError:
        return

    assert parsed.user
    assert parsed.database
    assert len(parsed.hosts) == len(parsed.ports) > 0


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("/run/pg", True),
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("/run/pg,localhost", True),
        ("localhost,db", False),
        ("db", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        ("0.0.0.0", False),  # noqa: S104 - not bound to, only judged
        ("10.0.0.1", False),
    ],
)
def test_only_sockets_and_loopback_are_local(host: str, *, is_local: bool) -> None:
    assert parse_dsn(f"host={host} user=ro dbname=shop").is_local is is_local


def test_across_a_network_the_server_is_verified_unless_a_setting_says_otherwise(
    tmp_path: Path,
) -> None:
    assert target(tmp_path, "postgresql://ro@db/shop").ssl == "verify-full"
    assert target(tmp_path, "postgresql://ro@localhost,db/shop").ssl == "verify-full"
    assert target(tmp_path, "postgresql://ro@db/shop?sslmode=verify-full").ssl == "verify-full"
    assert target(tmp_path, "postgresql://ro@db/shop", ssl="require").ssl == "require"


def test_on_this_machine_tls_is_used_when_offered(tmp_path: Path) -> None:
    assert target(tmp_path, "postgresql://ro@localhost/shop").ssl == "prefer"
    assert target(tmp_path, "postgresql://ro@localhost/shop?sslmode=disable").ssl == "disable"
    assert target(tmp_path, "postgresql://ro@localhost/shop", ssl="verify-full").ssl == (
        "verify-full"
    )


@pytest.mark.parametrize("dsn", ["postgresql://ro@db/shop", "postgresql://ro@localhost,db/shop"])
def test_nobody_across_a_network_is_offered_to_do_without_tls(tmp_path: Path, dsn: str) -> None:
    for text, settings in ((dsn, {"ssl": "prefer"}), (f"{dsn}?sslmode=prefer", {})):
        with pytest.raises(ConfigurationError, match="plain text") as caught:
            target(tmp_path, text, **settings)

        assert "Leave it out" in caught.value.as_text()


def test_a_ca_that_is_named_on_this_machine_is_heeded(tmp_path: Path) -> None:
    dsn = "postgresql://ro@localhost/shop?sslrootcert="

    assert target(tmp_path, dsn + "/etc/ca.pem").ssl == "verify-full"
    assert target(tmp_path, dsn + "system").ssl == "verify-full"
    assert target(tmp_path, dsn + "/etc/ca.pem", ssl="verify-ca").ssl == "verify-ca"


@pytest.mark.parametrize("name", ["sslrootcert=/a", "sslcert=/a&sslkey=/b"])
def test_certificates_without_tls_are_a_contradiction(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="TLS is off"):
        target(tmp_path, f"postgresql://ro@localhost/shop?{name}", ssl="disable")


@pytest.mark.parametrize("mode", ["disable", "require", "verify-ca"])
def test_a_dsn_alone_cannot_weaken_tls_across_a_network(tmp_path: Path, mode: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        target(tmp_path, f"postgresql://ro@db/shop?sslmode={mode}")

    assert f'set database.ssl = "{mode}"' in caught.value.as_text()


def test_two_words_on_tls_must_agree(tmp_path: Path) -> None:
    dsn = "postgresql://ro@db/shop?sslmode=require"

    assert target(tmp_path, dsn, ssl="require").ssl == "require"
    with pytest.raises(ConfigurationError, match="different TLS modes"):
        target(tmp_path, dsn, ssl="verify-full")


def test_no_password_is_for_sockets_and_loopback_only(tmp_path: Path) -> None:
    local = target(tmp_path, "postgresql://ro@/shop?host=/run/pg", credential="none")

    assert local.is_local
    with pytest.raises(ConfigurationError, match='is "none", but'):
        target(tmp_path, "postgresql://ro@localhost,db/shop", credential="none")


def test_a_client_certificate_does_without_a_password(tmp_path: Path) -> None:
    dsn = "postgresql://ro@db/shop?sslcert=/etc/ro.crt&sslkey=/etc/ro.key"

    assert target(tmp_path, dsn, credential="none").client_certificate == "/etc/ro.crt"
    with pytest.raises(ConfigurationError, match='is "none", but'):
        target(tmp_path, dsn, credential="none", ssl="disable")
