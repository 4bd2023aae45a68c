"""Settings are taken from the strongest source, and every mistake in any source is reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.errors import ConfigurationError
from pg_guard_mcp.settings import Settings, require_database
from tests.settings.loading import SECRET, load, problems

if TYPE_CHECKING:
    from pathlib import Path


def test_a_flag_wins_over_the_environment_that_over_dotenv_that_over_the_file(
    tmp_path: Path,
) -> None:
    toml = "[limits]\nmax_rows = 1\nmax_cell_bytes = 100\npool_size = 1\nlock_timeout_seconds = 1"
    dotenv = (
        "PG_GUARD_LIMITS__MAX_ROWS=2\n"
        "PG_GUARD_LIMITS__MAX_CELL_BYTES=200\n"
        "PG_GUARD_LIMITS__POOL_SIZE=2\n"
    )
    environment = {"PG_GUARD_LIMITS__MAX_ROWS": "3", "PG_GUARD_LIMITS__MAX_CELL_BYTES": "300"}

    limits = load(
        tmp_path,
        toml=toml,
        dotenv=dotenv,
        environment=environment,
        flags={"limits.max_rows": 4, "limits.pool_wait_seconds": None},
    ).limits

    assert limits.max_rows == 4
    assert limits.max_cell_bytes == 300
    assert limits.pool_size == 2
    assert limits.lock_timeout_seconds == 1
    assert limits.pool_wait_seconds == 5


def test_masks_of_all_sources_are_kept(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        toml='[mask]\n"shop.customers.email" = "email"\n"*.*.ssn" = "redact"',
        environment={"PG_GUARD_MASK": '{"*.*.ssn": "null", "*.*.phone": "last4"}'},
    )

    assert settings.mask.columns == {
        "shop.customers.email": "email",
        "*.*.ssn": "null",
        "*.*.phone": "last4",
    }


@pytest.mark.parametrize("source", ["flag", "environment", "dotenv"])
def test_another_policy_file_can_be_named(tmp_path: Path, source: str) -> None:
    (tmp_path / "strict.toml").write_text("[limits]\nmax_rows = 7", encoding="utf-8")

    settings = load(
        tmp_path,
        toml="[limits]\nmax_rows = 1",
        flags={"policy": "strict.toml"} if source == "flag" else {},
        environment={"PG_GUARD_POLICY": "strict.toml"} if source == "environment" else {},
        dotenv="PG_GUARD_POLICY=strict.toml" if source == "dotenv" else "",
    )

    assert settings.limits.max_rows == 7


def test_a_policy_file_that_is_named_must_exist(tmp_path: Path) -> None:
    assert "there is no policy file" in problems(tmp_path, flags={"policy": "missing.toml"})
    assert "cannot be read" in problems(tmp_path, environment={"PG_GUARD_POLICY": ""})


def test_this_process_own_environment_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PG_GUARD_LIMITS__MAX_ROWS", "9")
    monkeypatch.setenv("PG_GUARD_NONSENSE", "9")

    settings = load(tmp_path, dotenv="PG_GUARD_AUDIT__DIRECTORY=/${HOME}")

    assert settings.limits.max_rows == 1_000
    assert settings.audit.directory == "/${HOME}"
    assert Settings().limits.max_rows == 1_000


def test_settings_do_not_change_once_read(tmp_path: Path) -> None:
    settings = load(tmp_path)

    with pytest.raises(ValueError, match="frozen"):
        settings.profile = "other"
    with pytest.raises(ValueError, match="frozen"):
        settings.limits.max_rows = 5


@pytest.mark.parametrize(
    ("toml", "suggestion"),
    [
        ("[limits]\nmax_row = 5", "Did you mean limits.max_rows?"),
        ("max_rows = 5", "Did you mean limits.max_rows?"),
        ("[limit]\nmax_rows = 5", "Did you mean limits?"),
        ("[orders]\nmax_rows = 5", "Remove it"),
        ("[mask.detectors]\nenable = []", "Did you mean mask.detectors.enabled?"),
        ('_env_file = "/etc/passwd"', "Remove it"),
        ("[database]\npassword = 'x'", "credentials set"),
    ],
)
def test_an_unknown_key_in_the_file_is_fatal(tmp_path: Path, toml: str, suggestion: str) -> None:
    text = problems(tmp_path, toml=toml)

    assert "in pg-guard.toml is not a setting" in text
    assert suggestion in text


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("PG_GUARD_LIMITS__MAX_ROW", "Did you mean PG_GUARD_LIMITS__MAX_ROWS?"),
        ("PG_GUARD_MAX_ROWS", "Did you mean PG_GUARD_LIMITS__MAX_ROWS?"),
        ("PG_GUARD_URL", "Remove it"),
        ("PG_GUARD_LIMITS__MAX_ROWS__X", "Did you mean PG_GUARD_LIMITS__MAX_ROWS?"),
        ("PG_GUARD_PROFILE__X", "Did you mean PG_GUARD_PROFILE?"),
        ("pg_guard_profile", "Did you mean PG_GUARD_PROFILE?"),
        ("PG_GUARD_HTTP_TOKENS", "Did you mean PG_GUARD_HTTP_TOKEN?"),
    ],
)
def test_an_unknown_variable_is_fatal(tmp_path: Path, name: str, suggestion: str) -> None:
    assert suggestion in problems(tmp_path, environment={name: "1"})
    assert f"{name} in .env is not a setting" in problems(tmp_path, dotenv=f"{name}=1")


def test_an_unknown_flag_and_an_unknown_key_in_json_are_fatal(tmp_path: Path) -> None:
    assert "limits.rows given as a flag" in problems(tmp_path, flags={"limits.rows": 1})
    assert "PG_GUARD_LIMITS__ROWS is not a setting" in problems(
        tmp_path, environment={"PG_GUARD_LIMITS": '{"rows": 1}'}
    )


def test_other_lines_of_a_dotenv_belong_to_the_project(tmp_path: Path) -> None:
    dotenv = "DATABASE_URL=postgresql://a:b@c/d\nthis is: not a line\n# PG_GUARD_X\nHALF\n"

    assert load(tmp_path, dotenv=dotenv) == Settings()


def test_a_dotenv_line_of_ours_without_a_value_is_fatal(tmp_path: Path) -> None:
    text = problems(tmp_path, dotenv="A=1\nexport PG_GUARD_PROFILE\nPG_GUARD_HTTP__PORT 80\n")

    assert "line 2 of .env" in text
    assert "line 3 of .env" in text


def test_a_file_that_is_no_text_is_fatal(tmp_path: Path) -> None:
    (tmp_path / "pg-guard.toml").write_bytes(b"\xff\xfe")
    (tmp_path / ".env").mkdir()

    text = problems(tmp_path)

    assert "pg-guard.toml cannot be read" in text
    assert ".env cannot be read" in text


def test_a_file_too_large_to_be_a_configuration_is_not_taken_in(tmp_path: Path) -> None:
    assert "pg-guard.toml cannot be read" in problems(tmp_path, toml="#" * 1_000_001)


def test_a_syntax_error_names_the_line_and_quotes_nothing(tmp_path: Path) -> None:
    text = problems(tmp_path, toml=f'[database]\nprofile = "{SECRET}\n')
    at_end = problems(tmp_path, toml='profile = """')

    assert "not valid TOML at line 2" in text
    assert SECRET not in text
    assert "not valid TOML at its end" in at_end


def test_all_problems_of_all_sources_come_at_once(tmp_path: Path) -> None:
    text = problems(
        tmp_path,
        toml='[limits]\nmax_rows = 0\nmax_row = 1\n[audit]\nrecord_results = true\n[mask]\n"a"="b"',
        dotenv="PG_GUARD_PROFIL=x\nPG_GUARD_HTTP__PORT=0",
        environment={"PG_GUARD_DATABASE__DSN": "nonsense", "PG_GUARD_LIMITS__MAX_ROWS": "5"},
        flags={"http.host": ""},
    )

    assert [line.split(" ")[1] for line in text.splitlines() if line.startswith("error:")] == [
        "http.host",
        "PG_GUARD_DATABASE__DSN",
        "PG_GUARD_HTTP__PORT",
        "mask.a",
        "mask.a",
        "limits.max_rows",
        "limits.max_row",
        "PG_GUARD_PROFIL",
        "audit.record_results",
    ]


def test_secrets_in_a_dotenv_are_refused(tmp_path: Path) -> None:
    text = problems(
        tmp_path,
        toml='[database]\ncredential = "env:PG_GUARD_PASSWORD"',
        dotenv=f"PG_GUARD_HTTP_TOKEN={SECRET}\nPG_GUARD_MASK_KEY=x\nPG_GUARD_PASSWORD={SECRET}",
    )

    assert text.count("is a secret and stands in .env") == 3
    assert SECRET not in text


def test_secrets_in_the_environment_are_not_settings(tmp_path: Path) -> None:
    names = ("PG_GUARD_HTTP_TOKEN", "PG_GUARD_MASK_KEY", "PG_GUARD_PASSWORD")

    settings = load(
        tmp_path,
        environment=dict.fromkeys(names, SECRET),
        flags={"database.credential": "env:PG_GUARD_PASSWORD"},
    )

    assert SECRET not in repr(settings)


def test_a_missing_dsn_is_a_problem_only_when_a_database_is_needed(tmp_path: Path) -> None:
    settings = load(tmp_path)

    with pytest.raises(ConfigurationError, match="no database is configured"):
        require_database(settings)
