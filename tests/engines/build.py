"""A build of the scripted engine: its image has the context's files, and the instructions of its Dockerfile are not run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from dockercise_prefect.errors import EngineError
from dockercise_prefect.runtime.image_build import BuildEnd, BuildSpec
from dockercise_prefect.runtime.output_sink import OutputSink
from tests.engines.container import Behaviour, ContractBreachError
from tests.engines.files import Tree, unpack


class ScriptedBuild:
    """One build; the output of its behaviour is its log.

    Args:
        begun: called when the build goes on; raises if the engine does not answer.
        make: makes the image from the files.

    Attributes:
        spec: the description of the build.
        files: the files of the context.
        going_on: whether it has begun and not ended.
    """

    def __init__(
        self,
        spec: BuildSpec,
        context: Iterable[bytes],
        behaviour: Behaviour,
        begun: Callable[[], None],
        make: Callable[[Tree], str],
    ) -> None:
        self.spec = spec
        self.files = Tree()
        self.going_on = False
        self._context = context
        self._behaviour = behaviour
        self._begun = begun
        self._make = make
        self._used = False
        self._over = threading.Event()
        self._stopped = False

    def run(self, sink: OutputSink) -> BuildEnd:
        """Take the context, print, and wait if the behaviour blocks."""
        if self._used:
            raise ContractBreachError(f"the build of {self.spec.what} is run again")
        self._used = True
        for path, entry in unpack(self._context):
            self.files.write(path, entry)
        self.going_on = True
        self._begun()
        try:
            return self._act(sink)
        finally:
            self.going_on = False

    def stop(self) -> None:
        """Make it end."""
        self._stopped = True
        self._over.set()

    def _act(self, sink: OutputSink) -> BuildEnd:
        behaviour = self._behaviour
        for text in filter(None, (behaviour.stdout, behaviour.stderr)):
            sink("stderr", text)
        if behaviour.blocks:
            self._over.wait()
        if self._stopped:
            raise EngineError(f"cannot build the image of {self.spec.what}: it was interrupted")
        if behaviour.start_error is not None:
            raise EngineError(f"cannot build the image of {self.spec.what}: {behaviour.start_error}")
        if behaviour.exit_code:
            return BuildEnd(None, behaviour.exit_code)
        return BuildEnd(self._make(self.files.copy()))
