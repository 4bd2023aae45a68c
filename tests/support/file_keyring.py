"""A keyring for servers that are processes of their own: it can be locked, or keep one waiting.

The environment variable `FILE_KEYRING` names its one entry; a file beside it locks it, another has
it wait for a person, as keyrings do that ask for their password.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

VARIABLE = "FILE_KEYRING"
LOCKED, ASKING = ".locked", ".asking"
_LOOK_SECONDS = 0.05


class FileKeyring(KeyringBackend):
    """The entry, whatever it is asked for."""

    priority = 1.0

    def get_password(self, service: str, username: str) -> str | None:  # noqa: ARG002 - it has one
        """Give the entry, when it may."""
        entry = Path(os.environ[VARIABLE])
        if entry.with_suffix(LOCKED).exists():
            raise KeyringLocked
        while entry.with_suffix(ASKING).exists():
            time.sleep(_LOOK_SECONDS)
        return entry.read_text(encoding="ascii")

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep nothing: the base class wants this, and a server never calls it."""
        raise NotImplementedError
