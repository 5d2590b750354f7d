"""`explain STAGE --since RUN`: everything that differs."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest

from dockercise_prefect.orchestration.reuse.engine_images import images_on
from dockercise_prefect.results.opening import open_objects
from dockercise_prefect.settings import read_settings
from tests.compiler.sources import compiled
from tests.engines.scripted import BUSYBOX, ScriptedEngine
from tests.orchestration.reuse.kept_runs import RUN_ID, KeptRun
from tests.support.aws.moto import FOLDER_KEY_ID, FOLDER_SECRET, REGION, running_aws
from tests.support.command import Command

TEXT = """\
meta: {name: shop, defaults: {img: busybox}}
build:
  vol: code/src:/src
  run: b
test:
  cache: true
  env: [build, REGION]
  vol: build
  run: t
"""
LATER = "20261130T101022Z-4213"


class Shop:
    """A folder with a pipeline, and the place of results of its runs."""

    def __init__(self, folder: Path, command: Command) -> None:
        self.root, self.results = folder / "root", folder / "results"
        self._command = command
        (self.root / "src").mkdir(parents=True)
        (self.root / "src/main.go").write_text("1")
        self.write(TEXT)

    def write(self, text: str) -> None:
        """Write the pipeline."""
        self.text = text
        (self.root / "a.dockercise.yaml").write_text(text)

    def passed(self, run_id: str = RUN_ID, region: str = "eu", **how: object) -> None:
        """A run of the pipeline as it is now."""
        variables = {"REGION": region}
        KeptRun(compiled(a=self.text), self.root, self.results, run_id, variables=variables, **how).passes()  # type: ignore[arg-type]  # free keywords

    def explained(self, stage: str, run: str = RUN_ID, *more: str) -> str:
        """What `explain` prints about a stage."""
        place = ("-C", str(self.root), "--results", str(self.results))
        outcome = self._command("explain", stage, "--since", run, *place, *(more or ("--env", "REGION=eu")))
        return outcome.out if outcome.status == 0 else outcome.err


@pytest.fixture
def shop(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The pipeline, without an engine."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")
    return Shop(tmp_path, command)


ASSUMED = "assumed, because it is not known here\n  the image busybox has not moved\n"


def test_nothing_differs(shop: Shop) -> None:
    """The stage would be taken from the run, if the image is the same, which nobody knows without an engine."""
    shop.passed()

    assert shop.explained("test") == f"nothing differs: test would be taken from {RUN_ID}\n{ASSUMED}"


def test_everything_that_differs_is_told(shop: Shop) -> None:
    """Each difference has its place; texts of variables are not shown."""
    shop.passed()
    shop.write(TEXT.replace("run: t", "user: nobody\n  run: other").replace("busybox", "alpine"))
    (shop.root / "src/main.go").write_text("2")

    text = shop.explained("test", RUN_ID, "--env", "REGION=hunter2")

    assert "hunter2" not in text
    assert text == (
        f"test is not made from the same as in {RUN_ID}\n"
        "  its `run` changed  (a.dockercise.yaml:10:3)\n"
        "  it sets `user` now  (a.dockercise.yaml:9:3)\n"
        "  image alpine instead of busybox  (a.dockercise.yaml:1:31)\n"
        "  $REGION differs  (a.dockercise.yaml:7:16)\n"
        "more is known when these have run\n"
        "  build, because the folder src of the code changed\n"
    )


def test_what_a_later_run_has_left_is_known(shop: Shop) -> None:
    """A stage before it has changed and run since, so what it left can be compared."""
    cached = TEXT.replace("build:\n", "build:\n  cache: true\n", 1)
    shop.write(cached)
    shop.passed()
    (shop.root / "src/main.go").write_text("2")
    shop.passed(LATER, printed={"build": "other"})

    assert shop.explained("test") == (
        f"test is not made from the same as in {RUN_ID}\n"
        "  $BUILD differs  (a.dockercise.yaml:8:9)\n"
        "  build printed something else  (a.dockercise.yaml:8:9)\n"
        f"  file file of the volume of build changed  (a.dockercise.yaml:9:8)\n{ASSUMED}"
    )
    assert shop.explained("build") == (
        f"build is not made from the same as in {RUN_ID}\n"
        f"  file src/main.go of the code changed  (a.dockercise.yaml:4:8)\n{ASSUMED}"
    )


def test_a_stage_that_failed_there_is_compared_too(shop: Shop) -> None:
    """Nothing differs, but nothing can be taken from a failure."""
    shop.passed(failed=["test"])

    assert shop.explained("test", "last").startswith(
        f"nothing differs, but test cannot be taken from {RUN_ID}: it did not pass there\n"
    )


@pytest.mark.docker  # for the server
def test_the_run_may_be_in_a_bucket(shop: Shop, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its record and the lists of files are read there."""
    shop.write(TEXT.replace("build:\n", "build:\n  cache: true\n", 1))
    shop.passed()
    (shop.root / "src/main.go").write_text("2")
    with running_aws() as aws:
        aws.bucket("results-of-mine")
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", FOLDER_KEY_ID)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", FOLDER_SECRET)
        monkeypatch.setenv("AWS_REGION", REGION)
        place = "s3://results-of-mine/ci"
        objects = open_objects(place, read_settings())
        for path in (path for path in shop.results.rglob("*") if path.is_file()):
            objects.put(path.relative_to(shop.results).as_posix(), BytesIO(path.read_bytes()))

        outcome = command("explain", "build", "--since", "last", "-C", str(shop.root), "--results", place)

    assert outcome.out.splitlines()[1] == "  file src/main.go of the code changed  (a.dockercise.yaml:4:8)"


def test_a_stage_that_is_not_known_is_an_error(shop: Shop) -> None:
    """Each error says what is wrong and what to do."""
    shop.passed(silent=["test"])
    no_stage = shop.explained("tset")
    silent = shop.explained("test")
    no_run = shop.explained("test", "2025")
    shop.write(TEXT.replace("run: b", "run: b\n  network: host"))
    always = shop.explained("build")
    shop.write(f"{TEXT}new: {{run: x}}\n")
    new = shop.explained("new")

    assert "did you mean `test`?" in no_stage
    assert silent.startswith(f"{RUN_ID} does not say what `test` was made from\n  hint: ")
    assert "there is no run of shop" in no_run
    assert always == "`build` cannot be compared: it uses the network of the engine's machine\n"
    assert new.startswith(f"{RUN_ID} has no stage `new` that was started\n  hint: ")


def test_options_that_need_a_run(command: Command, shop: Shop) -> None:
    """Without `--since`, nothing is compared, so variables have no effect."""
    outcome = command("explain", "test", "-C", str(shop.root), "--env", "A=b")

    assert (outcome.status, outcome.out) == (2, "")
    assert "only for --since" in outcome.err


def test_images_are_looked_up_without_a_pull(scripted: ScriptedEngine) -> None:
    """An image that a run would pull is not known before, and neither is one that it pulls each time."""
    scripted.add_image("remote:1", present=False)
    text = f"a: {{img: '{BUSYBOX}', run: x}}\nb: {{img: 'remote:1', run: x}}\nc: {{img: 'busybox:2', run: x, pull: always}}\n"
    scripted.add_image("busybox:2")

    found = images_on(scripted, compiled(a=text))

    assert found.keys() == {"a"}
    assert images_on(scripted, compiled(a=text)).keys() == {"a"}
