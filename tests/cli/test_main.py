"""The command line as a stranger meets it: what there is, and what went wrong."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from pg_guard_mcp import __version__
from pg_guard_mcp.cli.main import COMMANDS, main

HELP = [
    [],
    *([command] for command in COMMANDS),
    *(["audit", command] for command in ("tail", "show", "verify")),
]


@pytest.mark.parametrize("words", [[], ["no-such-command"], ["serve", "--no-such-flag"]])
def test_what_is_no_command_is_bad_usage(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)

    out, err = capsys.readouterr()
    assert caught.value.code == 2
    assert out == ""
    assert err.startswith("usage: pg-guard-mcp ")


def test_an_unknown_command_is_answered_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["sevre"])

    err = capsys.readouterr().err
    assert all(command in err for command in COMMANDS)


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])

    assert caught.value.code == 0
    assert capsys.readouterr().out == f"{__version__}\n"


@pytest.mark.parametrize("words", HELP, ids=" ".join)
def test_help_fits_one_screen(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "100")

    with pytest.raises(SystemExit) as caught:
        main([*words, "--help"])

    lines = capsys.readouterr().out.splitlines()
    assert caught.value.code == 0
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100


def test_every_problem_of_a_configuration_is_told_at_once_each_with_its_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pg-guard.toml").write_text(
        '[database]\ndsn = "postgresql://ro:hunter-two@db/shop"\n'
        '[limits]\nmax_row = 1\n[http]\nport = "many"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("PG_GUARD_LIMITS__MAX_ROWS", "0")

    assert main(["serve"]) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("error: ") == err.count("\n  fix: ") == 4
    assert "Did you mean limits.max_rows?" in err
    assert "hunter-two" not in err


@pytest.mark.parametrize("name", ["pg-guard-mcp", "postgres-guard-mcp"])
def test_both_commands_are_installed(name: str) -> None:
    command = Path(sys.executable).parent / name

    said = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)

    assert (said.stdout, said.stderr) == (f"{__version__}\n", "")
    (entry,) = entry_points(group="console_scripts", name=name)
    assert entry.load() is main


def test_the_package_is_a_command_too() -> None:
    module = [sys.executable, "-m", "pg_guard_mcp", "--version"]

    said = subprocess.run(module, capture_output=True, text=True, check=True)

    assert said.stdout == f"{__version__}\n"


def test_one_command_does_not_load_the_others() -> None:
    script = (
        "import sys; from pg_guard_mcp.cli.main import main\n"
        "try: main(['audit', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted(name for name in sys.modules if name.startswith('pg_guard_mcp.cli.')))"
    )

    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    loaded = said.stdout.splitlines()[-1]
    assert "pg_guard_mcp.cli.audit" in loaded
    assert not any(f"pg_guard_mcp.cli.{other}'" in loaded for other in COMMANDS if other != "audit")
