"""Other people's ways to masked values, through the real server: none tells two worlds apart.

They lie beside the checkout with the schema they were written for; where they are not, there is
nothing to test here.
"""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.reads import CORPUS
from tests.support import lab
from tests.support.worlds import Call, ask_both, furnish, told_apart, without_digests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.support.postgres import Shop, ShopServer

__test__ = CORPUS.is_dir()

# Only these need one major; the others are answered or refused on both.
_SINCE = {"JSON_TABLE": 17}

# What is written in both worlds, in the same order, so that the rows lie alike. Each secret of
# the other world is as long as its original, and its mask is the same.
_CHANGE = """
ALTER ROLE plain PASSWORD '{password}';
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT CONNECT ON DATABASE {database} TO plain;
UPDATE users SET ssn = translate(ssn, '0123456789', '{digits}'),
    email = left(email, 1)
        || translate(substr(email, 2), 'abcdefghijkl0123456789', '{letters}{digits}'),
    salary = {salary};
UPDATE users SET email = email || '.com' WHERE email !~ '[.]com$';
UPDATE users SET profile = jsonb_build_object('ssn', ssn, 'plan', 'basic');
UPDATE people SET ssn = translate(ssn, '0123456789', '{digits}');
REFRESH MATERIALIZED VIEW mv_users;
"""
_TIDY = ("VACUUM FULL", "ANALYZE")
_WORLDS: tuple[Mapping[str, str], ...] = (
    {"digits": "0123456789", "letters": "abcdefghijkl", "salary": "salary"},
    {"digits": "7086421935", "letters": "mnopqrstuvwx", "salary": "999 - salary"},
)
_SECRETS: tuple[tuple[bytes, ...], ...] = (
    (b"987-65-4321", b"111-22-3333", b"999-88-7777", b"222-11-0000", b"da@example.com"),
    # What the others are in the other world, and what every statement asks for there.
    (b"086-42-1935", b"000-88-6666", b"888-00-7777", b"539-24-1680"),
)


def calls(major: int) -> list[Call]:
    """Give what they would ask."""
    cases = map(json.loads, (CORPUS / "leaks.jsonl").read_text(encoding="utf-8").splitlines())
    return [
        Call(case["tool"], {"sql": case["sql"]})
        for case in cases
        if all(major >= since for word, since in _SINCE.items() if word in case["sql"])
    ]


@contextmanager
def world(server: ShopServer, words: Mapping[str, str]) -> Iterator[Shop]:
    """Hold the lab with the secrets of one world, and the role that asks."""
    with lab.furnished(server) as place:
        agent = replace(place.agent, user="plain")
        change = _CHANGE.format(**words, password=agent.password, database=agent.database)
        furnish(place, change, *_TIDY)
        yield replace(place, agent=agent)


def policy() -> str:
    """Write the lab's rules as an operator would."""
    rules = lab.RULES
    masks = "\n".join(f'"{pattern}" = "{kind}"' for pattern, kind in rules.masks.items())
    return (
        f"[access]\nschemas = {json.dumps(rules.schemas)}\n"
        f"deny_relations = {json.dumps(rules.deny_relations)}\n"
        f"[mask]\n{masks}\n[mask.detectors]\nenabled = []\n"
    )


def test_no_way_of_other_people_tells_two_worlds_apart(
    each_postgres: ShopServer, tmp_path: Path
) -> None:
    asked = calls(each_postgres.major)
    with ExitStack() as stack:
        # One after the other: the lab makes roles, of which a server has one set.
        places = [
            (words, nullcontext(stack.enter_context(world(each_postgres, words))))
            for words in _WORLDS
        ]
        evidence = ask_both(places, tmp_path, "modern", asked, policy())

    assert told_apart(asked, evidence) == {}
    for each, secrets in zip(evidence, _SECRETS, strict=True):
        told = b"\n".join(answer.text.encode() for answer in each.answers)
        for secret in secrets:
            assert secret not in repr(asked).encode()
            assert secret not in told
            assert secret not in without_digests(each.written + each.spans)
        assert sum(not answer.is_error for answer in each.answers) > 60
