"""A target's TLS mode in, what the driver needs out.

Left to a mode's name alone, the driver looks for certificates in the home directory of whoever
starts it, and fails to verify anyone where there are none; here it is the system's, or the file
that the DSN names.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Literal

from pg_guard_mcp.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from pg_guard_mcp.settings.dsn import ConnectionTarget


def tls_for(target: ConnectionTarget) -> ssl.SSLContext | Literal["prefer"] | bool:
    """Turn the mode into a context; only `prefer` stays a word, for it may end without TLS.

    Raises: ConfigurationError.
    """
    if target.ssl == "disable":
        return False
    if target.ssl == "prefer":
        return "prefer"
    try:
        context = ssl.create_default_context(cafile=target.root_certificate or None)
    except OSError:  # ssl.SSLError is one, too
        problem = Problem(
            "the sslrootcert of database.dsn holds no certificates that can be read",
            "Name a PEM file that this user may read, or leave sslrootcert out",
        )
        raise ConfigurationError([problem]) from None
    if target.ssl in ("require", "verify-ca"):
        context.check_hostname = False
    if target.ssl == "require":
        context.verify_mode = ssl.CERT_NONE
    return context
