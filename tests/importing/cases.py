"""The golden cases: a file of another system, its draft and its table. `python -m tests.importing.cases` rewrites them."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path

from click.testing import CliRunner

from dockercise_prefect.cli import dockercise
from dockercise_prefect.importing import Kind

CASES = Path(__file__).parent / "cases"
DRAFT, TABLE = "draft.dockercise.yaml", "table.txt"


def case_names() -> list[str]:
    """The name of every case. It begins with the name of its system."""
    return sorted(folder.name for folder in CASES.iterdir() if folder.is_dir())


def kind_of(name: str) -> Kind:
    """The system of a case."""
    return Kind(name.partition("-")[0])


def file_of(name: str) -> Path:
    """The file that a case imports."""
    return CASES / name / f"{kind_of(name)}.yml"


def expected(name: str) -> dict[str, str]:
    """The files that belong in a case's folder in addition to the one that is imported, with their contents."""
    file = file_of(name)
    with chdir(file.parent):
        result = CliRunner().invoke(dockercise, ["import", file.name, "--from", kind_of(name).value, "-o", "-"])
    if result.exception is not None:
        raise result.exception
    return {DRAFT: result.stdout, TABLE: result.stderr}


def rewrite() -> None:
    """Replace the existing files by the expected ones; read the changes before you commit them."""
    for name in case_names():
        for file, text in expected(name).items():
            (CASES / name / file).write_text(text)


if __name__ == "__main__":
    rewrite()
