"""A connection to where a login is, on a socket or an address, for what stands in between."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pg_guard_mcp.demo.cluster import Login


def dialled(login: Login) -> socket.socket:
    """Connect to the server of `login`; whoever calls it closes it."""
    if not login.host.startswith("/"):
        return socket.create_connection((login.host, login.port))
    server = socket.socket(socket.AF_UNIX)
    server.connect(f"{login.host}/.s.PGSQL.{login.port}")
    return server


async def dial(login: Login) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the server of `login`, to read and to write."""
    return await asyncio.open_connection(sock=dialled(login))
