"""The golden cases: the expected results for each folder of `tests/cases`. `python -m tests.compiler.cases` rewrites them.

A case is a folder of `*.dockercise.yaml`. If it compiles, `pipeline.json` and `flow.py` are the files that `compile` writes; if
anything is found, `errors.txt` is its output.
"""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from dockercise_prefect.cli import dockercise

CASES = Path(__file__).parent.parent / "cases"
OUTPUTS = {"json": "pipeline.json", "python": "flow.py"}
FINDINGS = "errors.txt"


def case_names() -> list[str]:
    """The name of every case, which is a folder with YAML in it."""
    return sorted({file.relative_to(CASES).parts[0] for file in CASES.rglob("*.yaml")})


def expected(folder: Path) -> dict[str, str]:
    """The files that belong in a case's folder in addition to its YAML, and their expected contents."""
    files: dict[str, str] = {}
    for name, file in OUTPUTS.items():
        result = CliRunner().invoke(dockercise, ["compile", str(folder), "--format", name])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        files |= {file: result.stdout} if result.exit_code == 0 else {}
        files |= {FINDINGS: result.stderr} if result.stderr else {}
    return files


def present(folder: Path) -> dict[str, str]:
    """The files that exist."""
    names = [*OUTPUTS.values(), FINDINGS]
    return {name: (folder / name).read_text() for name in names if (folder / name).exists()}


def rewrite() -> None:
    """Replace the existing files by the expected ones; read the changes before you commit them."""
    for folder in (CASES / name for name in case_names()):
        for name in present(folder):
            (folder / name).unlink()
        for name, text in expected(folder).items():
            (folder / name).write_text(text)


if __name__ == "__main__":
    rewrite()
