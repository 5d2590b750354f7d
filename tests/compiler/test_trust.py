"""What is refused in a pipeline that is not trusted, and which limits the pipeline gets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.compiler.trust import Limits, guarded, restrained
from dockercise_prefect.errors import DefinitionError, Diagnostic, Place
from dockercise_prefect.pipeline import (
    EngineVolume,
    HostPath,
    Network,
    Pipeline,
    Stage,
    approval,
    bind,
    built_from,
    code,
    engine_volume,
    service,
    stage,
)
from tests.compiler.sources import compiled

LIMITS = Limits(stages=3, cpus=2, memory=2 << 30, timeout=3600)


def refusals(pipeline: Pipeline, limits: Limits = LIMITS) -> tuple[Diagnostic, ...]:
    with pytest.raises(DefinitionError) as caught:
        restrained(pipeline, limits)
    return caught.value.diagnostics


@pytest.mark.parametrize(
    ("keys", "code", "said"),
    [
        ("vol: '/etc:/mnt'", "DK070", "a mounts `/etc` from the engine's machine"),
        ("vol: '/var/run/docker.sock:/sock:ro'", "DK070", "a mounts `/var/run/docker.sock` from the engine's machine"),
        ("vol: './below:/mnt'", "DK070", "a mounts `./below` from the engine's machine"),
        ("vol: '.:/mnt'", "DK070", "a mounts `./` from the engine's machine"),
        ("vol: 'cache:/mnt'", "DK071", "a mounts `cache`, a volume of the engine that may belong to someone else"),
        ("network: host", "DK072", "a uses the network of the engine's machine"),
        ("user: 0", "DK073", "a runs as root (`user: 0`)"),
        ("sudo: true", "DK078", "a lets programs gain rights that its user does not have (`sudo: true`)"),
        ("cpus: 2.5", "DK075", "a sets `cpus: 2.5`, but the limit is 2"),
        ("memory: 2049m", "DK075", "a sets `memory: 2049m`, but the limit is 2g"),
        ("timeout: 61m", "DK075", "a sets `timeout: 1h1m`, but the limit is 1h"),
        ("stopGrace: 61m", "DK075", "a sets `stopGrace: 1h1m`, but the limit is 1h"),
        ("approve: {text: Really?, timeout: 61m}", "DK075", "a sets `approve: {timeout: 1h1m}`, but the limit is 1h"),
        ("timeout: 31m, retries: 1", "DK075", "a may take longer than the limit of 1h with its `retries`"),
        ("retries: {times: 2, delay: 30m}", "DK075", "a may take longer than the limit of 1h with its `retries`"),
    ],
)
def test_what_is_refused_has_a_place_and_a_hint(keys: str, code: str, said: str) -> None:
    """Each refusal names the stage, its action, and its place."""
    (finding,) = refusals(compiled(p=f"b: {{img: x}}\na: {{img: x, {keys}}}\n"))

    assert (finding.code, finding.message) == (code, f"not trusted: {said}")
    assert finding.place == Place("p.dockercise.yaml", 2, 1)
    assert finding.hint


@pytest.mark.parametrize(
    ("keys", "code", "said"),
    [
        ("vol: '/etc:/mnt'", "DK070", "a.db mounts `/etc` from the engine's machine"),
        ("vol: 'cache:/mnt'", "DK071", "a.db mounts `cache`, a volume of the engine that may belong to someone else"),
        ("user: root", "DK073", "a.db runs as root (`user: root`)"),
        ("cpus: 2.5", "DK075", "a.db sets `cpus: 2.5`, but the limit is 2"),
        ("memory: 2049m", "DK075", "a.db sets `memory: 2049m`, but the limit is 2g"),
    ],
)
def test_what_is_refused_in_a_service(keys: str, code: str, said: str) -> None:
    """A service is refused what a stage is refused, with its own place."""
    (finding,) = refusals(compiled(p=f"a:\n  img: x\n  services:\n    db: {{img: y, {keys}}}\n"))

    assert (finding.code, finding.message) == (code, f"not trusted: {said}")
    assert finding.place == Place("p.dockercise.yaml", 4, 5)


def test_services_are_counted() -> None:
    """A stage may have eight services, and not nine."""
    eight = [service(f"s{number}", "x") for number in range(8)]
    too_many = Pipeline("p", [stage("a", image="x", services=[*eight, service("more", "x")])])

    assert restrained(Pipeline("p", [stage("a", image="x", services=eight)]), LIMITS)
    assert [finding.code for finding in refusals(too_many)] == ["DK063"]


def test_services_get_the_limits_of_a_stage() -> None:
    """A service has the limits that it does not set itself."""
    pipeline = Pipeline(
        "p", [stage("a", image="x", services=[service("db", "y"), service("web", "y", cpus=0.5, memory=10**8)])]
    )

    found = restrained(pipeline, LIMITS).by_name["a"].services

    assert [(each.cpus, each.memory) for each in found] == [(2, 2 << 30), (0.5, 10**8)]


def test_services_cannot_reach_a_guarded_machine() -> None:
    """On a guarded machine, a service cannot mount its folders either."""
    pipeline = Pipeline("p", [stage("a", image="x", services=[service("db", "y", volumes=[bind("/etc", "/mnt")])])])

    with pytest.raises(DefinitionError) as caught:
        guarded(pipeline)

    assert [finding.code for finding in caught.value.diagnostics] == ["DK070"]


def test_nobody_can_be_asked_for_longer_than_a_stage_may_take() -> None:
    """An approval without a timeout gets that of stages, and a shorter one stays."""
    a, b = restrained(compiled(p="a: {img: x, approve: A?}\nb: {approve: {text: B?, timeout: 5m}}\n"), LIMITS)

    assert (a.approve, b.approve) == (approval("A?", timeout=3600), approval("B?", timeout=300))


@pytest.mark.parametrize("keys", ["build: app", "build: {context: /b/app, target: x}, run: make"])
def test_builds_are_refused(keys: str) -> None:
    """No build is allowed, with or without a script."""
    (finding,) = refusals(compiled(p=f"a: {{{keys}}}\nb: {{img: x}}\n"))

    assert (finding.code, finding.message) == ("DK074", "not trusted: a builds an image")


@pytest.mark.parametrize("user", ["0", "root", "0:0", "00", "root:1000", "+0", "-0", "000:x", ":", ":1000"])
def test_every_way_to_write_root_is_refused(user: str) -> None:
    """User 0 is refused in every form that the engine reads as user 0, whatever users the image has."""
    assert [finding.code for finding in refusals(Pipeline("p", [stage("a", image="x", user=user)]))] == ["DK073"]


@pytest.mark.parametrize("user", [None, "1000", "1000:0", "nobody", "10", "0x0", "rooty", "1:root"])
def test_other_users_are_not(user: str | None) -> None:
    """Any other user is allowed, and so is the image's own if there is none."""
    pipeline = Pipeline("p", [stage("a", image="x", user=user)])

    assert restrained(pipeline, LIMITS).by_name["a"].user == user


def test_members_count_as_stages() -> None:
    """The members of all groups together are at most as many as stages are left below the limit, and at least one each."""
    pipeline = compiled(p="a: {img: x}\nb: {img: x, each: a}\nc: {img: x, each: a}\n")

    (_, *few) = restrained(pipeline, LIMITS)
    (_, *more) = restrained(pipeline, replace(LIMITS, stages=22))

    assert [group.each and group.each.most for group in few] == [1, 1]
    assert [group.each and group.each.most for group in more] == [10, 10]


def test_defaults_of_meta_are_judged_where_they_act() -> None:
    """A key of `meta.defaults` is refused for every stage that has it."""
    found = refusals(compiled(p="meta: {network: host, defaults: {memory: 4g}}\na: {img: x}\nb: {img: x, network: none}\n"))

    assert [(str(finding.code), finding.place and finding.place.line) for finding in found] == [
        ("DK072", 2),
        ("DK075", 2),
        ("DK075", 3),
    ]


def test_every_refusal_is_told_by_place() -> None:
    """Five refusals in two files are one error with all of them, in reading order."""
    found = refusals(
        compiled(
            a="one: {img: x, after: four, vol: ['/a:/a', 'v1:/b'], user: root}\n",
            b="two: {img: x, network: host}\nthree: {img: x}\nfour: {img: x, cpus: 3, memory: 3g, timeout: 2h}\n",
        )
    )

    assert [(str(finding.code), str(finding.place)) for finding in found] == [
        ("DK070", "a.dockercise.yaml:1:1"),
        ("DK071", "a.dockercise.yaml:1:1"),
        ("DK073", "a.dockercise.yaml:1:1"),
        ("DK072", "b.dockercise.yaml:1:1"),
        ("DK075", "b.dockercise.yaml:3:1"),
        ("DK075", "b.dockercise.yaml:3:1"),
        ("DK075", "b.dockercise.yaml:3:1"),
        ("DK076", "b.dockercise.yaml:3:1"),
    ]


def test_too_many_stages() -> None:
    """The place is the first stage above the limit, in reading order, and the hint says what can be done."""
    (finding,) = refusals(compiled(p="a: {img: x}\nb: {after: a}\nc: {img: x}\nd: {img: x}\n"))

    assert finding.message == "not trusted: 4 stages would run, but the limit is 3: d is one too many"
    assert finding.place == Place("p.dockercise.yaml", 4, 1)
    assert "DOCKERCISE_UNTRUSTED_STAGES" in (finding.hint or "")


def test_instances_count_as_stages() -> None:
    """Each instance of a stage with a matrix counts towards the limit."""
    (finding,) = refusals(compiled(p="a: {img: x, matrix: {n: [1, 2, 3, 4]}}\n"))

    assert finding.message == "not trusted: 4 stages would run, but the limit is 3: a(4) is one too many"


def test_only_what_would_run_is_judged() -> None:
    """A refused stage that is not selected does not prevent the run of another."""
    pipeline = compiled(p="test: {img: x}\ndeploy: {img: x, vol: '/etc:/mnt'}\n")

    assert [one.name for one in restrained(pipeline.only(["test"]), LIMITS)] == ["test"]


def test_stages_without_limits_get_them() -> None:
    """A stage with a container has all three limits or its own lower ones; a stage that only joins has none."""
    pipeline = compiled(p="a: {img: x}\nb: {img: x, cpus: 0.5, memory: 1g, timeout: 5m}\nc: {after: [a, b]}\n")

    limited = restrained(pipeline, LIMITS)

    limits = {one.name: (one.cpus, one.memory, one.timeout) for one in limited}
    assert limits == {"a": (2, 2 << 30, 3600), "b": (0.5, 1 << 30, 300), "c": (None, None, None)}


def test_a_guarded_machine_is_out_of_reach_of_trusted_pipelines_too() -> None:
    """On a guarded machine, its files and its network are refused, each with its place; everything else is allowed."""
    pipeline = compiled(
        p="sock: {img: x, vol: '/var/run/docker.sock:/s'}\n"
        "rooty: {img: x, user: root, sudo: true, memory: 100g, vol: 'cache:/c'}\n"
        "net: {img: x, network: host}\n"
    )

    with pytest.raises(DefinitionError) as caught:
        guarded(pipeline)

    assert [(one.code, one.message, one.place) for one in caught.value.diagnostics] == [
        (
            "DK070",
            "not allowed on this machine: sock mounts `/var/run/docker.sock` from the engine's machine",
            Place("p.dockercise.yaml", 1, 1),
        ),
        (
            "DK072",
            "not allowed on this machine: net uses the network of the engine's machine",
            Place("p.dockercise.yaml", 3, 1),
        ),
    ]
    harmless = compiled(p="rooty: {img: x, user: root, sudo: true, memory: 100g, vol: 'cache:/c'}\n")
    assert guarded(harmless) is harmless


def test_test_reports_are_allowed() -> None:
    """`junit` reads only what the stage itself left, so a pipeline that is not trusted keeps it."""
    pipeline = compiled(p="unit: {img: x, run: x, junit: '*.xml'}\n")

    assert restrained(pipeline, LIMITS).by_name["unit"].junit == ("*.xml",)


def test_what_is_shown_is_fit_for_a_terminal() -> None:
    """Text from a stranger never reaches the terminal as a control character."""
    (finding,) = refusals(Pipeline("p", [stage("a", image="x", volumes=[bind("/\x1b[2J", "/mnt")])]))

    assert "\x1b" not in str(finding)


seldom = st.sampled_from([*[False] * 9, True])


@st.composite
def stages(draw: st.DrawFn, name: str, earlier: list[Stage]) -> Stage:
    """Any stage; few of them are refused."""
    joins = draw(seldom)
    builds = not joins and draw(seldom)
    images: list[str | Stage] = ["x", *earlier]
    mounts = draw(st.lists(st.sampled_from([code, *(one.volume for one in earlier)]), unique=True))
    outside = [bind("/etc", "/mnt/a"), bind("./b", "/mnt/b"), engine_volume("v1", "/mnt/c")]
    return stage(
        name,
        image=None if joins or builds else draw(st.sampled_from(images)),
        build=built_from(code) if builds else None,
        run=draw(st.sampled_from([None, "true"])),
        env={"V": draw(st.sampled_from(earlier)).value} if draw(st.booleans()) and earlier else {},
        volumes=[*mounts, draw(st.sampled_from(outside))] if draw(seldom) else mounts,
        after=draw(st.lists(st.sampled_from(earlier), unique_by=id, max_size=2)) if earlier else [],
        user=draw(st.sampled_from(["0", "root"] if draw(seldom) else [None, "1"])),
        sudo=draw(seldom),
        network=draw(st.sampled_from(["host"] if draw(seldom) else ["bridge", "none"])),
        cpus=draw(st.sampled_from([2.1] if draw(seldom) else [None, 0.5, 2])),
        memory=draw(st.sampled_from([3 << 30] if draw(seldom) else [None, 6 << 20, 2 << 30])),
        timeout=draw(st.sampled_from([3601] if draw(seldom) else [None, 1, 3600])),
        never_fail=draw(st.booleans()),
        no_log=draw(st.sampled_from([None, True])),
    )


@st.composite
def pipelines(draw: st.DrawFn) -> Pipeline:
    """Some stages, each after some earlier ones."""
    made: list[Stage] = []
    for number in range(draw(st.integers(0, LIMITS.stages + 1))):
        made.append(draw(stages(f"s{number}", list(made))))
    return Pipeline("p", made, tags=["t"], secrets=["S"])


def is_harmless(pipeline: Pipeline, limits: Limits) -> bool:
    """The same decision in another way than the code: from what a container would get."""
    return len(pipeline) <= limits.stages and all(
        not any(isinstance(mount.source, HostPath | EngineVolume) for mount in one.mounts)
        and one.build is None
        and one.network is not Network.HOST
        and one.user in {None, "1"}
        and not one.sudo
        and all(
            limit is None or limit <= most
            for limit, most in ((one.cpus, limits.cpus), (one.memory, limits.memory), (one.timeout, limits.timeout))
        )
        for one in pipeline
    )


@given(pipelines())
def test_what_is_let_through_is_harmless_and_the_same(pipeline: Pipeline) -> None:
    """Either something is refused for a reason, or nothing but limits that were not set is changed."""
    try:
        limited = restrained(pipeline, LIMITS)
    except DefinitionError:
        assert not is_harmless(pipeline, LIMITS)
        return

    assert is_harmless(pipeline, LIMITS)
    assert is_harmless(limited, LIMITS)
    assert (limited.name, limited.tags, limited.secrets) == (pipeline.name, pipeline.tags, pipeline.secrets)
    for before, after in zip(pipeline, limited, strict=True):
        given_back = {key: getattr(before, key) for key in ("cpus", "memory", "timeout")}
        assert replace(after, **given_back) == before
        if after.starts_container:
            assert None not in {after.cpus, after.memory, after.timeout}


def test_attempts_share_the_time_of_a_stage() -> None:
    """A stage without a timeout gets one so that all of its attempts, with the delays between them, stay within the limit."""
    limited = restrained(compiled(p="a: {img: x, retries: {times: 2, delay: 10m}}\nb: {img: x, retries: 3}\n"), LIMITS)

    assert [stage.timeout for stage in limited] == [(3600 - 1200) / 3, 900]


def test_clean_up_has_a_limit_too() -> None:
    """The time for clean-up after a stop is limited like the time of a stage."""
    (finding,) = refusals(compiled(p="meta: {cleanupGrace: 2h}\na: {img: x}\n"))

    assert (finding.code, finding.message) == ("DK075", "not trusted: meta sets `cleanupGrace: 2h`, but the limit is 1h")


def test_usual_grace_periods_are_always_allowed() -> None:
    """A limit below the usual grace periods does not refuse a pipeline that sets none."""
    limited = restrained(compiled(p="a: {img: x}\n"), replace(LIMITS, timeout=3))

    assert [(stage.timeout, stage.stop_grace) for stage in limited] == [(3, 10)]
