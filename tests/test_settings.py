"""Every setting is in the code, in `.env.example` and in docs/settings.md, with one default."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
from dotenv import dotenv_values

from pg_guard_mcp.model import AccessRules, Limits, Relation
from pg_guard_mcp.settings import Settings, load_settings
from pg_guard_mcp.settings.later import NOT_ENFORCED
from pg_guard_mcp.settings.sources import SECRET_VARIABLES, dotted, setting_paths, variable_name
from pg_guard_mcp.settings.tables import Detector, LimitsTable

ROOT = Path(__file__).parent.parent
NAMES = [dotted(path) for path in setting_paths()]


def documented() -> dict[str, str]:
    """Return each setting's section of docs/settings.md."""
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    parts = re.split(r"^#+ `(.+)`$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def example(tmp_path: Path) -> Path:
    """Write `.env.example` with every setting switched on."""
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    path = tmp_path / ".env"
    path.write_text(re.sub(r"^# (PG_GUARD_)", r"\1", text, flags=re.MULTILINE), encoding="utf-8")
    return path


def test_every_setting_has_a_section_and_no_section_is_left_over() -> None:
    assert list(documented()) == NAMES


@pytest.mark.parametrize("path", setting_paths(), ids=dotted)
def test_a_section_gives_type_default_and_variable(path: tuple[str, ...]) -> None:
    section = documented()[dotted(path)]

    assert re.search(r"^- type: \S", section, re.MULTILINE)
    assert re.search(r"^- default: `.+`", section, re.MULTILINE)
    assert f"- environment: `{variable_name(path)}`\n" in section


def test_the_documented_default_is_the_default(tmp_path: Path) -> None:
    lines = [
        f"{name} = {re.findall(r'^- default: `([^`]+)`', section, re.MULTILINE)[0]}"
        for name, section in documented().items()
    ]
    (tmp_path / "pg-guard.toml").write_text("\n".join(lines), encoding="utf-8")

    assert load_settings(environment={}, directory=tmp_path, flags={}) == Settings()


def test_a_section_says_when_a_setting_is_not_enforced_yet() -> None:
    admitted = {
        name
        for name, section in documented().items()
        if "This version cannot enforce it" in section or "Not supported yet" in section
    }

    assert admitted == {*NOT_ENFORCED, "database.credential"}


def test_the_example_file_holds_every_setting_and_no_other(tmp_path: Path) -> None:
    variables = {variable_name(path) for path in setting_paths()} | {"PG_GUARD_MASK"}

    assert set(dotenv_values(example(tmp_path), interpolate=False)) == variables


def test_the_example_file_holds_the_defaults(tmp_path: Path) -> None:
    example(tmp_path)

    assert load_settings(environment={}, directory=tmp_path, flags={}) == Settings()


def test_every_secret_variable_is_documented() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")

    assert all(f"`{name}`" in text for name in SECRET_VARIABLES)


def test_the_documented_bounds_are_the_bounds() -> None:
    sections = documented()

    for name, setting in LimitsTable.model_fields.items():
        bounds = [getattr(bound, "ge", getattr(bound, "le", None)) for bound in setting.metadata]
        text = re.findall(r"^- type: .*number from (.+)$", sections[f"limits.{name}"], re.MULTILINE)
        written = [float(number.replace(",", "")) for number in text[0].split(" to ")]
        assert written == [bound for bound in bounds if bound is not None], name


def test_every_detector_is_documented() -> None:
    section = documented()["mask.detectors.enabled"]

    assert all(f"`{name}`" in section for name in get_args(Detector))


def test_without_a_configuration_nothing_may_be_read(tmp_path: Path) -> None:
    settings = load_settings(environment={}, directory=tmp_path, flags={})

    rules = settings.access_rules()

    assert rules.schemas == ()
    assert rules.relations == ()


def test_rules_hold_what_the_operator_wrote(tmp_path: Path) -> None:
    (tmp_path / "pg-guard.toml").write_text(
        """
        [access]
        schemas = ["shop"]
        relations = ["hr.people"]
        deny_relations = ["*.api_keys"]
        allow_functions = ["shop.net_price"]
        views_only = true
        [mask]
        "shop.customers.email" = "email"
        [mask.detectors]
        enabled = ["iban"]
        """,
        encoding="utf-8",
    )

    settings = load_settings(environment={}, directory=tmp_path, flags={})

    assert settings.access_rules() == AccessRules(
        schemas=("shop",),
        relations=(Relation("hr", "people"),),
        deny_relations=("*.api_keys",),
        allow_functions=("shop.net_price",),
        views_only=True,
        masks={"shop.customers.email": "email"},
        detectors=("iban",),
    )


def test_the_default_limits_are_those_of_the_model() -> None:
    assert Settings().call_limits() == Limits()
