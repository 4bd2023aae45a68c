"""The database password and the mask key: from the keyring, a variable or a file, never argv.

Everything here fails with `ConfigurationError`, because only an operator can mend it. Whoever
calls in the middle of an agent's call answers `unavailable` instead and logs this: the agent has
no business with paths, variables or the state of a keyring.

All of it blocks; a keyring may even wait for a human to unlock it. Call it from a thread, with a
deadline.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import SecretStr

from pg_guard_mcp.errors import ConfigurationError, Problem
from pg_guard_mcp.settings.private_files import check_private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keyring.backend import KeyringBackend

    from pg_guard_mcp.settings import CredentialSource

_Answer = TypeVar("_Answer")

SERVICE = "pg-guard-mcp"
"""The name our entries have in the keyring; the profile is their user."""

MASK_KEY_VARIABLE = "PG_GUARD_MASK_KEY"
MASK_KEY_BYTES = 32

_MAX_FILE_BYTES = 65_536
_OTHER_SOURCES = (
    'or set database.credential = "file:/absolute/path" (mode 600); '
    'or, in a container or CI, "env:NAME"'
)
_OTHER_MASK_KEY = (
    f"or set {MASK_KEY_VARIABLE} where the server is started "
    f"(make one with `openssl rand -base64 {MASK_KEY_BYTES}`)"
)


def resolve(
    source: CredentialSource, *, profile: str, environment: Mapping[str, str]
) -> SecretStr | None:
    """Fetch the password `source` points to; None means that none is used.

    Raises: ConfigurationError.
    """
    match source.kind:
        case "none":
            return None
        case "keyring":
            return _from_keyring(profile)
        case "env":
            return _from_variable(source.argument, environment)
        case "file":
            return read_secret_file(Path(source.argument))
        case _:
            raise _refusal(
                "this version does not support that source of credentials",
                'Set database.credential to "keyring", "env:NAME" or "file:/absolute/path"',
            )


def store(profile: str, secret: SecretStr) -> None:
    """Put the password into the keyring, and read it back.

    Raises: ConfigurationError.
    """
    _keep(profile, secret.get_secret_value(), instead=_OTHER_SOURCES)


def delete(profile: str) -> bool:
    """Remove the password from the keyring; tell whether there was one.

    The mask key stays: it is no way in, and without it every `hash` mask would change.

    Raises: ConfigurationError.
    """
    if _ask(lambda keyring: keyring.get_password(SERVICE, profile)) is None:
        return False
    _ask(lambda keyring: keyring.delete_password(SERVICE, profile))
    return True


def mask_key(profile: str, *, environment: Mapping[str, str]) -> bytes:
    """Give the key of `hash` masks, making one in the keyring on first use.

    Raises: ConfigurationError.
    """
    text = environment.get(MASK_KEY_VARIABLE)
    if text is not None:
        return _decoded(text, name=MASK_KEY_VARIABLE)
    user = f"{profile}/mask-key"
    text = _ask(lambda keyring: keyring.get_password(SERVICE, user), instead=_OTHER_MASK_KEY)
    if text is None:
        text = base64.b64encode(secrets.token_bytes(MASK_KEY_BYTES)).decode("ascii")
        _keep(user, text, instead=_OTHER_MASK_KEY)
    return _decoded(text, name=f'the keyring entry "{user}"')


def read_secret_file(path: Path) -> SecretStr:
    """Read a secret from a file that nobody else can read, without its final newline.

    Raises: ConfigurationError.
    """
    if not path.is_absolute():
        raise _refusal("a secret file is named by a relative path", "Write its full path")
    if sys.platform == "win32":
        raise _refusal(f"{path} cannot be checked: Windows has no file modes", "Use the keyring")
    try:
        content = _checked_content(path)
    except OSError:
        raise _refusal(
            f"{path} cannot be read", "Check that it exists and that this user may read it"
        ) from None
    return SecretStr(_text_of(content, path))


def _checked_content(path: Path) -> bytes:
    """Read a file by descriptor, so that what was checked is what is read."""
    # Without NONBLOCK, a FIFO in the file's place would hang the start.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        check_private(os.fstat(descriptor), path)
        return os.read(descriptor, _MAX_FILE_BYTES + 1)
    finally:
        os.close(descriptor)


def _text_of(content: bytes, path: Path) -> str:
    """Decode a secret; a password for Postgres is one text without NUL."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise _refusal(
            f"{path} is not UTF-8 text", "Write the secret, and nothing else, into it"
        ) from None
    text = text.removesuffix("\r\n" if text.endswith("\r\n") else "\n")
    if not text or "\0" in text or len(content) > _MAX_FILE_BYTES:
        raise _refusal(
            f"{path} holds no usable secret", "Write the secret, and nothing else, into it"
        )
    return text


def _from_variable(name: str, environment: Mapping[str, str]) -> SecretStr:
    """Take the password from an environment variable."""
    value = environment.get(name)
    if not value:
        raise _refusal(
            f"the environment variable {name} holds no password",
            f"Set {name} where the server is started, or store the password with "
            '`pg-guard-mcp credentials set` and set database.credential = "keyring"',
        )
    return SecretStr(value)


def _from_keyring(profile: str) -> SecretStr:
    """Take the password from the keyring."""
    password = _ask(lambda keyring: keyring.get_password(SERVICE, profile))
    if not password:
        raise _refusal(
            f'the keyring has no password for the profile "{profile}"',
            f"Store one with `pg-guard-mcp credentials set {profile}`; {_OTHER_SOURCES}",
        )
    return SecretStr(password)


def _keep(user: str, text: str, *, instead: str) -> None:
    """Write an entry and read it back: a disabled backend takes everything and keeps nothing."""
    _ask(lambda keyring: keyring.set_password(SERVICE, user, text), instead=instead)
    kept = _ask(lambda keyring: keyring.get_password(SERVICE, user), instead=instead)
    if kept != text:
        raise _refusal(
            "the keyring did not keep the entry",
            f"Enable a backend (`keyring diagnose` shows what is in use); {instead}",
        )


def _ask(action: Callable[[KeyringBackend], _Answer], *, instead: str = _OTHER_SOURCES) -> _Answer:
    """Ask the keyring, and say in our words why it does not answer."""
    # 70 to 200 ms, which only users of the keyring should pay.
    from keyring import get_keyring
    from keyring.errors import KeyringLocked, NoKeyringError

    try:
        keyring = get_keyring()
        if not _writes_in_clear(keyring):
            return action(keyring)
    except NoKeyringError:
        raise _refusal(
            "this machine has no keyring to ask",
            "Install one (GNOME Keyring, KWallet; macOS and Windows have their own); " + instead,
        ) from None
    except KeyringLocked:
        raise _refusal(
            "the keyring is locked", f"Unlock it, for instance by logging in; {instead}"
        ) from None
    # Backends are plug-ins over D-Bus and native libraries: each fails with types of its own, and
    # their texts may quote what they were given.
    except Exception:  # noqa: BLE001 - see above
        raise _refusal(
            "the keyring failed to answer", f"Check it with `keyring diagnose`; {instead}"
        ) from None
    raise _refusal(
        "the keyring in use writes secrets to disk in clear",
        f"Choose another backend (`keyring --list-backends` shows them); {instead}",
    )


def _writes_in_clear(keyring: KeyringBackend) -> bool:
    """Tell whether entries would go to the one well-known backend that does not encrypt."""
    preferred = next(iter(getattr(keyring, "backends", ())), keyring)
    return type(preferred).__name__ == "PlaintextKeyring"


def _decoded(text: str, *, name: str) -> bytes:
    """Decode a key, and refuse one that is too short to be one."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < MASK_KEY_BYTES:
        raise _refusal(
            f"{name} holds no key of {MASK_KEY_BYTES} bytes or more in base64",
            f"Make one with `openssl rand -base64 {MASK_KEY_BYTES}`",
        )
    return key


def _refusal(message: str, fix: str) -> ConfigurationError:
    """Make an error of one problem; raise it `from None`, for a cause may hold the secret."""
    return ConfigurationError([Problem(message, fix)])
