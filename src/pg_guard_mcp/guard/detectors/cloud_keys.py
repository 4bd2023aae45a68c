"""A text in, the keys of clouds and other services and the passwords of connections in it out.

A password may be short; a key is a long word, and text without one is not searched for keys.
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

from pg_guard_mcp.guard.detectors.detector import Detector, View
from pg_guard_mcp.guard.detectors.named_keys import named_keys
from pg_guard_mcp.guard.detectors.passwords import passwords
from pg_guard_mcp.guard.detectors.vendor_keys import vendor_keys

if TYPE_CHECKING:
    from collections.abc import Iterator


_KEY_CHARACTERS = (string.ascii_letters + string.digits + "_-+/%").encode()
_WORDS = bytes(ord("A") if byte in _KEY_CHARACTERS else ord(" ") for byte in range(256))
_LONG_WORD = b"A" * 20


def _cloud_keys(view: View) -> Iterator[tuple[int, int]]:
    yield from passwords(view.text)
    if _LONG_WORD in view.text.encode("ascii", "replace").translate(_WORDS):
        yield from vendor_keys(view.text)
        yield from named_keys(view.text)


DETECTORS = (Detector("cloud-key", _cloud_keys),)
