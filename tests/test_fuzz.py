"""No mutant of any statement gets past the guard to write, lock or call what nobody reviewed.

`python -m tools.fuzz` runs for as long as you like; this is its short form, the same every time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tools.fuzz import fuzz

from pg_guard_mcp.guard.rules import RULES
from pg_guard_mcp.guard.rules.allowed_functions import allowed_functions

if TYPE_CHECKING:
    from tests.support.postgres import ShopServer


async def test_no_admitted_mutant_changes_anything(postgres18: ShopServer) -> None:
    run = await fuzz(postgres18, seed=20_251, mutants=6_000)

    assert run.findings == []
    assert run.mutants == 6_000
    assert run.admitted >= 300
    assert run.answered >= 50


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
async def test_no_admitted_mutant_of_very_many_changes_anything(
    postgres18: ShopServer, seed: int
) -> None:
    run = await fuzz(postgres18, seed=seed, mutants=100_000)

    assert run.findings == []


async def test_without_the_rules_the_same_mutants_write_lock_and_call(
    postgres18: ShopServer,
) -> None:
    """What the run looks for is there to be found: without it, silence would mean nothing."""
    without_functions = tuple(rule for rule in RULES if rule is not allowed_functions)

    run = await fuzz(postgres18, seed=20_251, mutants=2_000, rules=without_functions)

    found = {what.split(" ")[0] + " " + what.split(" ")[1] for what, _ in run.findings}
    assert found >= {"it wrote", "it locked", "the database"}
    assert any(what.startswith("function ") for what, _ in run.findings)
