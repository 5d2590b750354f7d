"""The ready queue: which stage may start, and when."""

from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.orchestration.run.schedule import Blocked, Ready, Schedule
from dockercise_prefect.pipeline import Pipeline, Stage, stage


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
                news += schedule.settle(ready.name, succeeded=ready.name not in failing)
            case Blocked(never, because):
                blocked[never.name] = because
    return ran, blocked


def test_a_stage_is_ready_once_all_it_needs_has_succeeded() -> None:
    """The end of a diamond becomes ready with the second of its two sides, not with the first."""
    schedule = Schedule(pipeline_of({"top": [], "left": ["top"], "right": ["top"], "end": ["left", "right"]}))
    list(schedule.settle("top", succeeded=True))

    after_left = list(schedule.settle("left", succeeded=True))
    after_right = list(schedule.settle("right", succeeded=True))

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

    early = list(schedule.settle("bad", succeeded=False))
    late = list(schedule.settle("slow", succeeded=True))

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
