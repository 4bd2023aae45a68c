"""A DSN in, the servers it names out: never a password, never anything left to the driver.

A driver fills what a DSN leaves out from the environment and the home directory of whoever
starts it, so host, role and database must be named here. Parameters are allow-listed: one that
we would not honour is refused, not dropped.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args
from urllib.parse import unquote

from pg_guard_mcp.settings.values import InvalidSettingError

if TYPE_CHECKING:
    from collections.abc import Iterable

SslMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]
SSL_MODES: tuple[SslMode, ...] = get_args(SslMode)
"""From the weakest to the strongest."""

PARAMETERS = (
    *("host", "port", "dbname", "user"),
    *("sslmode", "sslrootcert", "sslcert", "sslkey"),
)
"""What a DSN may say; the rest of libpq's parameters are ours to set or not supported."""

_DEFAULT_PORT = 5432
_MAX_PORT = 65535
_SECRETS = re.compile(r".*(?:password|passfile|passwd|pwd).*", re.IGNORECASE)
_HOST = re.compile(r"[^\s/@?#\[\],%]+(?:%[A-Za-z0-9_.-]+)?")
_KEYWORD = re.compile(r"\s*([A-Za-z_]+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)(?=\s|\Z)")
_WRITE_DSN = 'Write "postgresql://role@host:5432/database", with no password in it'


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionTarget:
    """Where to connect and as whom: hosts in order, one port each, and nothing secret.

    A host that starts with `/` is the directory of a Unix socket.
    """

    hosts: tuple[str, ...]
    ports: tuple[int, ...]
    user: str
    database: str
    ssl: SslMode | None = None
    """The mode the DSN asks for; `require_database` settles it."""
    root_certificate: str = ""
    """A file of certificates to trust; `system`, or empty, means the system's."""
    client_certificate: str = ""
    """A file with the certificate to show to a server that asks for one."""
    client_key: str = ""
    """The file with its key."""

    @property
    def is_local(self) -> bool:
        """Tell whether every host is a socket or loopback, so that nothing crosses a network."""
        return all(_is_local(host) for host in self.hosts)


def parse_dsn(text: str) -> ConnectionTarget:
    """Read a DSN, written as a URI or in libpq's keyword form.

    Raises: InvalidSettingError.
    """
    is_uri = text.startswith(("postgresql://", "postgres://"))
    pairs = list(_uri_pairs(text) if is_uri else _keyword_pairs(text))
    if not all(part.isprintable() for pair in pairs for part in pair):
        raise _unreadable()
    if any(_SECRETS.fullmatch(name) for name, _ in pairs):
        raise InvalidSettingError(
            "holds a password",
            "Remove it (and change it, if the file was shared), then store the new one with "
            '`pg-guard-mcp credentials set`; for containers set credential = "env:NAME"',
        )
    values = dict(pairs)
    if len(values) < len(pairs):
        raise InvalidSettingError("says the same thing twice", "Name each part of the DSN once")
    if not values.keys() <= set(PARAMETERS):
        raise InvalidSettingError(
            "has a parameter that is not supported",
            f"Leave only these: {', '.join(PARAMETERS)}",
        )
    return _target(values)


def check_dsn(text: str) -> str:
    """Accept nothing, or what `parse_dsn` understands."""
    if text:
        parse_dsn(text)
    return text


def _uri_pairs(text: str) -> Iterable[tuple[str, str]]:
    """Take a URI apart into the same names the keyword form uses."""
    rest = text.partition("://")[2]
    location, _, query = rest.partition("?")
    authority, _, database = location.partition("/")
    # The last @ ends the role: a password may hold one, a host name may not. An @ behind the first
    # slash is the rest of a password that holds a slash.
    role, _, servers = authority.rpartition("@")
    user, colon, _ = role.partition(":")
    if colon or "@" in database:
        yield "password", ""
    if user:
        yield "user", unquote(user)
    if database:
        yield "dbname", unquote(database)
    if servers:
        hosts, ports = zip(*map(_split_server, servers.split(",")), strict=True)
        yield "host", ",".join(hosts)
        if any(ports):
            yield "port", ",".join(port or str(_DEFAULT_PORT) for port in ports)
    for parameter in query.split("&") if query else ():
        name, _, value = parameter.partition("=")
        yield unquote(name), unquote(value)


def _split_server(server: str) -> tuple[str, str]:
    """Split `host:port` and `[address]:port`; the port may be missing."""
    if server.startswith("["):
        host, bracket, after = server[1:].partition("]")
        if not bracket or (after and not after.startswith(":")):
            raise _unreadable()
        return host, after[1:]
    host, _, port = server.partition(":")
    host = unquote(host)
    if "," in host:
        raise _unreadable()
    return host, port


def _keyword_pairs(text: str) -> Iterable[tuple[str, str]]:
    """Take libpq's `name=value name='a value'` form apart."""
    position = 0
    while text[position:].strip():
        match = _KEYWORD.match(text, position)
        if match is None:
            raise _unreadable()
        name, value = match.groups()
        if value.startswith("'"):
            value = value[1:-1]
        yield name, re.sub(r"\\(.)", r"\1", value)
        position = match.end()


def _target(values: dict[str, str]) -> ConnectionTarget:
    """Settle the parts of a DSN, and ask for those that must be named."""
    missing = [
        words
        for name, words in (("host", "host"), ("user", "role"), ("dbname", "database"))
        if not values.get(name)
    ]
    if missing:
        raise InvalidSettingError(
            f"does not name the {' and the '.join(missing)}",
            f"{_WRITE_DSN}; for a socket add ?host=/var/run/postgresql",
        )
    hosts = tuple(values["host"].split(","))
    if not all(host.startswith("/") or _HOST.fullmatch(host) for host in hosts):
        raise _unreadable()
    ssl = values.get("sslmode")
    if ssl is not None and ssl not in SSL_MODES:
        raise InvalidSettingError(
            "asks for an sslmode that is not supported", f"Use one of {', '.join(SSL_MODES)}"
        )
    if bool(values.get("sslcert")) != bool(values.get("sslkey")):
        raise InvalidSettingError(
            "names an sslcert without its sslkey, or the other way round", "Name both, or neither"
        )
    return ConnectionTarget(
        hosts=hosts,
        ports=_ports(values.get("port", ""), len(hosts)),
        user=values["user"],
        database=values["dbname"],
        ssl=ssl,
        root_certificate=_certificate("sslrootcert", values, system="system"),
        client_certificate=_certificate("sslcert", values),
        client_key=_certificate("sslkey", values),
    )


def _ports(text: str, count: int) -> tuple[int, ...]:
    """Give every host a port: its own, the one they share, or Postgres's."""
    numbers = text.split(",") if text else [str(_DEFAULT_PORT)]
    if len(numbers) == 1:
        numbers *= count
    is_valid = all(number.isascii() and number.isdigit() for number in numbers)
    if not is_valid or len(numbers) != count:
        raise _unreadable()
    ports = tuple(int(number[:6]) for number in numbers)
    if not all(0 < port <= _MAX_PORT for port in ports):
        raise _unreadable()
    return ports


def _certificate(name: str, values: dict[str, str], *, system: str = "") -> str:
    """Accept an absolute path, or libpq's word for the system's certificates."""
    path = values.get(name, "")
    if not path.startswith("/") and path not in ("", system):
        raise InvalidSettingError(
            f"names its {name} by a relative path",
            f'Write its full path, or "{system}"' if system else "Write its full path",
        )
    return path


def _is_local(host: str) -> bool:
    """Tell whether a host is a socket's directory, or this machine by name or address."""
    if host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _unreadable() -> InvalidSettingError:
    """Say that the DSN makes no sense, without repeating any of it: it may hold a password."""
    return InvalidSettingError("is not a DSN that can be read", _WRITE_DSN)
