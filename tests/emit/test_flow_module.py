"""The compiled module as a whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.emit import FORMATS, Request, module_name
from dockercise_prefect.emit.identifiers import stage_identifiers
from dockercise_prefect.pipeline import Pipeline, code, stage
from tests.compiler.cases import CASES, case_names
from tests.compiler.sources import compiled


def _module(pipeline: Pipeline, root: str = ".") -> str:
    return FORMATS["python"].emit(Request(pipeline, root=root))


def _imported(text: str, path: Path) -> ModuleType:
    module = ModuleType("compiled")
    module.__file__ = str(path)
    exec(compile(text, "compiled.py", "exec"), module.__dict__)  # noqa: S102  the module is under test
    return module


def test_module_is_a_prefect_flow(tmp_path: Path) -> None:
    """An imported module has a flow with the pipeline's name and four parameters, and finds its root from its own place."""
    from prefect import Flow

    text = _module(compiled(a="meta: {name: my pipe}\ngreet: {img: x, run: echo}\n"), root="../code")

    module = _imported(text, tmp_path / "m.py")

    assert isinstance(module.my_pipe, Flow)
    assert module.my_pipe.name == "my pipe"
    assert list(module.my_pipe.parameters.properties) == ["targets", "env", "commit", "results", "resume"]
    assert tmp_path.resolve() / "../code" == module.ROOT


def test_module_holds_nothing_of_its_machine() -> None:
    """Compiling the same files twice gives the same bytes, and no path of this machine is in them."""
    files = {"a": "a: {img: x, run: ls}\nb: {img: x, env: [a, HOME]}\n"}

    first, second = _module(compiled(**files)), _module(compiled(**files))

    assert first == second
    assert str(Path.cwd()) not in first


def test_modules_are_as_a_formatter_leaves_them() -> None:
    """No formatter changes the modules of the golden cases, at its default width or a wider one."""
    modules = [str(CASES / name / "flow.py") for name in case_names() if (CASES / name / "flow.py").exists()]

    for width in ("88", "128"):
        command = [
            sys.executable,
            "-m",
            "ruff",
            "format",
            "--no-cache",
            "--isolated",
            "--check",
            "--line-length",
            width,
            *modules,
        ]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout


def test_names_that_would_break_the_text() -> None:
    """A pipeline's name with quotes, backslashes and braces appears unchanged in the module."""
    name = 'a"""b\\{c}\'d'
    pipeline = Pipeline(name, [stage("s", image="x")])

    text = _module(pipeline)

    namespace: dict[str, object] = {}
    exec(compile(text.split("\nROOT")[0].split("from pathlib")[0], "compiled.py", "exec"), namespace)  # noqa: S102  as above
    assert str(namespace["__doc__"]).startswith(f"Prefect flow `{name}`: 1 stage from 0 files.")


def test_declarations_written_by_hand_are_written_again() -> None:
    """A pipeline declared in Python, without YAML, compiles to its own declarations."""
    first = stage("first", image="x", volumes=[code.at("/src")])
    second = stage("second", image="x", on=code, env={"A": first.value}, volumes=[first.volume])

    text = _module(Pipeline("p", [first, second]))

    assert 'volumes=[code.at("/src")]' in text
    assert "on=code" in text
    assert '"A": first.value' in text
    assert "digest=" not in text


@given(st.text(min_size=1), st.lists(st.text(min_size=1), unique=True))
def test_identifiers_are_unique(pipeline: str, stages: list[str]) -> None:
    """Any names give valid Python identifiers, which differ from each other and from the flow's."""
    chosen = [module_name(pipeline), *stage_identifiers(pipeline, stages).values()]

    assert all(name.isidentifier() and name.isascii() for name in chosen)
    assert len(set(chosen)) == len(chosen)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("infra", "infra"), ("my-shop", "my_shop"), ("2nd", "pipeline_2nd"), ("☃", "pipeline_"), ("class", "class_"), ("é", "e")],
)
def test_module_names(name: str, expected: str) -> None:
    """The module of a pipeline has the pipeline's name, as far as Python allows."""
    assert module_name(name) == expected


def test_listing_says_what_a_stage_is() -> None:
    """The listing names each stage's image, script, variables, mounts and edges with their places."""
    pipeline = compiled(a="a: {img: x, run: ls}\nb:\n  img: y\n  env: [a, HOME?]\n  vol: a:/data\n  after: a\n  timeout: 5m\n")

    text = FORMATS["text"].emit(Request(pipeline))

    assert text.startswith("test · 2 stages · sha256:")
    listed = [line.split() for line in text.split("\n\n")[2].splitlines()]
    assert ["env", "A", "=", "value", "of", "a"] in listed
    assert ["env", "HOME", "=", "HOME", "from", "outside,", "if", "it", "is", "set"] in listed
    assert ["mount", "/data", "=", "volume", "of", "a", "(ro)"] in listed
    assert ["timeout", "300", "s"] in listed
    assert ["needs", "a,", "by", "vol", "(a.dockercise.yaml:5:8)"] in listed


def test_listing_moves_no_cursor() -> None:
    """A script with control characters is shown escaped."""
    pipeline = compiled(a='a: {img: x, run: "echo \\e[2J\\nls\\tx"}\n')

    assert FORMATS["text"].emit(Request(pipeline)).replace("\n", "").replace("\t", "").isprintable()
