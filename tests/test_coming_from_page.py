"""The page for users of other systems: its examples, and the words that it explains."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from dockercise_prefect.compiler.keys import LATER_IN_STAGES, META, STAGE
from dockercise_prefect.compiler.spelling.keys_of_other_tools import hint_for_key, hint_for_top_level
from dockercise_prefect.compiler.spelling.words_of_conditions import hint_for_condition, hint_for_status
from dockercise_prefect.pipeline.run_context import RUN_VARIABLES
from tests.compiler.sources import compiled, lint_codes
from tests.test_user_pages import blocks

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/coming-from.md").read_text()
TABLES = PAGE[: PAGE.index("## Variables")]
SECTIONS = ("Woodpecker and Drone", "GitLab CI", "GitHub Actions", "CircleCI", "Concourse", "Argo Workflows")

OF_NO_STAGE = {
    *("actions/cache", "actions/download-artifact", "actions/upload-artifact", "$GITHUB_OUTPUT", "github", "((vars))"),
    *("CronWorkflow", "WorkflowTemplate", "arguments", "dag", "source", "suspend", "volumeClaimTemplates"),
    *("executors", "orbs", "pages", "release", "inputs", "type", "from_secret", "host", "temp"),
}
"""Words of the tables that are no keys of a job, or that can mean too much for a hint."""


def _section(name: str) -> str:
    return PAGE.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]


@pytest.mark.parametrize("example", blocks(PAGE, "yaml"))
def test_every_pipeline_compiles(example: str) -> None:
    """Every translation is a pipeline without findings, of the linter too."""
    assert len(compiled(example=example)) > 0
    assert lint_codes(example) == []


@pytest.mark.parametrize("name", SECTIONS)
def test_every_system_has_a_table_and_an_example_with_its_translation(name: str) -> None:
    """Each section has a table, an example in the other system's language, which is YAML, and its translation."""
    section = _section(name)

    ((before,), (after,)) = blocks(section, "yml"), blocks(section, "yaml")
    assert "| there | here | what is different |" in section
    assert isinstance(yaml.safe_load(before), dict)
    assert section.index(before) < section.index(after)


def test_the_keys_of_the_tables_get_a_hint() -> None:
    """If a user writes a key of the first column, the message says what to write instead, or the key exists here too."""
    cells = re.findall(r"^\| (`[^|]*?) \|", TABLES, re.MULTILINE)
    words = {re.split(r"[: .]", word)[0] for cell in cells for word in re.findall(r"`([^`]+)`", cell)}

    silent = {
        word
        for word in words - OF_NO_STAGE - {*STAGE, *META, *LATER_IN_STAGES}
        if not any(hint(word) for hint in (hint_for_key, hint_for_top_level, hint_for_condition, hint_for_status))
    }

    assert silent == set()


def test_all_variables_of_a_run_are_listed() -> None:
    """The table of variables has every variable that a run sets in the stages that name it."""
    listed = set(re.findall(r"^\| `\$(\w+)` \|", PAGE, re.MULTILINE))

    assert listed == {*RUN_VARIABLES, "DOCKERCISE_RUN_ID"}


def test_every_link_leads_somewhere() -> None:
    """The files that the page links to exist, and so do the headings in it."""
    links = re.findall(r"\]\(([^)#:]+)", PAGE)
    headings = {
        re.sub(r"[^a-z -]", "", line.lower()).replace(" ", "-") for line in re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    }

    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= headings
