"""A masked value never leaves: not in an answer, an error, a plan, a log, a span or the trail.

Every way to the masked values that we know of, one a line in `canary/ways`, is tried on two worlds
through the real server; see `tests.support.worlds`. All of them on 18 and on 15, and some over each
other transport.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.support import worlds
from tests.support.worlds import POLICY, Call, ask_both, forms, furnished, told_apart, ways

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import ShopServer
    from tests.support.server import Era
    from tests.support.worlds import Evidence

FAMILIES = (
    "basics",
    "shapes",
    "rows",
    "types",
    "errors",
    "inference",
    "documents",
    "relations",
    "definitions",
)
DESCRIBED = (
    "vault",
    "vault_child",
    "vault_view",
    "vault_view_of_view",
    "vault_sums",
    "peeking",
    "kinds",
    "spelled",
    '"Tresor Größe"',
    "parted_us_low",
    "sealed",
    "sealed_a",
    "heir",
    "far",
    "guarded",
    "m_copy",
    "v_case",
    "v_deep_4",
    "v_exists",
    "v_kinds",
    "v_union",
)
CALLS = [
    *ways(*FAMILIES),
    *ways("plans", tool="explain"),
    *(Call("describe_view", {"name": f"shop.{name}"}) for name in DESCRIBED),
    Call("list_schemas", {}),
    Call("list_schemas", {"schema": "shop"}),
    Call("list_schemas", {"search": "vault"}),
    Call("query", {"sql": "SELECT ssn FROM shop.vault", "max_rows": 1}),
    Call("query", {"sql": "SELECT ssn FROM shop.vault", "max_rows": 0}),
]


class Route(NamedTuple):
    """How to go through the corpus: on which Postgres, how spoken to, and every which call."""

    server: str
    era: Era
    step: int


@pytest.fixture(
    scope="module",
    params=[
        Route("postgres", "modern", 1),
        Route("postgres", "legacy", 9),
        Route("postgres", "http", 9),
        pytest.param(Route("postgres15", "modern", 1), marks=pytest.mark.postgres15),
    ],
    ids=lambda route: "-".join(map(str, route)),
)
def asked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Call], tuple[Evidence, ...]]:
    """Ask two servers the same, before two worlds."""
    route: Route = request.param
    server: ShopServer = request.getfixturevalue(route.server)
    calls = [call for call in CALLS[:: route.step] if call.since <= server.major]
    directory = tmp_path_factory.mktemp("canary")
    return calls, ask_both(furnished(server), directory, route.era, calls)


def test_every_answer_is_the_same_whatever_is_behind_the_masks(
    asked: tuple[list[Call], tuple[Evidence, ...]],
) -> None:
    assert told_apart(*asked) == {}


def test_no_byte_that_a_server_wrote_anywhere_holds_a_secret(
    asked: tuple[list[Call], tuple[Evidence, ...]],
) -> None:
    # The statements asked stand in the trail, so they must not spell a secret out themselves.
    calls, evidence = asked
    for each in evidence:
        told = b"\n".join(answer.text.encode() for answer in each.answers)
        written = worlds.without_digests(each.written + each.spans)
        for form in forms(each.secrets):
            assert form not in repr(calls).encode()
            assert form not in told
            assert form not in written


def test_the_guard_was_really_asked_and_the_masks_really_stood(
    asked: tuple[list[Call], tuple[Evidence, ...]],
) -> None:
    calls, evidence = asked
    for each in evidence:
        assert each.calls == len(calls)
        answered = [answer for answer in each.answers if not answer.is_error]
        assert len(answered) > 0.5 * len(calls)
        (first, *_) = each.answers[0].rows
        assert first[:5] == ("1", "open 1", "x***@***.example", "[redacted]", "****-end")
        assert b"tools/call" in each.spans
        assert b"fetch" in each.spans
        assert len(each.written) > 50_000


def test_without_masks_the_same_questions_would_tell_the_two_apart(
    postgres: ShopServer, tmp_path: Path
) -> None:
    """The questions are worth their place: most of them tell, where nothing is masked."""
    calls = CALLS[::5]
    policy = POLICY[: POLICY.index("[mask]")]

    evidence = ask_both(furnished(postgres), tmp_path, "modern", calls, policy)

    assert len(told_apart(calls, evidence)) > 0.5 * len(calls)


def test_the_corpus_is_of_more_than_three_hundred_ways() -> None:
    assert len(set(map(repr, CALLS))) == len(CALLS)
    assert len(CALLS) > 700


def test_what_a_type_is_made_of_can_be_guessed_and_no_more(
    postgres: ShopServer, tmp_path: Path
) -> None:
    """What `docs/security.md` says remains: a definition is an administrator's text."""
    calls = [
        Call("query", {"sql": "SELECT ('label quet' || 'zal')::shop.said"}),
        Call("query", {"sql": "SELECT ('known quet' || 'zal')::shop.known"}),
    ]

    evidence = ask_both(furnished(postgres), tmp_path, "modern", calls)

    assert len(told_apart(calls, evidence)) == len(calls)
