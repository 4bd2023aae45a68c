"""What every test can ask for: Postgres servers of our own, started once a session."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, cast

import pytest

from tests.support.pgbouncer import has_pgbouncer, kinds
from tests.support.pgbouncer import pgbouncer as running_pgbouncer
from tests.support.postgres import (
    OwnServer,
    ShopServer,
    fresh_database,
    has_postgis,
    has_postgres_15,
    lent_postgres_with_shop,
    major_of,
    must_have_everything,
    postgres_15_with_shop,
    postgres_18_with_shop,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.support.pgbouncer import PgBouncer
    from tests.support.postgres import Shop


_NEEDED = {"postgres15": has_postgres_15, "postgis": has_postgis, "pgbouncer": has_pgbouncer}
"""What a fixture of that name needs, which is also the name of a marker."""
_ON_15 = "15"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the server that the tests are to run on."""
    parser.addoption(
        "--postgres",
        metavar="15|DSN",
        help="run what takes any Postgres, and nothing else, on PostgreSQL 15 of the system's"
        " packages, or on the server that a superuser reaches with this DSN",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Name the markers that `pytest_collection_modifyitems` sets."""
    config.addinivalue_line("markers", "postgres15: needs PostgreSQL 15 from the system's packages")
    config.addinivalue_line("markers", "postgis: needs PostGIS for it, from the same packages")
    config.addinivalue_line("markers", "pgbouncer: needs PgBouncer, from the same packages")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs PostgreSQL 15 or PostGIS where there is none, but never in CI."""
    if chosen := config.getoption("postgres"):
        major = 15 if chosen == _ON_15 else asyncio.run(major_of(chosen))
        _keep(config, items, lambda item: _takes_any_postgres(item, chosen))
        _keep(config, items, lambda item: _since(item) <= major)
    for item in items:
        for name in _NEEDED:
            if name in getattr(item, "fixturenames", ()):
                item.add_marker(name)
    missing = {name for name, is_there in _NEEDED.items() if not is_there()}
    if not missing or must_have_everything():
        return
    _keep(config, items, lambda item: not any(map(item.get_closest_marker, missing)))


def _takes_any_postgres(item: pytest.Item, chosen: str) -> bool:
    names = set(getattr(item, "fixturenames", ()))
    if item.get_closest_marker("postgres15") or names & {"postgres15", "postgres18"}:
        return False
    if chosen != _ON_15 and names & {"own_postgres", "pgbouncer"}:
        return False
    return bool(names & {"postgres", "each_postgres"})


def _since(item: pytest.Item) -> int:
    return max((marker.args[0] for marker in item.iter_markers("since")), default=0)


def _keep(
    config: pytest.Config, items: list[pytest.Item], is_kept: Callable[[pytest.Item], bool]
) -> None:
    """Deselect the other tests."""
    config.hook.pytest_deselected(items=[item for item in items if not is_kept(item)])
    items[:] = [item for item in items if is_kept(item)]


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[ShopServer]:
    """Run PostgreSQL 18 with the demo shop, or what was chosen; shared, so only to be read."""
    chosen = request.config.getoption("postgres")
    if not chosen:
        found: AbstractContextManager[ShopServer] = postgres_18_with_shop()
    elif chosen == _ON_15:
        found = postgres_15_with_shop()
    else:
        found = lent_postgres_with_shop(chosen)
    with found as server:
        yield server


@pytest.fixture(scope="session")
def own_postgres(postgres: ShopServer) -> OwnServer:
    """Give it to a test that looks at its log, or otherwise at the machine it is on."""
    assert isinstance(postgres, OwnServer)
    return postgres


@pytest.fixture(scope="session")
def postgres18(own_postgres: OwnServer) -> OwnServer:
    """Give it to a test of what only PostgreSQL 18, or only the wheel, has."""
    return own_postgres


@pytest.fixture(scope="session")
def postgres15() -> Iterator[OwnServer]:
    """Run PostgreSQL 15 with the demo shop; shared, so only to be read."""
    with postgres_15_with_shop() as server:
        yield server


@pytest.fixture(scope="session")
def postgis(postgres15: OwnServer) -> OwnServer:
    """Give PostgreSQL 15 to a test that creates PostGIS there."""
    return postgres15


@pytest.fixture(params=kinds(), ids=lambda kind: "-".join(kind.values()))
def pgbouncer(request: pytest.FixtureRequest, own_postgres: OwnServer) -> Iterator[PgBouncer]:
    """Run PgBouncer in front of PostgreSQL 18, in each mode that keeps a transaction together."""
    with running_pgbouncer(own_postgres, **request.param) as bouncer:
        yield bouncer


@pytest.fixture(params=["postgres", pytest.param("postgres15", marks=pytest.mark.postgres15)])
def each_postgres(request: pytest.FixtureRequest) -> ShopServer:
    """Give the test each major we try, one after the other."""
    return cast("ShopServer", request.getfixturevalue(request.param))  # pytest cannot tell the type


@pytest.fixture
async def fresh_shop(postgres: ShopServer) -> AsyncIterator[Shop]:
    """Copy the shop on PostgreSQL 18, for one test to change as it likes."""
    async with fresh_database(postgres) as shop:
        yield shop


@pytest.fixture(autouse=True)
def no_unhandled_loop_errors() -> Iterator[None]:
    """Fail a test whose event loop had to report an exception that nobody handled."""
    reported: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: reported.append(record.getMessage())  # type: ignore[method-assign]  # shorter than a class
    logger = logging.getLogger("asyncio")
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)
    assert not reported
