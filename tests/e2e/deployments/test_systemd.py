"""`deployments/systemd`: systemd understands the units, and their services start, and end when they receive its signal."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.deploy_images import ROOT
from tests.support.prefect.prefect_records import eventually
from tests.support.prefect.workers import create_pool

pytestmark = pytest.mark.docker

UNITS = sorted((ROOT / "deployments/systemd").glob("*.service"))
HERE = str(Path(sys.executable).parent)
EXPOSURE = 4.0
"""The highest allowed value of `systemd-analyze security`: 10 is a unit without any protection."""


def installed(unit: Path, folder: Path) -> Path:
    """The unit as it would be installed, with this environment as the one that it starts."""
    copy = folder / unit.name
    copy.write_text(unit.read_text().replace("/opt/dockercise/bin", HERE))
    return copy


def values(unit: Path, key: str) -> list[str]:
    """All values of a key."""
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


def value(unit: Path, key: str) -> str:
    """The value of a key that occurs once."""
    (found,) = values(unit, key)
    return found


@contextmanager
def started(unit: Path, folder: Path, environment: Mapping[str, str], words: str) -> Iterator[Path]:
    """Run a unit's command with its variables and a folder for its state; gives the log. It must end in time at a signal."""
    state = folder / "state"
    state.mkdir()
    variables = dict(pair.split("=", 1) for line in values(unit, "Environment") for pair in line.split())
    theirs = {name: text.replace(f"/var/lib/{value(unit, 'StateDirectory')}", str(state)) for name, text in variables.items()}
    command = shlex.split(words.replace("/opt/dockercise/bin", HERE))
    with (folder / "log").open("w") as log:
        given = {"PATH": os.environ["PATH"], **environment, **theirs}
        process = subprocess.Popen(command, cwd=state, env=given, stdout=log, stderr=log)
        try:
            yield folder / "log"
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=int(value(unit, "TimeoutStopSec")))
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_understands_it(unit: Path, tmp_path: Path) -> None:
    """Every key and value is known to systemd, and the units have few rights that they do not need."""
    copy = installed(unit, tmp_path)

    verified = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    secured = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", str(copy)], capture_output=True, text=True, check=False
    )

    assert [line for line in verified.stderr.splitlines() if unit.name in line] == []
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", secured.stdout)
    assert exposure is not None, secured.stdout + secured.stderr
    assert float(exposure[1]) <= EXPOSURE


def test_the_worker_starts(tmp_path: Path, prefect_api: str) -> None:
    """The worker starts its work; without a change, it uses the default pool of registrations."""
    (unit,) = (unit for unit in UNITS if "worker" in unit.stem)
    environment = {"PREFECT_API_URL": prefect_api}
    create_pool(tmp_path.name, prefect_api)

    words, of_registrations = value(unit, "ExecStart"), "--pool dockercise "

    with started(unit, tmp_path, environment, words.replace(of_registrations, f"--pool {tmp_path.name} ")) as log:
        eventually(log.read_text, lambda text: "started!" in text)

    assert of_registrations in words
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_the_receiver_starts(tmp_path: Path, prefect_api: str) -> None:
    """The receiver waits for pushes, and ends in order."""
    (unit,) = (unit for unit in UNITS if "webhook" in unit.stem)

    with started(unit, tmp_path, {"PREFECT_API_URL": prefect_api}, f"{value(unit, 'ExecStart')} --port 0") as log:
        eventually(log.read_text, lambda text: "waiting for pushes" in text)

    assert " ending\n" in (tmp_path / "log").read_text()
