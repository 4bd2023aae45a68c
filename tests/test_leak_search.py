"""No random query over the demo shop tells what is behind a mask, be it one value of one row.

`python -m tools.leak_search` runs for as long as you like; this is its short form, the same every
time.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest
from tools.leak_ground import FAVOURITES, RELATIONS, RULES
from tools.leak_search import search
from tools.random_queries import Builder

if TYPE_CHECKING:
    from tests.support.postgres import ShopServer


async def test_no_random_query_tells_what_is_behind_a_mask(postgres: ShopServer) -> None:
    run = await search(postgres, seed=20_251, runs=500)

    assert run.leaks == []
    assert run.runs == 500
    assert run.answered > 400
    assert run.explained > 100
    assert run.flips == 2


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
async def test_none_of_very_many_random_queries_tells_what_is_behind_a_mask(
    postgres: ShopServer, seed: int
) -> None:
    run = await search(postgres, seed=seed, runs=25_000)

    assert run.leaks == []


async def test_the_search_finds_a_mask_that_was_forgotten(postgres: ShopServer) -> None:
    """What the run looks for is there to be found: without it, silence would mean nothing."""
    masks = {column: kind for column, kind in RULES.masks.items() if "ssn" not in column}

    run = await search(postgres, seed=3, runs=100, rules=replace(RULES, masks=masks))

    assert run.leaks


async def test_without_masks_secrets_come_out_and_one_value_can_be_told(
    postgres: ShopServer,
) -> None:
    run = await search(postgres, seed=6, runs=100, rules=replace(RULES, masks={}))

    found = {leak.what for leak in run.leaks}
    assert found >= {
        "a secret is in the answer",
        "the answer is another where every secret is",
        "the answer is another where one value is",
        "the plan is another where every secret is",
    }


def test_the_same_seed_builds_the_same_queries() -> None:
    one, other = (
        Builder(
            random=Random(7),  # noqa: S311 - to be repeated
            relations=RELATIONS,
            favourites=FAVOURITES,
        )
        for _ in range(2)
    )

    assert [one.query() for _ in range(50)] == [other.query() for _ in range(50)]
