"""The set-up of a host in a temporary root, with recorders in place of the commands that need a whole machine."""

from __future__ import annotations

import hashlib
import json
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore.stub import Stubber  # type: ignore[import-untyped]  # has no types

from dockercise_prefect.errors import MachineError
from dockercise_prefect.host.files import wanted_files
from dockercise_prefect.host.machine import Layout
from dockercise_prefect.host.volume import device_of, ensure_mounted, fstab_with, instance_id, is_blank
from dockercise_prefect.results.places.objects import RefusedError
from tests.host.machine import CONFIG, STARTED, VOLUME, Machine

pytestmark = pytest.mark.docker  # for the server


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
    assert [command for command in commands if command.startswith("systemctl") and "mask" not in command] == [
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


def test_systemd_finds_no_fault_in_the_units(machine: Machine) -> None:
    """The checker of systemd accepts all units, if the programs that the units name exist."""
    machine.install(replace(CONFIG, jobs=True))
    root = machine.layout.root
    current = "opt/dockercise/current/bin"
    for program in (f"{current}/dockercise", f"{current}/prefect", "usr/bin/systemctl", "usr/sbin/sshd"):
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

    assert len(units) == 11
    assert (done.returncode, done.stderr) == (0, "")


def test_jobs_are_let_in_only_if_the_stack_says_so(machine: Machine) -> None:
    """With jobs, a user of the engine and a server for ssh on this machine exist; without them again, the server is gone."""
    before = machine.install()
    with_jobs = machine.install(replace(CONFIG, jobs=True))
    server = machine.layout.logins.read_text()
    again = machine.install(replace(CONFIG, jobs=True))
    after = machine.install()

    made = "useradd --system --user-group --groups docker --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin"
    assert not [command for command in before if "ssh.service" in command and "mask" not in command]
    assert f"{made} --password * dockercise-job" in with_jobs
    assert with_jobs[-1] == f"{STARTED} dockercise-ssh.service"
    program = "/opt/dockercise/current/bin/dockercise aws job-keys --stack dockercise-t --region eu-west-1"
    assert f"\nAuthorizedKeysCommand {program}\n" in server
    assert "\nListenAddress 127.0.0.1\n" in server
    assert not [command for command in again if "useradd" in command or "restart" in command]
    assert "systemctl disable --now dockercise-ssh.service" in after
    assert after[-1] == STARTED
    assert not machine.layout.logins.exists()
    assert not (machine.layout.units / "dockercise-ssh.service").exists()


def test_debians_own_server_for_ssh_is_off(machine: Machine) -> None:
    """The server of Debian's image, which stages could reach, is stopped for ever, once."""
    first = machine.install()
    for unit in ("ssh.service", "ssh.socket"):
        (machine.layout.units / unit).symlink_to("/dev/null")  # what `systemctl mask` does

    again = machine.install()

    assert "systemctl mask --now --quiet ssh.service ssh.socket" in first
    assert not [command for command in again if "mask" in command]
