"""The language's page: its examples, and its table of codes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dockercise_prefect.compiler.keys import LATER_IN_STAGES, META, STAGE
from dockercise_prefect.pipeline import Code
from dockercise_prefect.pipeline.selection import run_of
from tests.compiler.sources import codes, compiled

PAGE = (Path(__file__).parent.parent / "docs" / "language.md").read_text()
EXAMPLES = re.findall(r"^```yaml ?(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("example", [text for code, text in EXAMPLES if not code])
def test_examples_compile(example: str) -> None:
    """Every example is a pipeline without findings."""
    assert len(compiled(example=example)) > 0


@pytest.mark.parametrize(("code", "example"), [(code, text) for code, text in EXAMPLES if code])
def test_wrong_examples_are_found(code: str, example: str) -> None:
    """An example that is marked with a code has that finding and no other one."""
    assert codes(example=example) == [code]


def test_runs_of_some_stages_are_as_told() -> None:
    """The clean-up stages of the example take part in the runs that the page says."""
    section = PAGE.split("\n### Runs of some stages\n")[1].split("\n### ")[0]
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    pipeline = compiled(example=example)

    assert [*run_of(pipeline, ["api"]).by_name] == ["api", "tidy", "tell"]
    assert [*run_of(pipeline, ["web"]).by_name] == ["web", "tidy", "tell", "report"]
    assert {"api", "web"} < run_of(pipeline, ["tidy"]).by_name.keys()


def test_all_codes_are_listed() -> None:
    """The page lists every code with its meaning, and no code that does not exist."""
    listed = re.findall(r"^\| (DK\d+) \| (.*) \|$", PAGE, re.MULTILINE)

    assert listed == [(code.value, code.meaning) for code in Code]


def test_all_keys_are_named() -> None:
    """The page names every key of a stage and of `meta`, including those for later versions."""
    missing = [key for key in {*STAGE, *META, *LATER_IN_STAGES} if f"`{key}`" not in PAGE]

    assert missing == []
