"""Parameters of a registered pipeline: in the run form, through the API, and in the record."""

from __future__ import annotations

import json
import urllib.error

import pytest

from tests.e2e.conftest import NewSite
from tests.support.prefect import prefect_records
from tests.support.prefect.workers import start_run
from tests.support.site import Site

pytestmark = pytest.mark.docker

PIPELINE = """\
meta:
  parameters:
    target: {choices: [staging, production], default: staging, description: Where to deploy to.}
    image: busybox
    times: {type: integer, default: 2}
    loud: false
deploy:
  img: $IMAGE
  run: echo "$TARGET $TIMES $LOUD"
"""

NEEDS_ONE = "meta: {parameters: {level: {type: integer}}}\nshow: {img: busybox, run: echo $LEVEL}\n"


def _facts(site: Site) -> dict[str, object]:
    """What the newest record says of the run."""
    record = max(path for path in (site.folder / "data/results" / site.name).iterdir() if path.is_dir())
    facts: dict[str, object] = json.loads((record / "index.json").read_text())["run"]
    return facts


@pytest.fixture
def site(new_site: NewSite, busybox: str) -> Site:
    """The repository that is registered."""
    return new_site(PIPELINE, {})


def test_a_run_has_the_values_of_its_form(site: Site) -> None:
    """The schema of a deployment has the parameters, and what a run gives for them reaches stages, images and the record."""
    said = site.register("--param", "times=3")
    deployment = prefect_records.ask(site.api, f"deployments/name/{site.deployment}")

    schema = deployment["parameter_openapi_schema"]
    shown = {name: schema["properties"][name] for name in ("target", "times", "loud")}
    passed = site.run(target="production", loud=True)

    assert said.status == 0, said.err
    assert shown["target"] == {
        "title": "target",
        "position": 5,
        "type": "string",
        "enum": ["staging", "production"],
        "default": "staging",
        "description": "Where to deploy to.",
    }
    assert (shown["times"]["type"], shown["loud"]["default"]) == ("integer", False)
    assert "parameters" not in schema["properties"]
    assert deployment["parameters"] == {"times": 3}
    assert passed.state == "Completed", passed.message
    assert site.values() == {"deploy": "production 3 true"}
    assert _facts(site)["parameters"] == {"target": "production", "image": "busybox", "times": 3, "loud": True}


def test_prefect_refuses_wrong_values(site: Site) -> None:
    """What is not a value of a parameter starts no run."""
    site.register()

    refused = [_status(site, target="moon"), _status(site, times="many"), _status(site, times=1.5)]

    assert set(refused) <= {409, 422}


def _status(site: Site, **parameters: object) -> int:
    """The status with which Prefect refuses to make a run."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        start_run(site.api, site.deployment, **parameters)
    return caught.value.code


def test_a_run_says_what_prefect_cannot_check(site: Site) -> None:
    """An image that is not one, and a parameter that does not exist, end the run with a finding before anything starts."""
    site.register()

    image = site.run(image="two words")
    unknown = site.run(targt="production")

    assert (image.state, unknown.state) == ("Failed", "Failed")
    assert "DK024" in str(image.message)
    assert "DK055 the pipeline has no parameter `targt`" in str(unknown.message)


def test_runs_that_nobody_starts_need_values(new_site: NewSite, busybox: str) -> None:
    """With a schedule, a parameter without a value is refused, unless the registration gives one."""
    site = new_site(NEEDS_ONE, {})

    refused = site.register("--cron", "0 3 * * *")
    wrong = site.register("--cron", "0 3 * * *", "--param", "level=high")
    by_hand = site.register()
    given = site.register("--cron", "0 3 * * *", "--param", "level=4")
    passed = site.run()

    assert (refused.status, wrong.status, by_hand.status, given.status) == (2, 2, 0, 0)
    assert "DK054 the parameter `level` has no value" in refused.err
    assert "DK055 the parameter `level`: `high` is not a whole number" in wrong.err
    assert passed.state == "Completed", passed.message
    assert site.values() == {"show": "4"}
