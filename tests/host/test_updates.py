"""Another version of dockercise on a host."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import stat
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from dockercise_prefect.errors import DockerciseError
from dockercise_prefect.host.installing import PROBLEM, installed_problem
from dockercise_prefect.host.releases import Releases
from tests.host.machine import CONFIG, Machine
from tests.support.aws.moto import Aws

pytestmark = pytest.mark.docker  # for the server


def wheel(folder: Path, version: str, script: str) -> Path:
    """A wheel `dockercise-prefect` whose command `dockercise` runs a script."""
    name = f"dockercise_prefect-{version}"
    files = {
        f"{name}.data/scripts/dockercise": f"#!/bin/sh\n{script}\n",
        f"{name}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: dockercise-prefect\nVersion: {version}\n",
        f"{name}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [
        (path, f"sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()}", len(text))
        for path, text in files.items()
    ]
    record = io.StringIO()
    csv.writer(record).writerows([*rows, (f"{name}.dist-info/RECORD", "", "")])
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in {**files, f"{name}.dist-info/RECORD": record.getvalue()}.items():
            info = zipfile.ZipInfo(member)
            info.external_attr = (stat.S_IFREG | 0o755) << 16  # pip lets only such files be programs
            archive.writestr(info, text)
    return path


def with_release(machine: Machine, package: str) -> Path:
    """A version that is in use on the machine, as the script of the first boot leaves it."""
    releases = Releases(machine.layout, None, "", machine.log.append)
    folder = releases.folder(package)
    folder.mkdir(parents=True)
    (folder / "complete").touch()
    machine.layout.current.symlink_to(folder)
    return folder


def test_an_update_lets_the_new_version_set_the_host_up(machine: Machine, tmp_path: Path) -> None:
    """Another package is installed beside the one in use and sets the host up; then it is in use, and the units start again."""
    with_release(machine, "dockercise-prefect==1")
    machine.install()
    package = str(wheel(tmp_path / "wheels", "2", f'echo "new $*" >> {machine.recorded}'))

    commands = machine.install(replace(CONFIG, package=package))

    releases = Releases(machine.layout, None, "", machine.log.append)
    assert releases.is_current(package)
    assert releases.current_package() == package
    assert f"new host set-up --stack dockercise-t --region eu-west-1 --root {machine.layout.root}" in commands
    assert commands[-1].startswith("systemctl restart --no-block dockercise-sleep.path")
    assert installed_problem(machine.layout.data) is None
    assert [command for command in machine.install(replace(CONFIG, package=package)) if "restart" in command] == []


@pytest.mark.parametrize("broken", ["is missing", "cannot set up"])
def test_a_failed_update_leaves_the_version_from_before(machine: Machine, tmp_path: Path, broken: str) -> None:
    """If the package cannot be installed, or cannot set the host up, the version from before goes on, and it is said why."""
    before = with_release(machine, "dockercise-prefect==1")
    machine.install()
    if broken == "is missing":
        package = str(tmp_path / "dockercise_prefect-2-py3-none-any.whl")
    else:
        package = str(wheel(tmp_path / "wheels", "2", "echo no such stack >&2; exit 3"))

    machine.install(replace(CONFIG, package=package))

    assert machine.layout.current.resolve() == before.resolve()
    problem = installed_problem(machine.layout.data) or ""
    assert problem.startswith(f"the update to {package} failed: `")
    assert broken == "is missing" or "exit status 3: no such stack" in problem
    machine.install()
    assert not (machine.layout.data / PROBLEM).exists()


def test_a_package_in_the_bucket_is_installed_with_its_lock(machine: Machine, aws: Aws, tmp_path: Path) -> None:
    """The wheel and the lock come from a folder of the bucket; without the lock, the update fails and says what is missing."""
    aws.bucket("stack-bucket")
    made = wheel(tmp_path / "wheels", "3", "exit 0")
    s3 = aws.client("s3")
    s3.put_object(Bucket="stack-bucket", Key=f"host/abc/{made.name}", Body=made.read_bytes())
    releases = Releases(machine.layout, s3, "stack-bucket", machine.log.append)

    with pytest.raises(DockerciseError, match=r"s3://stack-bucket/host/abc/ must have requirements\.lock and one wheel"):
        releases.install("s3:host/abc/")
    assert not releases.folder("s3:host/abc/").exists()
    s3.put_object(Bucket="stack-bucket", Key="host/abc/requirements.lock", Body=b"# nothing\n")
    folder = releases.install("s3:host/abc/")

    assert (folder / "bin/dockercise").exists()
    assert not (folder / "downloads").exists()
