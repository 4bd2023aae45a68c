"""Load settings from four sources, written down in the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.errors import ConfigurationError
from pg_guard_mcp.settings import Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "correct-horse-battery"  # noqa: S105 - a canary: it must appear nowhere


def load(
    directory: Path,
    *,
    toml: str = "",
    dotenv: str = "",
    environment: dict[str, str] | None = None,
    flags: dict[str, object] | None = None,
) -> Settings:
    """Load settings from these four sources."""
    if toml:
        (directory / "pg-guard.toml").write_text(toml, encoding="utf-8")
    if dotenv:
        (directory / ".env").write_text(dotenv, encoding="utf-8")
    return load_settings(environment=environment or {}, directory=directory, flags=flags or {})


def problems(
    directory: Path,
    *,
    toml: str = "",
    dotenv: str = "",
    environment: dict[str, str] | None = None,
    flags: dict[str, object] | None = None,
) -> str:
    """Return what is wrong with these sources, as an operator reads it."""
    with pytest.raises(ConfigurationError) as caught:
        load(directory, toml=toml, dotenv=dotenv, environment=environment, flags=flags)
    return caught.value.as_text()
