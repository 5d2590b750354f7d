"""Knows which variables a script has set at the place of a use, in subshells, functions and sourced files too."""

from __future__ import annotations

from dataclasses import dataclass, field

from dockercise_prefect.compiler.shell.naming import Use


@dataclass(slots=True)
class Frame:
    """What a script, or the body of a function, needs from the code that runs it.

    Attributes:
        uses: variables that it uses from outside, with their first uses.
        doubtful: those that a sourced file may have set before.
        sets: variables that it sets for the code around it.
        calls: functions that it calls.
        sources: whether it sources a file, whose text is not known.
    """

    uses: dict[str, Use] = field(default_factory=dict)
    doubtful: dict[str, Use] = field(default_factory=dict)
    sets: set[str] = field(default_factory=set)
    calls: dict[str, None] = field(default_factory=dict)
    sources: bool = False
    is_called: bool = False

    def use(self, name: str, use: Use, *, doubtful: bool) -> None:
        """Note a use. Only the first use of a variable counts."""
        (self.doubtful if doubtful else self.uses).setdefault(name, use)


class Scope:
    """The state at one place of a script: the variables that are set, and the working directory.

    A subshell has its own scope. It begins as the scope around it, and does not change that one.
    """

    def __init__(self, frame: Frame, folder: str | None, around: Scope | None = None) -> None:
        self.frame = frame
        self.folder = folder
        self._around = around
        self._set: set[str] = set()
        self._sourced = around is not None and around.sourced

    @property
    def sourced(self) -> bool:
        """Whether a file was sourced that may have set anything."""
        return self._sourced

    def inner(self) -> Scope:
        """The scope of a subshell that begins here."""
        return Scope(self.frame, self.folder, self)

    def has(self, name: str) -> bool:
        """Whether the variable is set here."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope._set:  # noqa: SLF001  of this class
                return True
            scope = scope._around  # noqa: SLF001  its own kind
        return False

    def use(self, name: str, use: Use) -> None:
        """Note that the variable's value is used here."""
        if not self.has(name):
            self.frame.use(name, use, doubtful=self._sourced)

    def set(self, name: str, *, local: bool = False) -> None:
        """Note that the variable is set here."""
        self._set.add(name)
        if self._around is None and not local:
            self.frame.sets.add(name)

    def source(self) -> None:
        """Note that a file is sourced here, which may set anything."""
        self._sourced = True
        if self._around is None:
            self.frame.sources = True


class Functions:
    """The functions of a script. What a function uses counts where it is called, or at the end if nothing calls it."""

    _STEPS = 200_000
    """The most variables that are checked for calls. After that, what functions use counts as used, whatever is set."""

    def __init__(self) -> None:
        self._by_name: dict[str, Frame] = {}
        self._all: list[Frame] = []
        self._left = self._STEPS

    def define(self, name: str, frame: Frame) -> None:
        """Add a function."""
        self._by_name[name] = frame
        self._all.append(frame)

    def call(self, name: str, scope: Scope, *, inside: bool) -> None:
        """Note that a command of this name is called. A call inside a function counts when that function is called."""
        if inside:
            scope.frame.calls[name] = None
        elif name in self._by_name:
            self._apply(self._by_name[name], scope)

    def finish(self, scope: Scope) -> None:
        """Apply the functions that nothing called. Code that cannot be followed may call them: `trap`, `"$command"`."""
        for frame in self._all:
            if not frame.is_called:
                self._apply(frame, scope)

    def _apply(self, called: Frame, scope: Scope) -> None:
        if self._left < 0 and called.is_called:
            return
        for frame in self._reached(called):
            frame.is_called = True
            self._left -= 1 + len(frame.uses) + len(frame.doubtful) + len(frame.sets)
            for name, use in frame.uses.items():
                if self._left < 0:
                    scope.frame.use(name, use, doubtful=False)
                else:
                    scope.use(name, use)
            for name, use in frame.doubtful.items():
                if not scope.has(name):
                    scope.frame.use(name, use, doubtful=True)
            for name in frame.sets:
                scope.set(name)
            if frame.sources:
                scope.source()

    def _reached(self, called: Frame) -> list[Frame]:
        """A function and those that it calls, directly or through others, callers first."""
        found = {id(called): called}
        waiting = [called]
        while waiting:
            calls = waiting.pop().calls
            frames = [self._by_name[name] for name in calls if name in self._by_name]
            waiting += [frame for frame in frames if id(frame) not in found]
            found.update((id(frame), frame) for frame in frames)
        return list(found.values())
