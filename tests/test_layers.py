"""Rules beyond the import contracts in pyproject.toml: who imports the Docker SDK, and how large modules and folders get."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import dockercise_prefect

PACKAGE = Path(dockercise_prefect.__file__).parent
RUNTIME = PACKAGE / "runtime"
OTHERS = [Path(__file__).parents[1] / name for name in ("tests", "scripts", "benchmarks")]

LONGEST_MODULE = 400
FULLEST_FOLDER = 25


def _imports(module: Path, package: str) -> bool:
    """Whether a module imports a package or a part of it, at any place in the module."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if any(name.split(".")[0] == package for name in names):
            return True
    return False


def test_only_the_docker_engine_imports_the_sdk() -> None:
    """In `runtime`, only modules in `runtime/docker` import the Docker SDK."""
    others = [module for module in RUNTIME.rglob("*.py") if RUNTIME / "docker" not in module.parents]

    assert [str(module.relative_to(RUNTIME)) for module in others if _imports(module, "docker")] == []


def test_no_module_is_long() -> None:
    """No module, test, script or benchmark has more than 400 lines."""
    modules = [module for folder in (PACKAGE, *OTHERS) for module in folder.rglob("*.py")]
    lines = {module: len(module.read_text(encoding="utf-8").splitlines()) for module in modules}

    assert [str(module) for module, count in lines.items() if count > LONGEST_MODULE] == []


def test_no_room_is_crowded() -> None:
    """No folder has more than 25 modules, except for `cli` and its tests, which have one for each command."""
    folders = Counter(module.parent for folder in (PACKAGE, *OTHERS) for module in folder.rglob("*.py"))

    assert [str(folder) for folder, count in folders.items() if count > FULLEST_FOLDER and folder.name != "cli"] == []
