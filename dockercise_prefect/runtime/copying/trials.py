"""What trials of overlays have shown, kept in a folder, so that one trial is enough for an engine."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = "overlays"
"""The folder in the data folder."""

_FOLDER_MODE = 0o700


@dataclass(frozen=True, slots=True)
class Trial:
    """The end of a trial.

    Attributes:
        trouble: why the engine cannot copy volumes by overlays; None if it can.
    """

    trouble: str | None


class Trials:
    """The last trial of each engine. Thread-safe.

    What cannot be written or read is not known: then there is another trial.

    Args:
        folder: where they are; None if they are not kept.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def of(self, engine: str) -> Trial | None:
        """The last trial of an engine (`OverlayFacts.engine`); None if there was none."""
        if (file := self._file(engine)) is None:
            return None
        try:
            trouble = json.loads(file.read_bytes())["trouble"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return Trial(None if trouble is None else str(trouble))

    def note(self, engine: str, trial: Trial) -> None:
        """Keep how a trial ended."""
        if (file := self._file(engine)) is None:
            return
        temporary = file.with_name(f".{file.name}.{os.getpid()}")
        with suppress(OSError):
            file.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            temporary.write_text(json.dumps(asdict(trial)), encoding="utf-8")
            temporary.replace(file)

    def forget(self, engine: str) -> None:
        """Let the next run try again."""
        if (file := self._file(engine)) is not None:
            with suppress(OSError):
                file.unlink(missing_ok=True)

    def _file(self, engine: str) -> Path | None:
        if self._folder is None or not engine:
            return None
        return self._folder / f"{hashlib.sha256(engine.encode()).hexdigest()}.json"
