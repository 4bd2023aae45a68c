"""A wire between two hosts that can be cut, and can lose packets: real ones, of a real TCP.

    with wired() as wire:
        [*wire.inside, "psql", "-h", wire.here, ...]   # runs on the other host
        wire.loss = 0.3
        wire.loss = 1.0  # cut

The other host is a network namespace, and the wire is a pair of TUN devices with us in between:
`tc netem` would do the same, but is a module that not every kernel has. Linux, root and iproute2.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import struct
import subprocess
import threading
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TUN = Path("/dev/net/tun")
_SET_INTERFACE = 0x400454CA
_PLAIN_TUN = 0x1001  # packets of IP, without a header of the kernel's
_MOST_BYTES = 65_536
_LOOK_SECONDS = 0.1


class Wire:
    """Both ends, and how many packets get through."""

    def __init__(self) -> None:
        """Name both ends after this process; made by `wired`."""
        self._namespace = f"pg-guard-{os.getpid()}"
        # Of the block that RFC 5737 sets aside for examples.
        self.here, self._there = "198.51.100.1", "198.51.100.2"
        self.loss = 0.0
        self.lost = self.passed = 0

    @property
    def inside(self) -> list[str]:
        """The command that runs another one on the other host."""
        return ["ip", "netns", "exec", self._namespace]

    def lay(self, stack: ExitStack) -> None:
        """Make the other host, and the wire to it."""
        _ip("netns", "add", self._namespace)
        stack.callback(_ip, "netns", "delete", self._namespace)
        names = [f"pgg{os.getpid() % 100_000}{end}" for end in "ab"]
        ends = [_open(name, stack) for name in names]
        _ip("link", "set", names[1], "netns", self._namespace)
        for name, own, other, inside in (
            (names[0], self.here, self._there, []),
            (names[1], self._there, self.here, ["-n", self._namespace]),
        ):
            _ip(*inside, "address", "add", own, "peer", other, "dev", name)
            _ip(*inside, "link", "set", name, "up")
        over = threading.Event()
        carrier = threading.Thread(target=self._carry, args=(ends, over))
        carrier.start()
        stack.callback(carrier.join)
        stack.callback(over.set)

    def _carry(self, ends: list[int], over: threading.Event) -> None:
        random = Random(1)  # noqa: S311 - the same packets every time, as far as that goes
        other = {ends[0]: ends[1], ends[1]: ends[0]}
        while not over.is_set():
            for end in select.select(ends, [], [], _LOOK_SECONDS)[0]:
                packet = os.read(end, _MOST_BYTES)
                if random.random() < self.loss:
                    self.lost += 1
                    continue
                self.passed += 1
                with suppress(OSError):
                    os.write(other[end], packet)


def missing() -> str | None:
    """Name what this machine has not for a wire."""
    if os.name != "posix" or os.geteuid() != 0:
        return "root"
    if shutil.which("ip") is None:
        return "iproute2"
    return None if _TUN.exists() else "TUN device"


@contextmanager
def wired() -> Iterator[Wire]:
    """Hold a wire that loses nothing yet."""
    with ExitStack() as stack:
        wire = Wire()
        wire.lay(stack)
        yield wire


def _open(name: str, stack: ExitStack) -> int:
    end = os.open(_TUN, os.O_RDWR)
    stack.callback(os.close, end)
    fcntl.ioctl(end, _SET_INTERFACE, struct.pack("16sH22x", name.encode(), _PLAIN_TUN))
    return end


def _ip(*arguments: str) -> None:
    command = shutil.which("ip")
    assert command
    subprocess.run([command, *arguments], check=True, stdin=subprocess.DEVNULL)
