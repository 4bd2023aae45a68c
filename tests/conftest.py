"""What every test can ask for: Postgres servers of our own, started once a session."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

import pytest

from tests.support.pgbouncer import has_pgbouncer, kinds
from tests.support.pgbouncer import pgbouncer as running_pgbouncer
from tests.support.postgres import (
    ShopServer,
    fresh_database,
    has_postgis,
    has_postgres_15,
    must_have_everything,
    postgres_15_with_shop,
    postgres_18_with_shop,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.support.pgbouncer import PgBouncer
    from tests.support.postgres import Shop


_NEEDED = {"postgres15": has_postgres_15, "postgis": has_postgis, "pgbouncer": has_pgbouncer}
"""What a fixture of that name needs, which is also the name of a marker."""


def pytest_configure(config: pytest.Config) -> None:
    """Name the markers that `pytest_collection_modifyitems` sets."""
    config.addinivalue_line("markers", "postgres15: needs PostgreSQL 15 from the system's packages")
    config.addinivalue_line("markers", "postgis: needs PostGIS for it, from the same packages")
    config.addinivalue_line("markers", "pgbouncer: needs PgBouncer, from the same packages")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs PostgreSQL 15 or PostGIS where there is none, but never in CI."""
    for item in items:
        for name in _NEEDED:
            if name in getattr(item, "fixturenames", ()):
                item.add_marker(name)
    missing = {name for name, is_there in _NEEDED.items() if not is_there()}
    if not missing or must_have_everything():
        return
    left_out = [item for item in items if any(map(item.get_closest_marker, missing))]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not any(map(item.get_closest_marker, missing))]


@pytest.fixture(scope="session")
def postgres() -> Iterator[ShopServer]:
    """Run PostgreSQL 18 with the demo shop; shared, so only to be read."""
    with postgres_18_with_shop() as server:
        yield server


@pytest.fixture(scope="session")
def postgres15() -> Iterator[ShopServer]:
    """Run PostgreSQL 15 with the demo shop; shared, so only to be read."""
    with postgres_15_with_shop() as server:
        yield server


@pytest.fixture(scope="session")
def postgis(postgres15: ShopServer) -> ShopServer:
    """Give PostgreSQL 15 to a test that creates PostGIS there."""
    return postgres15


@pytest.fixture(params=kinds(), ids=lambda kind: "-".join(kind.values()))
def pgbouncer(request: pytest.FixtureRequest, postgres: ShopServer) -> Iterator[PgBouncer]:
    """Run PgBouncer in front of PostgreSQL 18, in each mode that keeps a transaction together."""
    with running_pgbouncer(postgres, **request.param) as bouncer:
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
