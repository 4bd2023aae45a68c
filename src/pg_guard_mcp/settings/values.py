"""What the text of one setting must look like; each check returns it or says what is wrong.

No message repeats the text: an operator who puts a password in the wrong place must not find it
again in a log. A name that could match nothing is refused here, because a mask or a denial that
matches nothing protects nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal, get_args

CredentialKind = Literal[
    "keyring", "env", "file", "none", "command", "aws-iam", "gcp-iam", "azure-entra"
]

PLAIN_MASKS = ("redact", "null", "email", "last4", "first1", "hash", "year", "clean")
"""Mask kinds that take no argument; `bucket:N` and `const:TEXT` do."""

_PROFILE = re.compile(r"[A-Za-z0-9_.-]{1,63}")
_CLIENT_CHARACTERS = 256
_BUCKET = re.compile(r"bucket:[1-9][0-9]{0,11}")
_CONSTANT = re.compile(r"const:[^\x00-\x1f\x7f]{0,200}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SYSTEM_SCHEMA = re.compile(r"pg_.*|information_schema")


class InvalidSettingError(ValueError):
    """A setting's text cannot be used; carries the way to put it right."""

    def __init__(self, message: str, fix: str) -> None:
        """Keep what is wrong apart from what to write instead."""
        super().__init__(message)
        self.message = message
        self.fix = fix


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialSource:
    """Where the database password comes from; `argument` is a variable's name or a path."""

    kind: CredentialKind
    argument: str = ""


def parse_credential(text: str) -> CredentialSource:
    """Read the `credential` setting, without looking at what it points to.

    Raises: InvalidSettingError.
    """
    kind, colon, argument = text.partition(":")
    source = next((known for known in get_args(CredentialKind) if known == kind), None)
    if source is None or bool(colon) != (source in ("env", "file", "command")):
        raise InvalidSettingError(
            "is not a source of credentials",
            'Write "keyring", "env:NAME", "file:/absolute/path" or "none"; never the password',
        )
    if source == "env" and not _VARIABLE.fullmatch(argument):
        raise InvalidSettingError(
            "does not name an environment variable", 'Write "env:NAME", such as "env:DB_PASSWORD"'
        )
    if source == "file" and not (PurePath(argument).is_absolute() and argument.isprintable()):
        raise InvalidSettingError(
            "does not name an absolute path", 'Write "file:/absolute/path", outside the project'
        )
    return CredentialSource(kind=source, argument=argument)


def check_credential(text: str) -> str:
    """Accept what `parse_credential` understands."""
    parse_credential(text)
    return text


def check_profile(text: str) -> str:
    """Accept a name that is safe in a keyring entry, a file name and `application_name`."""
    if not _PROFILE.fullmatch(text):
        raise InvalidSettingError(
            "is not a profile name", "Use 1 to 63 letters, digits, dots, hyphens or underscores"
        )
    return text


def check_client(text: str) -> str:
    """Accept a name that a client can have."""
    if not text or not text.isprintable() or len(text) > _CLIENT_CHARACTERS:
        raise InvalidSettingError(
            "is not the name of a client",
            "Write it as the client gives it, such as [clients.cursor]; at most 256 characters",
        )
    return text


def check_schema(text: str) -> str:
    """Accept the exact name of a schema that may be opened."""
    if not text or text != text.strip() or "*" in text:
        raise InvalidSettingError(
            "is not the exact name of a schema", 'Name each schema in full, such as "shop"'
        )
    if _SYSTEM_SCHEMA.fullmatch(text):
        raise InvalidSettingError(
            "names a system schema, which cannot be opened as a whole",
            'Remove it; a catalog is opened by name: access.relations = ["pg_catalog.pg_tables"]',
        )
    return text


def check_relation(text: str) -> str:
    """Accept the exact name of a relation that may be opened, as `schema.relation`."""
    if not _has_parts(text, 2) or "*" in text:
        raise InvalidSettingError(
            "is not the exact name of a relation",
            'Write schema.relation, such as "shop.orders"; '
            "a relation with a dot in its name is opened through its schema",
        )
    return text


def check_relation_pattern(text: str) -> str:
    """Accept a pattern that can match `schema.relation`."""
    if not _has_parts(text, 2):
        raise InvalidSettingError(
            "matches no relation", 'Write schema.relation, such as "shop.api_keys" or "*.api_keys"'
        )
    return text


def check_function(text: str) -> str:
    """Accept the exact name of a function, as `schema.function`."""
    if not _has_parts(text, 2) or "*" in text or text.endswith(")"):
        raise InvalidSettingError(
            "is not the exact name of a function",
            'Write schema.function without arguments, such as "shop.net_price"',
        )
    return text


def check_column_pattern(text: str) -> str:
    """Accept a pattern that can match `schema.relation.column`."""
    if not _has_parts(text, 3):
        raise InvalidSettingError(
            "matches no column",
            'Write schema.relation.column, such as "shop.customers.email" or "*.*.ssn"',
        )
    return text


def check_mask_kind(text: str) -> str:
    """Accept a mask kind, with its argument where it takes one."""
    if text in PLAIN_MASKS or _BUCKET.fullmatch(text) or _CONSTANT.fullmatch(text):
        return text
    raise InvalidSettingError(
        "is not a mask kind",
        f"Write one of {', '.join(PLAIN_MASKS)}, bucket:N (a whole number from 1), const:TEXT",
    )


def check_directory(text: str) -> str:
    """Accept an absolute path, or nothing for the default."""
    if text and not (PurePath(text).is_absolute() and text.isprintable()):
        raise InvalidSettingError(
            "is not an absolute path", "Name a directory outside the project by its full path"
        )
    return text


def check_host(text: str) -> str:
    """Accept a host name or an address to listen on."""
    if not text or not text.isprintable() or any(mark in text for mark in " /@"):
        raise InvalidSettingError(
            "is not a host to listen on", 'Write a name or an address, such as "127.0.0.1"'
        )
    return text


def _has_parts(text: str, count: int) -> bool:
    """Tell whether `text` is `count` names between dots, none of them blank."""
    parts = text.split(".")
    return len(parts) == count and all(part and part == part.strip() for part in parts)
