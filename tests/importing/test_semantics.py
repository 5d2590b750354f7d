"""Single rules of imports that the golden cases do not show."""

from __future__ import annotations

import pytest

from dockercise_prefect.frontend.discover import Source
from dockercise_prefect.importing import Draft, Kind, imported
from dockercise_prefect.importing.conditions import Matches, wanted
from dockercise_prefect.importing.gitlab.expressions import condition_of
from dockercise_prefect.importing.regular import glob_of
from dockercise_prefect.importing.times import duration
from tests.compiler.sources import compiled


def _imported(text: str, kind: Kind) -> Draft:
    return imported(Source("ci.yml", text.encode()), kind)


@pytest.mark.parametrize(
    ("expression", "glob"),
    [
        ("^main$", "main"),
        ("^release/.*$", "release/*"),
        (r"^v\d+\.\d+$", "v[0-9]*.[0-9]*"),
        ("wip", "*wip*"),
        ("^a|b$", None),
        ("^ab+$", None),
        ("^(main|dev)$", None),
    ],
)
def test_simple_expressions_are_globs(expression: str, glob: str | None) -> None:
    """A regular expression becomes a glob only if a glob can say it."""
    assert glob_of(expression, whole=False) == glob


@pytest.mark.parametrize(
    ("text", "shown"), [("1 hour 30 minutes", "1h30m"), ("90m", "1h30m"), ("2 hours and 5 seconds", "2h5s"), ("soon", None)]
)
def test_durations_are_read(text: str, shown: str | None) -> None:
    """Durations of GitLab become those of stages; other texts are none."""
    assert duration(text) == shown


@pytest.mark.parametrize(
    ("expression", "when", "questions"),
    [
        ('$CI_COMMIT_BRANCH == "main"', {"branch": ("main",)}, []),
        ('$CI_COMMIT_TAG && $CI_PIPELINE_SOURCE == "push"', {"tag": ("**",), "event": ("push",)}, []),
        ('$CI_COMMIT_BRANCH == "a" || $CI_COMMIT_BRANCH == "b"', {"branch": ("a", "b")}, []),
        ('$A != "x"', {}, ['! [ "$A" = x ]']),
        ("$A =~ /^x(y|z)/", {}, ["printf %s \"$A\" | grep -Eq '^x(y|z)'"]),
        ("$CI_COMMIT_TAG == null", {}, ['! [ -n "$DOCKERCISE_TAG" ]']),
    ],
)
def test_conditions_of_gitlab(expression: str, when: dict[str, tuple[str, ...]], questions: list[str]) -> None:
    """What `when` can say is in `when`, and the rest is asked."""
    found = wanted(condition_of(expression, lambda: None))

    assert (found.when, [question.script for question in found.questions]) == (when, questions)


def test_what_cannot_be_said_is_unknown() -> None:
    """A comparison with what only GitLab knows is no condition here."""
    assert wanted(condition_of('$CI_RUNNER_ID == "7"', lambda: None)).unknown == ['$CI_RUNNER_ID == "7"']
    assert isinstance(condition_of("$CI_COMMIT_TAG", lambda: None), Matches)


def test_a_job_that_no_workflow_uses_is_said() -> None:
    """A job of CircleCI that is in no workflow is not a stage, and the table says so."""
    draft = _imported(
        "version: 2\njobs:\n  a: { docker: [{ image: x }], steps: [{ run: y }] }\n  b: { steps: [{ run: z }] }\n"
        "workflows: { w: { jobs: [a] } }\n",
        Kind.CIRCLECI,
    )

    assert [(note.job, note.text) for note in draft.notes if note.outcome == "left out"] == [("b", "no workflow uses it")]


def test_a_stage_with_sudo_may_gain_rights() -> None:
    """A script with `sudo` has the key that allows it, and on GitHub a function for images without the program."""
    draft = _imported("on: push\njobs: { a: { runs-on: ubuntu-latest, steps: [{ run: sudo make }] } }\n", Kind.GITHUB)

    (stage,) = compiled(draft=draft.text)
    assert stage.sudo
    assert 'sudo() { "$@"; }' in (stage.run or "")


def test_a_name_of_a_stage_is_no_variable() -> None:
    """A stage whose name would be the variable that another one takes from outside gets another name."""
    draft = _imported("token: { image: x, script: 'echo $TOKEN' }\n", Kind.GITLAB)

    assert [stage.name for stage in compiled(draft=draft.text)] == ["token-job"]


def test_an_outcome_of_a_later_matrix_waits_for_all() -> None:
    """A job that needs a job with another matrix waits for all of its instances."""
    draft = _imported(
        "on: push\njobs:\n"
        "  a: { runs-on: x, strategy: { matrix: { n: [1, 2] } }, steps: [{ run: make }] }\n"
        "  b: { needs: a, runs-on: x, strategy: { matrix: { n: [2, 3] } }, steps: [{ run: make }] }\n",
        Kind.GITHUB,
    )

    stages = {stage.name: {edge.stage for edge in stage.depends_on} for stage in compiled(draft=draft.text)}
    assert stages["a-all"] == {"a(1)", "a(2)"}
    assert stages["b(3)"] == {"a-all"}


def test_a_stage_never_has_the_name_of_its_service() -> None:
    """A step with the name of a service is a stage with another name, because both would be hosts of that name."""
    draft = _imported("steps: { db: { image: x, commands: make } }\nservices: { db: { image: postgres } }\n", Kind.WOODPECKER)

    assert [stage.name for stage in compiled(draft=draft.text)] == ["db-2"]
