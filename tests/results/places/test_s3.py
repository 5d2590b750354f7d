"""Records in a bucket: S3's protocol on loopback."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from dockercise_prefect.errors import StorageError
from dockercise_prefect.pipeline import to_json
from dockercise_prefect.results.places import aws as aws_module
from dockercise_prefect.results.places import s3
from dockercise_prefect.results.places.aws import RIGHTS_HINT
from dockercise_prefect.results.places.bucket import Bucket, parse_bucket
from dockercise_prefect.results.places.objects import NotStoredError, RefusedError, read
from dockercise_prefect.results.places.s3 import S3Objects
from dockercise_prefect.results.places.upload import PART
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.results.record import mirror as mirror_module
from dockercise_prefect.results.record.log_file import LONGEST_PLAIN
from dockercise_prefect.results.record.mirrored_store import MirroredStore
from dockercise_prefect.results.record.store import Kept
from dockercise_prefect.results.record.unsent import UnsentRun
from dockercise_prefect.results.summary import RunSummary, StageSummary
from dockercise_prefect.settings import Settings, read_settings
from dockercise_prefect.status import RunStatus, StageStatus
from tests.support.aws.moto import Aws, running_aws
from tests.support.fault_proxy import PATIENCE, fault_proxy
from tests.support.recorded_runs import SHOP, run_id

pytestmark = pytest.mark.docker  # for the server

NAME = "results-of-mine"
ROOT = Path(__file__).parents[3]

SENDER = """
import io, sys, threading
from dockercise_prefect.results.opening import open_objects
from dockercise_prefect.settings import read_settings

objects = open_objects(sys.argv[1], read_settings())

def send(name):
    objects.put(name, io.BytesIO(bytes(int(sys.argv[2]))))

threading.Thread(target=send, args=["back"], daemon=True).start()
try:
    send("front")
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    """An AWS on loopback with one bucket."""
    with running_aws() as aws:
        aws.bucket(NAME)
        yield aws


@pytest.fixture
def settings(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A user whose AWS folder points to the test's AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    aws.write_folder(tmp_path / ".aws")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / ".aws/config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / ".aws/credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return read_settings()


@pytest.fixture
def objects(settings: Settings, request: pytest.FixtureRequest) -> S3Objects:
    """A prefix that only this test uses."""
    return S3Objects(Bucket(NAME, request.node.name.replace("[", "-").replace("]", "")), settings)


def test_what_is_stored_comes_back(objects: S3Objects) -> None:
    """Any name of a stage keeps any bytes; a later object replaces the earlier one, and offsets count bytes."""
    for name in ("a.log", "☃.log", "a+b &%20?#.json", "(x) 'y'.log"):
        objects.put(f"hello/run/{name}", io.BytesIO(b"old"))
        objects.put(f"hello/run/{name}", io.BytesIO(b"0123\x00\xff"))

        assert read(objects, f"hello/run/{name}") == b"0123\x00\xff"
        assert b"".join(objects.chunks(f"hello/run/{name}", 3)) == b"3\x00\xff"
        assert b"".join(objects.chunks(f"hello/run/{name}", 6)) == b""
        assert b"".join(objects.chunks(f"hello/run/{name}", 99)) == b""


def test_an_object_is_removed(objects: S3Objects) -> None:
    """A removed object does not exist any more, and a second removal does no harm."""
    objects.put("hello/run/gone.log", io.BytesIO(b"old"))

    objects.remove("hello/run/gone.log")
    objects.remove("hello/run/gone.log")

    with pytest.raises(NotStoredError):
        read(objects, "hello/run/gone.log")


def test_a_folder_is_removed_with_all_that_is_in_it(objects: S3Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sizes of all objects of a folder are known, over many pages, and the named object is removed last."""
    monkeypatch.setattr(s3, "PAGE", 10)
    names = ["summary.json", *(f"{number:02}.log" for number in range(25))]
    for name in names:
        objects.put(f"hello/run/{name}", io.BytesIO(b"12"))
    objects.put("hello/run-2/a.log", io.BytesIO(b"1"))
    removed: list[str] = []
    remove = objects.remove

    def remove_and_note(path: str) -> None:
        removed.append(path)
        remove(path)

    monkeypatch.setattr(objects, "remove", remove_and_note)

    sizes = objects.sizes("hello/run")
    objects.remove_folder("hello/run", "summary.json")

    assert sizes == dict.fromkeys(names, 2)
    assert removed[-1] == "hello/run/summary.json"
    assert objects.sizes("hello") == {"run-2/a.log": 1}


def test_it_is_known_when_an_object_was_written(objects: S3Objects) -> None:
    """A listing has the time of each object, to the second."""
    before = datetime.now(UTC).replace(microsecond=0)
    objects.put("hello/run/deep/a.log", io.BytesIO(b"12"))

    (found,) = objects.stored("hello").items()

    assert (found[0], found[1].size) == ("run/deep/a.log", 2)
    assert before <= found[1].written <= datetime.now(UTC)


def test_an_empty_object_is_there(objects: S3Objects) -> None:
    """An empty log can be read, from any offset."""
    objects.put("hello/run/a.log", io.BytesIO(b""))

    assert read(objects, "hello/run/a.log") == b""
    assert list(objects.chunks("hello/run/a.log", 5)) == []


def test_what_is_not_there_is_said(objects: S3Objects) -> None:
    """A missing object has an error of its own, with the object's URL."""
    with pytest.raises(NotStoredError, match=rf"there is no s3://{NAME}/.*/nothing"):
        read(objects, "nothing")


def test_folders_are_listed_over_many_pages(objects: S3Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the names directly below a path are listed, however many there are, and none of neighbouring paths."""
    monkeypatch.setattr(s3, "PAGE", 10)
    for number in range(25):
        objects.put(f"hello/run-{number:04}/index.json", io.BytesIO(b"{}"))
    objects.put("hello-2/run/index.json", io.BytesIO(b"{}"))
    objects.put("hello/index.html", io.BytesIO(b""))

    assert objects.folders("") == ["hello", "hello-2"]
    assert objects.folders("hello") == [f"run-{number:04}" for number in range(25)]
    assert objects.folders("nothing") == []


def test_big_objects_go_in_parts(objects: S3Objects) -> None:
    """An object that was sent in several parts comes back whole."""
    content = os.urandom(PART) * 2 + b"end"

    objects.put("hello/run/a.tar.zst", io.BytesIO(content))

    assert read(objects, "hello/run/a.tar.zst") == content


def test_a_big_object_that_breaks_off_leaves_nothing(aws: Aws, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts that were sent are removed, and the earlier object stays unchanged."""
    monkeypatch.setattr(aws_module, "ATTEMPTS", 1)
    with fault_proxy(aws.url) as proxy:
        objects = S3Objects(Bucket(NAME, "broken"), replace(settings, s3_endpoint=proxy.url))
        objects.put("a", io.BytesIO(b"before"))
        proxy.judge = lambda _number, _method, path: "500" if "partNumber=2" in path else None
        with pytest.raises(StorageError, match=f"cannot write s3://{NAME}/broken/a: 500"):
            objects.put("a", io.BytesIO(bytes(PART + 1)))

    assert "Uploads" not in aws.client("s3").list_multipart_uploads(Bucket=NAME)
    assert read(S3Objects(Bucket(NAME, "broken"), settings), "a") == b"before"


@pytest.mark.parametrize("size", [1, PART + 1], ids=["at once", "in parts"])
def test_an_interrupted_upload_ends_at_once(aws: Aws, settings: Settings, size: int) -> None:
    """Ctrl-C ends the sending to a bucket that hangs, and the process does not wait for running requests."""
    with fault_proxy(aws.url) as proxy:
        proxy.judge = lambda _number, method, _path: "slow" if method == "PUT" else None
        environment = os.environ | {"DOCKERCISE_S3_ENDPOINT": proxy.url}
        command = [sys.executable, "-c", SENDER, f"s3://{NAME}", str(size)]
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as sender:
            while sum(method == "PUT" for method, _ in proxy.seen) < 2 and sender.poll() is None:  # until both requests hang
                time.sleep(0.05)
            sender.send_signal(signal.SIGINT)
            said, _ = sender.communicate(timeout=PATIENCE / 2)

    assert said == "interrupted\n"


@pytest.mark.parametrize("may_remove", [True, False])
def test_a_long_log_is_compressed_in_a_bucket(
    aws: Aws, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, may_remove: bool
) -> None:
    """The sent part of the plain log is removed if that is allowed; if it is not, the log can still be read."""
    monkeypatch.setattr(mirror_module, "GROWING_SECONDS", 0.01)
    said: list[str] = []
    with fault_proxy(aws.url) as proxy:
        proxy.judge = lambda _number, method, _path: "403" if method == "DELETE" and not may_remove else None
        bucket = S3Objects(Bucket(NAME, f"long-{may_remove}"), replace(settings, s3_endpoint=proxy.url))
        store = MirroredStore(bucket, "shop", UnsentRun(tmp_path / "unsent" / run_id()), said.append)
        store.start(to_json(SHOP))
        log = store.log("greet")
        log.write(b"hello\n" * LONGEST_PLAIN)
        while not any(path.endswith("/greet.log") for _, path in proxy.seen):
            time.sleep(0.05)
        log.write(b"the end\n")
        log.close()
        store.stage_ended("greet", StageSummary(StageStatus.PASSED), Kept())
        store.settle()
        store.finish(RunSummary(run_id(), "shop", RunStatus.PASSED))
        printed = b"".join(RecordedRun(bucket, "shop", run_id()).log("greet", 3))

    kept = {key.rpartition("/")[2] for key in aws.objects(NAME) if key.startswith(f"long-{may_remove}/")}
    assert printed == (b"hello\n" * LONGEST_PLAIN + b"the end\n")[3:]
    assert kept == {"index.json", "greet.json", "greet.log.zst", "summary.json", *(() if may_remove else ("greet.log",))}
    assert said == []


class Growing(io.BytesIO):
    """A log that grows whenever a part of it is read."""

    def read(self, size: int | None = -1, /) -> bytes:
        """See `BytesIO`."""
        part = super().read(size)
        here = self.tell()
        self.seek(0, io.SEEK_END)
        self.write(b"more" * 1000)
        self.seek(here)
        return part


@pytest.mark.parametrize("size", [3, PART - 1, PART, PART + 3, 2 * PART])
def test_a_log_that_grows_is_sent_as_it_was(objects: S3Objects, size: int) -> None:
    """Additions during the sending are ignored: only the last of many parts may be small, and the sending must end."""
    content = os.urandom(size)

    objects.put("hello/run/a.log", Growing(content))

    assert read(objects, "hello/run/a.log") == content


def test_objects_are_private_typed_and_encrypted(aws: Aws, settings: Settings) -> None:
    """Only the owner has access, browsers receive the content type, and the encryption follows the settings."""
    client = aws.client("s3")
    key = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
    wanted = {
        "plain": (settings, {}),
        "aes": (replace(settings, s3_encryption="AES256"), {"ServerSideEncryption": "AES256"}),
        "kms": (replace(settings, s3_kms_key=key), {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}),
    }
    for prefix, (how, expected) in wanted.items():
        S3Objects(Bucket(NAME, prefix), how).put("report.html", io.BytesIO(b"<p>"))

        head = client.head_object(Bucket=NAME, Key=f"{prefix}/report.html")
        acl = client.get_object_acl(Bucket=NAME, Key=f"{prefix}/report.html")
        assert head["ContentType"] == "text/html; charset=utf-8"
        assert {name: head[name] for name in expected} == expected
        assert [grant["Grantee"]["ID"] for grant in acl["Grants"]] == [acl["Owner"]["ID"]]


def test_a_link_works_without_credentials(objects: S3Objects, settings: Settings) -> None:
    """A signed link gives anybody the object; with `link_hours = 0` there is only the plain URL."""
    objects.put("hello/run/☃ a.log", io.BytesIO(b"hello\n"))

    link = objects.link("hello/run/☃ a.log")

    assert httpx.get(link).content == b"hello\n"
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in link  # other signatures do not work for objects that KMS encrypted
    plain = S3Objects(Bucket(NAME, "x"), replace(settings, link_hours=0)).link("hello/run/a.log")
    assert plain == f"s3://{NAME}/x/hello/run/a.log"


def test_a_role_is_assumed(aws: Aws, settings: Settings) -> None:
    """With a role, objects are written with the credentials of the role."""
    account = "210987654321"
    role = f"arn:aws:iam::{account}:role/results"
    before = len(aws.issued_secrets(account))

    S3Objects(Bucket(NAME, "of-a-role"), replace(settings, aws_role=role)).put("a.log", io.BytesIO(b"x"))

    assert len(aws.issued_secrets(account)) > before


@pytest.mark.parametrize("endpoint", [True, False])
def test_another_storage_is_spoken_to_by_its_address(aws: Aws, settings: Settings, endpoint: bool) -> None:
    """Requests go to `s3_endpoint`, with the bucket in the path."""
    with fault_proxy(aws.url) as proxy:
        how = replace(settings, s3_endpoint=proxy.url) if endpoint else settings

        S3Objects(Bucket(NAME, "x"), how).put("a.log", io.BytesIO(b"x"))

        assert proxy.seen == ([("PUT", f"/{NAME}/x/a.log")] if endpoint else [])


def test_what_goes_wrong_is_said_with_what_to_do(aws: Aws, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing bucket and missing credentials are refusals; a service that is down or fails allows another attempt."""
    monkeypatch.setattr(aws_module, "ATTEMPTS", 1)
    with pytest.raises(RefusedError, match=r"cannot write s3://no-such-bucket/a: NoSuchBucket") as raised:
        S3Objects(Bucket("no-such-bucket", ""), settings).put("a", io.BytesIO(b""))
    assert raised.value.hint == "create the bucket, or choose another one with `--results`"
    with pytest.raises(RefusedError, match="NoSuchBucket"):
        S3Objects(Bucket("no-such-bucket", ""), settings).folders("")

    with pytest.raises(StorageError, match=r"cannot write s3://results-of-mine/a: no answer from http://127.0.0.1:9") as failed:
        S3Objects(Bucket(NAME, ""), replace(settings, s3_endpoint="http://127.0.0.1:9")).put("a", io.BytesIO(b""))
    assert not isinstance(failed.value, RefusedError)

    with fault_proxy(aws.url) as proxy:
        proxy.after(0, "500")
        failing = S3Objects(Bucket(NAME, ""), replace(settings, s3_endpoint=proxy.url))
        with pytest.raises(StorageError, match="cannot write s3://results-of-mine/a: 500") as failed:
            failing.put("a", io.BytesIO(b""))
        assert not isinstance(failed.value, RefusedError)

    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    for how in (settings, replace(settings, aws_role="arn:aws:iam::210987654321:role/results")):
        with pytest.raises(RefusedError, match="there are no AWS credentials") as raised:
            S3Objects(Bucket(NAME, ""), how).put("a", io.BytesIO(b""))
        assert raised.value.hint


def test_a_denied_right_is_a_refusal_with_what_to_do(aws: Aws, settings: Settings) -> None:
    """A missing right to write is reported once, with a hint, and is not tried again."""
    with fault_proxy(aws.url) as proxy:
        proxy.after(0, "403")
        denied = S3Objects(Bucket(NAME, ""), replace(settings, s3_endpoint=proxy.url))

        with pytest.raises(RefusedError, match="cannot write s3://results-of-mine/a: 403") as raised:
            denied.put("a", io.BytesIO(b""))

        assert raised.value.hint == RIGHTS_HINT
        assert len(proxy.seen) == 1


def test_an_object_that_breaks_off_is_no_object(aws: Aws, settings: Settings) -> None:
    """An incomplete answer is an error of the place, and is not taken for the whole object."""
    S3Objects(Bucket(NAME, "cut"), settings).put("a.log", io.BytesIO(bytes(1_000_000)))
    with fault_proxy(aws.url) as proxy:
        proxy.after(0, "cut")
        broken = S3Objects(Bucket(NAME, "cut"), replace(settings, s3_endpoint=proxy.url))

        with pytest.raises(StorageError, match=r"cannot read s3://results-of-mine/cut/a\.log") as raised:
            read(broken, "a.log")

    assert not isinstance(raised.value, RefusedError | NotStoredError)


def test_a_role_that_is_none_is_refused_in_words(settings: Settings) -> None:
    """A role that AWS rejects as invalid is an error on one line that names the wrong parameter."""
    with pytest.raises(RefusedError, match=r"Parameter validation failed: .*RoleArn, value: 1\b") as raised:
        S3Objects(Bucket(NAME, ""), replace(settings, aws_role="x")).put("a", io.BytesIO(b""))

    assert "\n" not in raised.value.message


def test_a_connection_that_is_not_safe_is_not_taken_for_none(
    aws: Aws, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If https is required and the server does not use it, the error reports that."""
    monkeypatch.setattr(aws_module, "ATTEMPTS", 1)
    safe = aws.url.replace("http:", "https:")

    with pytest.raises(StorageError, match=f"no secure connection to {safe}") as raised:
        S3Objects(Bucket(NAME, ""), replace(settings, s3_endpoint=safe)).put("a", io.BytesIO(b""))

    assert "AWS_CA_BUNDLE" in str(raised.value.hint)


def test_places_in_buckets_are_read_as_they_stand() -> None:
    """Slashes at both ends do not count; the rest of a prefix is not changed."""
    assert parse_bucket("s3://bucket") == Bucket("bucket", "")
    assert parse_bucket("s3://my.bucket-1//a/ b%20/☃/") == Bucket("my.bucket-1", "a/ b%20/☃")
    assert parse_bucket("s3://bucket/x").url == "s3://bucket/x"
