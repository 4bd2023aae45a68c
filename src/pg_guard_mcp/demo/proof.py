"""What the demo does where its story is not true: it ends."""

from __future__ import annotations


class StoryBroken(Exception):
    """Something the demo says is not so; the message says what."""


def prove(claim: bool, otherwise: str) -> None:
    """Go on only if `claim` holds. Raises: StoryBroken."""
    if not claim:
        raise StoryBroken(otherwise)
