"""What a run knows to be secret before anything starts."""

import pytest

from dockercise_prefect.orchestration.secrecy import Secrecy
from dockercise_prefect.runtime.environment import OutsideSource, resolve_outside
from tests.compiler.sources import compiled

TEXT = "correct horse battery"


@pytest.mark.parametrize("named", ["db_password", "DB_PASSWORD"])
@pytest.mark.parametrize("has", ["db_password", "DB_PASSWORD"])
def test_a_secret_variable_is_masked_however_it_is_spelled(named: str, has: str) -> None:
    """`meta.secrets` and the outside may write a variable differently; what it holds is masked all the same."""
    pipeline = compiled(a=f"meta: {{ secrets: {named} }}\nuse: {{ img: busybox:1, env: db_password, run: deploy }}\n")
    secrecy = Secrecy(pipeline)

    secrecy.begin(resolve_outside(pipeline, [OutsideSource("the environment", {has: TEXT}.get)]))

    assert secrecy.masker.text(f"it is {TEXT}") == "it is ***"
