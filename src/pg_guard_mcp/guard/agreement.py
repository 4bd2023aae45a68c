"""Two readings of one statement in, nothing out if they agree.

sqlglot reads some things differently from Postgres's own grammar. Every known harmless difference
is a line in a table below; any other means that one of the two misread the statement, and then it
does not run.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# A call Postgres sees by this name becomes this node of sqlglot, which keeps no spelling.
_TYPED_CALLS = {
    "ceil": "Ceil",
    "chr": "Chr",
    "date_part": "Extract",
    "decode": "Decode",
    "floor": "Floor",
    "initcap": "Initcap",
    "like_escape": "Escape",
    "json_agg": "JSONArrayAgg",
    "json_object": "JSONObject",
    "jsonb_exists": "JSONBExists",
    "similar_to_escape": "SimilarTo",
    "mod": "Mod",
    "overlay": "Overlay",
    "string_agg": "GroupConcat",
    "substring": "Substring",
    "unnest": "Unnest",
}

# Grammar that sqlglot reads as a call, and Postgres does not.
_KEYWORDS = frozenset(
    """
    all array current_time current_timestamp localtime localtimestamp row some xmlattributes
    xmlforest
    """.split()
)


class NotParsed(ValueError):
    """The second parser cannot read the text."""


class NoAnswer(ValueError):
    """The second parser did not come to an end, or died of the text."""


class NoParser(NoAnswer):
    """There is no second parser to ask, and the text is not to blame for that."""


class Killed(NoParser):
    """Somebody killed it while it read; the next one need not be."""


class Disagreement(ValueError):
    """The two parsers saw different statements; the message names the kind of difference."""


UNLIKE = (NotParsed, Disagreement)
"""Why a text is read once more in plainer grammar: there, too, everything has to agree."""


@dataclass(slots=True, kw_only=True)
class Sighting:
    """What the second parser saw."""

    relations: set[tuple[str | None, str]] = field(default_factory=set)
    spelled: set[str] = field(default_factory=set)
    """Functions by their spelling in the source, folded as Postgres folds."""
    nodes: set[str] = field(default_factory=set)


def compare(
    sighting: Sighting, relations: set[tuple[str | None, str]], called: set[str], syntax: set[str]
) -> None:
    """Hold what sqlglot saw against what Postgres's grammar saw.

    `called` are the functions the grammar saw written as calls, `syntax` those it saw as grammar.

    Raises:
        Disagreement: they differ in a way no table explains.

    """
    if sighting.relations != relations:
        raise Disagreement("relations")
    if sighting.spelled - called - syntax - _KEYWORDS:
        raise Disagreement("functions")
    unseen = called - sighting.spelled
    if any(_TYPED_CALLS.get(name) not in sighting.nodes for name in unseen):
        raise Disagreement("functions")
