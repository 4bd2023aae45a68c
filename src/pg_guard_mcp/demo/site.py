"""Where a throw-away server lives, and as whom it runs.

No owner or mode of an existing file is changed. Postgres refuses to run as root, so root runs it as
`nobody`, in a fresh directory that account can reach, and on a copy of the binaries where it cannot
reach those (below /root, say).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from pg_guard_mcp.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ACCOUNT = "nobody"
_PREFIX = "pg-guard-"
# mkdtemp makes a fresh directory of mode 700 in it, so that its being public harms nobody.
_SHORT_PARENT = Path("/tmp")  # noqa: S108 - see above
# Linux takes 107 bytes in a socket's path and macOS 103; the longest name is `.s.PGSQL.65535`.
_MAX_SOCKET_DIRECTORY_BYTES = 103 - len("/.s.PGSQL.65535")
_COMMAND_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Where Postgres is installed, and what this major needs beyond the common settings."""

    prefix: Path
    binaries: str
    """The directory of initdb and pg_ctl, relative to `prefix`."""
    parts: tuple[str, ...]
    """What to copy of `prefix` for an account that cannot reach it."""
    initdb_options: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)


class Account(NamedTuple):
    """The account a server runs as when we are root."""

    user_id: int
    group_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The directories of one server, and the account that owns them (`None`: ourselves)."""

    account: Account | None
    home: Path
    sockets: Path
    binaries: Path

    @property
    def data(self) -> Path:
        """Return the cluster's own directory."""
        return self.home / "data"

    @property
    def log(self) -> Path:
        """Return the file that the server and its tools write to."""
        return self.home / "log"

    @property
    def password_file(self) -> Path:
        """Return the file initdb reads the superuser's password from."""
        return self.home / "password"


def choose_site(installation: Installation, directory: Path | None) -> Site:
    """Make the directories of a new server, under `directory` or where temporary files go.

    Raises:
        ConfigurationError: Postgres is not there, nor an account or a directory to run it in.

    """
    account = _choose_account()
    binaries = installation.prefix / installation.binaries
    if not (binaries / "initdb").exists():
        message = f"there is no Postgres in {binaries}"
        raise ConfigurationError([Problem(message, "install it, or name another installation")])
    is_reachable = reaches(account, binaries / "initdb")
    parents = (directory,) if directory else (Path(tempfile.gettempdir()), _SHORT_PARENT)
    home = _make_directory(parents, account)
    sockets = home
    if len(os.fsencode(home)) > _MAX_SOCKET_DIRECTORY_BYTES:
        sockets = _make_directory((_SHORT_PARENT,), account)
    if not is_reachable:
        binaries = home / "copy" / installation.binaries
    return Site(account=account, home=home, sockets=sockets, binaries=binaries)


def furnish(site: Site, installation: Installation, password: str) -> BinaryIO:
    """Put in place what the server needs, give it all to its account, and return its open log.

    Everything is written before it is given away: where root writes into another account's
    directory, that account can lead it astray with a link.
    """
    if site.binaries != installation.prefix / installation.binaries:
        for part in installation.parts:
            shutil.copytree(installation.prefix / part, site.home / "copy" / part, symlinks=True)
    log = site.log.open("xb+")
    site.password_file.write_text(password)
    if site.account:
        for path in (*site.home.rglob("*"), site.home, site.sockets):
            os.chown(path, *site.account, follow_symlinks=False)
    return log


def spawn(
    site: Site,
    command: Sequence[str | Path],
    *,
    stdin: int = subprocess.DEVNULL,
    output: BinaryIO | int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a command as the server's account, with an environment that holds nothing of ours.

    A session of its own keeps Ctrl-C in the terminal from it; PG* variables would redirect it.
    """
    user_id, group_id = site.account or (None, None)
    return subprocess.Popen(  # noqa: S603 - our own commands, no shell
        command,
        stdin=stdin,
        stdout=output,
        stderr=output,
        cwd="/",
        env={"PATH": os.defpath, "LC_ALL": "C"},
        start_new_session=True,
        user=user_id,
        group=group_id,
        extra_groups=None if site.account is None else [],
    )


def run(site: Site, command: Sequence[str | Path], output: BinaryIO | int) -> bool:
    """Run a command as the server's account to its end, and tell whether it succeeded."""
    with spawn(site, command, output=output) as process:
        try:
            return process.wait(timeout=_COMMAND_SECONDS) == 0
        finally:
            process.kill()


def reaches(account: Account | None, path: Path) -> bool:
    """Tell whether `account` may enter or execute `path`, by the mode bits all the way down."""
    if account is None:
        return True
    for step in (path, *path.parents):
        status = step.stat()
        if status.st_uid == account.user_id:
            allowed = status.st_mode & 0o100
        elif status.st_gid == account.group_id:
            allowed = status.st_mode & 0o010
        else:
            allowed = status.st_mode & 0o001
        if not allowed:
            return False
    return True


def _choose_account() -> Account | None:
    if sys.platform == "win32":
        message = "the throw-away Postgres is not available on Windows"
        raise ConfigurationError([Problem(message, "run it in WSL, or use a Postgres of your own")])
    if os.geteuid() != 0:
        return None
    import pwd

    try:
        entry = pwd.getpwnam(_ACCOUNT)
    except KeyError:
        message = f"Postgres does not run as root, and there is no account {_ACCOUNT} to run it as"
        raise ConfigurationError([Problem(message, "run this as an ordinary user")]) from None
    return Account(entry.pw_uid, entry.pw_gid)


def _make_directory(parents: Sequence[Path], account: Account | None) -> Path:
    for parent in parents:
        resolved = parent.resolve()
        if resolved.is_dir() and reaches(account, resolved):
            return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=resolved))
    message = f"{parents[0]} is not a directory that the throw-away Postgres can reach"
    who = _ACCOUNT if account else "you"
    raise ConfigurationError([Problem(message, f"name an existing directory {who} may enter")])
