"""Keyrings for tests: real backends of the keyring library that never leave this process."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import keyring
from keyring.backend import KeyringBackend
from keyring.backends import fail
from keyring.errors import PasswordDeleteError

if TYPE_CHECKING:
    from collections.abc import Iterator


class MemoryKeyring(KeyringBackend):
    """A keyring as the library knows it, kept in memory."""

    priority = 1.0

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()  # type: ignore[no-untyped-call]  # keyring leaves it untyped
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        """Look an entry up."""
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Write an entry."""
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        """Remove an entry."""
        if self.entries.pop((service, username), None) is None:
            raise PasswordDeleteError


class BrokenKeyring(MemoryKeyring):
    """A keyring that fails with whatever it is told to, and quotes the secret."""

    def __init__(self, error: Exception) -> None:
        """Remember how to fail."""
        super().__init__()
        self.error = error

    def get_password(self, service: str, username: str) -> str | None:  # noqa: ARG002
        """Fail."""
        raise self.error


class PlaintextKeyring(MemoryKeyring):
    """Named like the backend that writes to disk in clear."""


def no_keyring() -> KeyringBackend:
    """Return what the library falls back to on a machine without a keyring."""
    return fail.Keyring()  # type: ignore[no-untyped-call]  # keyring leaves it untyped


@contextmanager
def keyring_in_memory() -> Iterator[MemoryKeyring]:
    """Put a keyring in memory in the place of this machine's."""
    before = keyring.get_keyring()
    backend = MemoryKeyring()
    keyring.set_keyring(backend)
    try:
        yield backend
    finally:
        keyring.set_keyring(before)
