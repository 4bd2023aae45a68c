"""The documents are complete and true: every rule has its heading, every example is run."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pg_guard_mcp
from pg_guard_mcp.errors import Refused
from pg_guard_mcp.guard import kinds, rules
from pg_guard_mcp.guard.classify import classify
from pg_guard_mcp.guard.masking import KINDS
from pg_guard_mcp.guard.policy import admit, judge
from pg_guard_mcp.guard.rewrite import rewrite
from tests.support.catalogs import policy

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PACKAGE = Path(pg_guard_mcp.__file__).parent
TEXT = (ROOT / "docs/policy.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### `([a-z-]+)`\n\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL))
POLICY = policy()


def emitted() -> set[str]:
    """Return every rule id that the source can put into a finding."""
    review = tomllib.loads((PACKAGE / "guard/functions.toml").read_text(encoding="utf-8"))
    families = [*review["deny"].values(), *review["arguments"].values()]
    return {
        *(rule.__name__.replace("_", "-") for rule in rules.RULES),
        *kinds._RULES.values(),
        *(kinds._HINTS),
        *(family["rule"] for family in families if "rule" in family),
        *(rule for module in PACKAGE.rglob("*.py") for rule in written_out(module)),
    }


def written_out(module: Path) -> Iterator[str]:
    """Yield the rule ids that a module writes out: `rule="..."` or `"rule": "..."`."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "rule":
            yield from constants(node.value)
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "rule":
                    yield from constants(value)


def constants(node: ast.expr) -> Iterator[str]:
    """Yield the texts an expression can be, as far as they are written out."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def examples(rule: str) -> list[str]:
    """Return the SQL examples under a rule's heading: a refused one, then the way out."""
    return re.findall(r"^```sql\n(.*?)\n```$", SECTIONS[rule], re.MULTILINE | re.DOTALL)


def refused_by(sql: str) -> set[str]:
    """Return the rules that refuse `sql` in the demo shop."""
    try:
        statement = classify(sql, max_bytes=50_000)
        rewrite(admit(judge(statement, POLICY, rules.RULES)), POLICY)
    except Refused as refusal:
        return {finding.rule for finding in refusal.findings}
    return set()


def test_every_rule_has_a_heading_and_every_heading_is_a_rule() -> None:
    assert set(SECTIONS) == emitted()
    assert len(re.findall(r"^### ", TEXT, re.MULTILINE)) == len(SECTIONS)


def test_the_rule_ids_are_found_in_the_source() -> None:
    """The search above would be worth nothing if it found nothing."""
    assert {"bounds", "syntax", "not-understood", "arguments", "no-sql-text"} <= emitted()
    assert len(emitted()) >= 30


@pytest.mark.parametrize("rule", sorted(set(SECTIONS) - {"arguments"}))
def test_each_rule_shows_a_refused_query_and_a_way_out(rule: str) -> None:
    refused, instead = examples(rule)

    assert refused_by(refused) == {rule}
    assert refused_by(instead) == set()


@pytest.mark.parametrize("rule", sorted(SECTIONS))
def test_each_rule_is_explained_in_sentences_of_their_own_lines(rule: str) -> None:
    prose = re.sub(r"```sql\n.*?\n```", "", SECTIONS[rule], flags=re.DOTALL).split("\n")
    sentences = [line for line in prose if line]

    assert len(sentences) >= 2
    assert all(line.endswith(".") for line in sentences)


def test_the_kinds_of_mask_are_documented() -> None:
    settings = (ROOT / "docs/settings.md").read_text(encoding="utf-8")

    for kind in KINDS:
        assert f"`{kind}" in settings, kind


def documents() -> list[Path]:
    """Return every document a reader may follow."""
    return sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("tests/**/*.md")})


@pytest.mark.parametrize(
    "document", documents(), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_every_link_between_documents_leads_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = re.findall(r"\[[^\]]+\]\(([^)#\s]+)(?:#[^)]*)?\)", text)

    missing = [
        link for link in links if "://" not in link and not (document.parent / link).exists()
    ]
    assert missing == []


@pytest.mark.parametrize(
    "document", documents(), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_no_document_has_a_stranger_installed(document: Path) -> None:
    """The name `pg-guard-mcp` on the package index belongs to somebody else."""
    text = document.read_text(encoding="utf-8")

    assert not re.search(
        r"(uvx|pip install|pipx (run|install)|uv add|tool (run|install)) ['\"]?pg-guard", text
    )
