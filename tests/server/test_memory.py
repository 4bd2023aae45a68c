"""The server's own process stays small, whatever it is asked for.

The figures are of the process itself, as the system counts them while the call runs.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.guarding import SHOP
from tests.support.raw import raw
from tests.support.server import configure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres import ShopServer

MEGABYTE = 1024 * 1024
MOST_MEGABYTES = 20
GREEDY = {
    "a billion rows and more": "SELECT a.body FROM shop.reviews a, shop.reviews b, shop.reviews c",
    "a billion numbers": "SELECT * FROM generate_series(1, 1e9)",
    "a cell of 500 MB": """
        SELECT string_agg(repeat(substr('x', 1, 1), 126000 + id % 2), '') FROM shop.reviews""",
    "a cell of 60 MB": """
        SELECT string_agg(repeat('x', 60000 + id % 2), '') FROM shop.reviews WHERE id <= 1000""",
    "cells of a megabyte": "SELECT repeat('x', 1000000 + id % 2) FROM shop.reviews",
    "many cells of a megabyte": """
        SELECT repeat('x', 1000000 + id % 2), repeat('y', 1000000 + id % 2),
               repeat('z', 1000000 + id % 2) FROM shop.reviews""",
    "an error that quotes 100 MB": """
        SELECT string_agg(repeat('x', 100000 + id % 2), '')::int FROM shop.reviews
        WHERE id <= 1000""",
    "characters of four bytes": "SELECT repeat('😀', 250000 + id % 2), 'x' FROM shop.reviews",
}


class Growth:
    """How many megabytes a process has grown by, at most."""

    megabytes = 0.0


@contextmanager
def growing(process_id: int) -> Iterator[Growth]:
    """Look at a process's memory all the while."""
    growth, over = Growth(), threading.Event()
    process = psutil.Process(process_id)
    before = process.memory_info().rss

    def watch() -> None:
        while not over.wait(0.002):
            now = (process.memory_info().rss - before) / MEGABYTE
            growth.megabytes = max(growth.megabytes, now)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield growth
    finally:
        over.set()
        watcher.join()


@pytest.mark.parametrize("sql", GREEDY.values(), ids=GREEDY)
def test_a_greedy_query_costs_the_server_little_memory(
    postgres: ShopServer, tmp_path: Path, sql: str
) -> None:
    tables = SHOP + "[limits]\nstatement_timeout_seconds = 20\n"
    with raw(configure(tmp_path, postgres.agent, tables)) as server:
        # What every server has after its first calls.
        for _ in range(3):
            server.call("query", {"sql": "SELECT * FROM shop.reviews LIMIT 50"})
            server.call("query", {"sql": "SELECT 1 / (id - id) FROM shop.reviews"})
        with growing(server.process.pid) as growth:
            answer = server.call("query", {"sql": sql})

        assert growth.megabytes < MOST_MEGABYTES, answer.text[:200]
