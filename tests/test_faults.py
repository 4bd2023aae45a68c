"""Whatever goes wrong around the server: no wrong answer, no lost verdict, nothing left behind.

`python -m tools.faults` prints the figures of all faults. Those that need root, or many seconds,
run with `-m faults` only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from tools.faults import FAULTS
from tools.faults.ground import Fault, tried

from tests.support.accounts import account
from tests.support.asking import asking
from tests.support.cluster import Cluster
from tests.support.postgres import ShopServer, postgres_18_with_shop
from tests.support.server import configure, http_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK = {
    "backend killed (SIGKILL)",
    "proxy stalls in a row",
    "stdout never read",
    "HTTP closed at any moment",
    "cancelled at any moment (stdio)",
    "stdin ends at work",
}
TOKEN = "token-of-a-server-that-lives-as-long-as-a-test"  # noqa: S105 - see its text


class Ours(NamedTuple):
    """A Postgres that nobody else uses, so that it may be killed."""

    shop: ShopServer
    cluster: Cluster


@pytest.fixture(scope="module")
def ours() -> Iterator[Ours]:
    """Run it."""
    with postgres_18_with_shop() as shop:
        yield Ours(shop, Cluster(shop.server))


def those(*, quick: bool) -> list[Fault]:
    """Give the faults for every change, or the others that this machine can have."""
    return [
        fault
        for fault in FAULTS
        if (fault.name in QUICK) is quick and not (fault.needs and fault.needs())
    ]


@pytest.mark.parametrize("fault", those(quick=True), ids=lambda fault: fault.name)
async def test_after_a_fault_nothing_is_wrong_lost_or_left(
    ours: Ours, tmp_path: Path, fault: Fault
) -> None:
    figures = await tried(fault, ours.shop, ours.cluster, tmp_path)

    assert figures.is_good, figures


@pytest.mark.faults
@pytest.mark.parametrize("fault", those(quick=False), ids=lambda fault: fault.name)
async def test_after_a_fault_that_takes_long_nothing_is_wrong_lost_or_left(
    ours: Ours, tmp_path: Path, fault: Fault
) -> None:
    figures = await tried(fault, ours.shop, ours.cluster, tmp_path)

    assert figures.is_good, figures


async def test_a_call_that_the_trail_does_not_know_is_noticed(
    postgres: ShopServer, tmp_path: Path
) -> None:
    """What the figures look for is there to be found: without it, they would mean nothing."""
    place = configure(tmp_path, postgres.agent)
    with http_server(place, TOKEN) as url:
        async with asking(url, TOKEN) as asker:
            await asker.call("query", sql="SELECT 1")
            await asker.call_marked("7", "query", sql="SELECT 1")
            await asker.call_marked("7", "query", sql="SELECT 1")

    assert account(place, ["1", "7"]).problems == (
        "call 7 has 2 verdicts",
        "call 7 ended 2 times",
    )
    assert account(place, ["1", "7", "8"]).lost == {"8"}
    assert "nobody sent call 1" in account(place, ["7"]).problems
