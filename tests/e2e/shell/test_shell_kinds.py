"""`dockercise shell` in stages of all kinds: images, code, credentials, trust, and stages that never started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pytest
from docker.errors import ImageNotFound

from dockercise_prefect.errors import ExitStatus
from tests.e2e.conftest import Dockercise
from tests.support.engine_client import engine_client
from tests.support.hosts.git_repository import git, make_repository
from tests.support.shells import left_of, piped

pytestmark = pytest.mark.docker


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of a pipeline."""
    root = tmp_path / "shop"
    root.mkdir()
    return root


def write(root: Path, text: str) -> None:
    """Write the pipeline."""
    (root / "p.dockercise.yaml").write_text(text)


BUILDS = """\
image: {build: {context: app, args: {GREETING: hello}}, env: TOKEN, run: test -n "$TOKEN"}
check: {img: image, run: cat /greeting; exit 1}
whole: {build: {context: app, args: {GREETING: hi}}, run: cat /greeting; exit 2}
left: {img: busybox, run: touch /left}
after: {img: left, run: test -e /left; exit 3}
"""

DOCKERFILE = """\
FROM busybox
ARG GREETING
RUN echo "$GREETING from an image" >/greeting
"""


def test_images_that_are_built(dockercise_run: Dockercise, environment: dict[str, str], root: Path) -> None:
    """An image that a stage built is built again, for which only its build's variables are needed. One that it left is lost."""
    (root / "app").mkdir()
    (root / "app/Dockerfile").write_text(DOCKERFILE)
    write(root, BUILDS)
    ran = dockercise_run("-C", root, TOKEN="t0ps3cret")

    check = piped(environment, root, "cat /greeting; exit 7", "last", "check")
    whole = piped(environment, root, 'sh -e "$DOCKERCISE_SCRIPT"', "last", "whole")
    after = piped(environment, root, "", "last", "after")

    assert [ran.stages[name]["exit_code"] for name in ("check", "whole", "after")] == [1, 2, 3]
    assert (check.stdout, check.returncode) == ("hello from an image\n", 7)
    assert "the image of image is built again, since images are not part of a record" in check.stderr
    assert (whole.stdout, whole.returncode) == ("hi from an image\n", 2)
    assert "\nthe image is built again, since images are not part of a record" in whole.stderr
    assert after.returncode == ExitStatus.WRONG_INPUT
    assert "the image that left left: images are not part of a record" in after.stderr
    assert left_of(ran.summary["run_id"]) == []


def test_a_build_that_fails_now(dockercise_run: Dockercise, environment: dict[str, str], root: Path) -> None:
    """If the image cannot be built again, the build's last lines are shown, and there is no shell."""
    (root / "app").mkdir()
    (root / "app/Dockerfile").write_text(DOCKERFILE)
    write(root, BUILDS)
    ran = dockercise_run("-C", root, TOKEN="t0ps3cret")
    (root / "app/Dockerfile").write_text("FROM busybox\nRUN echo no such package; exit 7\n")

    check = piped(environment, root, "echo no", "last", "check")
    whole = piped(environment, root, "echo no", "last", "whole")

    assert (check.stdout, check.returncode) == ("", ExitStatus.STAGE_FAILED)
    assert "no such package" in check.stderr
    assert "the image of image could not be built again: " in check.stderr
    assert (whole.stdout, whole.returncode) == ("", ExitStatus.STAGE_FAILED)
    assert "no such package" in whole.stderr
    assert left_of(ran.summary["run_id"]) == []


@pytest.fixture
def image() -> Iterator[str]:
    """The name of an image that only this test uses; removed afterwards."""
    name = f"dockercise-test/shell-{uuid4().hex}:1"
    yield name
    with closing(engine_client()) as client, suppress(ImageNotFound):
        client.images.remove(name, force=True)


def build(name: str, text: str) -> str:
    """Build an image with a file `/which`. Return its id."""
    with closing(engine_client()) as client:
        built, _ = client.images.build(fileobj=BytesIO(f"FROM busybox\nRUN echo {text} >/which\n".encode()), tag=name, rm=True)
    return str(built.id)


def remove(image: str) -> None:
    """Remove an image."""
    with closing(engine_client()) as client:
        client.images.remove(image, force=True)


def test_an_image_that_has_changed_or_is_gone(
    dockercise_run: Dockercise, environment: dict[str, str], root: Path, image: str
) -> None:
    """The image of the run is used as long as the engine has it, then the one that has its name, and this is said."""
    first = build(image, "one")
    write(root, f"check: {{img: '{image}', pull: never, run: exit 1}}\n")
    ran = dockercise_run("-C", root)
    assert ran.stages["check"]["image_digest"] == first
    build(image, "two")

    same = piped(environment, root, "cat /which", "last", "check")
    remove(first)
    other = piped(environment, root, "cat /which", "last", "check")
    remove(image)
    gone = piped(environment, root, "cat /which", "last", "check")

    assert (same.stdout, "as it is now" in same.stderr) == ("one\n", False)
    assert other.stdout == "two\n"
    assert f"the image of the run is not there, so {image} is used as it is now (" in other.stderr
    assert (gone.stdout, gone.returncode) == ("", ExitStatus.ENGINE_FAILED)
    assert image in gone.stderr
    assert left_of(ran.summary["run_id"]) == []


GIT = """\
meta: {code: {git: true}, defaults: {img: busybox}}
check:
  vol: [code, './data:/data']
  run: cat /code/file /data/own "/code/.git/HEAD"; echo "$DOCKERCISE_COMMIT on $DOCKERCISE_BRANCH"; exit 1
"""


def test_the_commit_of_the_run(dockercise_run: Dockercise, environment: dict[str, str], tmp_path: Path) -> None:
    """After further commits, the code is that of the run, with its history and branch; folders of the machine are as now."""
    root = make_repository(tmp_path / "shop", {"file": "one\n", "p.dockercise.yaml": GIT, ".gitignore": "data\n"})
    git(root, "checkout", "-b", "release")
    commit = git(root, "rev-parse", "HEAD").strip()
    (root / "data").mkdir()
    (root / "data/own").write_text("mine\n")
    ran = dockercise_run("-C", root)
    git(root, "checkout", "-b", "newer")
    (root / "file").write_text("two\n")
    git(root, "commit", "-am", "two")

    script = piped(environment, root, 'sh -e "$DOCKERCISE_SCRIPT"', "last", "check")
    written = piped(environment, root, f"grep -c {commit} /code/.git/packed-refs; echo more >/data/more", "last", "check")

    seen = ["one", "mine", "ref: refs/heads/release", f"{commit} on release"]
    assert [line.partition("│ ")[2] for line in ran.stderr.splitlines() if "│" in line] == seen
    assert (script.stdout.splitlines(), script.returncode) == (seen, 1)
    assert f"code: commit {commit[:12]} of the run, from the repository of {root}" in script.stderr
    assert "the code differs" not in script.stderr
    assert "/data is the folder ./data as it is now, not as it was in the run" in script.stderr
    assert (written.stdout, written.returncode) == ("1\n", 0)
    assert (root / "data/more").read_text() == "more\n"


def test_the_aws_folder(dockercise_run: Dockercise, environment: dict[str, str], root: Path, tmp_path: Path) -> None:
    """A shell in a run with `--aws` has the AWS folder of the user, and is refused if there is none."""
    (tmp_path / "home/.aws").mkdir(parents=True)
    (tmp_path / "home/.aws/config").write_text("[default]\nregion = eu-west-1\n")
    write(root, 'check: {img: busybox, run: cat "$AWS_CONFIG_FILE"; exit 1}\n')
    own = {"HOME": str(tmp_path / "home"), "AWS_CONFIG_FILE": "", "AWS_SHARED_CREDENTIALS_FILE": ""}
    dockercise_run("-C", root, "--aws", **own)

    there = piped(environment, root, 'sh -e "$DOCKERCISE_SCRIPT"', "last", "check", **own)
    none = piped(environment, root, "echo no", "last", "check", **own | {"HOME": str(tmp_path)})

    assert (there.stdout, there.returncode) == ("[default]\nregion = eu-west-1\n", 1)
    assert "the AWS folder is yours, as it is now on this machine" in there.stderr
    assert (none.stdout, none.returncode) == ("", ExitStatus.WRONG_INPUT)
    assert f"--aws: there is no AWS folder {tmp_path}/.aws" in none.stderr


UNTRUSTED = """\
check:
  img: busybox
  env: GIVEN
  run: |
    grep -E "CapBnd|NoNewPrivs" /proc/self/status
    cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max
    exit 1
"""


def test_an_untrusted_run(dockercise_run: Dockercise, environment: dict[str, str], root: Path) -> None:
    """A shell in a run that was not trusted has its limits, and only variables that are given to it."""
    write(root, UNTRUSTED)
    ran = dockercise_run("-C", root, "--untrusted", "--env", "GIVEN=x", DOCKERCISE_UNTRUSTED_PIDS="99")

    script = piped(
        environment, root, 'sh -e "$DOCKERCISE_SCRIPT"', "last", "check", "--env", "GIVEN=x", DOCKERCISE_UNTRUSTED_PIDS="99"
    )
    unset = piped(environment, root, "echo no", "last", "check", GIVEN="of the user")

    seen = [line.partition("│ ")[2] for line in ran.stderr.splitlines() if "│" in line]
    assert (seen[-1], len(seen)) == ("99", 3)
    assert (script.stdout.splitlines(), script.returncode) == (seen, 1)
    assert (unset.stdout, unset.returncode) == ("", ExitStatus.WRONG_INPUT)
    assert "check needs the variable `GIVEN`, which was not passed to it" in unset.stderr


def test_a_record_that_is_not_trusted_here(dockercise_run: Dockercise, environment: dict[str, str], root: Path) -> None:
    """On a machine that trusts no pipeline, there is no shell in a stage that an untrusted pipeline may not have."""
    (root / "data").mkdir()
    write(root, "check: {img: busybox, vol: './data:/data', run: exit 1}\n")
    dockercise_run("-C", root)

    refused = piped(environment, root, "echo no", "last", "check", DOCKERCISE_UNTRUSTED="true")

    assert (refused.stdout, refused.returncode) == ("", ExitStatus.WRONG_INPUT)
    assert "not trusted: check mounts `./data` from the engine's machine" in refused.stderr


NEVER = """\
meta: {secrets: [key], defaults: {img: busybox}}
build: {env: 'KEY=literal-4711', run: 'echo made >"$OUT/file"; echo said; test -z literal-4711'}
quiet: {run: echo nothing in my volume}
check: {vol: [build, quiet], run: cat /build/file /out/build; ls /quiet}
report: {when: failure, run: 'echo "$DOCKERCISE_STATUS: $DOCKERCISE_FAILED"; exit 2'}
"""


def test_stages_around_one_that_failed(dockercise_run: Dockercise, environment: dict[str, str], root: Path) -> None:
    """A stage that never started sees what its failed predecessor left, and a clean-up stage how the run stood."""
    write(root, NEVER)
    ran = dockercise_run("-C", root)

    check = piped(environment, root, 'sh -e "$DOCKERCISE_SCRIPT"', "last", "check")
    report = piped(environment, root, 'sh -e "$DOCKERCISE_SCRIPT"', "last", "report")

    assert ran.stages["check"]["status"] == "not_started"
    assert "the stage did not run, so its image is busybox as it is now" in check.stderr
    assert (check.stdout, check.returncode) == ("made\nsaid\n", 0), check.stderr
    assert "report │ failed: build" in ran.stderr
    assert (report.stdout, report.returncode) == ("failed: build\n", 2)


def test_a_record_that_is_damaged(dockercise_run: Dockercise, environment: dict[str, str], root: Path) -> None:
    """If the record is damaged, the message names the file, there is no shell, and nothing of it stays on the engine."""
    write(root, NEVER)
    ran = dockercise_run("-C", root)
    record = Path(str(ran.summary["results"]).removeprefix("file://"))
    archive = record / "build.tar.zst"
    whole = archive.read_bytes()

    archive.write_bytes(whole[:50])
    truncated = piped(environment, root, "echo no", "last", "check")
    archive.unlink()
    missing = piped(environment, root, "echo no", "last", "check")
    archive.write_bytes(whole)
    (record / "build.out").write_text("another\n")
    changed = piped(environment, root, "echo no", "last", "check")
    (record / "index.json").unlink()
    lost = piped(environment, root, "echo no", "last", "check")

    assert {(done.stdout, done.returncode) for done in (truncated, missing, changed, lost)} == {("", ExitStatus.ENGINE_FAILED)}
    assert f"{archive} is broken: truncated" in truncated.stderr
    assert f"there is no {archive}" in missing.stderr
    assert "what build printed does not match its record" in changed.stderr
    assert f"\n{record}/index.json is broken: it is missing" in lost.stderr
    assert left_of(ran.summary["run_id"]) == []


def test_a_secret_that_is_written_in_the_pipeline(dockercise_run: Dockercise, environment: dict[str, str], root: Path) -> None:
    """A secret text of the pipeline is in no record. As a variable it can be passed; in the script it is masked, and said."""
    write(root, NEVER)
    ran = dockercise_run("-C", root)

    refused = piped(environment, root, "echo no", "last", "build")
    passed = piped(environment, root, 'echo "$KEY"; cat "$DOCKERCISE_SCRIPT"', "last", "build", "--env", "KEY=literal-4711")

    assert (refused.stdout, refused.returncode) == ("", ExitStatus.WRONG_INPUT)
    assert "  KEY: a secret text of the pipeline, which is not in the record" in refused.stderr
    assert "pass --env KEY=…" in refused.stderr
    assert passed.stdout == 'literal-4711\necho made >"$OUT/file"; echo said; test -z ***'
    assert "a secret text in the script is not in the record: it is *** there" in passed.stderr
    assert left_of(ran.summary["run_id"]) == []
