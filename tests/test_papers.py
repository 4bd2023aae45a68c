"""The papers in front of the code say what is so: commands, examples, codes and rules."""

from __future__ import annotations

import json
import re
import secrets
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pg_guard_mcp.cli.main import COMMANDS
from pg_guard_mcp.demo.shop import policy_toml
from pg_guard_mcp.errors import GuardError
from pg_guard_mcp.settings import load_settings
from tests.clients.conftest import PACKAGES
from tests.support.corpus import load_cases
from tests.support.postgres import connected
from tests.support.server import configure, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import Shop, ShopServer
    from tests.support.server import Server

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ERRORS = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

# The one rule that is not about SQL, and so has no cases.
RULES = {case.rule for case in load_cases()} | {"arguments"}


def blocks(text: str, language: str) -> list[str]:
    """Give the code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


EXAMPLES = [block for block in blocks(README, "text") if block.startswith("query  ")]


def without_tag(text: str) -> str:
    """Put a constant for the tag that each answer draws."""
    return re.sub(r"(</?data) [0-9a-f]{8}>", r"\1 TAG>", text).strip()


@pytest.fixture(scope="module")
def demo_server(postgres: ShopServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve the shop by the demo's policy."""
    policy = policy_toml(postgres.agent.dsn(), "keyring")
    place = configure(
        tmp_path_factory.mktemp("papers"), postgres.agent, policy[policy.index("[access]") :]
    )
    with serving(place, "modern") as server:
        yield server


def test_the_first_two_commands_are_the_demo_and_the_tests() -> None:
    demo, tests = (block.strip() for block in blocks(README, "sh")[:2])

    set_up, _, demo_command = demo.partition(" && ")
    assert demo_command == ".uv/bin/uv run --system-certs pg-guard-mcp demo"
    assert tests == f"{set_up} && .uv/bin/uv run --system-certs pytest"


def test_ci_runs_the_test_command_of_the_readme() -> None:
    command = blocks(README, "sh")[1].strip()

    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1] == command


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.split("\n")[0][7:60])
def test_an_example_of_the_readme_is_what_the_server_says(
    demo_server: Server, example: str
) -> None:
    call, _, shown = example.partition("\n\n")

    answer = demo_server.query(call.removeprefix("query  "))

    assert without_tag(shown) == without_tag(answer.text)


def test_the_readme_has_examples() -> None:
    assert len(EXAMPLES) >= 3


def test_the_examples_are_those_of_the_readme() -> None:
    assert blocks(README, "toml") == [(ROOT / "examples" / "pg-guard.toml").read_text()]
    assert blocks(README, "json") == [(ROOT / "examples" / "mcp.json").read_text()]


def test_the_example_policy_can_be_served(tmp_path: Path) -> None:
    settings = load_settings(
        environment={},
        directory=tmp_path,
        flags={"policy": str(ROOT / "examples" / "pg-guard.toml")},
    )

    assert settings.access_rules().schemas == ("shop",)
    assert settings.call_limits().max_rows == 1000


def test_the_example_client_file_names_a_command_of_ours_and_holds_no_secret() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (server,) = json.loads((ROOT / "examples" / "mcp.json").read_text())["mcpServers"].values()

    assert server.keys() == {"command", "args"}
    assert server["command"] in project["scripts"]
    assert server["args"][0] in COMMANDS


async def test_the_role_of_the_readme_can_read_and_nothing_else(fresh_shop: Shop) -> None:
    role = f"readme_{secrets.token_hex(6)}"
    (script,) = blocks(README, "sql")
    script = script.replace("agent_ro", role)
    script = script.replace("DATABASE shop", f"DATABASE {fresh_shop.admin.database}")

    async with connected(fresh_shop.admin) as connection:
        await connection.execute(script)
        privileges = await connection.fetch(
            "SELECT table_name, privilege_type FROM information_schema.table_privileges"
            " WHERE grantee = $1",
            role,
        )
        flags = await connection.fetchrow("SELECT * FROM pg_roles WHERE rolname = $1", role)
        await connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")

    assert {row["privilege_type"] for row in privileges} == {"SELECT"}
    assert "customers" in {row["table_name"] for row in privileges}
    assert flags is not None
    rights = ("rolsuper", "rolcreatedb", "rolcreaterole", "rolinherit", "rolreplication")
    assert not any(flags[right] for right in (*rights, "rolbypassrls"))


def test_every_code_has_a_section() -> None:
    codes = {kind.code for kind in GuardError.__subclasses__()}

    assert set(re.findall(r"^### `([a-z-]+)`$", ERRORS, re.MULTILINE)) == codes


def test_every_rule_has_a_line_and_no_other_has() -> None:
    assert sorted(re.findall(r"^\| `([a-z-]+)` \|", ERRORS, re.MULTILINE)) == sorted(RULES)


def test_contributing_installs_the_clients_the_tests_drive() -> None:
    assert f"npm install {' '.join(PACKAGES)}\n" in CONTRIBUTING


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_every_link_leads_to_a_file(name: str) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", (ROOT / name).read_text(encoding="utf-8"))

    missing = [link for link in links if "://" not in link and not (ROOT / link).exists()]

    assert missing == []


def test_nobody_is_told_to_install_the_package_of_a_stranger() -> None:
    papers = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*")]
    installing = re.compile(
        r"(uvx|pipx? install|pipx run|uv add|uv tool install) +(--?\S+ +)*['\"]?pg-guard-mcp"
    )

    assert [path.name for path in papers if installing.search(path.read_text())] == []
