"""What the import contracts in pyproject.toml cannot say: within `runtime`, the Docker SDK belongs to one room only."""

from __future__ import annotations

import ast
from pathlib import Path

import dockercise_prefect

RUNTIME = Path(dockercise_prefect.__file__).parent / "runtime"


def _imports(module: Path, package: str) -> bool:
    """Whether a module imports a package or something in it, wherever the import stands."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if any(name.split(".")[0] == package for name in names):
            return True
    return False


def test_only_the_docker_engine_imports_the_sdk() -> None:
    """In `runtime`, modules that import the Docker SDK are in `runtime/docker`."""
    others = [module for module in RUNTIME.rglob("*.py") if RUNTIME / "docker" not in module.parents]

    assert [str(module.relative_to(RUNTIME)) for module in others if _imports(module, "docker")] == []
