"""How tests compile YAML that is written in them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from dockercise_prefect.compiler import compile_sources, compile_with_origin
from dockercise_prefect.compiler.lint import lint
from dockercise_prefect.errors import DefinitionError, Diagnostic
from dockercise_prefect.frontend.discover import Source
from dockercise_prefect.pipeline import Pipeline


def sources(**files: str) -> list[Source]:
    """Files by their names without the ending, in path order."""
    return [Source(f"{name}.dockercise.yaml", text.encode()) for name, text in sorted(files.items())]


def compiled(**files: str) -> Pipeline:
    """The pipeline of the files."""
    return compile_sources(sources(**files), "test").pipeline


def findings(**files: str) -> tuple[Diagnostic, ...]:
    """The findings about files that do not compile."""
    with pytest.raises(DefinitionError) as caught:
        compile_sources(sources(**files), "test")
    return caught.value.diagnostics


def codes(**files: str) -> list[str]:
    """The codes of the findings, by place."""
    return [str(finding.code) for finding in findings(**files)]


def linted(text: str) -> tuple[Diagnostic, ...]:
    """The findings of the lint rules in one file that compiles."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "a.dockercise.yaml").write_text(text)
        compiled, origin = compile_with_origin(Path(folder))
    return lint(compiled.pipeline, origin)


def lint_codes(text: str) -> list[str]:
    """The codes of the lint rules' findings, by place."""
    return [str(finding.code) for finding in linted(text)]
