"""The reviewed words of `vocabulary.toml`: what columns of personal data and secrets are called."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Subject(NamedTuple):
    """A kind of data: what it is, how to mask it, in which types it comes, what it is called.

    See the head of `vocabulary.toml` for what each field means.
    """

    name: str
    masks: tuple[str, ...]
    types: frozenset[str]
    terms: frozenset[str]
    weak: frozenset[str] = frozenset()
    personal: frozenset[str] = frozenset()
    of_persons: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Every subject, and the words that stand beside their terms."""

    subjects: tuple[Subject, ...]
    people: frozenset[str]
    about: frozenset[str]
    not_itself: frozenset[str]
    not_before: frozenset[str]
    other_things: frozenset[str]
    delivered_to: frozenset[str]
    neutral: frozenset[str]
    lookalikes: frozenset[str]
    number_words: frozenset[str]
    sensitive: frozenset[str]
    sensitive_phrases: tuple[str, ...]


@cache
def load() -> Vocabulary:
    """Read the vocabulary, once."""
    text = files(__package__).joinpath("vocabulary.toml").read_text(encoding="utf-8")
    found = tomllib.loads(text)
    return Vocabulary(
        subjects=tuple(
            Subject(
                name=subject["name"],
                masks=tuple(subject["masks"]),
                types=frozenset(subject["types"]),
                terms=_words(subject.get("terms", "")),
                weak=_words(subject.get("weak", "")),
                personal=_words(subject.get("personal", "")),
                of_persons=subject.get("of_persons", False),
            )
            for subject in found["subject"]
        ),
        sensitive_phrases=tuple(found["phrases"]["sensitive"]),
        **{name: _words(text) for name, text in found["words"].items()},
    )


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())
