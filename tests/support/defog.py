"""The schemas of defog, which lie beside the checkout, made in a database of ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.reads import CORPUS
from tests.support.postgres import connected

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.postgres import Shop


async def load_defog(place: Shop, schemas: Iterable[str]) -> None:
    """Make schemas of defog, each from its script, which means `public`."""
    for schema in schemas:
        script = (CORPUS / "defog" / f"{schema}.sql").read_text(encoding="utf-8")
        async with connected(place.admin, search_path=schema) as connection:
            await connection.execute(f"CREATE SCHEMA {schema}")
            await connection.execute(re.sub(r"\bpublic\.", f"{schema}.", script))
            for name in (schema, *own_schemas(script)):
                await connection.execute(
                    f"GRANT USAGE ON SCHEMA {name} TO {place.agent.user};"
                    f"GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO {place.agent.user};"
                )


def own_schemas(script: str) -> list[str]:
    """Find the schemas that a script of defog makes beside the one it is loaded into."""
    return re.findall(r"^CREATE SCHEMA IF NOT EXISTS (\w+)", script, re.MULTILINE)
