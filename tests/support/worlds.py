"""Two databases that are alike but for what is masked, a server before each, and all it said.

Whatever a server answers must be the same before both. So nothing can be told by inference either,
and no list of places to look in is needed.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import re
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.postgres.databases import shared_database
from tests.support.postgres import connected
from tests.support.server import Era, check_accounted, configure, serving
from tests.support.since import known, taken

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    from mcp.types import CallToolResult

    from tests.support.answers import Answer
    from tests.support.postgres import Shop, ShopServer
    from tests.support.server import Server

# Word by word the same length: what is masked must not be told apart by its size either. And the
# other way round: what comes first, or is equal, in one world does not in the other.
SECRETS: tuple[Mapping[str, str], ...] = (
    {
        "word": "quetzal",
        "number": "7391846",
        "small": "19373",
        "date": "1977-03-19",
        "time": "13:47:29",
        "uuid": "5ca1ab1e-0dd5-4bad-8bad-c0ffee254bad",
        "address": "203.0.113.177",
        "network": "198.51.100.160/27",
        "mac": "5c:a1:ab:1e:0d:d5",
        "mood": "stormy",
        "turn": "(10 + id)",
        "groups": "3",
    },
    {
        "word": "ibisfox",
        "number": "7391257",
        "small": "19379",
        "date": "1977-11-02",
        "time": "13:52:31",
        "uuid": "deadbea7-feed-4ace-9ace-baff1edfaced",
        "address": "203.0.113.219",
        "network": "198.51.100.192/27",
        "mac": "de:ad:be:a7:fe:ed",
        "mood": "gloomy",
        "turn": "(40 - id)",
        "groups": "4",
    },
)

DIRECTORY = Path(__file__).parents[1] / "canary"
FURNITURE = "".join(
    (DIRECTORY / f"{name}.sql").read_text(encoding="utf-8")
    for name in ("furniture", "types", "views")
)
POLICY = (DIRECTORY / "policy.toml").read_text(encoding="utf-8")
_GRANT = "GRANT SELECT ON ALL TABLES IN SCHEMA shop TO agent_ro"
_AHEAD = 3


class Call(NamedTuple):
    """A tool, and what to ask it."""

    tool: str
    arguments: dict[str, object]
    since: int = 0
    """The first major of Postgres that has the grammar or the function."""


def ways(*families: str, tool: str = "query") -> list[Call]:
    """Read the statements of some families: one a line, comments between them."""
    calls = []
    for family in families:
        for line in (DIRECTORY / "ways" / f"{family}.sql").read_text(encoding="utf-8").splitlines():
            if not line.startswith("--"):
                sql, since = taken(line)
                calls.append(Call(tool, {"sql": sql}, since))
    return calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one server said and left, asked about one world."""

    secrets: Mapping[str, str]
    answers: list[Answer]
    written: bytes
    spans: bytes
    calls: int

    def said(self) -> list[str]:
        """Give the answers without the random tags on their fences."""
        return [untagged(answer.text) for answer in self.answers]


def ask_both(
    worlds: Sequence[tuple[Mapping[str, str], AbstractContextManager[Shop]]],
    directory: Path,
    era: Era,
    calls: Sequence[Call],
    policy: str = POLICY,
) -> tuple[Evidence, ...]:
    """Ask a server before each world the same, both at once."""

    def ask(number: int) -> Evidence:
        secrets, world = worlds[number]
        with world as place:
            return _ask(place, secrets, directory / str(number), era, calls, policy)

    with ThreadPoolExecutor(len(worlds)) as pool:
        return tuple(pool.map(ask, range(len(worlds))))


def _ask(
    place: Shop,
    secrets: Mapping[str, str],
    directory: Path,
    era: Era,
    calls: Sequence[Call],
    policy: str,
) -> Evidence:
    with _collecting() as collector:
        endpoint = f"http://127.0.0.1:{collector.server_port}"
        configured = configure(
            directory,
            place.agent,
            policy,
            environment={"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint},
        )
        with serving(configured, era) as server:
            answers = list(_answers(server, calls))
        return Evidence(
            secrets=secrets,
            answers=answers,
            written=configured.written,
            spans=b"".join(collector.bodies),
            calls=len(check_accounted(configured)),
        )


def _answers(server: Server, calls: Sequence[Call]) -> Iterator[Answer]:
    """Ask one call after the other, a few ahead: the role may hold eight connections."""
    ahead: deque[Future[CallToolResult]] = deque()
    for call in calls:
        ahead.append(server.begin(call.tool, **call.arguments))
        if len(ahead) == _AHEAD:
            yield server.wait(ahead.popleft())
    while ahead:
        yield server.wait(ahead.popleft())


def furnished(server: ShopServer) -> list[tuple[Mapping[str, str], AbstractContextManager[Shop]]]:
    """Give both worlds of ours, not yet made."""
    return [(secrets, _furnished(server, secrets)) for secrets in SECRETS]


@contextmanager
def _furnished(server: ShopServer, secrets: Mapping[str, str]) -> Iterator[Shop]:
    with shared_database(server) as shop:
        words = {
            **secrets,
            "host": shop.agent.host,
            "port": str(shop.agent.port),
            "database": shop.agent.database,
            # The agent's role may hold eight connections, and its sessions keep these open.
            "admin": shop.admin.user,
            "password": shop.admin.password,
        }
        furniture = known(FURNITURE, server.major)
        furnish(shop, re.sub(r"\{(\w+)\}", lambda found: words[found[1]], furniture), _GRANT)
        yield shop


def furnish(shop: Shop, *scripts: str) -> None:
    """Run scripts as superuser."""

    async def execute() -> None:
        async with connected(shop.admin) as connection:
            for script in scripts:
                await connection.execute(script)

    asyncio.run(execute())


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
        *(_base64(word, shift) for shift in range(3)),
        hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(),
        *(str(int(number) + turn) for turn in range(41)),
        str(int(number) * 2),
        number[::-1],
        date,
        date[5:],
        secrets["uuid"],
        secrets["uuid"].replace("-", ""),
        secrets["address"],
        secrets["network"],
        secrets["mac"],
    }
    return {text.encode() for text in texts}


def _base64(word: str, shift: int) -> str:
    """Encode a word that stands somewhere in a group of three: what it alone decides."""
    encoded = base64.b64encode(b"\0" * shift + word.encode()).decode()
    return encoded[(shift * 8 + 5) // 6 : (shift + len(word)) * 8 // 6]


def without_digests(written: bytes) -> bytes:
    """Leave out digests and ids, in which any seven digits stand sooner or later."""
    return re.sub(rb"[0-9a-f]{16,}", b"", written)


def untagged(text: str) -> str:
    """Take the random tags off an answer's fences."""
    return re.sub(r"^(</?data) \w+>$", r"\1>", text, flags=re.MULTILINE)


def told_apart(calls: Sequence[Call], evidence: tuple[Evidence, ...]) -> dict[str, list[str]]:
    """Name the calls that two worlds answer differently, with both answers."""
    one, other = (each.said() for each in evidence)
    return {
        repr(call): [mine, theirs]
        for call, mine, theirs in zip(calls, one, other, strict=True)
        if mine != theirs
    }
