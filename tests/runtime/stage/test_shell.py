"""A shell in the place of a script: the same container from the same job."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from dockercise_prefect.pipeline import Pipeline, Stage, host, stage
from dockercise_prefect.runtime.attempts import StagePorts
from dockercise_prefect.runtime.dialogue import Dialogue, Size
from dockercise_prefect.runtime.engine import ContainerSpec, ExitState
from dockercise_prefect.runtime.options import RuntimeOptions
from dockercise_prefect.runtime.output_sink import Channel
from dockercise_prefect.runtime.stage.boot import LOST_INPUT, boot_from_file, input_block
from dockercise_prefect.runtime.stage.environment import VariableTexts
from dockercise_prefect.runtime.stage.job import JobResult
from dockercise_prefect.runtime.stage.shell import ShellAttempts, how_to_run, program
from dockercise_prefect.runtime.workspace import Workspace
from tests.engines.scripted import BUSYBOX, ScriptedEngine
from tests.runtime.workspaces import IDENTITY, MemoryOutputs, run_all

SHELLS = [path for name in ("dash", "busybox", "bash") if (path := shutil.which(name))]

CHECK = stage(
    "check",
    image=BUSYBOX,
    run="make check",
    env={"TOKEN": host("TOKEN"), "LEVEL": "2"},
    user="1000",
    network="none",
    memory=1 << 26,
    working_dir="/check",
    timeout=1,
)


class Nobody:
    """A user who says nothing, with a terminal of this size or with none."""

    def __init__(self, size: Size | None) -> None:
        self.size = size

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """See `Dialogue`."""
        yield

    def read(self, patience: float) -> bytes | None:
        """See `Dialogue`."""
        return b""

    def write(self, channel: Channel, chunk: bytes) -> None:
        """See `Dialogue`."""


class Interactive(ScriptedEngine):
    """A scripted engine for shells. It keeps the files that a shell finds."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}
        self.modes: dict[str, int] = {}

    def interact(self, container: str, dialogue: Dialogue) -> ExitState:
        """See `InteractiveEngine`."""
        for name, entry in self.container(container).below("/.dockercise"):
            self.files[name], self.modes[name] = entry.data, entry.mode
        return self.run(container, b"", dialogue.write)


def shell_in(engine: Interactive, one: Stage, size: Size | None = None) -> JobResult:
    """Open a shell in a stage that needs no other."""
    attempts = ShellAttempts(one, engine, Nobody(size), lambda: None)
    pipeline = Pipeline("p☃", [one])
    with Workspace(engine, pipeline, IDENTITY, RuntimeOptions(None, 1, aws=False), lambda _: None, attempts.run) as workspace:
        workspace.prepare()
        texts = VariableTexts(pipeline, {one.name: {"TOKEN": "a'b\nc"}})
        return workspace.run_stage(one, {}, StagePorts(texts=texts, outputs=MemoryOutputs()), lambda *_: None)


def own(spec: ContainerSpec) -> ContainerSpec:
    """A container without what no two containers have in common, and without what a shell has in addition."""
    mounts = tuple(replace(mount, source="") for mount in spec.mounts if mount.target != "/.dockercise")
    env = {name: text for name, text in spec.env.items() if name != "DOCKERCISE_SCRIPT"}
    return replace(spec, name="", command=(), mounts=mounts, env=env, terminal=False)


def test_the_container_is_that_of_the_stage(scripted: ScriptedEngine) -> None:
    """A shell's container differs from the stage's in its command, its terminal, and the folder with the script alone."""
    engine = Interactive()

    result = shell_in(engine, CHECK, Size(24, 80))
    run_all(scripted, CHECK, outside={"TOKEN": "a'b\nc"})

    (of_shell,) = [spec for spec in engine.specs if spec.labels.get("dockercise.itself")]
    (of_stage,) = [spec for spec in scripted.specs if spec.labels.get("dockercise.itself")]
    assert own(of_shell) == own(of_stage)
    assert (of_shell.terminal, of_stage.terminal) == (True, False)
    assert of_shell.env["DOCKERCISE_SCRIPT"] == "/.dockercise/script"
    assert result.exit_code == 0
    assert engine.leftovers() == []


def test_variables_are_in_a_file_and_the_script_too() -> None:
    """Variables from outside are in no configuration, but in a file that every user can empty. The script is executable."""
    engine = Interactive()

    shell_in(engine, CHECK)

    assert engine.files[".dockercise/script"] == b"make check"
    assert (engine.modes[".dockercise/script"], engine.modes[".dockercise/variables"]) == (0o555, 0o666)
    assert b"command export TOKEN='a'\\''b" in engine.files[".dockercise/variables"]
    assert "a'b" not in str([replace(spec, mounts=()) for spec in engine.specs])


@pytest.mark.parametrize(
    ("shell", "opened", "command"),
    [
        ((), ("/bin/sh",), "sh -e /.dockercise/script"),
        (("bash", "-eo", "pipefail"), ("bash",), "bash -eo pipefail -e /.dockercise/script"),
        (("busybox", "sh"), ("busybox", "sh"), "busybox sh -e /.dockercise/script"),
        (("python3", "-u"), ("/bin/sh",), "python3 -u /.dockercise/script"),
    ],
)
def test_the_shell_of_a_stage(shell: tuple[str, ...], opened: tuple[str, ...], command: str) -> None:
    """A user gets the stage's own shell without options, or `/bin/sh`, and is told how the stage runs its script."""
    assert program(shell) == opened
    assert how_to_run(replace(CHECK, shell=shell)) == command
    assert how_to_run(replace(CHECK, run=None)) is None


@pytest.mark.parametrize("shell", SHELLS)
def test_the_boot_leaves_the_input_alone(shell: str, tmp_path: Path) -> None:
    """All variables arrive, whatever their length, the file is empty then, and the input is the shell's. No file, no shell."""
    link, file, texts = tmp_path / "sh", tmp_path / "variables", {"A": b"a'b\n\n  c\\n", "LONG": b"x" * 100_000}
    link.symlink_to(shell)
    file.write_bytes(input_block(texts, "end"))
    command = [str(link) if word == "/bin/sh" else word for word in boot_from_file(str(file), "end", ["/bin/sh"])]

    done = subprocess.run(command, input=b'printf %s "$A$LONG"; exit 3', capture_output=True, timeout=120, check=False)
    again = subprocess.run(command, input=b"echo no", capture_output=True, timeout=120, check=False)
    left = file.read_bytes()
    file.unlink()
    missing = subprocess.run(command, input=b"echo no", capture_output=True, timeout=120, check=False)

    assert (done.stdout, done.returncode) == (texts["A"] + texts["LONG"], 3)
    assert left == b""
    assert (again.stdout, again.returncode) == (b"", LOST_INPUT)
    assert (missing.stdout, missing.returncode) == (b"", LOST_INPUT)
