"""Under many clients nothing grows, stays behind or gets lost.

`python -m tools.soak` sends as many calls as you like; this is its short form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.soak import MOST_GROWTH, soak

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import ShopServer


async def test_every_call_of_many_clients_is_accounted_for_and_nothing_is_left(
    postgres: ShopServer, tmp_path: Path
) -> None:
    found = await soak(postgres, tmp_path, calls=1_500, clients=32)

    assert found.is_good, found.as_text()
    assert found.calls == 1_500
    assert found.withdrawn < found.cancelled / 4
    assert found.account.outcomes["answered"] > 1_000
    # A short run is still filling its caches.
    assert found.growth < 2 * MOST_GROWTH, found.as_text()
