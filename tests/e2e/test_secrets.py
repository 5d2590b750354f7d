"""Secrets from every source are printed in every form, and then searched for in everything that a run leaves and prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prefect.blocks.system import Secret
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import SecretStr

from dockercise_prefect.orchestration.prefect.local_server import LocalServer
from scripts.busybox import ensure_busybox
from scripts.engine import ensure_engine
from tests.support.aws.moto import running_aws
from tests.support.inspection import InspectionRecorder
from tests.support.prefect.prefect_records import task_runs
from tests.support.suite.leaks import database, found, unpacked

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

BUCKET = "results-of-mine"
SECRETS = {
    "of a noLog stage": "tok/9fA+Zq7Lm2Xw=kR4vB8nC1",
    "in JSON": "json-Secret/Q2w3E4r5T6y7U8",
    "a line of a key": "MIIEowIBAAKCAQEA7bq2Vn0Zr1yX9kLm3pQ4s5T6u7V8w9",
    "a block": "block/secret+H4xK9pW2mD7sF1",
    "from --env": "correct horse battery/staple+1",
    "from a file": "file-Secret=0p9o8i7u6y5t",
    "a text in the pipeline": "literal/Secret+a1s2d3f4g5",
}
KEY = (
    f"-----BEGIN RSA PRIVATE KEY-----\n{SECRETS['a line of a key']}\nq8Vn0Zr1yX9kLm3pQ4s5AAAA\n-----END RSA PRIVATE KEY-----\n"
)

PIPELINE = f"""\
meta:
  secrets: [DB_PASSWORD, FROM_FILE, LITERAL]
token: {{ img: "busybox:latest", noLog: true, run: "cat /code/token; cat /code/token >&2; cp /code/token $OUT/token" }}
creds: {{ img: "busybox:latest", noLog: true, run: cat /code/creds.json }}
key: {{ img: "busybox:latest", noLog: true, run: cat /code/key.pem }}
show:
  img: busybox:latest
  env: [token, creds, key, API_TOKEN, DB_PASSWORD, FROM_FILE, "LITERAL={SECRETS["a text in the pipeline"]}"]
  run: |
    set -x
    for text in "$TOKEN" "$API_TOKEN" "$DB_PASSWORD" "$FROM_FILE" "$LITERAL"; do
      echo "plain: $text"; echo "error: $text" >&2
      echo "prefix:$text" | base64; printf 'Basic %s\\n' "$(printf 'user:%s' "$text" | base64 -w 0)"
      printf '%s\\n' "$text" | sed 's#/#%2F#g; s#+#%2B#g; s#=#%3D#g; s# #%20#g'
      printf '%s' "$(printf '%s' "$text" | cut -c 1-9)"; sleep 0.2; printf '%s\\n' "$text" | cut -c 10-
      printf '{{"token": "%s"}}\\n' "$text"
    done
    echo "$KEY"; echo "$CREDS"; cat /out/key | base64; cat /out/creds | tr -d '\\n'
shows-with-others: {{ img: "busybox:latest", after: show, run: "cat /out/show | head -n 1; echo it ends" }}
fails:
  img: busybox:latest
  env: [token]
  neverFail: false
  run: echo "the server refused $TOKEN" >&2; exit 7
leaves-it: {{ img: "busybox:latest", env: [token], run: "echo $TOKEN > $OUT/config; echo left" }}
leaves-none: {{ img: "busybox:latest", env: [token], run: "echo harmless > $OUT/config; echo harmless words" }}
declared-harmless: {{ img: "busybox:latest", env: [token], noLog: false, run: "echo 1.2.3-public" }}
uses-it: {{ img: "busybox:latest", after: declared-harmless, run: "cat /out/declared-harmless" }}
"""


@dataclass(frozen=True)
class Leaky:
    """A run with secrets, and everything that it left and printed."""

    summary: dict[str, Any]
    stderr: str
    objects: dict[str, bytes]
    channels: dict[str, bytes]

    def entry(self, stage: str) -> dict[str, object]:
        """A stage's own object."""
        entry: dict[str, object] = json.loads(self.file(f"{stage}.json"))
        return entry

    def file(self, name: str) -> bytes:
        """A file of the record."""
        return self.objects[f"leaky/{self.summary['run_id']}/{name}"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pipeline, and secrets that the code contains, although it should not."""
    root = tmp_path_factory.mktemp("leaky") / "leaky"
    root.mkdir()
    (root / "leaky.dockercise.yaml").write_text(PIPELINE)
    (root / "token").write_text(SECRETS["of a noLog stage"] + "\n")
    (root / "key.pem").write_text(KEY)
    (root / "creds.json").write_text(json.dumps({"Credentials": {"SecretAccessKey": SECRETS["in JSON"]}}, indent=2))
    return root


@pytest.fixture(scope="module")
def leaky(server: LocalServer, folder: Path, data_folder: Path) -> Leaky:
    """The run, with its record in a bucket and its logs in a log group."""
    with temporary_settings({PREFECT_API_URL: server.api_url}):
        Secret(value=SecretStr(SECRETS["a block"])).save("api-token", overwrite=True)
    variables = folder.parent / "variables"
    variables.write_text(f"FROM_FILE={SECRETS['from a file']}\n")
    with closing(ensure_engine()) as client:
        ensure_busybox(client)
    with running_aws() as aws, InspectionRecorder() as inspection:
        environment = os.environ | {
            "PREFECT_API_URL": server.api_url,
            "DOCKERCISE_DATA": str(folder.parent / "data"),
            "AWS_ENDPOINT_URL": aws.url,
            **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "testing"),
            "AWS_DEFAULT_REGION": "eu-west-1",
            "DB_PASSWORD": SECRETS["from --env"],
        }
        command = [sys.executable, "-m", "dockercise_prefect", "run", "--json", "-C", str(folder)]
        command += [
            "--results",
            aws.bucket(BUCKET),
            "--log-group",
            "leaky",
            "--env-file",
            str(variables),
            "--env",
            "DB_PASSWORD",
        ]
        said = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=200)
        assert said.stdout, said.stderr
        summary = json.loads(said.stdout)
        task_runs(server.api_url, str(summary["flow_run_id"]), len(summary["stages"]))
        objects = aws.objects(BUCKET)
        channels = {
            **{f"object {name}": content for name, content in unpacked(objects).items()},
            **{f"stream {name}": "\n".join(lines).encode() for name, lines in aws.log_streams("leaky").items()},
            "the engine": inspection.text.encode(),
            "the terminal": said.stderr.encode(),
            "the summary": said.stdout.encode(),
            "Prefect": database(data_folder),
        }
    return Leaky(summary, said.stderr, objects, channels)


def test_no_planted_secret_is_in_any_channel(leaky: Leaky) -> None:
    """No secret, in any printed form, is in the record, logs, Prefect, or the output of engine and terminal."""
    statuses = {name: stage["status"] for name, stage in leaky.summary["stages"].items()}
    assert statuses == dict.fromkeys(statuses, "passed") | {"fails": "failed"}, leaky.stderr
    assert leaky.file("show.log").count(b"***") > 40
    assert b"the server refused ***" in json.dumps(leaky.summary).encode()

    assert found(leaky.channels, SECRETS) == []


def test_the_record_says_what_is_sensitive_and_why(leaky: Leaky) -> None:
    """Stages that use a secret are sensitive, with the reason and without a value; `noLog: false` ends it."""
    reasons = {name: (leaky.entry(name)["sensitive_because"], leaky.entry(name)["value"]) for name in leaky.summary["stages"]}

    assert reasons == {
        "token": ("its `noLog` says so", None),
        "creds": ("its `noLog` says so", None),
        "key": ("its `noLog` says so", None),
        "show": ("its variable API_TOKEN is secret", None),
        "shows-with-others": ("it comes after show, which is sensitive", None),
        "fails": ("it uses the value of token, which is sensitive", None),
        "leaves-it": ("it uses the value of token, which is sensitive", None),
        "leaves-none": ("it uses the value of token, which is sensitive", None),
        "declared-harmless": (None, "1.2.3-public"),
        "uses-it": (None, "1.2.3-public"),
    }


def test_what_holds_a_secret_is_left_out_and_what_does_not_is_kept(leaky: Leaky) -> None:
    """A sensitive stage's volume or output is kept if it holds no secret; otherwise the record and the terminal report it."""
    names = {name.rpartition("/")[2] for name in leaky.channels if name.startswith("object ")}
    bundled = {name.partition("!")[2] for name in names if name.startswith("out.zip!")}

    assert {"leaves-none.tar.zst"} == {name for name in names if name.endswith(".tar.zst")}
    assert leaky.entry("leaves-it")["left_out"] == {"volume": "it contains something sensitive"}
    assert leaky.entry("show")["left_out"] == {"output": "it contains something sensitive"}
    assert "the volume of leaves-it is not kept: it contains something sensitive" in leaky.stderr
    assert bundled == {"leaves-it", "leaves-none", "declared-harmless", "uses-it", "fails"}
