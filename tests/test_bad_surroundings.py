"""Whatever goes wrong around the server is told clearly, and once it is mended the server works.

Nothing is lost on the way: no answer leaves that the trail could not hold, and every call that it
could hold is accounted for. What is wrong in the input itself is in `test_bad_input.py`, and what
stops the start in `test_bad_configuration.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.record.verify import verify
from tests.postgres.databases import active, backends, terminate
from tests.support.postgres import connected
from tests.support.server import SLOW, check_accounted, configure, serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.answers import Answer
    from tests.support.postgres import Shop, ShopServer
    from tests.support.server import Server

WRONG_PASSWORD = "correct-horse-battery"  # noqa: S105 - it opens nothing
UNREACHABLE = "unavailable: Postgres cannot be reached"
LOST = "unavailable: the connection to Postgres was lost"
NOT_LET_IN = "unavailable: Postgres did not let the server in"
NO_TRAIL = "audit-unavailable: the audit trail cannot be written"


def assert_works(server: Server) -> None:
    """Assert that the next question is answered."""
    answer = server.query("SELECT 1")
    assert answer.rows == [("1",)]


def complaint(answer: Answer) -> str:
    """Give what a failed call says first; it must say what to do as well."""
    assert answer.is_error
    assert answer.hint
    return answer.text.splitlines()[0]


def test_a_wrong_credential_is_told_and_may_be_put_right_without_a_restart(
    postgres: ShopServer, tmp_path: Path
) -> None:
    place = configure(tmp_path, postgres.agent, password=WRONG_PASSWORD)
    with serving(place, "modern") as server:
        assert len(server.tools()) == 4
        assert complaint(server.query("SELECT 1")) == NOT_LET_IN
        assert complaint(server.call("list_schemas")) == NOT_LET_IN

        place.credential.write_text(postgres.agent.password, encoding="ascii")
        assert_works(server)

    assert [end["outcome"] for end in check_accounted(place)] == [
        "unavailable",
        "unavailable",
        "answered",
    ]
    assert WRONG_PASSWORD.encode() not in place.written
    assert postgres.agent.password.encode() not in place.written


@pytest.mark.parametrize("trouble", ["missing", "open to others", "empty"])
def test_a_credential_that_cannot_be_read_is_told_to_the_operator_alone(
    postgres: ShopServer, tmp_path: Path, trouble: str
) -> None:
    place = configure(tmp_path, postgres.agent)
    if trouble == "missing":
        place.credential.unlink()
    elif trouble == "empty":
        place.credential.write_bytes(b"")
    else:
        place.credential.chmod(0o644)
    with serving(place, "modern") as server:
        answer = server.query("SELECT 1")

        assert complaint(answer) == "unavailable: the server has no usable database credential"
        assert str(place.credential) not in answer.text
        assert b"credential_problem" in place.stderr.read_bytes()
        place.credential.unlink(missing_ok=True)
        place.credential.touch(mode=0o600)
        place.credential.write_text(postgres.agent.password, encoding="ascii")
        assert_works(server)
    check_accounted(place)


def test_a_server_that_is_not_there_yet_is_found_when_it_is(
    own_postgres: ShopServer, tmp_path: Path
) -> None:
    sockets = tmp_path / "s"
    place = configure(tmp_path, replace(own_postgres.agent, host=str(sockets)))
    with serving(place, "modern") as server:
        assert len(server.tools()) == 4
        assert complaint(server.query("SELECT 1")) == UNREACHABLE
        assert complaint(server.call("describe_view", name="shop.orders")) == UNREACHABLE

        sockets.symlink_to(own_postgres.agent.host)
        assert_works(server)

        sockets.unlink()
        assert_works(server)  # the connection is still there
    check_accounted(place)


@pytest.mark.usefixtures("own_postgres")
async def test_a_server_that_goes_in_the_middle_of_a_call_and_comes_back_is_found_again(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    sockets = tmp_path / "s"
    sockets.symlink_to(fresh_shop.agent.host)
    place = configure(tmp_path, replace(fresh_shop.agent, host=str(sockets)))
    async with connected(fresh_shop.admin) as admin:
        with serving(place, "modern") as server:
            call = server.begin("query", sql=SLOW)
            (process_id,) = await backends(admin, SLOW)
            sockets.unlink()
            await terminate(admin, "pid = $1", process_id)

            assert complaint(server.wait(call)) == LOST
            assert complaint(server.query("SELECT 1")) == UNREACHABLE

            sockets.symlink_to(fresh_shop.agent.host)
            assert_works(server)

    outcomes = [end["outcome"] for end in check_accounted(place)]
    assert outcomes == ["unavailable", "unavailable", "answered"]


async def test_a_database_that_closes_and_opens_again_is_found_again(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    place = configure(tmp_path, fresh_shop.agent)
    name = fresh_shop.admin.database
    async with connected(replace(fresh_shop.admin, database="postgres")) as admin:
        with serving(place, "modern") as server:
            assert_works(server)
            await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            await terminate(admin, "datname = $1", name)
            assert complaint(server.query("SELECT 1")).startswith("unavailable: ")

            await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            assert_works(server)
    check_accounted(place)


async def test_a_schema_that_does_not_exist_is_told_to_the_operator_and_may_be_made(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    place = configure(tmp_path, fresh_shop.agent, '[access]\nschemas = ["shop", "nowhere"]\n')
    with serving(place, "modern") as server:
        answer = server.query("SELECT 1")
        assert complaint(answer) == "unavailable: the server's policy does not fit the database"
        assert "nowhere" not in answer.text
        (line,) = (
            line for line in place.stderr.read_text().splitlines() if "policy_problem" in line
        )
        assert "nowhere" in line
        assert "fix: " in line

        async with connected(fresh_shop.admin) as admin:
            await admin.execute("CREATE SCHEMA nowhere")
            await admin.execute(f"GRANT USAGE ON SCHEMA nowhere TO {fresh_shop.agent.user}")
        assert_works(server)
    check_accounted(place)


@pytest.mark.parametrize("replacement", ["nothing", "a file"])
def test_without_its_trail_the_server_answers_nothing_until_it_is_back(
    postgres: ShopServer, tmp_path: Path, replacement: str
) -> None:
    place = configure(tmp_path, postgres.agent)
    away = tmp_path / "away"
    with serving(place, "modern") as server:
        assert_works(server)
        place.audit.rename(away)
        if replacement == "a file":
            place.audit.write_bytes(b"")

        assert complaint(server.query("SELECT 1")) == NO_TRAIL
        assert complaint(server.call("list_schemas")) == NO_TRAIL
        assert complaint(server.query("DROP TABLE shop.orders")) == NO_TRAIL
        assert complaint(server.query("SELECT 1", max_rows=0)) == NO_TRAIL

        place.audit.unlink(missing_ok=True)
        away.rename(place.audit)
        assert_works(server)

    assert [end["outcome"] for end in check_accounted(place)] == ["answered", "answered"]


async def test_without_its_trail_the_server_asks_postgres_nothing(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    place = configure(tmp_path, fresh_shop.agent)
    async with connected(fresh_shop.admin) as admin:
        with serving(place, "modern") as server:
            assert_works(server)
            place.audit.rename(tmp_path / "away")

            assert complaint(server.query(SLOW)) == NO_TRAIL

            assert await active(admin) == []


async def test_an_answer_that_the_trail_cannot_hold_does_not_leave(
    fresh_shop: Shop, tmp_path: Path
) -> None:
    place = configure(tmp_path, fresh_shop.agent)
    away = tmp_path / "away"
    sql = "SELECT count(*) FROM shop.orders"
    async with connected(fresh_shop.admin) as admin, connected(fresh_shop.admin) as holder:
        with serving(place, "modern") as server:
            assert_works(server)
            await holder.execute("BEGIN; LOCK TABLE shop.orders")
            call = server.begin("query", sql=sql)
            await backends(admin, "pg_guard_lock")
            place.audit.rename(away)
            await holder.execute("COMMIT")

            answer = server.wait(call)

            assert complaint(answer) == NO_TRAIL
            assert "10000" not in answer.text
            away.rename(place.audit)
            assert_works(server)

    # The one call without an end is the one that was not answered.
    finished = {event["call_id"] for event in place.events if event["event"] == "finished"}
    unfinished = [event["sql"] for event in place.events if event["call_id"] not in finished]
    assert unfinished == [sql]
    assert verify(place.audit).problems == ()
