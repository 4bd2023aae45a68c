"""What holds a value or a key does not show it when it is printed: in a log, or in a traceback."""

from __future__ import annotations

from pg_guard_mcp.guard.detectors import mask
from pg_guard_mcp.guard.masking import hmac_pads
from pg_guard_mcp.model import GuardedQuery, ResultColumn, ResultSet

WORD = "quetzal"
ROWS = ResultSet(columns=(ResultColumn("note", "text"),), rows=[(WORD,)])


def test_rows_do_not_show() -> None:
    masked, _ = mask(ROWS, frozenset())

    assert WORD not in repr(ROWS)
    assert WORD not in repr(masked)
    assert "note" in repr(ROWS)


def test_the_key_of_a_mask_does_not_show() -> None:
    pads = hmac_pads(WORD.encode())
    query = GuardedQuery(sql="SELECT $1, $2", arguments=pads)

    assert not any(pad in repr(query) for pad in pads)
