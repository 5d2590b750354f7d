"""The golden cases of imports: what becomes of a file is what is written down, and it is a pipeline without findings."""

from __future__ import annotations

import pytest

from dockercise_prefect.frontend.discover import Source
from dockercise_prefect.frontend.findings import Findings
from dockercise_prefect.importing.kinds import kind_of as recognized
from dockercise_prefect.importing.reading import documents_of
from tests.compiler.sources import compiled, linted
from tests.importing.cases import CASES, DRAFT, TABLE, case_names, expected, file_of, kind_of


@pytest.mark.parametrize("name", case_names())
def test_the_draft_and_its_table_are_as_written_down(name: str) -> None:
    """Importing a file gives exactly the draft and the table of its folder."""
    present = {file: (CASES / name / file).read_text() for file in (DRAFT, TABLE)}

    assert expected(name) == present


@pytest.mark.parametrize("name", case_names())
def test_every_draft_compiles_without_findings(name: str) -> None:
    """Every draft is a pipeline; neither the compiler nor the linter finds anything in it."""
    draft = (CASES / name / DRAFT).read_text()

    assert len(compiled(draft=draft)) > 0
    assert linted(draft) == ()


@pytest.mark.parametrize("name", case_names())
def test_the_system_is_recognized_by_the_content(name: str) -> None:
    """A file with a name that says nothing is recognized by its keys."""
    file = file_of(name)
    documents = documents_of(Source("pipeline.yml", file.read_bytes()), Findings())

    assert recognized("pipeline.yml", documents) is kind_of(name)
