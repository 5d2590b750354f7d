"""What a run knows to be secret before anything starts."""

import pytest

from dockercise_prefect.orchestration.run.secrecy import Secrecy
from dockercise_prefect.runtime.stage.environment import OutsideSource, resolve_outside
from tests.compiler.sources import compiled

TEXT = "correct horse battery"


@pytest.mark.parametrize("named", ["db_password", "DB_PASSWORD"])
@pytest.mark.parametrize("has", ["db_password", "DB_PASSWORD"])
def test_a_secret_variable_is_masked_however_it_is_spelled(named: str, has: str) -> None:
    """`meta.secrets` and the outside may write a variable differently; its text is masked in both cases."""
    pipeline = compiled(a=f"meta: {{ secrets: {named} }}\nuse: {{ img: busybox:1, env: db_password, run: deploy }}\n")
    secrecy = Secrecy(pipeline)

    secrecy.begin(resolve_outside(pipeline, [OutsideSource("the environment", {has: TEXT}.get)]))

    assert secrecy.masker.text(f"it is {TEXT}") == "it is ***"


def test_a_secret_of_a_build_is_masked() -> None:
    """`meta.secrets` need not name it; a stage that only builds shows no variable, so it is not sensitive."""
    pipeline = compiled(a="use: { build: { context: ., secrets: [npm_token, key?] } }\n")
    secrecy = Secrecy(pipeline)

    secrecy.begin(resolve_outside(pipeline, [OutsideSource("the environment", {"NPM_TOKEN": TEXT}.get)]))

    assert secrecy.masker.text(f"it is {TEXT}") == "it is ***"
    assert secrecy.because(pipeline.by_name["use"]) is None


def test_a_stage_whose_value_is_a_builds_secret_says_nothing() -> None:
    """The value is a secret already in the output of its own stage."""
    pipeline = compiled(
        a="login: { img: busybox:1, run: print }\nuse: { build: { context: ., secrets: { KEY: { stage: login } } } }\n"
    )

    assert pipeline.by_name["login"].no_log is True
    assert pipeline.by_name["use"].needs == ("login",)
