"""The variables of git in the stages of a run, on a scripted engine and a real Prefect server."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from dockercise_prefect.orchestration.run.launch import launch
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.pipeline import Pipeline, Stage, host
from dockercise_prefect.pipeline.run_context import RUN_VARIABLES, RunContext, RunEvent
from dockercise_prefect.settings import Settings
from tests.engines.scripted import ScriptedEngine
from tests.orchestration.running import sh
from tests.support.hosts.git_repository import git, make_repository

pytestmark = pytest.mark.docker  # for the Prefect server: the engine is scripted


def _asking() -> Stage:
    return sh("ask", "ask", env={name: host(name, optional=True) for name in sorted(RUN_VARIABLES)})


def _set(engine: ScriptedEngine) -> dict[str, str]:
    """The variables of git that the last stage got."""
    found = re.findall(r"^command export (DOCKERCISE_\w+)='(.*?)'$", engine.runs[-1].stdin.decode(), re.MULTILINE | re.DOTALL)
    return {name: text for name, text in found if name in RUN_VARIABLES}


def test_a_run_by_hand_has_what_the_checkout_says(
    prefect_api: str, settings: Settings, scripted: ScriptedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stage gets the variables of git that it names. Those of the process, as in a run inside a run, do not replace them."""
    folder = make_repository(tmp_path / "root", {"f": "1"}, "feature")
    git(folder, "tag", "v1.0")
    for name in RUN_VARIABLES:
        monkeypatch.setenv(name, "of-the-outer-run")

    launch(Pipeline("hello", [_asking()]), folder, (), RunOptions(settings=settings, engine=scripted))

    assert _set(scripted) == {
        "DOCKERCISE_AUTHOR": "A Developer <developer@example.org>",
        "DOCKERCISE_BRANCH": "feature",
        "DOCKERCISE_COMMIT": git(folder, "rev-parse", "HEAD"),
        "DOCKERCISE_EVENT": "manual",
        "DOCKERCISE_FAILED": "",
        "DOCKERCISE_MESSAGE": "Begin",
        "DOCKERCISE_PREVIOUS": "",
        "DOCKERCISE_REPOSITORY": "",
        "DOCKERCISE_STATUS": "",
        "DOCKERCISE_TAG": "v1.0",
    }


def test_what_the_caller_knows_counts_also_for_untrusted_pipelines(
    prefect_api: str, settings: Settings, scripted: ScriptedEngine, tmp_path: Path
) -> None:
    """If the caller says what is known, git is not asked; a pipeline that is not trusted gets these variables too."""
    folder = make_repository(tmp_path / "root", {"f": "1"}, "feature")
    known = RunContext(event=RunEvent.PUSH, branch="main", previous="b" * 40)
    options = RunOptions(settings=replace(settings, untrusted=True), engine=scripted, git=known)

    launch(Pipeline("hello", [_asking()]), folder, (), options)

    assert _set(scripted) == {"DOCKERCISE_STATUS": "", "DOCKERCISE_FAILED": "", **known.variables}
