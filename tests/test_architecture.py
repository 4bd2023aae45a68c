"""The order of the stages is the security argument, and the shape of the code keeps it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import pg_guard_mcp
from pg_guard_mcp import pipeline
from pg_guard_mcp.guard import rules

ROOT = Path(__file__).parents[1]
PACKAGE = Path(pg_guard_mcp.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# Where a library may be imported, as the tops of module names; nowhere else.
HOMES = {
    "asyncpg": {"postgres", "demo"},
    "keyring": {"access"},
    "mcp": {"server", "demo"},
    "opentelemetry": {"record"},
    "pgparse": {"guard"},
    "postgast": {"guard"},
    "sqlglot": {"guard"},
}
IMPURE = {
    *(
        "anyio",
        "asyncio",
        "asyncpg",
        "http",
        "io",
        "locale",
        "logging",
        "os",
        "pathlib",
    ),
    *("platform", "random", "secrets", "signal", "socket", "ssl", "subprocess", "sys", "tempfile"),
    *("threading", "time", "urllib", "uuid"),
}


def tree(module: Path) -> ast.Module:
    """Parse a module of ours."""
    return ast.parse(module.read_text(encoding="utf-8"))


def name_of(module: Path) -> str:
    """Return a module's path within the package, without its ending."""
    return module.relative_to(PACKAGE).with_suffix("").as_posix()


def imports(module: Path) -> set[str]:
    """Return the full name of everything a module imports, wherever in it."""
    found = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(module)} has a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def callers(name: str) -> set[str]:
    """Return the modules that call something by `name`, however they reach it."""
    return {
        name_of(module)
        for module in MODULES
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Call)
        and name in {getattr(node.func, "id", None), getattr(node.func, "attr", None)}
    }


def mentions(name: str) -> set[str]:
    """Return the modules in which `name` is used as a value, not only as a type."""
    return {
        name_of(module)
        for module in MODULES
        for node in ast.walk(without_types(tree(module)))
        if name in {getattr(node, "id", None), getattr(node, "attr", None)}
    }


def without_types(module: ast.Module) -> ast.Module:
    """Take annotations off: they are never evaluated here."""
    for node in ast.walk(module):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(value=None)
    return module


def test_the_import_contracts_hold() -> None:
    command = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run(
        [command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip

    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_only_admit_makes_an_admitted_statement() -> None:
    assert (
        callers("AdmittedStatement")
        == mentions("AdmittedStatement") - {"model"}
        == {"guard/policy"}
    )

    makers = {
        function.name
        for function in ast.walk(tree(PACKAGE / "guard/policy.py"))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "AdmittedStatement"
    }
    assert makers == {"admit"}


def test_only_the_detectors_make_a_masked_result() -> None:
    assert (
        callers("MaskedResult")
        == mentions("MaskedResult") - {"model"}
        == {"guard/detectors/__init__"}
    )


def test_no_proof_type_is_forged_by_a_cast() -> None:
    for module in MODULES:
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "cast":
                target = ast.unparse(node.args[0])
                assert "AdmittedStatement" not in target
                assert "MaskedResult" not in target
                assert "GuardedQuery" not in target


def test_only_the_guard_and_the_postgres_package_make_queries_to_run() -> None:
    """The rest may copy one with `replace`, to add arguments; no SQL comes from anywhere else."""
    makers = callers("GuardedQuery")

    assert makers <= {
        *("guard/masking", "guard/rewrite", "guard/suggest/samples"),
        *("postgres/snapshot", "postgres/database"),
    }


def test_statements_are_rewritten_only_where_they_are_judged() -> None:
    users = {
        name_of(module)
        for module in MODULES
        if any(name.startswith("pg_guard_mcp.guard.rewrite") for name in imports(module))
    }

    assert users == {"judging", "pipeline"}
    assert mentions("rewrite") == {"judging"}


@pytest.mark.parametrize("library", sorted(HOMES))
def test_each_library_is_imported_at_home_only(library: str) -> None:
    users = {
        name_of(module).partition("/")[0]
        for module in MODULES
        if any(name == library or name.startswith(f"{library}.") for name in imports(module))
    }

    assert users <= HOMES[library]


def test_the_guard_does_no_input_or_output() -> None:
    for module in (PACKAGE / "guard").rglob("*.py"):
        tops = {name.partition(".")[0] for name in imports(module)}

        assert not tops & IMPURE, name_of(module)
        assert not {"now", "today", "utcnow"} & {
            getattr(node.func, "attr", None)
            for node in ast.walk(tree(module))
            if isinstance(node, ast.Call)
        }
        assert not callers("open") & {name_of(module)}


def test_the_guard_has_no_state_that_a_call_could_leave_behind() -> None:
    for module in (PACKAGE / "guard").rglob("*.py"):
        for node in ast.walk(tree(module)):
            assert not isinstance(node, (ast.Global, ast.Nonlocal)), name_of(module)


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_module_prints_nothing_and_is_no_longer_than_a_reader_can_hold(module: Path) -> None:
    """What is printed on stdout would be read as the protocol."""
    assert "print" not in {
        getattr(node.func, "id", None)
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Call)
    }
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 300
    assert ast.get_docstring(tree(module))


def test_no_module_is_named_for_everything_and_nothing() -> None:
    assert not {module.stem for module in MODULES} & {
        "utils",
        "helpers",
        "common",
        "manager",
        "misc",
    }


def test_every_rule_is_a_module_of_its_own_name_and_is_asked() -> None:
    modules = {module.stem for module in (PACKAGE / "guard/rules").glob("*.py")} - {"__init__"}

    assert {rule.__name__ for rule in rules.RULES} == modules
    assert all(rule.__doc__ for rule in rules.RULES)


def test_the_pipeline_masks_and_renders_whatever_it_fetched() -> None:
    """Both tools that run SQL go through the same steps, in this order."""
    functions = {
        node.name: [
            getattr(call.func, "id", getattr(call.func, "attr", ""))
            for call in ast.walk(node)
            if isinstance(call, ast.Call)
        ]
        for node in ast.walk(tree(Path(pipeline.__file__)))
        if isinstance(node, ast.AsyncFunctionDef)
    }

    for tool, last in (("query", "render"), ("explain", "render_plan")):
        assert {"_by_names", "admitted", "_fetch", "_masked", last} <= set(functions[tool])
    fetching = {name for name, calls in functions.items() if "fetch" in calls}
    assert fetching == {"_fetch"}
    assert "mask" in functions["_masked"]


def test_every_import_contract_of_the_house_is_there() -> None:
    """Taking one away must not go unnoticed."""
    names = {contract["name"] for contract in PYPROJECT["tool"]["importlinter"]["contracts"]}

    assert names >= {
        "imports run downwards only",
        "the guard is pure: no I/O, clock, randomness or logging",
        "the parsers are reached from the guard only",
        "Postgres is reached from one package only",
        "MCP is spoken by the server only",
        "telemetry is spoken by record only, the keyring by access only",
    }
    assert PYPROJECT["tool"]["pytest"]["ini_options"]["filterwarnings"] == ["error"]
