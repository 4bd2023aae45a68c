"""A file that holds a secret is its owner's alone, or it is not read."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

from pg_guard_mcp.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def check_private(status: os.stat_result, path: Path) -> None:
    """Refuse a file that others could read, or could have written.

    Raises: ConfigurationError.
    """
    if sys.platform == "win32":
        raise _refusal(
            f"{path} cannot be checked: Windows has no file modes",
            "Keep a password in the keyring instead",
        )
    if not stat.S_ISREG(status.st_mode):
        raise _refusal(f"{path} is not a regular file", "Put the secret into a file of its own")
    if status.st_uid not in (os.geteuid(), 0):
        raise _refusal(
            f"{path} belongs to another user", f"Run: chown $(id -u) {path} && chmod 600 {path}"
        )
    if stat.S_IMODE(status.st_mode) & _OTHERS:
        raise _refusal(f"{path} is open to other users", f"Run: chmod 600 {path}")


def _refusal(message: str, fix: str) -> ConfigurationError:
    return ConfigurationError([Problem(message, fix)])
