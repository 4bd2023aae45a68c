"""A masked value never leaves: not in an answer, an error, a plan, a log, a span or the trail.

Two databases are alike but for what is masked. Every way to the masked values is tried on both,
through the real server. Whatever an answer holds, it must be the same on both: so nothing can be
told by inference either, and no list of places to look in is needed. And no byte that a server
wrote anywhere may hold a secret.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.postgres.databases import shared_database
from tests.support.postgres import connected
from tests.support.server import Era, check_accounted, configure, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.answers import Answer
    from tests.support.postgres import Shop, ShopServer

# Word by word the same length: what is masked must not be told apart by its size either.
SECRETS: tuple[Mapping[str, str], ...] = (
    {
        "word": "quetzal",
        "number": "7391846",
        "date": "1977-03-19",
        "uuid": "5ca1ab1e-0dd5-4bad-8bad-c0ffee254bad",
        "address": "203.0.113.177",
    },
    {
        "word": "ibisfox",
        "number": "7391257",
        "date": "1977-11-02",
        "uuid": "deadbea7-feed-4ace-9ace-baff1edfaced",
        "address": "203.0.113.219",
    },
)

CASES = Path(__file__).parent / "canary"
FURNITURE = (CASES / "furniture.sql").read_text(encoding="utf-8")
POLICY = (CASES / "policy.toml").read_text(encoding="utf-8")
QUERIES = (CASES / "queries.sql").read_text(encoding="utf-8").splitlines()
PLANS = (CASES / "plans.sql").read_text(encoding="utf-8").splitlines()

DESCRIBED = ["vault", "vault_child", "vault_view", "vault_view_of_view", "vault_sums", "peeking"]


class Call(NamedTuple):
    """A tool, and what to ask it."""

    tool: str
    arguments: dict[str, object]


CALLS = [
    *[Call("query", {"sql": sql}) for sql in QUERIES],
    *[Call("explain", {"sql": sql}) for sql in PLANS],
    *[Call("describe_view", {"name": f"shop.{name}"}) for name in DESCRIBED],
    Call("list_schemas", {}),
    Call("list_schemas", {"schema": "shop"}),
    Call("list_schemas", {"search": "vault"}),
    Call("query", {"sql": "SELECT ssn FROM shop.vault", "max_rows": 1}),
    Call("query", {"sql": "SELECT ssn FROM shop.vault", "max_rows": 0}),
]


class Collector(ThreadingHTTPServer):
    """Takes what an OpenTelemetry exporter sends, and keeps its bytes."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on loopback, on any port."""
        self.bodies: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Keep the body, unpacked."""
        assert isinstance(self.server, Collector)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        packed = self.headers.get("Content-Encoding") == "gzip"
        self.server.bodies.append(gzip.decompress(body) if packed else body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Stay silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one server said and left, asked about one set of secrets."""

    secrets: Mapping[str, str]
    answers: list[Answer]
    written: bytes
    spans: bytes
    calls: int


@pytest.fixture(scope="module", params=["legacy", "modern", "http"])
def era(request: pytest.FixtureRequest) -> Era:
    """Go through all of it in each era, and over HTTP."""
    found: Era = request.param
    return found


@pytest.fixture(scope="module")
def evidence(
    postgres: ShopServer, tmp_path_factory: pytest.TempPathFactory, era: Era
) -> tuple[Evidence, ...]:
    """Ask two servers the same, over two databases that differ in what is masked."""
    return tuple(
        _gather(postgres, tmp_path_factory.mktemp("canary"), era, secrets) for secrets in SECRETS
    )


def _gather(
    postgres: ShopServer, directory: Path, era: Era, secrets: Mapping[str, str]
) -> Evidence:
    with shared_database(postgres) as shop, _collecting() as collector:
        _furnish(shop, secrets)
        place = configure(
            directory,
            shop.agent,
            POLICY,
            environment={
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}"
            },
        )
        with serving(place, era) as server:
            answers = [server.call(tool, **arguments) for tool, arguments in CALLS]
        return Evidence(
            secrets=secrets,
            answers=answers,
            written=place.written,
            spans=b"".join(collector.bodies),
            calls=len(check_accounted(place)),
        )


def _furnish(shop: Shop, secrets: Mapping[str, str]) -> None:
    sql = re.sub(r"\{(\w+)\}", lambda found: secrets[found[1]], FURNITURE)

    async def execute() -> None:
        async with connected(shop.admin) as connection:
            await connection.execute(sql)

    asyncio.run(execute())


@contextmanager
def _collecting() -> Iterator[Collector]:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield collector
        finally:
            collector.shutdown()
            thread.join()


def forms(secrets: Mapping[str, str]) -> set[bytes]:
    """Spell secrets the ways an answer might: as they are, turned, shifted, encoded, digested."""
    word, number, date = secrets["word"], secrets["number"], secrets["date"]
    texts = {
        word,
        word.upper(),
        word.title(),
        word[::-1],
        word.encode().hex(),
        base64.b64encode(word.encode()).decode().rstrip("=")[:-1],
        hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(),
        number,
        str(int(number) + 1),
        str(int(number) * 2),
        date,
        date[5:],
        secrets["uuid"],
        secrets["address"],
    }
    return {text.encode() for text in texts}


def untagged(text: str) -> str:
    """Take the random tags off an answer's fences."""
    return re.sub(r"^(</?data) \w+>$", r"\1>", text, flags=re.MULTILINE)


@pytest.mark.parametrize(
    "number", range(len(CALLS)), ids=lambda n: str(CALLS[n].arguments or CALLS[n].tool)
)
def test_an_answer_is_the_same_whatever_is_behind_the_masks(
    evidence: tuple[Evidence, Evidence], number: int
) -> None:
    one, other = (untagged(each.answers[number].text) for each in evidence)

    assert one == other


def test_no_byte_that_a_server_wrote_anywhere_holds_a_secret(
    evidence: tuple[Evidence, Evidence],
) -> None:
    # The statements asked stand in the trail, so they must not spell a secret out themselves.
    asked = repr(CALLS).encode()
    for each in evidence:
        told = b"\n".join(answer.text.encode() for answer in each.answers)
        for form in forms(each.secrets):
            assert form not in asked
            assert form not in told
            assert form not in each.spans
            assert form not in each.written


def test_the_guard_was_really_asked_and_the_masks_really_stood(
    evidence: tuple[Evidence, Evidence],
) -> None:
    for each in evidence:
        assert each.calls == len(CALLS)
        answered = [answer for answer in each.answers if not answer.is_error]
        assert len(answered) > 0.6 * len(CALLS)
        (first, *_) = each.answers[0].rows
        assert first[:5] == ("1", "open 1", "x***@***.example", "[redacted]", "****-end")
        assert b"tools/call" in each.spans
        assert b"fetch" in each.spans
        assert len(each.written) > 50_000


def test_without_masks_the_same_questions_would_tell_the_two_apart(
    postgres: ShopServer, tmp_path: Path
) -> None:
    """The questions are worth their place: most of them tell, where nothing is masked."""
    policy = POLICY[: POLICY.index("[mask]")]
    told = []
    for number, secrets in enumerate(SECRETS):
        with shared_database(postgres) as shop:
            _furnish(shop, secrets)
            place = configure(tmp_path / str(number), shop.agent, policy)
            with serving(place, "modern") as server:
                told.append([untagged(server.call(tool, **args).text) for tool, args in CALLS])

    differing = sum(one != other for one, other in zip(*told, strict=True))
    assert differing > 0.5 * len(CALLS)
