"""Lines of SQL that not every major of Postgres knows; such a line ends with `-- since 17`."""

from __future__ import annotations

import re

_MARK = re.compile(r" -- since (\d+)$")


def taken(line: str) -> tuple[str, int]:
    """Take the mark off a line; give the first major that knows it, 0 if all do."""
    mark = _MARK.search(line)
    return _MARK.sub("", line), int(mark[1]) if mark else 0


def known(text: str, major: int) -> str:
    """Leave out the lines that `major` does not know."""
    lines = map(taken, text.splitlines())
    return "\n".join(line for line, since in lines if since <= major)
