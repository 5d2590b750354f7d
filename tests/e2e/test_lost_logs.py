"""If the log group of a run fails, no stage fails because of it, and the logs are in the results."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from dockercise_prefect.results.places.aws import RIGHTS_HINT
from tests.e2e.conftest import Dockercise
from tests.support.aws.moto import running_aws
from tests.support.fault_proxy import fault_proxy

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

PIPELINE = """\
make: { img: busybox:latest, run: "echo made" }
use: { img: busybox:latest, run: "echo used $MAKE" }
"""


def test_logs_that_may_not_be_sent_cost_no_stage(dockercise_run: Dockercise, tmp_path: Path) -> None:
    """All stages pass, the run ends with 3 and the reason, and the full logs are in the results."""
    root = tmp_path / "shop"
    root.mkdir()
    (root / "shop.dockercise.yaml").write_text(PIPELINE)
    with running_aws() as aws, fault_proxy(aws.url) as proxy:
        proxy.judge = lambda _number, _method, _path: "403"
        environment = {
            **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "testing"),
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": proxy.url,
        }
        said = dockercise_run("-C", root, "--log-group", "dockercise/ci", **environment)

    assert said.exit_status == 3
    assert {name: stage["status"] for name, stage in said.stages.items()} == {"make": "passed", "use": "passed"}
    assert said.summary["status"] == "error"
    assert said.summary["error"].startswith(
        "not all logs are in the log group dockercise/ci: cannot create the log stream shop/"
    )
    assert said.stderr.count("logs are no longer sent to CloudWatch") == 1
    assert RIGHTS_HINT in said.stderr
    record = Path(url2pathname(urlsplit(said.summary["results"]).path))
    assert [(record / f"{stage}.log").read_text() for stage in ("make", "use")] == ["made\n", "used made\n"]
