"""`explain`: everything about one stage."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockercise_prefect.emit.explain import explanation
from dockercise_prefect.pipeline import Dependency, DependencyKind, Pipeline, Stage
from tests.compiler.sources import compiled
from tests.support.command import Command

TEXT = """
source: {img: git, run: clone}
image: {build: /source/app}
login: {img: x, run: echo hunter2, noLog: true}
deploy:
  img: image
  env: [login, REGION, "PROXY?", "PASSWORD=correct horse"]
  vol: [code, source, "cache:/cache"]
  on: source
  timeout: 5m
  triggers: app/**
  run: |
    one
    two
check: {img: x, after: deploy}
done: {after: [check]}
"""


def test_everything_about_a_stage() -> None:
    """The text has place, image, folders, mounts, variables, settings, all edges with reason and place, and the script."""
    assert explanation(compiled(a=TEXT), "deploy") == (
        """\
deploy, a stage of test  (a.dockercise.yaml:5:1)

  image      that of image
  run        a script of 2 lines
  dir        /deploy
  volume     /deploy, its own, at the start a copy of the volume of source
  mount      /code = the code (ro)
  mount      /source = volume of source (ro)
  mount      /cache = the engine's volume cache (rw)
  variable   LOGIN, the value of login
  variable   REGION, REGION from outside
  variable   PROXY, PROXY from outside, unset if nothing sets it
  variable   PASSWORD, written in the pipeline
  timeout    300 s
  trigger    app/**
  sensitive  it uses the value of login, which is sensitive

needs
  login      uses the value of login, by `env`  (a.dockercise.yaml:7:9)
  source     mounts the volume of source, by `vol`  (a.dockercise.yaml:8:15)
  source     works on the volume of source, by `on`  (a.dockercise.yaml:9:7)
  image      runs in the image of image, inferred from `img: image`  (a.dockercise.yaml:6:8)

is needed by
  check      comes after deploy, by `after`  (a.dockercise.yaml:15:24)

to run it, 4 of 6 stages run, in this order
  source, image, login, deploy
"""
    )


def test_no_value_is_shown() -> None:
    """A literal value is never shown; only its existence is."""
    pipeline = compiled(a=TEXT)

    texts = [explanation(pipeline, name) for name in pipeline.by_name]

    assert not any("correct horse" in text or "hunter2" in text for text in texts)


def test_a_build_from_a_volume() -> None:
    """An edge that a build makes is shown as one, and a stage that only builds has no folders of its own."""
    text = explanation(compiled(a=TEXT), "image")

    assert "builds from the volume of source, by `vol`" in text
    assert "  volume " not in text


def test_a_stage_without_edges() -> None:
    """The text shows that a stage needs nothing, that nothing needs it, and where a value without a container comes from."""
    pipeline = compiled(a=TEXT)

    assert "needs no other stage" in explanation(pipeline, "source")
    assert "no stage needs it" in explanation(pipeline, "done")
    assert "  value      the variable done from --env" in explanation(pipeline, "done")


def test_clean_up_stages_of_the_run_are_shown() -> None:
    """The stages that run for a stage are shown without clean-up stages; those follow, because they run last."""
    text = "last: {img: x, when: failure}\na: {img: x}\nb: {img: x, after: a}\nc: {img: x, after: [a, b], when: always}\n"

    shown = explanation(compiled(a=text), "a")

    assert shown.endswith("to run it, 1 of 4 stages run, in this order\n  a\n\nclean-up stages of that run\n  last, c\n")
    assert "clean-up" not in explanation(compiled(a="a: {img: x}\nb: {img: x, after: a, when: always}\n"), "b")


@pytest.mark.parametrize(
    ("kind", "reference"), [(DependencyKind.ENV, "$A"), (DependencyKind.VOL, "/a"), (DependencyKind.OUT, "out/a")]
)
def test_inferred_edges_say_from_what(kind: DependencyKind, reference: str) -> None:
    """An inferred edge shows the part of the script that it comes from."""
    pipeline = Pipeline("p", [Stage(name="a"), Stage(name="b", depends_on=(Dependency("a", kind, inferred=True),))])

    assert f"a, inferred from `{reference}`" in explanation(pipeline, "b")


def test_command_prints_it(command: Command, tmp_path: Path) -> None:
    """The command compiles the root and prints the text on standard output."""
    (tmp_path / "a.dockercise.yaml").write_text(TEXT)

    outcome = command("explain", "check", "-C", str(tmp_path))

    assert outcome.status == 0
    assert outcome.out.startswith("check, a stage of ")


def test_unknown_stage(command: Command, tmp_path: Path) -> None:
    """A stage that does not exist is status 2 with the stage that was probably meant."""
    (tmp_path / "a.dockercise.yaml").write_text(TEXT)

    outcome = command("explain", "chekc")

    assert (outcome.status, outcome.out) == (2, "")
    assert "did you mean `check`?" in outcome.err


@pytest.mark.parametrize("code", ["DK101", "dk114"])
def test_a_lint_rule_is_explained_by_its_page(command: Command, code: str) -> None:
    """For the code of a lint rule its page is printed, in any folder."""
    outcome = command("explain", code)

    assert outcome.status == 0
    assert outcome.out.startswith(f"# {code.upper()}: ")
    assert "To switch it off" in outcome.out


def test_a_finding_is_explained_by_its_meaning(command: Command) -> None:
    """For any other code its meaning is printed; a code that does not exist is an error."""
    assert command("explain", "DK038").out.startswith("DK038: stages wait for each other in a cycle\n")
    assert command("explain", "DK999").status == 2


def test_a_variable_of_the_run() -> None:
    """A variable of git is explained as set by the run, and not as one from outside."""
    assert "  variable   DOCKERCISE_TAG, set by the run, empty if it is not known\n" in explanation(
        compiled(a="s: {img: x, run: echo $DOCKERCISE_TAG}"), "s"
    )


def test_a_folder_of_the_code() -> None:
    """The explanation names the folder of the code that is mounted."""
    assert "  mount      /code/app = the folder app of the code (ro)\n" in explanation(
        compiled(a="s: {img: x, vol: code/app, run: ls}"), "s"
    )


def test_how_a_stage_goes_is_explained() -> None:
    """Conditions, retries and questions are told in words, and when a clean-up stage runs that names no stage."""
    text = (
        "ask: {img: x, run: ask}\n"
        "a: {img: x, run: y, if: ask, when: {branch: [main, 'v*']},"
        " retries: {times: 2, delay: 10s, backoff: 2, on: [1, oom]}}\n"
        "clean: {img: x, run: z, when: always, stopGrace: 1m, shell: [bash, -eu]}\n"
    )

    a, clean = explanation(compiled(a=text), "a"), explanation(compiled(a=text), "clean")

    assert "  when       if the branch matches main, v*\n" in a
    assert "  retries    at most 2, the first after 10s, each later one after 2 times as long, only after 1, oom\n" in a
    assert "  ask        runs only on a yes from ask, by `if`  (a.dockercise.yaml:2:25)\n" in a
    assert "  when       always, whatever came before\n" in clean
    assert "  stopGrace  1m between SIGTERM and SIGKILL\n" in clean
    assert "  shell      bash -eu\n" in clean
    assert "\ncomes after all ordinary stages\n" in clean
