"""A target's TLS mode in, what the driver needs out.

Left to a mode's name alone, the driver looks for certificates in the environment and the home
directory of whoever starts it; here it is the system's, or the files that the DSN names.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pg_guard_mcp.errors import ConfigurationError, Problem
from pg_guard_mcp.settings.private_files import check_private

if TYPE_CHECKING:
    from pg_guard_mcp.settings.dsn import ConnectionTarget


class Tls(NamedTuple):
    """How to speak TLS, if at all."""

    context: ssl.SSLContext | None = None
    is_optional: bool = False
    """Whether a server may do without; never across a network."""


PLAIN = Tls()


def tls_for(target: ConnectionTarget) -> Tls:
    """Turn the mode into a context, reading the certificates as they are now.

    Raises: ConfigurationError.
    """
    if target.ssl == "disable":
        return PLAIN
    # Not create_default_context: it writes the keys of every session to SSLKEYLOGFILE, and since
    # Python 3.13 it refuses CAs that libpq takes, those of clouds among them.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _trust(context, target)
    if target.client_certificate:
        _show(context, target)
    return Tls(context, is_optional=target.ssl == "prefer" and target.is_local)


def _trust(context: ssl.SSLContext, target: ConnectionTarget) -> None:
    """Verify as much as the mode says; a CA that is named is heeded in `require`, as by libpq."""
    if target.ssl in ("prefer", "require", "verify-ca"):
        context.check_hostname = False
    if target.ssl in ("prefer", "require") and not target.root_certificate:
        context.verify_mode = ssl.CERT_NONE
        return
    if target.root_certificate in ("", "system"):
        context.load_default_certs()
        return
    try:
        context.load_verify_locations(cafile=target.root_certificate)
    except OSError:  # ssl.SSLError is one, too
        raise _unusable(
            "the sslrootcert of database.dsn holds no certificates that can be read",
            "Name a PEM file that this user may read, or leave sslrootcert out",
        ) from None


def _show(context: ssl.SSLContext, target: ConnectionTarget) -> None:
    """Show a certificate to a server that asks for one."""
    key = Path(target.client_key)
    try:
        check_private(key.stat(), key)
        # Without a password OpenSSL would ask the terminal for one, and the server would hang.
        context.load_cert_chain(target.client_certificate, key, password=lambda: "")
    except OSError:
        raise _unusable(
            "the sslcert and sslkey of database.dsn are no certificate with its key",
            "Name two PEM files that this user may read, the key without a passphrase",
        ) from None


def _unusable(message: str, fix: str) -> ConfigurationError:
    return ConfigurationError([Problem(message, fix)])
