"""No text that the server reads without help costs it more than a bounded number of steps.

Steps are the calls that the second parser makes, counted in its plain Python: 100,000 of them are
about 20 ms of the compiled parser. Any other text is the business of a process with a deadline.
"""

from __future__ import annotations

from functools import cache

import pytest
from tools.worst_case import is_read_here, judged

from pg_guard_mcp.errors import Refused
from pg_guard_mcp.guard.classify import gate
from pg_guard_mcp.model import Limits
from tests.reads import SHOP_READS
from tests.support.corpus import load_cases
from tests.support.counting import calls
from tests.support.slow import slow_texts

MOST_CALLS = 100_000
JOINS = " LEFT JOIN t NATURAL JOIN t ON true"


def is_here(text: str) -> bool:
    """Tell whether the server reads a text itself; one that is out of bounds nobody reads."""
    try:
        return is_read_here(gate(text, max_bytes=Limits().max_sql_bytes))
    except Refused:
        return False


@cache
def counted() -> dict[str, int]:
    """Count the calls for every text of ours that the server reads itself."""
    texts = {
        *(slow.text for slow in slow_texts()),
        *(case.sql for case in load_cases()),
        *(read.sql for read in SHOP_READS),
    }
    here = sorted(text for text in texts if is_here(text))
    return dict(zip(here, calls(here), strict=True))


def test_no_text_that_is_read_here_costs_more_than_so_many_calls() -> None:
    assert {text: count for text, count in counted().items() if count > MOST_CALLS} == {}
    assert len(counted()) > 600


@pytest.mark.parametrize("slow", slow_texts(), ids=lambda slow: slow.name)
def test_a_slow_text_gets_a_verdict(slow: tuple[str, str]) -> None:
    _, text = slow

    assert judged(text)[1]


def test_what_takes_exponentially_long_is_not_read_here() -> None:
    assert is_here("SELECT 1 FROM t" + JOINS)
    assert not is_here("SELECT 1 FROM t" + JOINS * 12)


def test_calls_grow_with_what_a_text_costs() -> None:
    """The count is a measure at all: it doubles where the parser's time is known to double."""
    few, some, many = calls([f"SELECT 1 FROM t{JOINS * count}" for count in (6, 8, 10)])

    assert 3 < some / few < 5
    assert 3 < many / some < 5
