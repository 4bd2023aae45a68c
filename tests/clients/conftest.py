"""Other people's MCP clients, installed once into the user's cache, run in a home of their own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from platformdirs import user_cache_path

if TYPE_CHECKING:
    from collections.abc import Mapping

# What CONTRIBUTING.md tells to install by hand. Both clients want Node 22.
PACKAGES = (
    "node@22",
    "@modelcontextprotocol/inspector@2.12.0",
    "@anthropic-ai/claude-code@2.1.329",
)
_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """The clients' commands, and the home and project they run in."""

    binaries: Path
    home: Path
    project: Path

    def run(
        self, *command: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a client's command to its end."""
        return subprocess.run(
            command,
            env={
                "PATH": os.pathsep.join([str(self.binaries), os.environ["PATH"]]),
                "HOME": str(self.home),
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
                **(environment or {}),
            },
            cwd=self.project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
            timeout=_SECONDS,
        )


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """Install the clients, unless an earlier run did."""
    npm = shutil.which("npm")
    assert npm, "these tests need npm"
    name = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:12]
    directory = user_cache_path("postgres-guard-mcp") / "clients" / name
    installed = directory / "node_modules"
    done = directory / "done"
    if not done.exists():
        directory.mkdir(parents=True, exist_ok=True)
        # Claude Code's own install step is run by hand: npm leaves such steps out by default.
        step = installed / "@anthropic-ai" / "claude-code" / "install.cjs"
        install = [npm, "install", "--prefix", str(directory), "--no-save", *PACKAGES]
        finish = [str(installed / ".bin" / "node"), str(step)]
        for command in (install, finish):
            subprocess.run(command, check=True, capture_output=True)
        done.touch()
    return installed


@pytest.fixture
def clients(node_modules: Path, tmp_path: Path) -> Clients:
    """Give the test the clients, with a home and a project that hold nothing yet."""
    for name in ("home", "project"):
        (tmp_path / name).mkdir()
    return Clients(
        binaries=node_modules / ".bin", home=tmp_path / "home", project=tmp_path / "project"
    )


@pytest.fixture
def demo_server() -> list[str]:
    """Give the words that start the demo server over stdio."""
    return [str(Path(sys.executable).with_name("pg-guard-mcp")), "serve", "--demo"]
