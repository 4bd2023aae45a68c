"""The calls that were sent, held against the trail: none is missing there, and none extra."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pg_guard_mcp.record.verify import verify
from tests.support.asking import CLIENT_NAME, mark_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Any

    from tests.support.server import Place

_VERDICTS = frozenset({"admitted", "refused"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the trail says of marked calls."""

    sent: int
    verdicts: int
    lost: frozenset[str]
    """Marks without a verdict, or without an end."""
    problems: tuple[str, ...]
    """What is wrong with the trail: its chain, a call with two verdicts, one that nobody sent."""
    outcomes: Counter[str]
    outcome_of: dict[str, str]
    known: frozenset[str]
    """The marks of all calls that have a verdict."""

    @property
    def is_whole(self) -> bool:
        """Whether each call that was sent has one verdict and one end, and nothing is wrong."""
        return not self.lost and not self.problems


def account(place: Place, sent: Collection[str]) -> Account:
    """Read the whole trail, and look for each of the calls that were sent."""
    verdicts: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    outcome_of: dict[str, str] = {}
    for event in _events(place):
        if event["event"] in _VERDICTS:
            verdicts[mark_of(event)] += 1
        elif event["event"] == "finished":
            ends[mark_of(event)] += 1
            outcome_of[mark_of(event)] = event["outcome"]
    known = set(sent)
    problems = [f"{fault.what} in line {fault.line}" for fault in verify(place.audit).problems]
    problems += [
        f"call {mark} has {count} verdicts" for mark, count in verdicts.items() if count > 1
    ]
    problems += [f"call {mark} ended {count} times" for mark, count in ends.items() if count > 1]
    problems += [f"nobody sent call {mark}" for mark in verdicts.keys() - known]
    return Account(
        sent=len(known),
        verdicts=len(verdicts),
        lost=frozenset(mark for mark in known if not (mark in verdicts and mark in ends)),
        problems=tuple(problems),
        outcomes=Counter(outcome_of.values()),
        outcome_of=outcome_of,
        known=frozenset(verdicts),
    )


def _events(place: Place) -> Iterator[dict[str, Any]]:
    """Yield what the trail says of marked calls, a line at a time: it may be long."""
    for path in sorted(place.audit.glob("*.jsonl")):
        with path.open("rb") as lines:
            for line in lines:
                try:
                    event = json.loads(line)
                except ValueError:
                    continue  # torn, which `verify` has judged
                if "client" in event and event["client"]["name"] == CLIENT_NAME:
                    yield event
