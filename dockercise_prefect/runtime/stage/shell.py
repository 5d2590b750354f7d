"""A shell in the place of a stage's script: the container is made from the same job, and the user sits at its streams.

The variables do not come through standard input as in a stage (`boot`), because a terminal would show them and would break
long lines. They come in a file, which the boot empties as soon as it has read it, before the shell begins.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from typing import Final

from dockercise_prefect.archives.tarball import File, tar_stream
from dockercise_prefect.pipeline import Stage
from dockercise_prefect.pipeline.shells import is_posix_shell, words_of
from dockercise_prefect.runtime.dialogue import Dialogue, InteractiveEngine
from dockercise_prefect.runtime.engine import ContainerMount, ContainerSpec, ResolvedImage
from dockercise_prefect.runtime.stage.attempt import StageAttempt, run_attempt
from dockercise_prefect.runtime.stage.boot import SHELL, Launch, boot_from_file, input_block
from dockercise_prefect.runtime.stage.job import Job, JobResult
from dockercise_prefect.runtime.stage.outcome import Verdict, judge
from dockercise_prefect.runtime.stage.ports import OutputWriter, Ports
from dockercise_prefect.runtime.stage.running import Deadline
from dockercise_prefect.runtime.stage.secret_files import in_memory
from dockercise_prefect.runtime.stage.variables import Variables

FOLDER: Final = "/.dockercise"
"""The folder with the files of the shell."""

SCRIPT: Final = f"{FOLDER}/script"
"""The script of the stage."""

SCRIPT_VARIABLE: Final = "DOCKERCISE_SCRIPT"
"""The variable with that path."""

_VARIABLES: Final = "variables"
_MARKER: Final = "end"


@dataclass(frozen=True, slots=True)
class ShellAttempts:
    """Makes the attempts at stages for a shell (`attempts.RunAttempt`): one of them is the shell, others only build its image.

    Attributes:
        stage: the stage of the shell.
        engine: the engine of the attempts.
        dialogue: the user's side of the shell.
        begins: called just before the shell begins.
    """

    stage: Stage
    engine: InteractiveEngine
    dialogue: Dialogue
    begins: Callable[[], object]

    def run(self, job: Job, ports: Ports) -> JobResult:
        """Make one attempt."""
        if job.stage.name != self.stage.name:
            return run_attempt(job, ports)
        return _ShellAttempt(job, ports, self).result()


def program(shell: Sequence[str]) -> tuple[str, ...]:
    """The shell for a user, in a stage whose script is run by this `shell`: without options, since `-e` would end it."""
    words = tuple(takewhile(lambda word: not word.startswith("-"), shell))
    return words if words and is_posix_shell(words) else (SHELL,)


def how_to_run(stage: Stage) -> str | None:
    """The command that runs the script as the stage does; None for a stage without a script, or with its image's entrypoint."""
    if stage.run is None:
        return None
    if stage.entrypoint is not None:
        return shlex.join((*stage.entrypoint, *words_of(stage.run))) if stage.entrypoint else None
    shell = stage.shell or ("sh",)
    return " ".join((*shell, "-e", SCRIPT) if is_posix_shell(stage.shell) else (*shell, SCRIPT))


class _ShellAttempt(StageAttempt):
    def __init__(self, job: Job, ports: Ports, how: ShellAttempts) -> None:
        super().__init__(job, ports)
        self._how = how
        self._unseen: bytes = b""

    def _launch(self, image: ResolvedImage, variables: Variables) -> Launch:
        del image
        self._unseen = input_block(variables.unseen, _MARKER, in_memory(variables.files))
        return Launch(boot_from_file(f"{FOLDER}/{_VARIABLES}", _MARKER, program(self._stage.shell)))

    def _spec(self, image: ResolvedImage, start: Launch, variables: Variables, own: ContainerMount) -> ContainerSpec:
        spec = super()._spec(image, start, variables, own)
        known = {} if self._stage.run is None else {SCRIPT_VARIABLE: SCRIPT}
        return replace(spec, env={**spec.env, **known}, stdin=True, terminal=self._how.dialogue.size is not None)

    def _script(self, image: ResolvedImage, start: Launch) -> Iterator[ContainerMount]:
        del start
        # The folder is root's, and only the file of the variables can be written to, by whoever the shell runs as.
        files = [File(path=_VARIABLES, size=len(self._unseen), content=lambda: [self._unseen], mode=0o666)]
        if self._stage.run is not None:
            text = self._stage.run.encode("utf-8", "surrogateescape")
            files.append(File(path=SCRIPT.rpartition("/")[2], size=len(text), content=lambda: [text], mode=0o555))
        yield ContainerMount("volume", self._volumes.filled("shell", image.id, tar_stream(files)), FOLDER, read_only=False)

    def _execute(self, container: str, start: Launch, deadline: Deadline | None, writer: OutputWriter) -> Verdict:
        """A shell has no timeout, and what it prints is only shown."""
        del start, deadline, writer
        ending = partial(self._ports.engine.stop, container)
        with self._ports.running.watch(ending, None, self._stage.stop_grace) as watch:
            if watch.stop is not None:
                return Verdict(watch.stop.status, None, watch.stop.message)
            self._how.begins()
            state = self._how.engine.interact(container, self._how.dialogue)
        return judge(state, stop=watch.stop, never_fail=False, answers=False)
