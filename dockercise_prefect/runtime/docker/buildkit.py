"""A build with BuildKit, by the `docker` command. The command reads the context from its standard input and prints the log."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from itertools import chain
from typing import IO, Any, Final

from docker import APIClient

from dockercise_prefect.archives.tarball import BLOCK, File, tar_stream
from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.docker.command import BuildCommand, with_credentials
from dockercise_prefect.runtime.docker.errors import engine_errors
from dockercise_prefect.runtime.docker.ignore import DockerIgnore
from dockercise_prefect.runtime.docker.marks import build_name, marked
from dockercise_prefect.runtime.image_build import BuildEnd, BuildSpec
from dockercise_prefect.runtime.output_sink import OutputSink

KILL_AFTER: Final = 15.0
"""Seconds that the command may take to end a build that was stopped. After that, it is killed."""

_IGNORE_FILE: Final = ".dockerignore"

_CHUNK: Final = 1 << 16

_LAST_WORDS: Final = 8192
"""Bytes at the end of the log that hold the command's reason for a failure."""

_STEP_FAILED = re.compile(r"exit code: (\d+)$")
_BEFORE_THE_REASON = re.compile(
    r"^(?:ERROR: |failed to (?:build|solve)(?: with frontend [\w.]+)?: |failed to create LLB definition: "
    r"|rpc error: code = \w+ desc = )+"
)

Credentials = Callable[[], Mapping[str, Mapping[str, Any]]]


class BuildKitBuild:
    """One build (`runtime.engine.ImageBuild` says what each method promises).

    Its image gets a name from us, by which it is found and removed. What BuildKit keeps in its cache stays there.

    Args:
        client: of the engine, shared by all threads.
        command: the command that builds on that engine.
        spec: what is built.
        context: a tar stream.
        credentials: returns credentials for registries besides those of the user's configuration; None if there are no others.
    """

    def __init__(
        self,
        client: APIClient,
        command: BuildCommand,
        spec: BuildSpec,
        context: Iterable[bytes],
        credentials: Credentials | None,
    ) -> None:
        self._client = client
        self._command = command
        self._spec = spec
        self._context = chain([_front(spec)], context)
        self._credentials = credentials
        self._mark = secrets.token_hex(16)
        self._doing = f"cannot build the image of {spec.what}"
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._failure: BaseException | None = None

    def run(self, sink: OutputSink) -> BuildEnd:
        with ExitStack() as stack:
            process = self._begin(stack)
            feeder = threading.Thread(target=self._feed, args=(process.stdin,), name="build-context", daemon=True)
            feeder.start()
            try:
                last_words = _pass_on(process.stderr, sink)
                status = process.wait()
            finally:
                self._kill(process)
            feeder.join()
        if self._failure is not None and not self._stopped:
            raise self._failure
        if self._stopped:
            raise self._broken_off()
        return BuildEnd(self._image()) if status == 0 else failed_end(last_words, self._doing)

    def stop(self) -> None:
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
            if self._process is not None:
                _signal(self._process, signal.SIGTERM)
                timer = threading.Timer(KILL_AFTER, _signal, (self._process, signal.SIGKILL))
                timer.daemon = True
                timer.start()

    def _begin(self, stack: ExitStack) -> subprocess.Popen[bytes]:
        environment = {**self._command.environment, **_secret_variables(self._spec)}
        if self._credentials is not None:
            environment |= stack.enter_context(with_credentials(self._credentials(), environment))
        with self._lock:
            if self._stopped:
                raise self._broken_off()
            with engine_errors(f"{self._doing}: the `docker` command cannot be started"):
                # Its own session: Ctrl-C must not reach the command, and its plugin is stopped together with it.
                self._process = subprocess.Popen(
                    [*self._command.words, *arguments(self._spec, self._mark)],
                    env=environment,
                    cwd="/",
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
            return stack.enter_context(self._process)

    def _feed(self, stdin: IO[bytes]) -> None:
        """Send the context to the command. The command may end before it has read all of it."""
        with suppress(BrokenPipeError), stdin:
            try:
                for chunk in self._context:
                    stdin.write(chunk)
            except BrokenPipeError:
                raise
            except BaseException as error:  # noqa: BLE001  raised again by `run`
                self._failure = error
                if self._process is not None:
                    _signal(self._process, signal.SIGTERM)

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        """Make sure that no process of the command runs any more."""
        with self._lock:
            self._process = None
        if process.poll() is None:
            _signal(process, signal.SIGKILL)

    def _image(self) -> str:
        with engine_errors(f"{self._doing}: the engine does not have the image that was built"):
            image: str = self._client.inspect_image(build_name(self._mark))["Id"]  # type: ignore[no-untyped-call]  # its stub has no types
            return image

    def _broken_off(self) -> EngineError:
        return EngineError(f"{self._doing}: it was interrupted")


def arguments(spec: BuildSpec, mark: str) -> list[str]:
    """The arguments of the command, which reads the context from its standard input.

    Args:
        spec: what is built.
        mark: of the build.
    """
    words = ["--progress=plain", "--tag", build_name(mark), "--file", spec.path]
    words += ["--network", "default" if spec.network == "bridge" else spec.network]
    for name, value in marked(spec.labels, mark).items():
        words += ["--label", f"{name}={value}"]
    for name, value in spec.args.items():
        words += ["--build-arg", f"{name}={value}"]
    for name, variable in zip(spec.secrets, _secret_variables(spec), strict=True):
        words += ["--secret", f"id={name},env={variable}"]
    if spec.target is not None:
        words += ["--target", spec.target]
    if spec.platform is not None:
        words += ["--platform", spec.platform]
    if spec.pull:
        words += ["--pull"]
    return [*words, "-"]


def _secret_variables(spec: BuildSpec) -> dict[str, str]:
    """The variables of the command that hold the secrets, in order; only this user and root can read them."""
    return {f"DOCKERCISE_SECRET_{number}": os.fsdecode(text) for number, text in enumerate(spec.secrets.values())}


def failed_end(last_words: bytes, doing: str) -> BuildEnd:
    """How a build ended that did not make an image.

    Every line of a step's own output begins with a number, so the last line is the command's own. It gives the exit code of a
    step that failed, or the reason for any other failure.

    Args:
        last_words: the end of the log.
        doing: begins the message of an error.

    Raises:
        EngineError: the build failed, but not because a step failed.
    """
    lines = [line for line in last_words.decode(errors="replace").splitlines() if line.strip()]
    last = lines[-1].strip() if lines else "the `docker` command printed nothing"
    if found := _STEP_FAILED.search(last):
        return BuildEnd(None, int(found[1]))
    raise EngineError(f"{doing}: {_BEFORE_THE_REASON.sub('', last)}")


def _pass_on(log: IO[bytes] | None, sink: OutputSink) -> bytes:
    """Pass on the log until it ends; return the end of it."""
    last_words = b""
    while log is not None and (chunk := os.read(log.fileno(), _CHUNK)):
        sink("stderr", chunk)
        last_words = (last_words + chunk)[-_LAST_WORDS:]
    return last_words


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def _front(spec: BuildSpec) -> bytes:
    """What is sent before the context: the Dockerfile, which `.dockerignore` may exclude, and `.dockerignore` itself."""
    files = [_file(spec.path, spec.dockerfile)]
    if spec.ignore is not None and not DockerIgnore(spec.ignore).excludes(_IGNORE_FILE):
        files.append(_file(_IGNORE_FILE, spec.ignore))
    return b"".join(tar_stream(files))[: -2 * BLOCK]  # no end-of-archive blocks: the context follows


def _file(path: str, text: bytes) -> File:
    return File(path=path, size=len(text), content=lambda: [text], mtime=0)
