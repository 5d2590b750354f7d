"""Which runs a shell takes earlier stages from, if it is in a stage as it would run now, and what has changed since."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import pytest

from dockercise_prefect.archives.content_digest import digest_text
from dockercise_prefect.errors import UsageError
from dockercise_prefect.orchestration.shell.earlier import as_now
from dockercise_prefect.pipeline import Cache, Pipeline, Stage, code_folder, stage
from dockercise_prefect.pipeline.run_context import RunContext
from dockercise_prefect.pipeline.seen import seen_folders, seen_volumes
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.reading.run_view import RunView
from dockercise_prefect.results.record.run_facts import RunFacts
from dockercise_prefect.results.record.store import Kept
from dockercise_prefect.reuse.ingredients import UsedImage
from dockercise_prefect.reuse.stage_ingredients import Surroundings, stage_ingredients
from dockercise_prefect.runtime.files.code_digests import CodeDigests
from dockercise_prefect.runtime.files.code_snapshot import code_entries
from dockercise_prefect.status import RunStatus, StageStatus
from scripts.environment import ROOT
from tests.support.recorded_runs import Recorded, ran, run_id


def fetch(*, image: str = "bb:1", mode: str | None = "fast") -> Stage:
    """A stage that mounts a folder of the code."""
    return stage("fetch", image=image, run="fetch", volumes=[code_folder("src")], env={} if mode is None else {"MODE": mode})


FETCH = fetch()
BUILD = stage("build", image="bb:1", run="make", volumes=[FETCH.volume])
CHECK = stage("check", image="bb:1", run="test", volumes=[BUILD.volume])
FACTS = RunFacts(
    flow_run_id="f",
    attempt=1,
    place="file:///r",
    targets=(),
    commit=None,
    git=RunContext(),
    skipped={},
    masked=(),
    untrusted=False,
    aws=False,
    root=None,
    secret_blocks={},
)


@dataclass
class World:
    """Recorded runs of a pipeline, and the folder of its code."""

    results: Path
    root: Path
    lines: list[str] = field(default_factory=list)

    def ran(self, number: int, *stages: Stage, failed: str = "", facts: RunFacts = FACTS, error: str | None = None) -> None:
        """Record a run of these stages."""
        pipeline = Pipeline("shop", stages)
        record = Recorded(self.results, pipeline, number=number, facts=facts)
        for one in stages:
            status = StageStatus.FAILED if one.name == failed else StageStatus.PASSED
            record.stage(one.name, ran(status, 0, 1))
            output = record.store.output(one.name)
            output.write(f"printed in {number}".encode())
            output.close()
            record.store.stage_ended(one.name, ran(status, 0, 1), self.kept(one))
        record.end(RunStatus.FAILED if failed else RunStatus.PASSED, error=error)

    def kept(self, one: Stage) -> Kept:
        """What is stored of a stage: it was made from the code as it is at this moment."""
        digests = CodeDigests(code_entries(self.root, self.lines.append))
        made_from = stage_ingredients(
            one,
            Surroundings(
                image=UsedImage("bb:1", "sha256:1", "linux/amd64"),
                variables={"MODE": digest_text(sha256(b"fast").digest())} if one.env else {},
                outputs=dict.fromkeys(one.needs, "sha256:aa"),
                volumes=dict.fromkeys(seen_volumes(one), "sha256:bb"),
                code={folder: digests.of_folder(folder) for folder in seen_folders(one)},
                also=digests.of_files("Makefile".__eq__) if one.cache is not None else {},
            ),
        )
        return Kept(attempt=1, output_digest="sha256:aa", volume_digest="sha256:bb", made_from=made_from)

    def now(self, *stages: Stage, name: str = "check", trusted: bool = True) -> RunView:
        """What a stage finds now."""
        objects = FolderObjects(self.results)
        return as_now(Pipeline("shop", stages), name, self.root, objects, self.lines.append, trusted=trusted)


def test_the_page_shows_these_lines(world: World) -> None:
    """docs/shell.md has the lines that are printed, and the error."""
    page = (ROOT / "docs/shell.md").read_text()
    with pytest.raises(UsageError) as refused:
        world.now(FETCH, BUILD, CHECK)
    world.ran(0, FETCH, BUILD, CHECK)

    world.now(FETCH, replace(BUILD, run="make more"), CHECK)

    (line,) = world.lines
    assert f"\n{line.replace(run_id(0), '20261130T064412Z-5d14')}\ncheck as it would run now; its script: " in page
    assert f"**`{refused.value.message}`**" in page
    assert (refused.value.hint or "").partition(": ")[2] in page


@pytest.fixture
def world(tmp_path: Path) -> World:
    """No run yet."""
    root = tmp_path / "root"
    (root / "src").mkdir(parents=True)
    (root / "src/a").write_text("1")
    (root / "Makefile").write_text("1")
    return World(tmp_path / "results", root)


def test_the_newest_run_in_which_it_passed_is_taken(world: World) -> None:
    """A run in which the stage failed, or which has not ended in order, is passed over. Nothing is said to have changed."""
    world.ran(0, FETCH, BUILD, CHECK)
    world.ran(1, FETCH, BUILD, CHECK)
    world.ran(2, FETCH, BUILD, CHECK, failed="build")
    world.ran(3, FETCH, BUILD, CHECK, error="the record is not complete")

    view = world.now(FETCH, BUILD, CHECK)

    assert world.lines == [f"build is that of {run_id(1)}"]
    assert (set(view.stages), list(view.run.output("build"))) == ({"build"}, [b"printed in 1"])


def test_a_run_since_which_nothing_has_changed_is_better_than_a_newer_one(world: World) -> None:
    """What somebody has tried and taken back does not count."""
    world.ran(0, FETCH, BUILD, CHECK)
    world.ran(1, FETCH, replace(BUILD, run="make otherwise"), CHECK)

    world.now(FETCH, BUILD, CHECK)

    assert world.lines == [f"build is that of {run_id(0)}"]


@pytest.mark.parametrize(
    ("first", "build", "change"),
    [
        (FETCH, replace(BUILD, run="make more"), "its `run` changed"),
        (fetch(image="bb:2"), BUILD, "fetch changed: image bb:2 instead of bb:1"),
        (fetch(mode="slow"), BUILD, "fetch changed: $MODE differs"),
        (fetch(mode=None), BUILD, "fetch changed: $MODE is not set now"),
        (FETCH, stage("build", image="bb:1", run="make", after=[FETCH]), "its `vol` changed"),
    ],
)
def test_what_has_changed_is_said(world: World, first: Stage, build: Stage, change: str) -> None:
    """If there is no such run, the line says what has changed: of the stage, or of one that it is made from."""
    world.ran(0, FETCH, BUILD, CHECK)

    world.now(first, build, CHECK)

    assert world.lines == [f"build is that of {run_id(0)}; since then, {change}"]


def test_changed_code_is_said(world: World) -> None:
    """Folders of the code and files that `also` names are compared with the files as they are now."""
    build = replace(BUILD, cache=Cache(also=("Makefile",)))
    world.ran(0, FETCH, build, CHECK)

    (world.root / "Makefile").write_text("2")
    world.now(FETCH, build, CHECK)
    (world.root / "Makefile").write_text("1")
    (world.root / "src/a").write_text("2")
    world.now(FETCH, build, CHECK)

    assert [line.partition("since then, ")[2] for line in world.lines] == [
        "file Makefile of the code changed",
        "fetch changed: the folder src of the code changed",
    ]


def test_what_was_never_made_is_refused(world: World) -> None:
    """The error says which stages to run first. A stage that is only waited for is no reason."""
    late = stage("late", image="bb:1", run="x")
    check = stage("check", image="bb:1", run="test", volumes=[BUILD.volume], env={"F": FETCH.value}, after=[late])
    world.ran(0, late)

    with pytest.raises(UsageError) as refused:
        world.now(FETCH, BUILD, late, check)

    assert (
        refused.value.message
        == "check needs what fetch and build left, but fetch and build have passed in none of the newest runs"
    )
    assert refused.value.hint == "run them first: `dockercise run fetch build`"


def test_a_first_run_of_nothing(world: World) -> None:
    """Where no run is recorded, a stage that needs no other has its shell, and a stage that only waits for one too."""
    late = stage("late", image="bb:1", run="x")

    view = world.now(late, stage("check", image="bb:1", run="test", after=[late]))

    assert world.lines == ["there is no /out/late: late has passed in none of the newest runs"]
    assert view.stages == {}


def test_what_an_untrusted_run_left_is_not_used(world: World) -> None:
    """It could have been made for whoever opens the shell. Where nothing is trusted, that does not matter."""
    world.ran(0, FETCH, BUILD, CHECK, facts=replace(FACTS, untrusted=True))

    with pytest.raises(UsageError, match="check needs what build left"):
        world.now(FETCH, BUILD, CHECK)
    world.now(FETCH, BUILD, CHECK, trusted=False)

    assert world.lines == [f"build is that of {run_id(0)}"]
