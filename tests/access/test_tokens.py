"""A bearer token is recognised, cannot be read back, and cannot be weak."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from pg_guard_mcp.access.tokens import BearerToken, from_environment, generate
from pg_guard_mcp.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "0123456789abcdefghijklmnopqrstuv"  # noqa: S105 - 32 characters, the fewest allowed


def test_only_the_token_itself_matches() -> None:
    token = BearerToken(SecretStr(TOKEN))

    assert token.matches(TOKEN)
    assert not token.matches(TOKEN.upper())
    assert not token.matches(TOKEN[:-1])
    assert not token.matches(TOKEN + "=")
    assert not token.matches("")
    assert not token.matches("\ud800")


@given(st.text(st.characters(), max_size=80))
def test_whatever_else_a_client_sends_is_not_the_token(candidate: str) -> None:
    assert not BearerToken(SecretStr(TOKEN)).matches(candidate)


def test_a_token_cannot_be_read_back() -> None:
    token = BearerToken(SecretStr(TOKEN))

    assert TOKEN not in repr(token) + str(token)
    assert all(getattr(token, name) != TOKEN for name in BearerToken.__slots__)
    assert not hasattr(token, "__dict__")


@pytest.mark.parametrize("text", ["", TOKEN[:-1], "x" * 31, TOKEN + " ", "é" * 32, TOKEN + "\n"])
def test_a_weak_or_unsendable_token_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        BearerToken(SecretStr(text))

    assert "32 characters or more" in caught.value.as_text()
    assert TOKEN[:-1] not in caught.value.as_text()


def test_a_generated_token_is_strong_and_new() -> None:
    first, second = generate(), generate()

    assert BearerToken(first).matches(first.get_secret_value())
    assert not BearerToken(first).matches(second.get_secret_value())


def test_a_token_comes_from_the_environment_or_not_at_all() -> None:
    token = from_environment({"PG_GUARD_HTTP_TOKEN": TOKEN})

    assert token is not None
    assert token.matches(TOKEN)
    assert from_environment({}) is None
    with pytest.raises(ConfigurationError):
        from_environment({"PG_GUARD_HTTP_TOKEN": ""})


def test_a_token_comes_from_a_file_that_only_its_owner_can_read(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n", encoding="utf-8")
    path.chmod(0o600)

    token = from_environment({"PG_GUARD_HTTP_TOKEN": f"file:{path}"})

    assert token is not None
    assert token.matches(TOKEN)
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="open to other users"):
        from_environment({"PG_GUARD_HTTP_TOKEN": f"file:{path}"})
