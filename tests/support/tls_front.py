"""TLS in front of a Postgres that was built without, as proxies of clouds speak it.

It answers the client's wish for TLS, and hands on what follows as it is.
"""

from __future__ import annotations

import select
import socket
import socketserver
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tests.support.dialling import dialled

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from pg_guard_mcp.demo.cluster import Login

_REQUEST_BYTES = 8
_CHUNK = 65_536


@contextmanager
def tls_in_front_of(login: Login, context: ssl.SSLContext) -> Iterator[int]:
    """Speak TLS on a port of loopback; give the port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            """Serve one client until either side has enough."""
            self.request.recv(_REQUEST_BYTES, socket.MSG_WAITALL)
            self.request.sendall(b"S")
            with (
                suppress(OSError),
                context.wrap_socket(self.request, server_side=True) as client,
                dialled(login) as server,
            ):
                _hand_on(client, server)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as front:
        thread = threading.Thread(target=front.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield front.server_address[1]
        finally:
            front.shutdown()
            thread.join()


def _hand_on(client: ssl.SSLSocket, server: socket.socket) -> None:
    while True:
        # What TLS has decrypted already makes no socket readable.
        ready = [client] if client.pending() else select.select([client, server], [], [])[0]
        for source, target in ((client, server), (server, client)):
            if source in ready:
                data = source.recv(_CHUNK)
                if not data:
                    return
                target.sendall(data)
