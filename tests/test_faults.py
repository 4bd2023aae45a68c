"""Whatever goes wrong around the server: no wrong answer, no lost verdict, nothing left behind.

`python -m tools.faults` prints the figures of all faults. On every change each of the quick ones is
tried on one of the majors; everything on both, also what needs root or many seconds, is for
`-m faults`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import pytest
from tools.faults import FAULTS
from tools.faults.trial import tried

from tests.support.accounts import account
from tests.support.asking import asking
from tests.support.cluster import Cluster
from tests.support.postgres import (
    OwnServer,
    ShopServer,
    postgres_15_with_shop,
    postgres_18_with_shop,
)
from tests.support.server import configure, http_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from _pytest.mark import ParameterSet
    from tools.faults.ground import Fault

QUICK = {
    "backend killed (SIGKILL)": 15,
    "PgBouncer restarted": 15,
    "password rotated": 15,
    "proxy stalls in a row": 18,
    "SIGTERM at work (http)": 18,
    "no file descriptor left (stdio)": 18,
    "stdout never read": 18,
    "HTTP closed at any moment": 15,
    "cancelled at any moment (stdio)": 18,
    "stdin ends at work": 18,
}
"""On which major each of them is tried on every change."""
MAJORS = (18, 15)
TOKEN = "token-of-a-server-that-lives-as-long-as-a-test"  # noqa: S105 - see its text


class Ours(NamedTuple):
    """A Postgres that nobody else uses, so that it may be killed."""

    shop: OwnServer
    cluster: Cluster


@pytest.fixture(scope="module")
def ours_18() -> Iterator[Ours]:
    """Run PostgreSQL 18."""
    with postgres_18_with_shop() as shop:
        yield Ours(shop, Cluster(shop.server))


@pytest.fixture(scope="module")
def ours_15() -> Iterator[Ours]:
    """Run PostgreSQL 15."""
    with postgres_15_with_shop() as shop:
        yield Ours(shop, Cluster(shop.server))


@pytest.fixture
def ours(request: pytest.FixtureRequest) -> Ours:
    """Give the major that is asked for, which lives on for the next."""
    return cast("Ours", request.getfixturevalue(f"ours_{request.param}"))  # pytest cannot tell


def those(*, quick: bool) -> list[ParameterSet]:
    """Give the faults for every change, or the others, each with a major of Postgres."""
    return [
        pytest.param(
            major,
            fault,
            id=f"{fault.name}, {major}",
            marks=[pytest.mark.postgres15] if major == 15 else [],
        )
        for major in MAJORS
        for fault in FAULTS
        if (QUICK.get(fault.name) == major) is quick and not (fault.needs and fault.needs())
    ]


@pytest.mark.parametrize(("ours", "fault"), those(quick=True), indirect=["ours"])
async def test_after_a_fault_nothing_is_wrong_lost_or_left(
    ours: Ours, tmp_path: Path, fault: Fault
) -> None:
    figures = await tried(fault, ours.shop, ours.cluster, tmp_path)

    assert figures.is_good, str(figures)


@pytest.mark.faults
@pytest.mark.parametrize(("ours", "fault"), those(quick=False), indirect=["ours"])
async def test_after_a_fault_that_takes_long_nothing_is_wrong_lost_or_left(
    ours: Ours, tmp_path: Path, fault: Fault
) -> None:
    figures = await tried(fault, ours.shop, ours.cluster, tmp_path)

    assert figures.is_good, str(figures)


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
