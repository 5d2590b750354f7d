"""The loop of `watch`: a round, then a wait for changes, and again."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Protocol, TypeAlias

from dockercise_prefect.cli.watching.code_changes import is_definition
from dockercise_prefect.cli.watching.rounds import Round, with_latest
from dockercise_prefect.cli.watching.words import WAITING, what_changed, what_runs
from dockercise_prefect.errors import DefinitionError, DockerciseError, EngineError, ExitStatus, NothingToDoError
from dockercise_prefect.pipeline import Pipeline
from dockercise_prefect.pipeline.touched import SeenFiles, is_in_one_of, written_folders

SETTLING = 1.0
"""Seconds after a round in which changes still count as made by its stages, where stages can write below the root."""


@dataclass(frozen=True, slots=True)
class Changed:
    """Paths have changed."""

    paths: frozenset[str]


@dataclass(frozen=True, slots=True)
class Ended:
    """The round has ended."""

    round: Round


@dataclass(frozen=True, slots=True)
class Asked:
    """A signal has asked the command to end."""

    number: signal.Signals


@dataclass(frozen=True, slots=True)
class Broken:
    """The files cannot be watched any more."""

    error: DockerciseError


Event: TypeAlias = Changed | Ended | Asked | Broken


class Rounds(Protocol):
    """Runs rounds, one at a time. The end of each arrives as an event."""

    def prepare(self) -> None:
        """Get the next round ready while nobody waits for it."""
        ...

    def begin(self, resumed: Sequence[str]) -> None:
        """Begin a round that resumes these runs."""
        ...

    def stop(self, number: signal.Signals) -> None:
        """Ask the round to end, with a signal, as `run` is asked."""
        ...


@dataclass
class WatchLoop:
    """Runs rounds until it is asked to end.

    Attributes:
        events: what happens. Used by the main thread alone, so that a signal wakes it.
        rounds: runs the rounds.
        compiled: returns the stages of the next round, or raises what is wrong with them.
        code: returns the files of the code among paths, relative to the root.
        say: prints a line.
        show: prints what is wrong with the pipeline.
    """

    events: SimpleQueue[Event]
    rounds: Rounds
    compiled: Callable[[], Pipeline]
    code: Callable[[Iterable[str]], Sequence[str]]
    say: Callable[[str], None]
    show: Callable[[DockerciseError], None]
    _pipeline: Pipeline | None = None
    _before: Pipeline | None = None
    _resumed: tuple[Round, ...] = ()
    _changed: set[str] = field(default_factory=set)
    _asked: bool = False

    def run(self) -> int:
        """Run the first round at once, and another one after each change.

        Returns:
            The exit status, after a signal has asked for the end.

        Raises:
            DockerciseError: the files cannot be watched any more, the root is gone, or there is nothing to run to begin with.
        """
        is_due = self._compile(None)
        while True:
            if is_due:
                status = self._round()
                if self._asked:
                    return status
            if not self._changed:
                self.rounds.prepare()
                self.say(WAITING)
                if self._wait():
                    return ExitStatus.INTERRUPTED
            self.say("")
            is_due = self._decide()

    def _decide(self) -> bool:
        """Say what the changes mean. Return whether there is a round because of them."""
        paths, self._changed = sorted(self._changed), set()
        if (self._pipeline is None or any(map(is_definition, paths))) and not self._compile(paths):
            return False
        assert self._pipeline is not None  # noqa: S101  it is compiled
        self.say(what_runs(paths, self._before, self._pipeline))
        return True

    def _compile(self, paths: Sequence[str] | None) -> bool:
        """Compile the pipeline, or say what is wrong with it. Return whether there is one.

        Args:
            paths: what has changed; None at the beginning.
        """
        try:
            self._pipeline = self.compiled()
        except (DefinitionError, EngineError, NothingToDoError) as error:
            if paths is None and isinstance(error, NothingToDoError):  # probably another folder was meant
                raise
            self._pipeline = None
            if paths is not None:
                self.say(what_changed(paths))
            self.show(error)
        return self._pipeline is not None

    def _round(self) -> int:
        """Run a round to its end. A change ends it early. Return its exit status, as that of the command."""
        assert self._pipeline is not None  # noqa: S101  it is compiled
        written = written_folders(self._pipeline)
        self.rounds.begin([one.run_id for one in self._resumed])
        while True:
            match self.events.get():
                case Changed(paths):
                    self._note_during_round(paths, written)
                case Asked(number):
                    is_news = self._asked or not self._changed  # a change has already stopped it as the first signal does
                    self._asked = True
                    if is_news:
                        self.rounds.stop(number)
                case Broken(error):
                    raise error
                case Ended(one):
                    break
        self._before = self._pipeline
        self._resumed = with_latest(self._resumed, one)
        if one.status < 0:
            self.say(f"the round was killed by {signal.Signals(-one.status).name}; the next round removes what it left")
        self._settle(written)
        return one.status if one.status == ExitStatus.ENGINE_FAILED else ExitStatus.INTERRUPTED

    def _note_during_round(self, paths: Iterable[str], written: frozenset[str]) -> None:
        """Note changes that count, and stop the round at the first one. What its own stages can write does not count."""
        before = bool(self._changed)
        self._changed.update(path for path in self._counting(paths) if is_definition(path) or not is_in_one_of(path, written))
        if self._changed and not before and not self._asked:
            self.rounds.stop(signal.SIGTERM)
            self.rounds.prepare()

    def _settle(self, written: frozenset[str]) -> None:
        """Wait for the last changes that the stages of a round have made themselves."""
        while written and not self._asked:
            try:
                event = self.events.get(timeout=SETTLING)
            except Empty:
                return
            match event:
                case Changed(paths):
                    self._changed.update(path for path in self._counting(paths) if not is_in_one_of(path, written))
                case Asked():
                    self._asked = True
                case Broken(error):
                    raise error
                case Ended():
                    pass

    def _wait(self) -> bool:
        """Wait until changes count. Return whether a signal has asked for the end instead."""
        while not self._changed:
            match self.events.get():
                case Changed(paths):
                    self._changed.update(self._counting(paths))
                case Asked():
                    return True
                case Broken(error):
                    raise error
                case Ended():
                    pass
        return False

    def _counting(self, paths: Iterable[str]) -> list[str]:
        """The paths that some stage sees, and those of the pipeline. Without a pipeline, these are all files of the code."""
        found = self.code(paths)
        if self._pipeline is None:
            return list(found)
        seen = set(SeenFiles(self._pipeline).among(found))
        return [path for path in found if path in seen or is_definition(path)]
