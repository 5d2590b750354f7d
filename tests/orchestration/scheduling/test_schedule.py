"""The ready queue: which stage may start, and when."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.orchestration.scheduling.decisions import Blocked, Decision, Ready, Skipped, StageEnd
from dockercise_prefect.orchestration.scheduling.schedule import Schedule
from dockercise_prefect.pipeline import Pipeline, Stage, stage
from dockercise_prefect.status import StageStatus

PASSED = StageEnd(StageStatus.PASSED, 0)
FAILED = StageEnd(StageStatus.FAILED, 1)


def pipeline_of(edges: dict[str, list[str]]) -> Pipeline:
    stages: dict[str, Stage] = {}
    for name, needs in edges.items():
        stages[name] = stage(name, image="i", run="true", after=[stages[needed] for needed in needs])
    return Pipeline("p", list(stages.values()))


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    names = [f"s{number}" for number in range(draw(st.integers(1, 12)))]
    return {
        name: draw(st.lists(st.sampled_from(names[:position]), unique=True, max_size=4)) if position else []
        for position, name in enumerate(names)
    }


def run_through(edges: dict[str, list[str]], failing: set[str]) -> tuple[list[str], dict[str, str]]:
    """Run a graph one stage after the other; return the stages that ran, in order, and the blocked ones with their causes."""
    schedule = Schedule(pipeline_of(edges))
    ran: list[str] = []
    blocked: dict[str, str] = {}
    news = list(schedule.first())
    while news:
        item = news.pop(0)
        match item:
            case Ready(ready):
                ran.append(ready.name)
                news += schedule.settle(ready.name, FAILED if ready.name in failing else PASSED)
            case Blocked(never, because):
                assert because is not None
                blocked[never.name] = because
            case Skipped():
                raise AssertionError(item)
    return ran, blocked


def test_a_stage_is_ready_once_all_it_needs_has_succeeded() -> None:
    """The end of a diamond becomes ready with the second of its two sides, not with the first."""
    schedule = Schedule(pipeline_of({"top": [], "left": ["top"], "right": ["top"], "end": ["left", "right"]}))
    list(schedule.settle("top", PASSED))

    after_left = list(schedule.settle("left", PASSED))
    after_right = list(schedule.settle("right", PASSED))

    assert after_left == []
    assert [item.stage.name for item in after_right] == ["end"]


def test_a_blocked_stage_names_the_stage_that_failed() -> None:
    """A blocked stage names the stage that failed, never one that was blocked itself, however long the chain is."""
    _, blocked = run_through({"check": [], "publish": ["check"], "announce": ["publish"]}, failing={"check"})

    assert blocked == {"publish": "check", "announce": "check"}


def test_independent_branches_go_on() -> None:
    """A failure blocks only the stages that need it."""
    ran, blocked = run_through({"bad": [], "good": [], "after-bad": ["bad"], "after-good": ["good"]}, failing={"bad"})

    assert ran == ["bad", "good", "after-good"]
    assert set(blocked) == {"after-bad"}


def test_a_stage_is_blocked_only_when_all_it_needs_is_settled() -> None:
    """If one need has failed and another still runs, the stage is reported when the other has ended, so its edges exist."""
    schedule = Schedule(pipeline_of({"bad": [], "slow": [], "end": ["bad", "slow"]}))

    early = list(schedule.settle("bad", FAILED))
    late = list(schedule.settle("slow", PASSED))

    assert early == []
    assert late == [Blocked(late[0].stage, "bad")]


def test_a_long_chain_is_no_recursion() -> None:
    """Twenty thousand stages behind a failed one are all reported."""
    names = [f"s{number}" for number in range(20_000)]
    edges = {name: [names[position - 1]] if position else [] for position, name in enumerate(names)}

    ran, blocked = run_through(edges, failing={"s0"})

    assert ran == ["s0"]
    assert len(blocked) == len(names) - 1


@given(graphs(), st.data())
def test_every_stage_is_settled_once_and_after_all_it_needs(edges: dict[str, list[str]], data: st.DataObject) -> None:
    """Whatever fails, each stage runs or is blocked exactly once, and runs only if all its needs have succeeded."""
    failing = set(data.draw(st.lists(st.sampled_from(list(edges)), unique=True)))

    ran, blocked = run_through(edges, failing)

    assert sorted([*ran, *blocked]) == sorted(edges)
    for position, name in enumerate(ran):
        assert all(needed in ran[:position] and needed not in failing for needed in edges[name])
    assert all(because in failing and because in ran for because in blocked.values())


def clean_up(name: str, when: str, *after: Stage) -> Stage:
    return stage(name, image="i", run="true", when=when, after=after)


def names(decisions: Iterable[Decision]) -> list[str]:
    return [f"{type(decision).__name__} {decision.stage.name}" for decision in decisions]


def test_clean_up_without_edges_comes_last() -> None:
    """A clean-up stage that names no stage is decided when all ordinary stages are settled, wherever it was written."""
    a, b = stage("a", image="i", run="x"), stage("b", image="i", run="x")
    schedule = Schedule(Pipeline("p", [clean_up("always", "always"), clean_up("failure", "failure"), a, b]))

    assert names(schedule.first()) == ["Ready a", "Ready b"]
    assert names(schedule.settle("a", PASSED)) == []
    assert names(schedule.settle("b", PASSED)) == ["Ready always", "Skipped failure"]


def test_what_comes_after_such_a_clean_up_is_not_awaited_by_it() -> None:
    """An ordinary stage after a clean-up stage without edges does not make a circle."""
    clean = clean_up("clean", "always")
    a, report = stage("a", image="i", run="x"), stage("report", image="i", run="x", after=[clean])
    schedule = Schedule(Pipeline("p", [clean, a, report, clean_up("other", "always")]))

    assert names(schedule.first()) == ["Ready a"]
    assert names(schedule.settle("a", FAILED)) == ["Ready clean", "Ready other"]
    assert names(schedule.settle("clean", PASSED)) == ["Ready report"]


def test_a_failure_far_above_is_seen() -> None:
    """A `failure` stage runs if something failed that it comes after indirectly."""
    a = stage("a", image="i", run="x")
    b = stage("b", image="i", run="x", after=[a])
    schedule = Schedule(Pipeline("p", [a, b, clean_up("c", "failure", b)]))
    list(schedule.first())

    assert names(schedule.settle("a", FAILED)) == ["Blocked b", "Ready c"]


def test_after_a_stop_only_clean_up_starts() -> None:
    """Ordinary stages are blocked without a stage that is to blame; clean-up stages of what had started are ready."""
    up, other = stage("up", image="i", run="x"), stage("other", image="i", run="x")
    use = stage("use", image="i", run="x", after=[up])
    down, late = clean_up("down", "always", use), clean_up("late", "always", other)
    schedule = Schedule(Pipeline("p", [up, other, use, down, late]))
    list(schedule.first())
    schedule.stop()

    stopped = list(schedule.settle("up", StageEnd(StageStatus.CANCELLED)))

    assert names(stopped) == ["Blocked use", "Ready down"]
    assert stopped[0] == Blocked(use, None)
    assert names(schedule.settle("other", StageEnd(StageStatus.NOT_STARTED))) == ["Skipped late"]


def test_after_the_end_nothing_starts() -> None:
    """Not even clean-up stages start after the end."""
    up = stage("up", image="i", run="x")
    schedule = Schedule(Pipeline("p", [up, clean_up("down", "always", up)]))
    list(schedule.first())
    schedule.end()

    assert names(schedule.settle("up", StageEnd(StageStatus.CANCELLED))) == ["Blocked down"]


def test_what_is_skipped_beforehand_never_runs() -> None:
    """A stage that is skipped whatever happens is yielded with its reason, and stages after it run."""
    a = stage("a", image="i", run="x")
    b = stage("b", image="i", run="x", after=[a])
    schedule = Schedule(Pipeline("p", [a, b, stage("c", image="i", run="x", after=[b])]), {"b": "the branch is dev"})
    list(schedule.first())

    news = list(schedule.settle("a", PASSED))

    assert names(news) == ["Skipped b", "Ready c"]
    assert news[0] == Skipped(b, "the branch is dev")


def test_a_skipped_stage_does_not_hide_a_failure() -> None:
    """Stages after a skipped one do not start if it would not have started itself; clean-up stages after it do."""
    a = stage("a", image="i", run="x")
    b = stage("b", image="i", run="x", after=[a])
    c = stage("c", image="i", run="x", after=[b])
    d = stage("d", image="i", run="x", after=[c])
    stages = [a, b, c, d, clean_up("e", "failure", c), stage("f", image="i", run="x", after=[d])]
    schedule = Schedule(Pipeline("p", stages), {"b": "the branch is dev", "c": "the branch is dev"})
    list(schedule.first())

    news = list(schedule.settle("a", FAILED))

    assert names(news) == ["Skipped b", "Skipped c", "Blocked d", "Blocked f", "Ready e"]
    assert {item.because for item in news if isinstance(item, Blocked)} == {"a"}


def test_a_skipped_clean_up_stage_lets_the_stages_after_it_start() -> None:
    """A skipped clean-up stage would have started in spite of a failure, so the stages after it start too."""
    a = stage("a", image="i", run="x")
    b = clean_up("b", "always", a)
    schedule = Schedule(Pipeline("p", [a, b, stage("c", image="i", run="x", after=[b])]), {"b": "the branch is dev"})
    list(schedule.first())

    assert names(schedule.settle("a", FAILED)) == ["Skipped b", "Ready c"]


@st.composite
def pipelines(draw: st.DrawFn) -> Pipeline:
    """Any edges and any `when`."""
    stages: dict[str, Stage] = {}
    for number in range(draw(st.integers(1, 10))):
        earlier = list(stages.values())
        some = st.lists(st.sampled_from(earlier), unique_by=lambda one: one.name, max_size=2) if earlier else st.just([])
        stages[f"s{number}"] = stage(
            f"s{number}",
            image="i",
            after=draw(some),
            only_if=draw(some),
            unless=draw(some),
            env={f"V{index}": one.value for index, one in enumerate(draw(some))},
            when=draw(st.sampled_from(["success", "success", "failure", "always"])),
        )
    return Pipeline("p", list(stages.values()))


@given(pipelines(), st.data())
def test_every_stage_is_decided_once(pipeline: Pipeline, data: st.DataObject) -> None:
    """Whatever happens, and whenever the run is stopped, each stage is decided once, after all stages that it needs."""
    ends = st.sampled_from([PASSED, FAILED, StageEnd(StageStatus.TOLERATED, 1), StageEnd(StageStatus.ERROR)])
    schedule = Schedule(pipeline)
    settled: list[str] = []
    ready: list[Stage] = []

    def take(decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            assert set(decision.stage.needs) <= set(settled)
            if isinstance(decision, Ready):
                ready.append(decision.stage)
            else:
                settled.append(decision.stage.name)

    take(schedule.first())
    while ready:
        chosen = ready.pop(data.draw(st.integers(0, len(ready) - 1)))
        if data.draw(st.sampled_from([False] * 5 + [True])):
            schedule.stop()
        settled.append(chosen.name)
        take(schedule.settle(chosen.name, data.draw(ends)))

    assert sorted(settled) == sorted(pipeline.by_name)


@given(pipelines(), st.data())
def test_another_process_decides_the_same(pipeline: Pipeline, data: st.DataObject) -> None:
    """Whenever the process of a stopped run dies, the clean-up stages that start are those that it would have started."""
    drawn = st.sampled_from([PASSED, FAILED, StageEnd(StageStatus.TOLERATED, 1), StageEnd(StageStatus.ERROR)])
    outcomes = {name: data.draw(drawn) for name in pipeline.by_name}
    lives = data.draw(st.integers(0, len(pipeline)))
    first, second = Schedule(pipeline), Schedule(pipeline)
    recorded: dict[str, StageEnd] = {}
    running: list[Stage] = []

    def take(decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            match decision:
                case Ready(ready):
                    running.append(ready)
                case Skipped(never, _, because):
                    recorded[never.name] = StageEnd(StageStatus.SKIPPED, because=because)
                case Blocked(never, because):
                    recorded[never.name] = StageEnd(StageStatus.NOT_STARTED, because=because)

    take(first.first())
    for _ in range(lives):
        if running:
            ended = running.pop(0)
            recorded[ended.name] = outcomes[ended.name]
            take(first.settle(ended.name, outcomes[ended.name]))
    interrupted = {one.name: StageEnd(StageStatus.CANCELLED) for one in running}
    ends = {**recorded, **interrupted}
    running.clear()
    first.stop()
    second.stop()
    for name, end in interrupted.items():
        take(first.settle(name, end))
    by_first = _started(first, running, outcomes)
    by_second = _started(second, [each.stage for each in second.resume(ends) if isinstance(each, Ready)], outcomes)

    assert sorted(by_second) == sorted(by_first)
    assert not set(by_second) & ends.keys()


def _started(schedule: Schedule, ready: list[Stage], outcomes: dict[str, StageEnd]) -> list[str]:
    """Run what is ready, and all that follows; return the names of the stages that started."""
    started: list[str] = []
    while ready:
        one = ready.pop(0)
        started.append(one.name)
        ready += [each.stage for each in schedule.settle(one.name, outcomes[one.name]) if isinstance(each, Ready)]
    return started
