"""A git repository with a translated pipeline, and a run of it on the real engine."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from dockercise_prefect.compiler import compile_with_origin
from dockercise_prefect.git.context import read_context
from dockercise_prefect.orchestration.run.events import Event, StageOutput
from dockercise_prefect.orchestration.run.failure import RunFailedError
from dockercise_prefect.orchestration.run.launch import launch
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.pipeline import RunContext, RunEvent
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.runtime.engine import Engine
from dockercise_prefect.settings import Settings
from tests.e2e.migrations.situation import Situation
from tests.support.hosts.git_repository import commit_all, git, make_repository


@dataclass(frozen=True)
class Ran:
    """A run that has ended, and its record."""

    summary: RunSummary

    @property
    def stages(self) -> dict[str, str]:
        """How each stage ended."""
        return {name: stage.status.value for name, stage in self.summary.stages.items()}

    @property
    def attempts(self) -> dict[str, int]:
        """The number of attempts of the stages that were run again."""
        numbers = {name: stage.attempts or 0 for name, stage in self.summary.stages.items()}
        return {name: number for name, number in numbers.items() if number > 1}

    def printed(self, stage: str) -> str:
        """The value of a stage."""
        value = json.loads((self._folder / f"{stage}.json").read_text())["value"]
        assert isinstance(value, str)
        return value

    def log(self, stage: str) -> str:
        """Everything that a stage printed."""
        return (self._folder / f"{stage}.log").read_text()

    @property
    def messages(self) -> str:
        """Why stages did not pass."""
        return "\n".join(f"{name}: {stage.message}" for name, stage in self.summary.stages.items() if stage.message)

    @property
    def _folder(self) -> Path:
        return Path(urlsplit(self.summary.results or "").path)


def make_world(folder: Path, situation: Situation, names: Mapping[str, str]) -> Path:
    """Make the repository of a situation: two commits, of which the first is tagged `v1.0`, and what the situation adds.

    Args:
        folder: an empty folder.
        situation: what happened.
        names: texts of the pipeline to replace, such as names of images that this machine does not have.
    """
    shutil.copytree(situation.folder / "repository", folder, dirs_exist_ok=True)
    pipeline = (situation.folder / "ci.dockercise.yaml").read_text(encoding="utf-8")
    for name, here in names.items():
        pipeline = pipeline.replace(name, here)
    make_repository(folder, {"ci.dockercise.yaml": pipeline}, "main")
    git(folder, "tag", "--annotate", "--message", "Release", "v1.0")
    if situation.branch != "main":
        git(folder, "switch", "--quiet", "--create", situation.branch)
    _write(folder, situation.commit or {"CHANGES": "one more\n"})
    commit_all(folder)
    if situation.tag:
        git(folder, "tag", "--annotate", "--message", "Release", situation.tag)
    _write(folder, situation.uncommitted)
    return folder


def run_it(root: Path, situation: Situation, settings: Settings, engine: Engine) -> Ran:
    """Run the pipeline to its end."""
    pipeline = compile_with_origin(root)[0].pipeline

    def observe(event: Event) -> None:
        if isinstance(event, StageOutput) and event.line == situation.stop_after:
            os.kill(os.getpid(), signal.SIGINT)

    git_context = _context(root, situation)
    options = RunOptions(settings=settings, engine=engine, flags=situation.env, git=git_context, observer=observe)
    try:
        return Ran(launch(pipeline, root, tuple(situation.targets), options))
    except RunFailedError as failure:
        return Ran(failure.summary)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def _context(root: Path, situation: Situation) -> RunContext | None:
    """What a run knows that a push, a tag or a schedule began; None if git is to be asked."""
    if situation.event is None:
        return None
    context = replace(read_context(root), event=situation.event)
    if situation.event is RunEvent.TAG:
        return replace(context, branch="", tag=situation.tag or "")
    if situation.event is RunEvent.PUSH:
        changed = git(root, "diff", "--name-only", "HEAD~1", "HEAD").splitlines()
        return replace(context, tag="", previous=git(root, "rev-parse", "HEAD~1"), changed=changed)
    return replace(context, tag="")
