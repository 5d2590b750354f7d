"""The page on trust: everything that it shows really happens, and its tables are those of the code."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

from dockercise_prefect.cli import dockercise
from dockercise_prefect.errors import ExitStatus
from dockercise_prefect.pipeline import Code
from dockercise_prefect.settings import ConfigFile, Folders, Settings, load
from tests.compiler.sources import compiled
from tests.e2e.conftest import Dockercise
from tests.test_user_pages import blocks

PAGE = (Path(__file__).resolve().parents[3] / "docs/trust.md").read_text()
(REFUSED,) = blocks(PAGE, "yaml refused")
(GUARDED,) = blocks(PAGE, "yaml guarded")
PIPELINE, CLOUD = blocks(PAGE, "yaml")
REFUSALS, RAN, NOT_GIVEN, STANDING, ENV_FILE, REACHED, GUARD = (block.partition("\n") for block in blocks(PAGE, "console"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's working folder, which contains the folder `shop`."""
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(home: Path, text: str) -> Path:
    """Write the only file of `shop`, and return the folder."""
    (home / "shop/shop.dockercise.yaml").write_text(text)
    return home / "shop"


def said(command: str, home: Path) -> tuple[int, str]:
    """The exit status and the output of a command of the page, with the home as on the page."""
    result = CliRunner().invoke(dockercise, command.partition("dockercise ")[2].split())
    return result.exit_code, result.output.replace(str(home), "/home/ada")


def test_refusals_are_told_as_shown(home: Path) -> None:
    """The example is refused with the messages and places on the page."""
    write(home, REFUSED)

    assert said(REFUSALS[0], home) == (ExitStatus.WRONG_INPUT, REFUSALS[2])


def test_a_guarded_machine_refuses_as_shown(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the setting, a trusted pipeline that mounts the engine's socket is refused with the message on the page."""
    write(home, GUARDED)
    monkeypatch.setenv("DOCKERCISE_GUARD_HOST", "true")

    assert said(GUARD[0], home) == (ExitStatus.WRONG_INPUT, GUARD[2])


def test_what_the_repository_would_choose_is_refused_as_shown(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder, or a file of variables, in the repository is refused."""
    shop = write(home, PIPELINE)
    (shop / "variables").write_text("VERSION\n")

    told = said(ENV_FILE[0], home)
    monkeypatch.chdir(shop)
    standing = said(STANDING[0], home)

    assert told == (ExitStatus.WRONG_INPUT, ENV_FILE[2])
    assert standing == (ExitStatus.WRONG_INPUT, STANDING[2])


@pytest.mark.docker
def test_the_run_prints_what_is_shown(dockercise_run: Dockercise, home: Path) -> None:
    """A given variable is available and any other one is not, whatever the environment has."""
    shop = write(home, PIPELINE)
    own = {"AWS_SECRET_ACCESS_KEY": "key-of-the-user", "VERSION": "0.0-mine", "PYTHONPATH": str(Path(__file__).parents[3])}

    ran = dockercise_run("--untrusted", "-C", shop, "--env", "VERSION=1.4", **own)
    not_given = dockercise_run("--untrusted", "-C", shop, **own)

    assert ran.exit_status == ExitStatus.DONE, ran.stderr
    assert shown(RAN[2]) <= shown(ran.stderr)
    assert not_given.exit_status == ExitStatus.WRONG_INPUT
    assert shown(NOT_GIVEN[2]) <= shown(not_given.stderr)


@pytest.mark.docker
def test_a_clouds_address_is_out_of_reach_as_shown(dockercise_run: Dockercise, home: Path) -> None:
    """A stage that requests this address gets the error immediately."""
    ran = dockercise_run("--untrusted", "-C", write(home, CLOUD))

    assert ran.exit_status == ExitStatus.STAGE_FAILED, ran.stderr
    assert shown(REACHED[2]) <= shown(ran.stderr)


def shown(lines: str) -> set[str]:
    """Lines without the parts that differ from run to run: times, and the place of the record."""
    return {re.sub(r" · results in .*", " · results in …", re.sub(r"[\d.]+ s\b", "… s", line)) for line in lines.splitlines()}


def test_settings_are_told_with_their_defaults() -> None:
    """The table has every setting of trust with its default, and the examples of the file are valid."""
    folders = Folders(working=Path("/work"), home=Path("/home/me"), data=Path("/home/me/data"))
    rows = re.findall(r"^\| `(DOCKERCISE_UNTRUSTED\w*)` \| `(\w+)` \| .* \| `?([^`|]+?)`? \|$", PAGE, re.MULTILINE)
    defaults = load({}, None, {}, folders)
    by_table = load({variable: default for variable, _, default in rows}, None, {}, folders)

    assert [name for _, name, _ in rows] == [field.name for field in fields(Settings) if field.name.startswith("untrusted")]
    assert [variable for variable, _, _ in rows] == [f"DOCKERCISE_{name.upper()}" for _, name, _ in rows]
    assert by_table == defaults
    assert [load({}, ConfigFile(Path("c"), text), {}, folders).untrusted for text in blocks(PAGE, "toml")] == [True, True]


def test_every_refusal_is_told() -> None:
    """The table of refusals has every code for pipelines that are not trusted."""
    told = re.findall(r"^\| (DK\d+) \|", PAGE, re.MULTILINE)

    assert told == [code.value for code in Code if code.meaning.startswith("not trusted")]


def test_examples_compile() -> None:
    """All pipelines are correct except for trust."""
    assert [len(compiled(shop=text)) for text in (REFUSED, PIPELINE, CLOUD, GUARDED)] == [2, 1, 1, 1]
