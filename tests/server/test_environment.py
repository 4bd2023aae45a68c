"""What libpq's users keep in their environment and their home leads the server nowhere."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.guarding import SHOP
from tests.support.proxies import proxied
from tests.support.server import check_accounted, configure, serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import ShopServer

# Each would lead elsewhere, weaken something or fail, were it heeded.
VARIABLES = {
    "PGDATABASE": "production",
    "PGUSER": "postgres",
    "PGPASSWORD": "wrong",
    "PGOPTIONS": "-c default_transaction_read_only=off -c search_path=evil",
    "PGSERVICE": "production",
    "PGSSLMODE": "verify-full",
    "PGREQUIRESSL": "1",
    "PGSSLNEGOTIATION": "direct",
    "PGSSLMINPROTOCOLVERSION": "TLSv9",
    "PGCHANNELBINDING": "require",
    "PGREQUIREAUTH": "none",
    "PGGSSENCMODE": "require",
    "PGGSSLIB": "sspi?",
    "PGKRBSRVNAME": "production",
    "PGTARGETSESSIONATTRS": "primary?",
    "PGLOADBALANCEHOSTS": "random",
    "PGCLIENTENCODING": "LATIN1",
    "PGDATESTYLE": "German",
    "PGTZ": "Asia/Tokyo",
    "PGAPPNAME": "somebody",
    "PGCONNECT_TIMEOUT": "0",
}


def test_no_variable_and_no_file_of_libpq_leads_anywhere(
    postgres: ShopServer, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    (home / ".postgresql").mkdir(parents=True)
    for name in ("root.crt", "root.crl", "postgresql.crt", "postgresql.key"):
        (home / ".postgresql" / name).write_text("nothing", encoding="ascii")
    with socket.create_server(("127.0.0.1", 0)) as elsewhere, proxied(postgres.agent) as proxy:
        port = elsewhere.getsockname()[1]
        (home / ".pgpass").write_text("*:*:*:*:wrong\n", encoding="ascii")
        (home / ".pgpass").chmod(0o600)
        services = home / ".pg_service.conf"
        services.write_text(f"[production]\nhost=127.0.0.1\nport={port}\n", encoding="ascii")
        place = configure(
            tmp_path / "server",
            proxy.login,
            SHOP,
            environment=VARIABLES
            | {
                "HOME": str(home),
                "PGHOST": "127.0.0.1",
                "PGHOSTADDR": "127.0.0.1",
                "PGPORT": str(port),
                "PGPASSFILE": str(home / ".pgpass"),
                "PGSERVICEFILE": str(services),
                "PGSYSCONFDIR": str(home),
                "PGSSLROOTCERT": str(home / ".postgresql/root.crt"),
                "PGSSLCRL": str(home / ".postgresql/root.crl"),
                "PGSSLCERT": str(home / ".postgresql/postgresql.crt"),
                "PGSSLKEY": str(home / ".postgresql/postgresql.key"),
                "SSLKEYLOGFILE": str(home / "keys"),
            },
        )
        with serving(place, "modern") as server:
            answer = server.query(
                "SELECT current_user, current_database(), 'ö', timestamptz '2026-01-01 00:00+00'"
            )
        elsewhere.setblocking(False)
        visitors = []
        with suppress(BlockingIOError):
            visitors.append(elsewhere.accept())

    assert answer.rows == [
        (postgres.agent.user, postgres.agent.database, "ö", "2026-01-01 00:00:00+00")
    ]
    assert visitors == []
    assert not (home / "keys").exists()
    assert check_accounted(place)
