"""The bearer token of HTTP callers: one static token, of which only the digest is kept.

Digests are compared, and in constant time, so that neither the length of the right prefix nor
the length of the token shows in how long a refusal takes.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from pg_guard_mcp.access.credentials import read_secret_file
from pg_guard_mcp.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN_VARIABLE = "PG_GUARD_HTTP_TOKEN"  # noqa: S105 - a name, not a token
MIN_CHARACTERS = 32

_BEARER = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""What RFC 6750 lets a bearer token be made of; any other could not be sent."""


class BearerToken:
    """A token that can be recognised, and not read back."""

    __slots__ = ("_digest",)

    def __init__(self, secret: SecretStr) -> None:
        """Keep the digest of a token that is long enough.

        Raises: ConfigurationError.
        """
        token = secret.get_secret_value()
        if len(token) < MIN_CHARACTERS or not _BEARER.fullmatch(token):
            raise ConfigurationError(
                [
                    Problem(
                        f"the HTTP token is not a bearer token of {MIN_CHARACTERS} characters "
                        "or more",
                        "Make one with `openssl rand -hex 32`",
                    )
                ]
            )
        self._digest = _digest(token)

    def matches(self, candidate: str) -> bool:
        """Tell whether `candidate` is the token."""
        return hmac.compare_digest(_digest(candidate), self._digest)


def generate() -> SecretStr:
    """Make a token nobody can guess, for a server that was given none."""
    return SecretStr(secrets.token_urlsafe(32))


def from_environment(environment: Mapping[str, str]) -> BearerToken | None:
    """Take the token from `PG_GUARD_HTTP_TOKEN`, or from the file it names as `file:/path`.

    Raises: ConfigurationError.
    """
    text = environment.get(TOKEN_VARIABLE)
    if text is None:
        return None
    # A colon cannot stand in a bearer token, so the two cannot be confused.
    if text.startswith("file:"):
        return BearerToken(read_secret_file(Path(text.removeprefix("file:"))))
    return BearerToken(SecretStr(text))


def _digest(text: str) -> bytes:
    """Digest whatever a client sent, lone surrogates included."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
