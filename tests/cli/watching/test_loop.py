"""The loop of `watch`, with rounds that are scripted."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue

import pytest

from dockercise_prefect.cli.watching.loop import Asked, Broken, Changed, Ended, Event, WatchLoop
from dockercise_prefect.cli.watching.rounds import Round
from dockercise_prefect.cli.watching.words import WAITING
from dockercise_prefect.compiler import compile_sources
from dockercise_prefect.errors import DockerciseError, EngineError, NothingToDoError
from dockercise_prefect.pipeline import Pipeline
from tests.compiler.sources import sources

CTRL_C = Asked(signal.SIGINT)

SHOP = """\
meta: {defaults: {img: x}}
build: {run: x, vol: "code/src:/src"}
test: {run: x, vol: build}
"""


def changed(*paths: str) -> Changed:
    """These files have changed."""
    return Changed(frozenset(paths))


def passed(run_id: str, *stages: str) -> Ended:
    """The round has ended, and these stages passed."""
    return Ended(Round(0, run_id, frozenset(stages or {"build", "test"})))


@dataclass
class World:
    """Rounds that go as they are told. Each wait takes the next of `later`, and then Ctrl-C is pressed.

    Attributes:
        during: what happens in each round, one after the other.
        later: what happens while nothing runs.
        text: the pipeline.
        is_deaf: whether a round that is stopped goes on; otherwise it ends by itself.
    """

    during: list[list[Event]]
    later: list[Event] = field(default_factory=list)
    text: str = SHOP
    is_deaf: bool = False
    lines: list[str] = field(default_factory=list)
    begun: list[list[str]] = field(default_factory=list)
    stops: list[signal.Signals] = field(default_factory=list)
    shown: list[DockerciseError] = field(default_factory=list)
    prepared: int = 0
    events: SimpleQueue[Event] = field(default_factory=SimpleQueue)

    def prepare(self) -> None:
        self.prepared += 1

    def begin(self, resumed: Sequence[str]) -> None:
        self.begun.append(list(resumed))
        for event in self.during.pop(0):
            self.events.put(event)

    def stop(self, number: signal.Signals) -> None:
        self.stops.append(number)
        if not self.is_deaf:
            self.events.put(Ended(Round(130, f"stopped {len(self.stops)}", frozenset({"build"}))))

    def run(self) -> int:
        """Watch until Ctrl-C."""
        return WatchLoop(self.events, self, self._compiled, self._code, self._say, self.shown.append).run()

    def _compiled(self) -> Pipeline:
        return compile_sources(sources(a=self.text), "shop").pipeline

    def _code(self, paths: Iterable[str]) -> list[str]:
        return sorted(paths)

    def _say(self, line: str) -> None:
        self.lines.append(line)
        if line == WAITING:
            self.events.put(self.later.pop(0) if self.later else CTRL_C)


def test_it_runs_at_once_and_then_waits() -> None:
    """Ctrl-C ends the wait. Meanwhile the next round was got ready, and no round was stopped."""
    world = World([[passed("one")]])

    status = world.run()

    assert (status, world.begun, world.stops, world.lines) == (130, [[]], [], [WAITING])
    assert world.prepared == 1


def test_a_change_begins_a_round_that_resumes_the_one_before() -> None:
    """An empty line and a line that says what changed and which stages see it stand between the rounds."""
    world = World([[passed("one")], [passed("two")]], [changed("src/main.go")])

    world.run()

    assert world.begun == [[], ["one"]]
    assert world.lines == [WAITING, "", "src/main.go changed: runs build", WAITING]


def test_a_stage_that_did_not_start_is_taken_from_an_earlier_round() -> None:
    """A round that failed is resumed, and the round before it too."""
    failed = Ended(Round(1, "two", frozenset()))
    world = World([[passed("one")], [failed], [passed("three")]], [changed("src/a"), changed("src/a")])

    world.run()

    assert world.begun == [[], ["one"], ["one"]]


def test_files_that_no_stage_sees_begin_nothing() -> None:
    """The wait goes on, and nothing is said."""
    world = World([[passed("one")], [passed("two")]])
    world.later = [changed("README.md", "docs/page.md")]
    world.events.put(changed("README.md"))

    world.during[0].append(changed("docs/page.md"))
    world.during[0].append(changed("src/main.go"))

    world.run()

    assert world.lines[:3] == [WAITING, "", "src/main.go changed: runs build"]


def test_a_change_during_a_round_cancels_it() -> None:
    """It is asked to end once, whatever else changes meanwhile; then the next round begins, without a wait."""
    world = World([[changed("README.md"), changed("src/a"), changed("src/b")], [passed("two")]])

    world.run()

    assert world.stops == [signal.SIGTERM]
    assert world.begun == [[], ["stopped 1"]]
    assert world.lines == ["", "src/a, src/b changed: runs build", WAITING]
    assert world.prepared == 2


def test_ctrl_c_during_a_round_ends_the_round_and_the_command() -> None:
    """The round gets the same signal, and no other round begins although something has changed."""
    world = World([[CTRL_C, changed("src/a")]])

    status = world.run()

    assert (status, world.stops, len(world.begun)) == (130, [signal.SIGINT], 1)
    assert world.lines == []


def test_a_second_ctrl_c_reaches_the_round_too() -> None:
    """There it ends the clean-up."""
    world = World([[CTRL_C, CTRL_C]])

    assert world.run() == 130
    assert world.stops == [signal.SIGINT, signal.SIGINT]


def test_ctrl_c_while_a_change_cancels_a_round_does_not_count_twice() -> None:
    """The round has its first signal already. It cleans up in peace, and nothing begins after it."""
    world = World([[changed("src/a"), CTRL_C]])

    assert world.run() == 130
    assert world.stops == [signal.SIGTERM]
    assert len(world.begun) == 1


def test_a_round_that_could_not_clean_up_gives_its_status() -> None:
    """Status 3 says that something failed that is not the pipeline's fault."""
    world = World([[CTRL_C, Ended(Round(3, "one"))]], is_deaf=True)

    assert world.run() == 3


def test_a_changed_pipeline_is_compiled_again() -> None:
    """The line names stages that are new or different."""
    world = World([[passed("one")], [passed("two")]], [changed("shop.dockercise.yaml")])
    before = world._compiled

    def compiled() -> Pipeline:
        found = before()
        world.text = SHOP.replace("test: {run: x", "test: {run: y") + "more: {run: x}\n"
        return found

    world._compiled = compiled  # type: ignore[method-assign]  # the user edits the file after it was read
    world.run()

    assert world.lines[2] == "shop.dockercise.yaml changed: runs test, more"


def test_findings_are_shown_and_the_wait_goes_on() -> None:
    """No round begins until the pipeline compiles. Meanwhile, all files of the code count."""
    world = World([[passed("one")]], [changed("README.md"), changed("shop.dockercise.yaml")], text="build: {oops: 1}\n")
    show = world.shown.append

    def shown(error: DockerciseError) -> None:
        show(error)
        if len(world.shown) == 2:
            world.text = SHOP

    loop = WatchLoop(world.events, world, world._compiled, world._code, world._say, shown)

    assert loop.run() == 130
    assert len(world.shown) == 2
    assert world.lines == [
        WAITING,
        "",
        "README.md changed",
        WAITING,
        "",
        "shop.dockercise.yaml changed: no stage is different",
        WAITING,
    ]
    assert world.begun == [[]]


def test_without_a_pipeline_there_is_nothing_to_watch() -> None:
    """Probably the user is in another folder."""
    world = World([])
    error = NothingToDoError("nothing to do")

    def compiled() -> Pipeline:
        raise error

    world._compiled = compiled  # type: ignore[method-assign]  # a folder without a pipeline

    with pytest.raises(NothingToDoError):
        world.run()


WRITING = "build: {img: x, run: x, vol: ['code', './out:/made']}\n"


def test_what_stages_write_below_the_root_does_not_cancel_their_round() -> None:
    """Neither does it begin another one, also if it is reported when the round has ended. A file beside it counts."""
    world = World([[changed("out/a"), passed("one"), changed("out/b"), changed("src/a")], [passed("two")]], text=WRITING)

    world.run()

    assert world.stops == []
    assert world.lines == ["", "src/a changed: runs build", WAITING]


def test_a_user_can_change_such_a_file_too() -> None:
    """While nothing runs, it counts."""
    world = World([[passed("one")], [passed("two")]], [changed("out/a")], text=WRITING)

    world.run()

    assert world.lines[:3] == [WAITING, "", "out/a changed: runs build"]


def test_a_killed_round_is_said() -> None:
    """The next change begins another one."""
    world = World([[Ended(Round(-9))], [passed("two")]], [changed("src/a")])

    world.run()

    assert world.lines[0] == "the round was killed by SIGKILL; the next round removes what it left"
    assert world.begun == [[], []]


@pytest.mark.parametrize("is_running", [True, False])
def test_files_that_cannot_be_watched_any_more_end_the_command(is_running: bool) -> None:
    """The error says why."""
    broken = Broken(EngineError("/shop cannot be watched"))
    world = World([[broken]]) if is_running else World([[passed("one")]], [broken])

    with pytest.raises(EngineError, match="cannot be watched"):
        world.run()


def test_many_names_are_counted() -> None:
    """The first three are named."""
    world = World([[passed("one")], [passed("two")]], [changed(*(f"src/{number}" for number in range(5)))])

    world.run()

    assert world.lines[2] == "src/0, src/1, src/2 and 2 more changed: runs build"
