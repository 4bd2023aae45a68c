"""What goes wrong inside is in the log, once, and without what was being worked on."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import pwd
from typing import TYPE_CHECKING

from pg_guard_mcp.model import Limits
from pg_guard_mcp.server.crashes import listen_to_loop
from pg_guard_mcp.server.service import Service
from tests.support.raw import raw
from tests.support.server import configure

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.support.postgres import ShopServer

EMAIL = "ada@example.com"
NO_FILE = {
    "message": "socket.accept() out of system resource",
    "exception": OSError(errno.EMFILE, "Too many open files"),
}


async def test_what_nobody_waited_for_is_told_without_its_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    listen_to_loop()

    async def fail() -> None:
        raise ValueError(EMAIL)

    task = asyncio.ensure_future(fail())
    await asyncio.wait([task])
    del task
    gc.collect()
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_exception_handler({"message": f"Exception in ('{EMAIL}')"})
    asyncio.get_running_loop().call_exception_handler({})

    first, second, third = caplog.messages
    assert first.startswith("loop_crashed Task_exception_was_never_retrieved ValueError at fail:")
    assert (second, third) == ("loop_crashed Exception_in", "loop_crashed None")
    assert EMAIL not in caplog.text


async def test_that_the_other_side_has_gone_is_no_crash(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    listen_to_loop()
    lost = {"message": "Task exception was never retrieved", "exception": BrokenPipeError(EMAIL)}

    asyncio.get_running_loop().call_exception_handler(lost)

    assert caplog.messages == ["connection_lost BrokenPipeError Task_exception_was_never_retrieved"]


async def test_that_no_file_is_left_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    listen_to_loop()

    for _ in range(2_000):
        asyncio.get_running_loop().call_exception_handler(NO_FILE)

    assert caplog.messages == ["out_of_resources EMFILE socket"]


def test_a_user_who_has_a_number_only_is_named_by_it(
    postgres: ShopServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = configure(tmp_path, postgres.agent)
    with raw(place) as server:
        server.call("query", {"sql": "SELECT 1"})
    (known, *_) = {event["subject"] for event in place.events}

    def nobody(_number: int) -> None:
        raise KeyError

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    service = Service(limits=Limits(), open_guard=NotImplemented, subject=lambda: None)

    assert service._user == f"uid {os.getuid()}" != known
