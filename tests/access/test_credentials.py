"""Passwords come from the keyring, a variable or a guarded file, and show up nowhere else."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import keyring
import pytest
from keyring.backends import null
from keyring.errors import KeyringLocked
from pydantic import SecretStr

from pg_guard_mcp.access.credentials import (
    SERVICE,
    delete,
    read_secret_file,
    resolve,
    store,
)
from pg_guard_mcp.errors import ConfigurationError
from pg_guard_mcp.settings import CredentialSource, parse_credential
from tests.access.keyrings import (
    BrokenKeyring,
    MemoryKeyring,
    PlaintextKeyring,
    keyring_in_memory,
    no_keyring,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyring.backend import KeyringBackend

SECRET = "correct-horse-battery"  # noqa: S105 - a canary: it must appear nowhere


@pytest.fixture
def memory() -> Iterator[MemoryKeyring]:
    """Give each test an empty keyring."""
    with keyring_in_memory() as backend:
        yield backend


def password(text: str, **environment: str) -> str | None:
    """Resolve a credential setting for the profile `shop`."""
    secret = resolve(parse_credential(text), profile="shop", environment=environment)
    return secret.get_secret_value() if secret else None


def refusal(text: str, **environment: str) -> str:
    """Return why a credential setting does not resolve."""
    with pytest.raises(ConfigurationError) as caught:
        password(text, **environment)
    return caught.value.as_text()


def secret_file(directory: Path, content: bytes, *, mode: int = 0o600) -> Path:
    """Write a file with exactly this mode."""
    path = directory / "secret"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_stored_password_is_found_again_until_it_is_deleted(memory: MemoryKeyring) -> None:
    store("shop", SecretStr(SECRET))

    assert memory.entries == {(SERVICE, "shop"): SECRET}
    assert password("keyring") == SECRET
    assert delete("shop")
    assert not delete("shop")
    assert "has no password" in refusal("keyring")


@pytest.mark.usefixtures("memory")
def test_profiles_do_not_share_a_password() -> None:
    store("other", SecretStr(SECRET))

    text = refusal("keyring")

    assert 'no password for the profile "shop"' in text
    assert "pg-guard-mcp credentials set shop" in text


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize(
    ("backend", "words"),
    [
        (no_keyring(), "no keyring to ask"),
        (BrokenKeyring(KeyringLocked(SECRET)), "is locked"),
        (BrokenKeyring(RuntimeError(SECRET)), "failed to answer"),
        (BrokenKeyring(ConnectionResetError(SECRET)), "failed to answer"),
        (PlaintextKeyring(), "to disk in clear"),
    ],
    ids=["none", "locked", "crashed", "gone", "plaintext"],
)
def test_a_keyring_that_does_not_serve_is_explained_with_three_ways_out(
    backend: KeyringBackend, words: str
) -> None:
    keyring.set_keyring(backend)

    with pytest.raises(ConfigurationError) as caught:
        password("keyring")

    text = caught.value.as_text()
    assert words in text
    assert text.count("; or") == 2
    assert "file:/" in text
    assert "env:NAME" in text
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.usefixtures("memory")
def test_a_keyring_that_keeps_nothing_is_noticed_when_storing() -> None:
    keyring.set_keyring(null.Keyring())  # type: ignore[no-untyped-call]  # left untyped there

    with pytest.raises(ConfigurationError, match="did not keep"):
        store("shop", SecretStr(SECRET))


@pytest.mark.usefixtures("memory")
def test_a_keyring_that_writes_in_clear_is_given_nothing() -> None:
    plain = PlaintextKeyring()
    keyring.set_keyring(plain)

    with pytest.raises(ConfigurationError, match="in clear"):
        store("shop", SecretStr(SECRET))

    assert plain.entries == {}


def test_a_password_is_taken_from_the_variable_that_is_named() -> None:
    assert password("env:DB_PASSWORD", DB_PASSWORD=SECRET) == SECRET
    assert "DB_PASSWORD holds no password" in refusal("env:DB_PASSWORD")
    assert "DB_PASSWORD holds no password" in refusal("env:DB_PASSWORD", DB_PASSWORD="")


def test_no_password_is_none() -> None:
    assert password("none") is None


@pytest.mark.parametrize("kind", ["aws-iam", "gcp-iam", "azure-entra"])
def test_a_source_of_a_later_version_does_not_resolve(kind: str) -> None:
    assert "does not support" in refusal(kind)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"secret", "secret"),
        (b"secret\n", "secret"),
        (b"secret\r\n", "secret"),
        (b"secret\n\n", "secret\n"),
        (b" secret ", " secret "),
        ("pässword".encode(), "pässword"),
    ],
)
def test_a_file_is_the_password_but_for_one_final_newline(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    assert password(f"file:{secret_file(tmp_path, content)}") == expected


@pytest.mark.parametrize("content", [b"", b"\n", b"a\0b", b"\xff", b"x" * 65_537])
def test_a_file_without_a_usable_password_is_refused(tmp_path: Path, content: bytes) -> None:
    assert "the secret, and nothing else" in refusal(f"file:{secret_file(tmp_path, content)}")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601])
def test_a_file_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    path = secret_file(tmp_path, SECRET.encode(), mode=mode)

    text = refusal(f"file:{path}")

    assert f"chmod 600 {path}" in text
    assert SECRET not in text


def test_a_file_that_belongs_to_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = secret_file(tmp_path, SECRET.encode())
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    is_root = path.stat().st_uid == 0
    if is_root:
        os.chown(path, 54_321, -1)

    assert "belongs to another user" in refusal(f"file:{path}")


def test_only_a_regular_file_can_hold_a_secret(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)
    (tmp_path / "directory").mkdir(mode=0o700)

    assert "not a regular file" in refusal(f"file:{fifo}")
    assert "not a regular file" in refusal(f"file:{tmp_path / 'directory'}")
    assert "not a regular file" in refusal("file:/dev/null")
    assert "cannot be read" in refusal(f"file:{tmp_path / 'missing'}")


def test_a_link_is_judged_by_what_it_leads_to(tmp_path: Path) -> None:
    target = secret_file(tmp_path, SECRET.encode())
    link = tmp_path / "link"
    link.symlink_to(target)

    assert password(f"file:{link}") == SECRET
    target.chmod(0o644)
    assert "open to other users" in refusal(f"file:{link}")


def test_where_files_have_no_modes_none_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = secret_file(tmp_path, SECRET.encode())
    monkeypatch.setattr(sys, "platform", "win32")

    assert "Use the keyring" in refusal(f"file:{path}")


def test_a_secret_file_is_named_by_its_full_path() -> None:
    with pytest.raises(ConfigurationError, match="relative path"):
        read_secret_file(Path("secret"))


def _crash(secret: SecretStr | None) -> None:
    """Fail with the secret at hand."""
    raise RuntimeError(secret)


def test_a_secret_does_not_show_when_printed_logged_or_raised(
    caplog: pytest.LogCaptureFixture,
) -> None:
    secret = resolve(
        CredentialSource(kind="env", argument="X"), profile="shop", environment={"X": SECRET}
    )

    logging.getLogger("test").error("%s %r", secret, secret)
    with pytest.raises(RuntimeError) as caught:
        _crash(secret)
    trace = traceback.TracebackException.from_exception(caught.value, capture_locals=True)

    assert SECRET not in caplog.text
    assert "secret = SecretStr('**********')" in "".join(trace.format())
    assert SECRET not in "".join(trace.format())


def test_the_keyring_is_loaded_only_by_those_who_use_it() -> None:
    code = "import sys, pg_guard_mcp.access.credentials; sys.exit('keyring' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


_USE_THE_KEYRING = """
import sys
import keyring
from pydantic import SecretStr
from pg_guard_mcp.access import credentials
from pg_guard_mcp.settings import parse_credential

source = parse_credential("keyring")
credentials.store("shop", SecretStr("correct-horse-battery"))
found = credentials.resolve(source, profile="shop", environment={})
assert found.get_secret_value() == "correct-horse-battery"
key = credentials.mask_key("shop", environment={})
assert credentials.mask_key("shop", environment={}) == key
assert credentials.delete("shop") and not credentials.delete("shop")
sys.stdout.write(type(keyring.get_keyring()).__module__)
"""


@pytest.mark.slow
def test_a_real_gnome_keyring_keeps_the_password(tmp_path: Path) -> None:
    """Needs gnome-keyring and dbus-run-session, which every GNOME desktop has."""
    session = shutil.which("dbus-run-session")
    assert session, "install dbus"
    assert shutil.which("gnome-keyring-daemon"), "install gnome-keyring"
    unlock = "gnome-keyring-daemon --unlock --components=secrets >/dev/null"
    (tmp_path / "check.py").write_text(_USE_THE_KEYRING, encoding="utf-8")
    script = f'printf login | {unlock} && exec "$0" "$1"'

    done = subprocess.run(
        [session, "--", "sh", "-c", script, sys.executable, str(tmp_path / "check.py")],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout in ("keyring.backends.SecretService", "keyring.backends.chainer")
