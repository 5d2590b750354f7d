"""The command `import`: where it writes, what it prints, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command import Command

WOODPECKER = """\
steps:
  - name: test
    image: alpine:3.22
    environment: { TOKEN: { from_secret: token } }
    commands: [./test.sh]
"""
STEP_OF_CIRCLECI = """\
version: 2
jobs:
  build:
    docker: [{{ image: x }}]
    steps: [{{ run: {{ command: make, environment: {{ API_TOKEN: {0} }} }} }}]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of Woodpecker, in the folder of its system."""
    file = tmp_path / ".woodpecker" / "test.yaml"
    file.parent.mkdir()
    file.write_text(WOODPECKER)
    return file


def test_the_draft_is_beside_the_file(file: Path, command: Command) -> None:
    """Without `-o`, the draft has the name of the file and is beside it."""
    outcome = command("import", str(file))

    assert outcome.status == 0
    assert "on: code" in (file.parent / "test.dockercise.yaml").read_text()


def test_an_existing_file_is_kept(file: Path, command: Command) -> None:
    """A file that exists is not changed, and the hint names the option that would."""
    target = file.parent / "test.dockercise.yaml"
    target.write_text("mine\n")

    outcome = command("import", str(file))

    assert (outcome.status, target.read_text()) == (2, "mine\n")
    assert f"{target} exists" in outcome.err
    assert "--force" in outcome.err


def test_force_replaces_an_existing_file(file: Path, command: Command) -> None:
    """With `--force`, the draft takes the place of the file."""
    target = file.parent / "test.dockercise.yaml"
    target.write_text("mine\n")

    outcome = command("import", str(file), "--force")

    assert outcome.status == 0
    assert target.read_text().startswith("# A draft")


def test_a_dash_prints_the_draft(file: Path, command: Command) -> None:
    """With `-o -`, standard output has the draft alone, and nothing is written."""
    outcome = command("import", str(file), "-o", "-")

    assert outcome.out.startswith("# A draft")
    assert "Woodpecker: 1 stage" in outcome.err
    assert list(file.parent.iterdir()) == [file]


def test_the_table_as_json(file: Path, tmp_path: Path, command: Command) -> None:
    """With `--json`, programs get the same: the system, the variables from outside, and all notes with their places."""
    outcome = command("import", str(file), "--json", "-o", str(tmp_path / "new.dockercise.yaml"))

    found = json.loads(outcome.out)
    assert (found["kind"], found["stages"], found["outside"]) == ("woodpecker", 1, ["TOKEN"])
    assert {"outcome": "kept", "job": "test", "what": "secret token", "text": "from outside, as `TOKEN`", "line": 4,
            "column": 42} in found["notes"]  # fmt: skip


def test_an_unknown_file_asks_for_its_system(tmp_path: Path, command: Command) -> None:
    """A file that no system is recognized by is refused, with the option that names it."""
    (tmp_path / "some.yml").write_text("a: b\n")

    outcome = command("import", str(tmp_path / "some.yml"))

    assert outcome.status == 2
    assert "--from woodpecker | drone | gitlab | circleci | github" in outcome.err


def test_nothing_to_import(tmp_path: Path, command: Command) -> None:
    """If no job could be imported, nothing is written, the exit status says so, and the hint says why."""
    (tmp_path / ".drone.yml").write_text(
        "kind: pipeline\nsteps:\n  - { name: a, image: plugins/docker, settings: { repo: a/b } }\n"
    )

    outcome = command("import", str(tmp_path / ".drone.yml"))

    assert outcome.status == 4
    assert "plugins do not run here" in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == [".drone.yml"]


@pytest.mark.parametrize("secret", ["AKIAIOSFODNN7ABCDEFG", "ghp_" + "a1B2c3D4e5" * 4, "4c61f0b7a2e94d5f8d3b"])
def test_no_secret_is_written_or_shown(tmp_path: Path, command: Command, secret: str) -> None:
    """A secret in a variable, a script, a condition or the name of a setting is neither in the draft nor in the output."""
    (tmp_path / ".gitlab-ci.yml").write_text(
        f"a:\n  image: alpine:3.22\n  variables: {{ API_TOKEN: {secret} }}\n  script: [echo hello]\n"
    )

    outcome = command("import", str(tmp_path / ".gitlab-ci.yml"), "-o", "-")

    assert outcome.status == 0
    assert secret not in outcome.out + outcome.err
    assert "secrets:\n    - API_TOKEN" in outcome.out


@pytest.mark.parametrize(
    ("system", "text"),
    [
        ("github", "on: push\njobs: {{ a: {{ runs-on: x, steps: [{{ run: make, env: {{ API_TOKEN: {0} }} }}] }} }}\n"),
        ("github", "on: push\njobs: {{ a: {{ runs-on: x, env: {{ API_TOKEN: {0} }}, steps: [{{ run: make }}] }} }}\n"),
        (
            "circleci",
            STEP_OF_CIRCLECI,
        ),
        ("woodpecker", "steps: {{ a: {{ image: x, environment: {{ API_TOKEN: {0} }}, commands: make }} }}\n"),
        ("drone", "kind: pipeline\nsteps: [{{ name: a, image: x, settings: {{ api_token: {0} }} }}]\n"),
    ],
)
def test_a_secret_at_any_place_becomes_a_name(tmp_path: Path, command: Command, system: str, text: str) -> None:
    """A text that looks like a secret comes from outside, whether a job, a step or a plugin has it."""
    secret = "4c61f0b7a2e94d5f8d3b"
    (tmp_path / "ci.yml").write_text(text.format(secret))

    outcome = command("import", str(tmp_path / "ci.yml"), "--from", system, "-o", "-")

    assert outcome.status == 0
    assert secret not in outcome.out + outcome.err
    assert "API_TOKEN" in outcome.out.partition("secrets:")[2]


def test_keys_of_services_are_never_shown(tmp_path: Path, command: Command) -> None:
    """What has the form of a key is hidden in scripts, in conditions and in names too."""
    key = "AKIAIOSFODNN7ABCDEFG"
    (tmp_path / ".gitlab-ci.yml").write_text(
        f"a:\n  image: alpine:3.22\n  {key}: x\n  rules: [{{ if: '$CI_RUNNER_ID == \"{key}\"' }}]\n  script: ['login {key}']\n"
    )

    outcome = command("import", str(tmp_path / ".gitlab-ci.yml"), "-o", "-")

    assert outcome.status == 0
    assert key not in outcome.out + outcome.err
    assert "login ${IMPORTED_SECRET_1}" in outcome.out
