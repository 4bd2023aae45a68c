"""Why a connection could not be opened, for the operator: what happened, and what mends it.

Postgres's own words are not in here: what they say of a login that fails is harmless, but nobody
promises that of every message and every extension.
"""

from __future__ import annotations

import ssl
from typing import NamedTuple

import asyncpg

_BY_SQLSTATE = {
    "28P01": "store the right password with `pg-guard-mcp credentials set`",
    "28000": "let the role log in from this host: pg_hba.conf, and ALTER ROLE ... LOGIN",
    "3D000": "correct the database's name in database.dsn",
    "42501": "GRANT CONNECT ON DATABASE to the role",
}
_CHECK_TLS = "check database.ssl and the server's certificate"
_NAME_CLIENT = (
    "name a client certificate that the server trusts for this role: sslcert and sslkey in"
    " database.dsn"
)
_SEE_LOG_FOR_CLIENT = f"see the server's log; if it asks for certificates, {_NAME_CLIENT}"

# OpenSSL's X509_V_ERR_*, which Python passes on as `verify_code`.
_NOT_YET_VALID, _EXPIRED, _WRONG_NAME, _WRONG_ADDRESS = 9, 10, 62, 64
_UNTRUSTED = frozenset({2, 18, 19, 20, 21, 27})
_CLIENT_UNWANTED = (
    "UNKNOWN_CA",
    "BAD_CERTIFICATE",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_REVOKED",
    "CERTIFICATE_UNKNOWN",
    "UNSUPPORTED_CERTIFICATE",
    "DECRYPT_ERROR",
    "ACCESS_DENIED",
)
_TOO_OLD = ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE")


class TlsNotOffered(ConnectionError):
    """The server speaks no TLS; the driver has no type of its own for that."""


class HungUp(ConnectionError):
    """The server ended a connection after the TLS handshake, and nothing was heard of why."""


class Reason(NamedTuple):
    """What happened, and what mends it."""

    message: str
    fix: str


_BY_TYPE: dict[type[BaseException], Reason] = {
    TlsNotOffered: Reason(
        "the server does not offer TLS",
        "set ssl = on in postgresql.conf; only on this machine may a connection do without",
    ),
    HungUp: Reason(
        "the server hung up after the TLS handshake",
        _SEE_LOG_FOR_CLIENT,
    ),
    asyncpg.ConnectionDoesNotExistError: Reason(
        "the server ended the connection and said nothing", "see the server's log"
    ),
}


def reason(error: BaseException) -> Reason:
    """Say why a connection could not be opened."""
    if known := _BY_TYPE.get(type(error)):
        return known
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_certificate(error)
    if isinstance(error, ssl.SSLError):
        return _of_tls(error)
    if isinstance(error, asyncpg.PostgresError):
        return _of_login(error)
    return Reason(
        f"the server does not answer: {type(error).__name__}",
        "check host and port in database.dsn, and that the server runs",
    )


def _of_certificate(error: ssl.SSLCertVerificationError) -> Reason:
    code = error.verify_code
    if code in _UNTRUSTED:
        return Reason(
            "the server's certificate is signed by nobody who is trusted here",
            "name the file with the certificate of its CA: sslrootcert in database.dsn",
        )
    if code in (_WRONG_NAME, _WRONG_ADDRESS):
        return Reason(
            "the server's certificate is for another host name",
            "write the host in database.dsn as the certificate has it",
        )
    if code == _EXPIRED:
        return Reason("the server's certificate has expired", "renew it")
    if code == _NOT_YET_VALID:
        return Reason("the server's certificate is not valid yet", "check the clocks of both sides")
    return Reason(f"the server's certificate was not accepted: {error.verify_message}", _CHECK_TLS)


def _of_tls(error: ssl.SSLError) -> Reason:
    name = error.reason or ""
    if "CERTIFICATE_REQUIRED" in name:
        return Reason("the server demands a client certificate", _NAME_CLIENT)
    # What the other side says of us arrives as an alert; what we found wrong does not.
    if "ALERT" in name and any(word in name for word in _CLIENT_UNWANTED):
        return Reason("the server rejected the client certificate", _NAME_CLIENT)
    if "HANDSHAKE_FAILURE" in name:  # all that TLS 1.2 says where a certificate is missing
        return Reason("the server broke off the TLS handshake", _SEE_LOG_FOR_CLIENT)
    if any(word in name for word in _TOO_OLD):
        return Reason(
            "the server speaks no version of TLS that is accepted here",
            "allow TLS 1.2 or later on the server",
        )
    return Reason(f"TLS failed: {name or type(error).__name__}", _CHECK_TLS)


def _of_login(error: asyncpg.PostgresError) -> Reason:
    sqlstate = error.sqlstate or ""
    fix = _BY_SQLSTATE.get(sqlstate, "see the server's log")
    # The same code means a role, an address or a certificate; where Postgres speaks English, its
    # words tell which.
    if sqlstate == "28000" and "certificate" in str(error):
        fix = _NAME_CLIENT
    return Reason(f"Postgres said {sqlstate}", fix)
