"""A repository with an origin, ready to be registered. Tests of registrations and pushes start with it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.command import Command, Outcome
from tests.support.hosts.git_repository import commit_all, git, make_bare_repository, make_repository
from tests.support.prefect import workers
from tests.support.prefect.prefect_records import FlowRunRecord


@dataclass(frozen=True)
class Site:
    """A developer's clone, its origin, a work pool, and the folder of the worker.

    Attributes:
        name: the name of the pipeline, the repository and the work pool. No other test uses it.
        work: the clone.
        environment: the environment of commands and workers.
        api: the API of the Prefect server.
        folder: the test's own folder.
        command: calls `dockercise`, in this process, because starting one takes seconds.
    """

    name: str
    work: Path
    environment: Mapping[str, str]
    api: str
    folder: Path
    command: Command

    @property
    def source(self) -> str:
        """The address that is registered."""
        return (self.folder / f"host/{self.name}.git").as_uri()

    @property
    def deployment(self) -> str:
        """The deployment's full name."""
        return f"{self.name}/{self.name}"

    @property
    def head(self) -> str:
        """The current commit of the clone."""
        return git(self.work, "rev-parse", "HEAD")

    def register(self, *arguments: str) -> Outcome:
        """Call `dockercise register` for the repository and its work pool."""
        return self.command("register", self.source, "--work-pool", self.name, *arguments)

    def push(self, files: Mapping[str, str]) -> str:
        """Commit and push files, and return the commit."""
        for path, text in files.items():
            (self.work / path).parent.mkdir(parents=True, exist_ok=True)
            (self.work / path).write_text(text)
        commit_all(self.work)
        git(self.work, "push", "--quiet", "origin", "HEAD")
        return self.head

    def run(self, **parameters: object) -> FlowRunRecord:
        """Create a flow run of the deployment, and let a worker run it to its end."""
        return workers.run_to_end(self.api, self.deployment, self.environment, self.folder, **parameters)

    def values(self) -> dict[str, Any]:
        """The stages of the newest record, with their values."""
        return values_in(self.folder / "data/results" / self.name)


def make_site(  # noqa: PLR0917  all that there is
    folder: Path, api: str, environment: Mapping[str, str], command: Command, pipeline: str, files: Mapping[str, str]
) -> Site:
    """A repository with a pipeline and other files, pushed, and a work pool of type process."""
    name = f"pipeline-{uuid.uuid4().hex[:8]}"
    work = make_repository(folder / "work", {f"{name}.dockercise.yaml": pipeline, **files}, branch="main")
    host = make_bare_repository(folder / f"host/{name}.git", work)
    git(work, "remote", "add", "origin", str(host))
    workers.create_pool(name, api)
    return Site(name, work, environment, api, folder, command)


def values_in(records: Path) -> dict[str, Any]:
    """The stages of the newest record in a folder, with their values."""
    newest = max(filter(Path.is_dir, records.iterdir()))
    summary = json.loads((newest / "summary.json").read_text())
    return {stage: json.loads((newest / f"{stage}.json").read_text()).get("value") for stage in summary["stages"]}
