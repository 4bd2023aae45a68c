"""What is around the server fails: its disk, its keyring, its password, its lock, its clock."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import lock_descriptor, unlock_descriptor
from tests.postgres.databases import active
from tests.support import file_keyring
from tests.support.postgres import connected

from pg_guard_mcp.record.chain import LOCK_FILE
from tools.faults.ground import NO_TRAIL, Fault
from tools.questions import SLOW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import Place

    from tools.faults.ground import Ground

_CLIENTS = 4
_DISK_BYTES = 4 * 1024 * 1024
_LASTS_SECONDS = 1.0
_HELD_SECONDS = 8.0
_AT_ONCE = 16
_MOST_SECONDS = 6.0
"""The first waits for the lock, and all others but a little, one after the other."""
_LOOK_SECONDS = 0.002
_ROOT = Path(__file__).parents[2]
_FILLER = "filler"
_CLOCK = "clock"
_LIBRARIES = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
_FAKETIME = next(_LIBRARIES, None)


@contextmanager
def _small_disk(place: Place) -> Iterator[Place]:
    """Put the trail on a file system of its own, with room for some thousand calls."""
    place.audit.mkdir(mode=0o700)
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    assert mount
    assert unmount
    options = f"size={_DISK_BYTES},mode=700"
    subprocess.run([mount, "-t", "tmpfs", "-o", options, "tmpfs", place.audit], check=True)
    try:
        yield place
    finally:
        subprocess.run([unmount, place.audit], check=True)


async def fill_disk(ground: Ground) -> None:
    """Leave no room for the trail: whatever is asked, nothing runs."""
    filler = ground.place.audit / _FILLER
    async with ground.load(_CLIENTS):
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(512))
        struck = await ground.ask("query", sql=SLOW)
        if struck.code != NO_TRAIL:
            ground.wrong.append(f"without a trail: {struck.text}")
        async with connected(ground.shop.admin) as admin:
            if await active(admin, SLOW):
                ground.wrong.append("a query ran that the trail does not know")
        await asyncio.sleep(_LASTS_SECONDS)
        filler.unlink()
        await ground.until_well()


@contextmanager
def _own_keyring(place: Place) -> Iterator[Place]:
    """Have the credential come from a keyring that can be locked."""
    policy = place.policy.read_text(encoding="utf-8")
    place.policy.write_text(
        policy.replace(f'"file:{place.credential}"', '"keyring"'), encoding="utf-8"
    )
    yield replace(
        place,
        environment={
            "PYTHON_KEYRING_BACKEND": f"{file_keyring.__name__}.FileKeyring",
            "PYTHONPATH": str(_ROOT),
            file_keyring.VARIABLE: str(place.credential),
        },
    )


async def lock_keyring(ground: Ground) -> None:
    """Lock the keyring, then have it wait for a person, each time when all connections are gone."""
    for trouble in (file_keyring.LOCKED, file_keyring.ASKING):
        lock = ground.place.credential.with_suffix(trouble)
        async with ground.load(_CLIENTS):
            lock.touch()
            await ground.end_connections()
            struck = await ground.ask("query", sql="SELECT 1")
            if struck.code not in {"unavailable", "busy"}:
                ground.wrong.append(f"without a credential: {struck.text}")
            await asyncio.sleep(_LASTS_SECONDS)
            lock.unlink()
            await ground.until_well()


async def rotate_password(ground: Ground) -> None:
    """Change the role's password and end all connections; what the server is told comes later."""
    agent = ground.shop.agent
    try:
        async with ground.load(_CLIENTS):
            for password in (secrets.token_urlsafe(), agent.password):
                await _set_password(ground, password)
                await ground.end_connections()
                struck = await ground.ask("query", sql="SELECT 1")
                if struck.code not in {"unavailable", "busy"}:
                    ground.wrong.append(f"with a password of old: {struck.text}")
                await asyncio.sleep(_LASTS_SECONDS)
                ground.place.credential.write_text(password, encoding="ascii")
                await ground.until_well()
    finally:
        await _set_password(ground, agent.password)


async def _set_password(ground: Ground, password: str) -> None:
    async with connected(ground.shop.admin) as admin:
        await admin.execute(f"ALTER ROLE {ground.shop.agent.user} PASSWORD '{password}'")


async def hold_lock(ground: Ground) -> None:
    """Hold the trail's lock in another process, this one: nothing runs that cannot be recorded."""
    descriptor = os.open(ground.place.audit / LOCK_FILE, os.O_RDWR)
    try:
        async with ground.load(_CLIENTS):
            while not lock_descriptor(descriptor, blocking=False):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(_LOOK_SECONDS)
            since = time.monotonic()
            calls = (ground.ask("query", sql=SLOW) for _ in range(_AT_ONCE))
            for struck in await asyncio.gather(*calls):
                if struck.code != NO_TRAIL:
                    ground.wrong.append(f"without a trail: {struck.text}")
            async with connected(ground.shop.admin) as admin:
                if await active(admin, SLOW):
                    ground.wrong.append("a query ran that the trail does not know")
            if ground.slowest > _MOST_SECONDS:
                ground.wrong.append(f"without a lock a call took {ground.slowest:.1f} s")
            await asyncio.sleep(max(0.0, _HELD_SECONDS - (time.monotonic() - since)))
            unlock_descriptor(descriptor)
            await ground.until_well()
            ground.remark = f"held for {time.monotonic() - since - ground.well:.1f} s"
    finally:
        os.close(descriptor)


@contextmanager
def _own_clock(place: Place) -> Iterator[Place]:
    """Have the server read the time from a file."""
    clock = place.project.parent / _CLOCK
    clock.write_text("+0", encoding="ascii")
    yield replace(
        place,
        environment={
            "LD_PRELOAD": str(_FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        },
    )


async def jump(ground: Ground) -> None:
    """Set the clock on by days, then back beyond where it was, and right again, under load."""
    clock = ground.place.project.parent / _CLOCK
    async with ground.load(_CLIENTS):
        for offset in ("+3d", "-2d", "+0"):
            clock.write_text(offset, encoding="ascii")
            await ground.until_well()
    days = {event["ts"][:10] for event in ground.place.events}
    files = sorted(path.name for path in ground.place.audit.glob("*.jsonl"))
    if len(days) < len(("+3d", "-2d", "+0")):
        ground.wrong.append("the clock did not jump")
    ground.remark = f"{len(days)} days in {len(files)} files"


def _no_mount() -> str | None:
    return None if os.name == "posix" and os.geteuid() == 0 else "root"


def _no_clock() -> str | None:
    return None if _FAKETIME else "faketime"


SURROUNDINGS = (
    Fault(
        name="disk full under the trail",
        happen=fill_disk,
        tolerated=(NO_TRAIL,),
        settle=_small_disk,
        needs=_no_mount,
    ),
    Fault(
        name="keyring locked",
        happen=lock_keyring,
        tolerated=("unavailable", "busy"),
        settle=_own_keyring,
    ),
    Fault(
        name="password rotated",
        happen=rotate_password,
        tolerated=("unavailable", "busy"),
    ),
    Fault(
        name="trail locked by another process",
        happen=hold_lock,
        tolerated=(NO_TRAIL,),
    ),
    Fault(name="clock jumps", happen=jump, tolerated=(), settle=_own_clock, needs=_no_clock),
)
