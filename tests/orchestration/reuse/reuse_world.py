"""Runs of one pipeline on a scripted engine, one after the other, with the same results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from dockercise_prefect.orchestration.run.events import Notice
from dockercise_prefect.orchestration.run.failure import RunFailedError
from dockercise_prefect.orchestration.run.launch import launch
from dockercise_prefect.orchestration.run.options import RunOptions
from dockercise_prefect.results.places.folder import FolderObjects
from dockercise_prefect.results.reading.recorded_run import RecordedRun
from dockercise_prefect.settings import Settings
from tests.compiler.sources import compiled
from tests.engines.container import Behaviour, ScriptedContainer
from tests.engines.scripted import BUSYBOX, ScriptedEngine
from tests.orchestration.running import Ran


@dataclass
class ReuseWorld:
    """Runs pipelines. Scripts: `make` prints and leaves the same each time, `use` looks at that.

    Attributes:
        seen: what each `use` saw of `make`: what it printed, and the file that it left.
    """

    engine: ScriptedEngine
    settings: Settings
    root: Path
    seen: list[tuple[bytes, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine.script("make", Behaviour(stdout=b"a value\n", writes={"/make/file": b"content"}))
        self.engine.script("use", Behaviour(action=self._look))

    def run(self, text: str, meta: str = "name: p", **how: object) -> Ran:
        """Run the pipeline of a text. All stages have the image of the scripted engine."""
        pipeline = compiled(a=f"meta: {{{meta}, defaults: {{img: '{BUSYBOX}'}}}}\n{text}")
        events: list[object] = []
        options = replace(RunOptions(settings=self.settings, engine=self.engine, observer=events.append), **how)  # type: ignore[arg-type]  # free keywords
        try:
            return Ran(launch(pipeline, self.root, (), options), None, events)  # type: ignore[arg-type]  # only events come
        except RunFailedError as failure:
            return Ran(failure.summary, failure, events)  # type: ignore[arg-type]  # as above

    def write(self, **files: str) -> None:
        """Write files of the code; `__` in a name stands for `/`."""
        for name, text in files.items():
            path = self.root / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def contents(self) -> Iterator[Path]:
        """The files with contents."""
        return (path for path in (Path(self.settings.results) / ".cache/content").rglob("*") if path.is_file())

    def lists(self) -> Iterator[Path]:
        """The files with lists of files."""
        return (path for path in (Path(self.settings.results) / ".cache/lists").rglob("*") if path.is_file())

    def stored(self) -> bytes:
        """All bytes in the results, as they are on the disk."""
        return b"\n".join(path.read_bytes() for path in Path(self.settings.results).rglob("*") if path.is_file())

    def record(self, ran: Ran) -> RecordedRun:
        """The record of a run."""
        return RecordedRun(FolderObjects(Path(self.settings.results)), "p", ran.summary.run_id)

    def _look(self, container: ScriptedContainer) -> None:
        self.seen.append((container.read("/out/make"), container.read("/make/file")))


def started(ran: Ran) -> set[str]:
    """The stages of a run that were not reused."""
    return {name for name, stage in ran.summary.stages.items() if stage.reused_from is None and stage.started is not None}


def whys(ran: Ran) -> list[str]:
    """What the run said about stages that were not reused."""
    return [event.text for event in ran.events if isinstance(event, Notice) and "is not reused: " in event.text]
