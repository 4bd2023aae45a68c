"""The key of `hash` masks is made once, is long enough, and outlives the password."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import keyring
import pytest

from pg_guard_mcp.access.credentials import SERVICE, delete, mask_key
from pg_guard_mcp.errors import ConfigurationError
from tests.access.keyrings import MemoryKeyring, keyring_in_memory, no_keyring

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "correct-horse-battery"  # noqa: S105 - a canary: it must appear nowhere


@pytest.fixture
def memory() -> Iterator[MemoryKeyring]:
    """Give each test an empty keyring."""
    with keyring_in_memory() as backend:
        yield backend


def test_a_mask_key_is_made_once_and_kept_apart_from_the_password(memory: MemoryKeyring) -> None:
    first = mask_key("shop", environment={})

    assert len(first) == 32
    assert mask_key("shop", environment={}) == first
    assert mask_key("other", environment={}) != first
    assert set(memory.entries) == {(SERVICE, "shop/mask-key"), (SERVICE, "other/mask-key")}
    assert not delete("shop")
    assert mask_key("shop", environment={}) == first


def test_a_mask_key_from_the_environment_needs_no_keyring(memory: MemoryKeyring) -> None:
    key = bytes(range(48))
    environment = {"PG_GUARD_MASK_KEY": base64.b64encode(key).decode()}

    assert mask_key("shop", environment=environment) == key
    assert memory.entries == {}


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize(
    "text", ["", SECRET, "é", base64.b64encode(bytes(31)).decode(), "A" * 44 + "*"]
)
def test_a_weak_mask_key_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        mask_key("shop", environment={"PG_GUARD_MASK_KEY": text})

    assert "openssl rand -base64 32" in caught.value.as_text()
    assert SECRET not in caught.value.as_text()


def test_a_spoilt_mask_key_is_not_replaced_behind_the_operators_back(
    memory: MemoryKeyring,
) -> None:
    memory.set_password(SERVICE, "shop/mask-key", "short")

    with pytest.raises(ConfigurationError, match="shop/mask-key"):
        mask_key("shop", environment={})


@pytest.mark.usefixtures("memory")
def test_without_a_keyring_a_mask_key_can_still_be_given() -> None:
    keyring.set_keyring(no_keyring())

    with pytest.raises(ConfigurationError) as caught:
        mask_key("shop", environment={})

    assert "PG_GUARD_MASK_KEY" in caught.value.as_text()
