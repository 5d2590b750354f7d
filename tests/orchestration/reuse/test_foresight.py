"""Which stages a run would reuse, without an engine and without Prefect."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dockercise_prefect.cli.outlook import Given, decisions
from dockercise_prefect.orchestration.reuse.expected_texts import expected_texts
from dockercise_prefect.orchestration.reuse.foresight import Foresight, Surveyed
from dockercise_prefect.orchestration.reuse.sources import CacheSource
from dockercise_prefect.pipeline import Pipeline
from dockercise_prefect.pipeline.run_context import RunContext
from dockercise_prefect.results.cache.entries import Entries
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.reuse.file_list import NoLists
from tests.compiler.sources import compiled
from tests.orchestration.reuse.kept_runs import RUN_ID, KeptRun, images

CHAIN = (
    "build: {run: b, vol: 'code/src:/src', cache: true}\n"
    "test: {run: t, vol: build, env: build, cache: true}\n"
    "deploy: {run: d, after: test}\n"
)
REUSED = f"reused from {RUN_ID}, if the image busybox has not moved"


@dataclass
class Place:
    """A folder of code, and a place of results that runs of it have used."""

    root: Path
    results: Path

    def passed(self, text: str, **how: object) -> None:
        """A run of this pipeline has passed."""
        KeptRun(pipeline(text), self.root, self.results, **how).passes()  # type: ignore[arg-type]  # free keywords

    def said(self, text: str, *skipped: str, **flags: str) -> dict[str, str]:
        """What `plan` says of each stage of this pipeline with `cache`."""
        given = Given(flags=flags, file_variables={}, results=str(self.results))
        found = decisions(pipeline(text), skipped, self.root, RunContext(), given)
        return {name: str(decision) for name, decision in found.items()}


def pipeline(text: str) -> Pipeline:
    """The compiled pipeline. Its image is busybox, if it names no other."""
    return compiled(a=f"meta: {{name: p, secrets: [PASSWORD], defaults: {{img: busybox}}}}\n{text}")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A folder with one file, and an empty place of results."""
    (tmp_path / "root/src").mkdir(parents=True)
    (tmp_path / "root/src/main.go").write_text("1")
    return Place(tmp_path / "root", tmp_path / "results")


def test_what_is_reused_names_its_run_and_what_is_assumed(place: Place) -> None:
    """Without an engine, nobody knows whether an image has moved, so the line says so. Stages without `cache` have no line."""
    place.passed(CHAIN)

    assert place.said(CHAIN) == {"build": REUSED, "test": REUSED}


def test_with_the_images_nothing_is_assumed(place: Place) -> None:
    """Who knows the images gets a decision without conditions, and an image that moved is the reason."""
    place.passed(CHAIN)
    known, source = pipeline(CHAIN), CacheSource(FolderObjects(place.results), "p")
    texts = expected_texts(known, RunContext(), {}, {})

    same = Foresight(Surveyed(known, place.root, images(known)), (), texts, source).stages
    moved = Foresight(Surveyed(known, place.root, images(known, {"busybox"})), (), texts, source).stages

    assert {name: (one.entry is not None, one.provided) for name, one in same.items()} == {
        "build": (True, ()),
        "test": (True, ()),
    }
    assert (moved["build"].entry, moved["build"].why(NoLists())) == (None, "image busybox moved")


def test_a_stage_after_one_that_runs_is_decided_later(place: Place) -> None:
    """It may be reused all the same, if the stage before it prints and leaves the same again."""
    place.passed(CHAIN)
    (place.root / "src/main.go").write_text("2")

    assert place.said(CHAIN) == {
        "build": "runs, because file src/main.go of the code changed",
        "test": "decided when build has run",
    }


def test_a_stage_that_changed_itself_surely_runs(place: Place) -> None:
    """Whatever comes of the stage before it."""
    place.passed(CHAIN)
    (place.root / "src/main.go").write_text("2")

    said = place.said(CHAIN.replace("run: t", "run: other"))

    assert said["test"] == "runs, because its `run` changed"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("one: {run: x}\ntwo: {run: x, after: one, cache: true}\n", "decided when one has run"),
        (
            "one: {run: x}\nother: {run: y}\ntwo: {run: x, after: one, vol: other, cache: true}\n",
            "decided when one and other have run",
        ),
        ("one: {run: x}\ntwo: {run: x, img: one, cache: true}\n", "decided when one has run"),
        ("all: {img: null}\ntwo: {run: x, after: all, cache: true}\n", REUSED),
    ],
)
def test_stages_that_always_run_come_first(place: Place, text: str, said: str) -> None:
    """What a stage without `cache` prints or leaves is known when it has run. A stage without a container needs no run."""
    place.passed(text.replace("img: one", "after: one"))

    assert place.said(text.replace("img: one", "after: one"))["two"] == said


def test_what_never_passed_runs(place: Place) -> None:
    """In an empty place, no stage can be reused."""
    assert set(place.said(CHAIN).values()) == {"runs, because it has not passed before"}


def test_what_is_gone_or_too_old_runs(place: Place) -> None:
    """A stage is reused only while what it left is kept, and while it is young enough."""
    old = "build: {run: b, cache: 1h}\n"
    place.passed(old)
    gone = "other: {run: b, cache: true}\n"
    place.passed(gone, run_id="20261130T091023Z-4213")
    for file in (place.results / ".cache/content").rglob("*.zst"):
        file.unlink()

    because = "runs, because what it left is too old, or is not kept any more"
    assert (place.said(old), place.said(gone)) == ({"build": because}, {"other": because})


def test_what_was_withdrawn_runs(place: Place) -> None:
    """A stage that has left something else in a run, although nothing had changed, says so."""
    passed = KeptRun(pipeline(CHAIN), place.root, place.results).passes()
    run_id = "20261201T020000Z-91c3"

    Entries(FolderObjects(place.results), "p").withdraw(passed["build"].key, run_id)

    assert place.said(CHAIN)["build"] == (
        f"runs, because it left something else in {run_id}, although nothing that it is made from had changed"
    )


def test_an_earlier_run_is_found_again(place: Place) -> None:
    """What was undone since is reused from the run before."""
    place.passed(CHAIN)
    place.passed(CHAIN.replace("run: b", "run: c"), run_id="20261130T091025Z-0000")

    assert place.said(CHAIN)["build"] == REUSED


VARIABLES = "build: {run: b, env: [REGION, TOKEN], cache: true}\n"


def test_variables_come_from_options_and_are_never_shown(place: Place) -> None:
    """A variable that differs is named, without its text."""
    place.passed(VARIABLES, variables={"REGION": "eu", "TOKEN": "hunter2"})

    assert place.said(VARIABLES, REGION="eu", TOKEN="hunter2") == {"build": REUSED}
    assert place.said(VARIABLES, REGION="us", TOKEN="hunter2") == {"build": "runs, because $REGION differs"}


def test_a_variable_that_nobody_knows_here_is_assumed(place: Place) -> None:
    """It can be in a Secret block of Prefect, which is not asked."""
    place.passed(VARIABLES, variables={"REGION": "eu", "TOKEN": "hunter2"})

    assert place.said(VARIABLES, REGION="eu") == {"build": f"{REUSED} and $TOKEN is the same"}


def test_a_secret_variable_is_assumed(place: Place) -> None:
    """The key for its digest is in Prefect, which is not asked."""
    text = "build: {run: b, env: PASSWORD, cache: true, noLog: false}\n"
    place.passed(text, variables={"PASSWORD": "hunter2"})

    assert place.said(text, PASSWORD="another") == {"build": f"{REUSED} and $PASSWORD is the same"}


def test_what_is_assumed_for_a_stage_is_assumed_for_those_after_it(place: Place) -> None:
    """Each condition is said once."""
    text = "a: {img: 'python:3.12', run: x, cache: true}\nb: {run: x, env: a, cache: true}\nc: {run: x, env: b, cache: true}\n"
    place.passed(text)

    assert place.said(text)["c"] == f"{REUSED} and the image python:3.12 has not moved"


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        (
            "docker.io/library/busybox:latest",
            f"reused from {RUN_ID}, if the image docker.io/library/busybox:latest has not moved",
        ),
        ("alpine", "runs, because image alpine instead of busybox"),
    ],
)
def test_another_name_of_an_image(place: Place, ref: str, said: str) -> None:
    """Another name of the same image makes no difference, and another image is assumed to be another one."""
    place.passed("a: {run: x, cache: true}\n")

    assert place.said(f"a: {{img: '{ref}', run: x, cache: true}}\n") == {"a": said}


def test_what_cannot_be_known_is_the_reason(place: Place) -> None:
    """A stage with the history of git runs each time, and says why."""
    text = "a: {run: x, vol: code, cache: true}\n"
    known = replace(pipeline(text), history=compiled(a="meta: {code: {git: true}}\na: {img: x, run: x}").history)
    given = Given(flags={}, file_variables={}, results=str(place.results))

    found = decisions(known, (), place.root, RunContext(), given)

    assert str(found["a"]) == "runs, because it gets the history of git, which changes with every commit"


def test_skipped_stages_leave_nothing(place: Place) -> None:
    """A stage after one that is skipped is compared as in a run: without it."""
    text = "one: {run: x}\ntwo: {run: x, after: one, cache: true}\n"
    place.passed(text)

    assert place.said(text, "one")["two"] == "runs, because one printed something else"


def test_places_without_stages_with_cache_are_not_read(place: Place) -> None:
    """A pipeline without `cache` needs no place of results."""
    given = Given(flags={}, file_variables={}, results="s3://bucket/nowhere")

    assert decisions(pipeline("a: {run: x}\n"), (), place.root, RunContext(), given) == {}
