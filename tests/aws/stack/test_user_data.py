"""The first boot of a host: its steps, in a folder instead of /opt, with a package in a bucket on moto's server.

Debian's packages and the agent of Session Manager count as installed already, so that nothing of this machine is changed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest

from dockercise_prefect.aws.names import StackNames
from dockercise_prefect.aws.parameters import StackParameters
from dockercise_prefect.aws.report import Phase
from dockercise_prefect.aws.stack import rendering
from tests.support.aws.moto import FOLDER_KEY_ID, FOLDER_SECRET, REGION, Aws

SCRIPT = Path(rendering.__file__).with_name("user_data.sh")
PACKAGE = "s3:host/0123abc/"
HOST = """\
import os, pathlib, sys

def main():
    with open(os.environ["CALLS"], "a") as calls:
        print(*sys.argv[1:], file=calls)
    sys.exit(3 if pathlib.Path(os.environ["CALLS"] + ".fail").exists() else 0)
"""
"""Stands for dockercise: notes how it was called, and fails if a file says so."""


@dataclass(frozen=True)
class Boot:
    """A new host, as far as the script sees it."""

    folder: Path
    environment: Mapping[str, str]

    def run(self) -> subprocess.CompletedProcess[str]:
        """Run the user data, as cloud-init does."""
        script = SCRIPT.read_text(encoding="utf-8").replace("/opt/dockercise", str(self.folder / "opt"))
        file = self.folder / "part-001"
        program(file, "#!/bin/bash\n" + script.replace("/etc/systemd/system", str(self.folder)))
        return self._said(file)

    def boot_again(self) -> subprocess.CompletedProcess[str]:
        """Do what systemd does at the next boot."""
        unit = (self.folder / "dockercise-first-boot.service").read_text(encoding="utf-8")
        done = re.search(r"^ConditionPathExists=!(.*)$", unit, re.MULTILINE)
        start = re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)
        assert done is not None
        assert start is not None
        return self._said(Path("/bin/true") if Path(done[1]).exists() else Path(start[1]))

    def _said(self, file: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(file)], env=self.environment, capture_output=True, text=True, check=False)

    @property
    def calls(self) -> list[str]:
        """How dockercise was called."""
        return (self.folder / "calls").read_text(encoding="utf-8").splitlines()

    @property
    def fail(self) -> Path:
        """If this file exists, dockercise fails."""
        return self.folder / "calls.fail"


@pytest.fixture
def boot(aws: Aws, stack: str, tmp_path: Path) -> Boot:
    """A host whose package is in the bucket."""
    (tmp_path / "bin").mkdir()
    for name in ("dpkg", "amazon-ssm-agent", "sleep", "systemctl"):
        program(tmp_path / "bin" / name, "#!/bin/sh\nexit 0\n")
    (tmp_path / "opt/boot/bin").mkdir(parents=True)
    program(tmp_path / "opt/boot/bin/python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')  # has boto3
    aws.bucket(f"{stack}-bucket")
    for name, content in {"requirements.lock": b"", "dockercise_stub-1-py3-none-any.whl": wheel()}.items():
        aws.client("s3").put_object(Bucket=f"{stack}-bucket", Key=f"host/0123abc/{name}", Body=content)
    settings = json.dumps({"bucket": f"{stack}-bucket", "package": PACKAGE})
    aws.client("ssm").put_parameter(Name=f"/dockercise/{stack}/host", Value=settings, Type="String")
    aws.client("ssm").put_parameter(Name=f"/dockercise/{stack}/report", Value="{}", Type="String")
    environment = {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "CALLS": str(tmp_path / "calls"),
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_ACCESS_KEY_ID": FOLDER_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": FOLDER_SECRET,
        "STACK": stack,
        "REGION": REGION,
    }
    return Boot(tmp_path, environment)


@pytest.mark.docker
def test_first_boot(aws: Aws, stack: str, boot: Boot) -> None:
    """A first boot that fails says so on the console and in the report; the next boot goes on, and later ones do nothing."""
    parameters = StackParameters(aws.client("ssm"), StackNames(stack))
    boot.fail.touch()

    failed = boot.run()
    report = parameters.report()
    boot.fail.unlink()
    repaired = boot.boot_again()
    later = boot.boot_again()
    release = (boot.folder / "opt/current").resolve()
    made = release.stat().st_mtime_ns
    again = boot.run()

    assert failed.returncode == 3
    assert "dockercise: failed: set up the host (/var/log/cloud-init-output.log says more)" in failed.stdout
    assert report is not None
    assert (report.phase, report.error) == (Phase.FAILED, "the first boot failed: set up the host")
    assert (repaired.returncode, again.returncode) == (0, 0), repaired.stderr + again.stderr
    assert (later.returncode, later.stdout) == (0, "")
    assert repaired.stdout.splitlines()[-1] == "dockercise: the host is installed"
    assert boot.calls == [f"host install --stack {stack} --region {REGION}"] * 3
    assert release.name == hashlib.sha256(PACKAGE.encode()).hexdigest()[:16]
    assert release.stat().st_mtime_ns == made


def test_step_that_fails_is_named(tmp_path: Path) -> None:
    """If a step of the first boot fails, the console says which, and the script ends with an error."""
    for name, text in {"dpkg": "exit 1", "apt-get": 'echo "no mirror" >&2; exit 100', "sleep": "exit 0"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n", encoding="ascii")
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "STACK": "dockercise-none", "REGION": REGION}

    script = SCRIPT.read_text(encoding="utf-8")  # not as a file, which would be kept for the next boot
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=False)

    lines = [line for line in done.stdout.splitlines() if line.startswith("dockercise: ")]
    assert done.returncode == 100
    assert lines == [
        "dockercise: install Debian's packages",
        "dockercise: failed: install Debian's packages (/var/log/cloud-init-output.log says more)",
    ]


def program(path: Path, text: str) -> None:
    """Write a program."""
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def wheel() -> bytes:
    """A wheel with a program `dockercise` (the format is PyPA's specification of binary distributions)."""
    about = "dockercise_stub-1.dist-info"
    files = {
        "dockercise_stub.py": HOST,
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: dockercise-stub\nVersion: 1\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": "[console_scripts]\ndockercise = dockercise_stub:main\n",
    }
    lines = [f"{name},sha256={_digest(text)},{len(text)}" for name, text in files.items()]
    files[f"{about}/RECORD"] = "\n".join([*lines, f"{about}/RECORD,,", ""])
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii").rstrip("=")
