"""The set-up of a host in a temporary root, with recorders in place of the commands that need a whole machine."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import stat
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from botocore.stub import Stubber  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.aws.parameters import HostConfig
from dockercise_prefect.errors import DockerciseError, MachineError
from dockercise_prefect.host.files import wanted_files
from dockercise_prefect.host.installing import PROBLEM, install, installed_problem
from dockercise_prefect.host.machine import Layout
from dockercise_prefect.host.releases import Releases
from dockercise_prefect.host.volume import device_of, ensure_mounted, fstab_with, instance_id, is_blank
from dockercise_prefect.results.places.objects import RefusedError
from tests.support.aws.moto import Aws

VOLUME = "vol-0123456789abcdef0"
CONFIG = HostConfig(
    stack="dockercise-t",
    region="eu-west-1",
    queue="https://sqs.example.org/dockercise-t-pushes.fifo",
    lost="https://sqs.example.org/dockercise-t-lost.fifo",
    bucket="stack-bucket",
    volume=VOLUME,
    log_group="dockercise/dockercise-t",
    host_log_group="dockercise/dockercise-t/host",
    idle_minutes=10,
    prefect_api_url="",
    package="dockercise-prefect==1",
)

STARTED = (
    "systemctl start --no-block dockercise-sleep.path dockercise-prefect.socket dockercise-prefect.service "
    "dockercise-worker.service dockercise-webhook.service dockercise-host.service dockercise-gc.timer"
)

RECORDER = '#!/bin/sh\necho "$(basename "$0") $*" >> "$RECORDED"\n'
GETENT = '#!/bin/sh\ngrep -q "^useradd" "$RECORDED"\n'


@dataclass
class Machine:
    """A machine whose root is a temporary folder.

    Attributes:
        layout: its folders.
        recorded: the file with the commands that changed it.
        log: what was said.
    """

    aws: Aws
    layout: Layout
    recorded: Path
    log: list[str] = field(default_factory=list)

    def install(self, config: HostConfig = CONFIG, prefect: dict[str, str] | None = None) -> list[str]:
        """Set it up, and return the commands that it took."""
        before = len(self.commands())
        clients = {"ec2": self.aws.client("ec2"), "s3": self.aws.client("s3")}
        install(config, prefect or {}, self.layout, self.log.append, **clients)
        return self.commands()[before:]

    def commands(self) -> list[str]:
        """All commands."""
        return self.recorded.read_text().splitlines()

    def content(self) -> dict[str, tuple[str, int]]:
        """All files with their modes and the times of their last change, without the commands and the device."""
        found = [path for path in self.layout.root.rglob("*") if path.is_file() and "dev/disk" not in str(path)]
        return {str(path.relative_to(self.layout.root)): (path.read_text(), path.stat().st_mtime_ns) for path in found}


@pytest.fixture
def machine(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with the blank volume attached."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ("systemctl", "useradd", "chown", "mount"):
        (commands / name).write_text(RECORDER)
    (commands / "getent").write_text(GETENT)
    for file in commands.iterdir():
        file.chmod(0o755)
    recorded = tmp_path / "recorded"
    recorded.touch()
    monkeypatch.setenv("RECORDED", str(recorded))
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}:/usr/sbin:/sbin")
    layout = Layout(tmp_path / "root")
    device = device_of(VOLUME, layout)
    device.parent.mkdir(parents=True)
    with device.open("wb") as blank:
        blank.truncate(8 << 20)
    layout.fstab.parent.mkdir(parents=True)
    layout.fstab.write_text("# the system\nUUID=1 / ext4 defaults 0 1\n")
    return Machine(aws, layout, recorded)


def test_a_blank_machine_becomes_a_host(machine: Machine) -> None:
    """The volume has a file system and is mounted, the user exists, the engine's data is on the volume, and the units start."""
    commands = machine.install()

    assert not is_blank(device_of(VOLUME, machine.layout))
    identity = machine.layout.fstab.read_text().splitlines()[-1]
    assert identity.startswith("UUID=")
    assert identity.endswith(" /var/lib/dockercise ext4 defaults,nofail,x-systemd.device-timeout=5min 0 2")
    assert f"mount {machine.layout.kept}" in commands
    assert [command for command in commands if command.startswith("useradd --system --uid 9200")]
    assert json.loads(machine.layout.daemon.read_text()) == {"data-root": "/var/lib/dockercise/docker"}
    assert "systemctl restart --no-block docker.service" in commands
    assert commands[-1] == STARTED
    assert stat.S_IMODE(machine.layout.data.stat().st_mode) == 0o700
    variables = (machine.layout.config / "host.env").read_text()
    assert 'DOCKERCISE_RESULTS="s3://stack-bucket/results"\n' in variables
    assert 'DOCKERCISE_GUARD_HOST="true"\n' in variables
    assert 'PREFECT_API_URL="http://127.0.0.1:4200/api"\n' in variables


def test_again_nothing_changes(machine: Machine) -> None:
    """The second time, no file is written, no unit is started again, and the volume is not touched."""
    machine.install()
    before = machine.content()
    # The mount is a recorder, so the volume counts as not mounted: even then, its file system is kept.
    identity = machine.layout.fstab.read_text()

    commands = machine.install()

    assert machine.content() | {"etc/fstab": before["etc/fstab"]} == before
    assert machine.layout.fstab.read_text() == identity
    assert [command for command in commands if command.startswith("systemctl")] == [
        "systemctl daemon-reload",  # for the table of file systems
        STARTED,
    ]


def test_only_what_has_changed_is_started_again(machine: Machine) -> None:
    """A unit that somebody edited is repaired and started again, and no other."""
    machine.install()
    worker = machine.layout.units / "dockercise-worker.service"
    wanted = worker.read_text()
    worker.write_text("edited")

    commands = machine.install()

    assert worker.read_text() == wanted
    assert [command for command in commands if "restart" in command] == [
        "systemctl restart --no-block dockercise-worker.service"
    ]


def test_a_prefect_of_ones_own_needs_no_server_on_the_host(machine: Machine) -> None:
    """With an address, the units of the host's own Prefect are stopped and removed, and its login is only root's to read."""
    machine.install()

    commands = machine.install(replace(CONFIG, prefect_api_url="https://prefect.example.org/api"), {"PREFECT_API_KEY": 'k"\\'})

    login = machine.layout.config / "prefect.env"
    assert 'PREFECT_API_KEY="k\\"\\\\"\n' in login.read_text()
    assert stat.S_IMODE(login.stat().st_mode) == 0o600
    assert 'PREFECT_API_URL="https://prefect.example.org/api"' in (machine.layout.config / "host.env").read_text()
    assert "systemctl disable --now dockercise-prefect.service" in commands
    assert not (machine.layout.units / "dockercise-prefect.service").exists()
    assert "dockercise-prefect" not in commands[-1]


def test_the_engine_keeps_its_other_settings(machine: Machine) -> None:
    """What is configured for the engine besides its data folder stays; a file that is not JSON is refused untouched."""
    machine.layout.daemon.parent.mkdir(parents=True)
    machine.layout.daemon.write_text('{"dns": ["10.0.0.2"]}')

    machine.install()

    assert json.loads(machine.layout.daemon.read_text()) == {"dns": ["10.0.0.2"], "data-root": "/var/lib/dockercise/docker"}
    machine.layout.daemon.write_text("{broken")
    with pytest.raises(MachineError, match=r"daemon\.json cannot be read as a JSON object"):
        machine.install()
    assert machine.layout.daemon.read_text() == "{broken"


def test_a_login_of_several_lines_is_refused() -> None:
    """A value that could add variables of its own is refused, and the message does not have it."""
    config = replace(CONFIG, prefect_api_url="https://prefect.example.org/api")

    with pytest.raises(MachineError) as caught:
        wanted_files(config, {"PREFECT_API_KEY": "hush\nPATH=/tmp"}, Layout())

    assert "hush" not in str(caught.value)


def test_a_volume_with_other_data_is_left_alone(machine: Machine) -> None:
    """A volume that has something else on it is neither formatted nor mounted."""
    device = device_of(VOLUME, machine.layout)
    subprocess.run(["mkswap", str(device)], check=True, capture_output=True)
    before = hashlib.sha256(device.read_bytes()).hexdigest()

    with pytest.raises(MachineError, match=f"the volume {VOLUME} has something else"):
        machine.install()

    assert hashlib.sha256(device.read_bytes()).hexdigest() == before
    assert not [command for command in machine.commands() if command.startswith("mount")]


def test_the_table_of_file_systems_has_the_volume_once() -> None:
    """Another volume replaces the line of the one before; comments and other lines stay."""
    first = fstab_with("# /var/lib/dockercise\nUUID=1 / ext4 defaults 0 1\n", "a")
    second = fstab_with(first, "b")

    assert second == first.replace("UUID=a", "UUID=b")
    assert first.splitlines()[:2] == ["# /var/lib/dockercise", "UUID=1 / ext4 defaults 0 1"]


def test_the_volume_of_a_predecessor_is_waited_for(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another instance has the volume, the host says so once and waits; when it is free, it comes to this instance."""
    device = device_of(VOLUME, machine.layout)
    away = device.rename(device.with_name("away"))
    client = machine.aws.client("ec2")
    ours = {"VolumeId": VOLUME, "InstanceId": "i-0123", "Device": "/dev/sdf"}
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            away.rename(device)

    with metadata("i-0123") as endpoint, Stubber(client) as answers:  # moto attaches a volume to any number of instances
        answers.add_client_error("attach_volume", "VolumeInUse", expected_params=ours)
        answers.add_client_error("attach_volume", "IncorrectState", expected_params=ours)
        answers.add_response("attach_volume", {}, ours)
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint)
        ensure_mounted(VOLUME, client, machine.layout, machine.log.append, wait=wait)
        answers.assert_no_pending_responses()

    assert machine.log[:2] == [
        f"the volume {VOLUME} belongs to another instance: waiting for it",
        f"the volume {VOLUME} is attached",
    ]
    assert f"mount {machine.layout.kept}" in machine.commands()


def test_a_volume_that_may_not_be_attached_is_an_error(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """If EC2 refuses, the host does not wait for what will not come."""
    device_of(VOLUME, machine.layout).unlink()
    client = machine.aws.client("ec2")

    with metadata("i-0123") as endpoint, Stubber(client) as answers:
        answers.add_client_error("attach_volume", "UnauthorizedOperation", "You are not authorized", 403)
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint)
        with pytest.raises(RefusedError, match=f"cannot attach the volume {VOLUME}: UnauthorizedOperation"):
            ensure_mounted(VOLUME, client, machine.layout, machine.log.append)


@contextmanager
def metadata(instance: str) -> Iterator[str]:
    """The metadata service of an instance, as IMDSv2: it answers only who has asked for a token."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self._answer(200 if self.path == "/latest/api/token" else 404, "the-token")

        def do_GET(self) -> None:
            known = self.headers.get("X-aws-ec2-metadata-token") == "the-token"
            self._answer(200 if known and self.path == "/latest/meta-data/instance-id" else 401, instance)

        def _answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def test_outside_of_ec2_the_metadata_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a metadata service, the message says so and asks whether this is EC2."""
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9")

    with pytest.raises(MachineError, match=r"metadata of the instance cannot be read: ConnectError\n  hint: is this EC2"):
        instance_id()


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


def test_systemd_finds_no_fault_in_the_units(machine: Machine) -> None:
    """The checker of systemd accepts all units, if the programs that the units name exist."""
    machine.install()
    root = machine.layout.root
    for program in ("opt/dockercise/current/bin/dockercise", "opt/dockercise/current/bin/prefect", "usr/bin/systemctl"):
        (root / program).parent.mkdir(parents=True, exist_ok=True)
        (root / program).write_text("#!/bin/sh\n")
        (root / program).chmod(0o755)
    (root / "opt/dockercise/current/bin/python").symlink_to("dockercise")
    units = sorted(path.name for path in machine.layout.units.glob("dockercise-*.*") if path.is_file())

    done = subprocess.run(
        ["systemd-analyze", "verify", f"--root={root}", "--man=no", "--recursive-errors=no", *units],
        capture_output=True,
        text=True,
        check=False,
    )

    assert len(units) == 10
    assert (done.returncode, done.stderr) == (0, "")
