"""Finds the stages that a push to a registered repository affects, and starts the flow run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.states import Suspended

from dockercise_prefect.compiler.triggers import triggered
from dockercise_prefect.errors import CommitMissingError, OrchestratorError, PackagesMissingError, UsageError
from dockercise_prefect.git.ask import SHORT_COMMIT
from dockercise_prefect.orchestration.prefect.api import LOST, lost_api
from dockercise_prefect.orchestration.prefect.flow_run import commit_tag, git_tags, page
from dockercise_prefect.orchestration.registrations.checkout import checked_out, open_mirror
from dockercise_prefect.orchestration.registrations.commits import BrokenCommitError, Code, changed_apart, compile_apart
from dockercise_prefect.orchestration.registrations.deployments import REFUSALS, Deployed, describe, refusal
from dockercise_prefect.orchestration.registrations.occasion import Occasion, PullRequestFacts
from dockercise_prefect.orchestration.registrations.register import description, parameter_schema
from dockercise_prefect.orchestration.registrations.registration import Registration
from dockercise_prefect.pipeline import Pipeline
from dockercise_prefect.pipeline.run_context import RunContext, RunEvent
from dockercise_prefect.settings import Settings

EVERYTHING: None = None
"""The value of `targets` for all stages that the deployment runs."""

_SKIP = re.compile(r"\[(skip ci|ci skip)\]", re.IGNORECASE)

_WRITING = Lock()
"""Held during a write to Prefect: with SQLite, its server makes concurrent writers wait for seconds each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Commits that arrived on a branch, or a tag that arrived.

    Attributes:
        branch: the short name of the branch; empty for a tag.
        before: the commit of the branch before the push; None for a new branch.
        after: the commit of the branch after the push; for a tag, the object that it names.
        changed: the changed paths as the host lists them; None if it does not list all of them.
        tag: the tag; empty for a branch.
        pull_request: the pull request that the commit is of; then there is neither a branch nor a tag.
    """

    branch: str
    before: str | None
    after: str
    changed: Sequence[str] | None
    tag: str = ""
    pull_request: PullRequestFacts | None = None

    @property
    def occasion(self) -> Occasion:
        """What the run knows of the push or the pull request."""
        if self.pull_request is not None:
            return Occasion(event=RunEvent.PULL_REQUEST, previous=self.before or "", pull_request=self.pull_request)
        if self.tag:
            return Occasion(event=RunEvent.TAG, tag=self.tag)
        return Occasion(event=RunEvent.PUSH, branch=self.branch, previous=self.before or "")


def touched(deployed: Deployed, arrival: Arrival, settings: Settings) -> tuple[str, ...] | None:
    """The stages whose `triggers` match a changed file; an empty tuple if no stage has to run.

    Returns `EVERYTHING` if no stage has triggers, or if it is not known what changed, as for a tag. The same if the pipeline
    does not compile: the run then fails and says why. If the push is to the deployment's own branch, its page is updated too.

    Raises:
        RepositoryError: the repository cannot be read now.
        DockerciseError: the pipeline at the commit cannot run.
    """
    registration = arrival.occasion.registration(deployed.registration)
    try:
        pipeline = _pipeline(registration, arrival.after, settings)
    except (PackagesMissingError, BrokenCommitError):  # the worker of the run may have an engine, even if this machine has none
        return EVERYTHING
    if pipeline is None:
        return ()
    if arrival.branch == registration.ref:
        with suppress(OrchestratorError), _WRITING:  # only the run of the push is important
            describe(
                deployed,
                description(registration, pipeline, arrival.after),
                arrival.after[:SHORT_COMMIT],
                parameter_schema(pipeline),
            )
    if arrival.tag:
        return EVERYTHING
    # Not `run_of`: a clean-up stage joins the run by itself. As a target, it would also bring what it comes after.
    chosen = pipeline.only(deployed.parameters.get("targets") or ())
    if not any(stage.triggers for stage in chosen):
        return EVERYTHING
    changed = _changed(registration, arrival, settings)
    return EVERYTHING if changed is None else tuple(triggered(chosen, changed))


def peeled(deployed: Deployed, arrival: Arrival, settings: Settings) -> Arrival:
    """The arrival with the commit of its tag. For an annotated tag, a host may name the tag's own object.

    Raises:
        RepositoryError: the repository cannot be read now.
        UsageError: the tag is not of a commit.
    """
    if not arrival.tag:
        return arrival
    mirror = open_mirror(deployed.registration, settings.data)
    mirror.fetch(arrival.after)
    return replace(arrival, after=mirror.peeled(arrival.after))


def waits_for_yes(deployed: Deployed, arrival: Arrival) -> bool:
    """Whether the run of an arrival does not begin before a maintainer says yes."""
    return arrival.occasion.is_of_fork and not deployed.registration.runs_forks_unasked


def is_skipped(deployed: Deployed, arrival: Arrival, settings: Settings) -> bool:
    """Whether the newest commit asks for no run, with `[skip ci]` or `[ci skip]` in its message. A tag is always run.

    Raises:
        RepositoryError: the repository cannot be read now.
    """
    if arrival.tag:
        return False
    request = arrival.pull_request
    commit = request.head if request else arrival.after
    mirror = open_mirror(arrival.occasion.registration(deployed.registration), settings.data)
    mirror.fetch(commit)
    return _SKIP.search(mirror.message(commit)) is not None


def submit(deployed: Deployed, arrival: Arrival, targets: Sequence[str] | None, key: str) -> tuple[str, str | None]:
    """Start a flow run of the deployment for a push. Further calls with the same key start no other run.

    Args:
        arrival: its commit is the one to run.
        targets: the stages to run; `EVERYTHING` for the targets of the deployment.
        key: Prefect's idempotency key.

    Returns:
        The flow run's id, and its page in Prefect's UI if that is known.

    Raises:
        UsageError: the deployment does not exist any more, or does not accept the parameters.
        OrchestratorError: Prefect does not answer.
    """
    known = arrival.occasion
    parameters = _parameters(arrival) | ({"targets": list(targets)} if targets is not None else {})
    tags = [commit_tag(arrival.after[:SHORT_COMMIT]), *_tags(known)]
    try:
        with _WRITING, get_client(sync_client=True) as client:
            run = client.create_flow_run_from_deployment(
                UUID(deployed.id),
                parameters=parameters,
                idempotency_key=key,
                tags=tags,
                labels=dict(known.labels),
                state=_first_state(deployed, arrival),
            )
    except ObjectNotFound as error:
        raise UsageError(
            f"the deployment {deployed.name} does not exist any more", "`dockercise register` creates it again"
        ) from error
    except PrefectHTTPStatusError as error:
        if error.response.status_code in REFUSALS:
            raise UsageError(f"the deployment {deployed.name} does not accept this run: {refusal(error)}") from error
        raise lost_api(error) from error
    except LOST as error:
        raise lost_api(error) from error
    return str(run.id), page(run)


def _first_state(deployed: Deployed, arrival: Arrival) -> State[Any] | None:
    """The state in which a run is made; None for Prefect's usual one.

    A suspended run is on no worker's list. Prefect's UI has a button for it, *Resume*, which schedules it.
    """
    if not waits_for_yes(deployed, arrival):
        return None
    return Suspended(message="it comes from a fork: read its changes, then resume it, or cancel it")


def _parameters(arrival: Arrival) -> dict[str, object]:
    """The parameters of a run. That of a fork does not get the variables of the deployment, and has its commit as a label."""
    return {"env": None} if arrival.occasion.is_of_fork else {"commit": arrival.after}


def _tags(occasion: Occasion) -> set[str]:
    request = occasion.pull_request
    number = str(request.number) if request else ""
    known = RunContext(event=occasion.event, branch=occasion.branch, tag=occasion.tag, pull_request=number)
    return git_tags(known) | ({"fork"} if occasion.is_of_fork else set())


def state_types(flow_run_ids: Sequence[str]) -> Mapping[str, str]:
    """The types of the states of flow runs in Prefect (`RUNNING`, `COMPLETED`). Runs that do not exist any more are left out.

    Raises:
        OrchestratorError: Prefect does not answer.
    """
    wanted = [UUID(one) for one in flow_run_ids]
    try:
        with get_client(sync_client=True) as client:
            found = client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=wanted)))
    except LOST as error:
        raise lost_api(error) from error
    return {str(run.id): run.state_type.value if run.state_type else "PENDING" for run in found}


def _pipeline(registration: Registration, commit: str, settings: Settings) -> Pipeline | None:
    """The pipeline at a commit, read without a checkout. Only submodules and LFS need a checkout."""
    name, trusting = registration.address.name, registration.settings(settings)
    if registration.submodules or registration.lfs:
        with checked_out(registration, commit, settings) as checkout:
            return compile_apart(Code(folder=checkout.folder, commit=None, name=name), trusting)
    mirror = open_mirror(registration, settings.data)
    mirror.fetch(commit)
    return compile_apart(Code(folder=mirror.folder, commit=commit, name=name), trusting)


def _changed(registration: Registration, arrival: Arrival, settings: Settings) -> Sequence[str] | None:
    """The changed paths from git, which are exact.

    If there is no earlier commit, or it is gone after a forced push, the paths from the host.
    """
    if arrival.before is None:
        return arrival.changed
    try:
        mirror = open_mirror(registration, settings.data)
        mirror.fetch(arrival.after)
        mirror.fetch(arrival.before)
        return changed_apart(mirror.folder, arrival.before, arrival.after)
    except CommitMissingError:
        return arrival.changed
