"""A keyring that waits for a person keeps few threads waiting, however many calls there are."""

from __future__ import annotations

import logging
import threading

import anyio
import pytest

from pg_guard_mcp.errors import Unavailable
from pg_guard_mcp.server.keyring_desk import MOST_WAITING, KeyringDesk


async def test_no_more_than_some_questions_wait_for_a_person(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk, unlocked = KeyringDesk(), threading.Event()
    asked = 0

    def question() -> str:
        nonlocal asked
        asked += 1
        unlocked.wait(20)
        return "secret"

    try:
        for number in range(MOST_WAITING):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(desk.ask, question)
                while asked <= number:  # noqa: ASYNC110 - a thread tells nobody that it began
                    await anyio.sleep(0.005)
                tasks.cancel_scope.cancel()
        with caplog.at_level(logging.ERROR), pytest.raises(Unavailable) as caught:
            await desk.ask(question)
    finally:
        unlocked.set()

    assert asked == MOST_WAITING
    assert "the keyring does not answer" in caplog.text
    assert "keyring" not in caught.value.as_text()
    while desk._waiting:  # noqa: ASYNC110 - see above
        await anyio.sleep(0.005)
    assert await desk.ask(question) == "secret"
