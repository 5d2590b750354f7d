"""Jobs and results, as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dockercise_prefect.pipeline import HostVariable, StageValue, stage
from dockercise_prefect.runtime.cleanup.labels import RunIdentity
from dockercise_prefect.runtime.engine import ContainerMount, ResolvedImage
from dockercise_prefect.runtime.stage.confinement import METADATA, Confinement
from dockercise_prefect.runtime.stage.job import Job, JobResult, OwnVolume, Stdout, WrittenText, variable_sources
from dockercise_prefect.status import StageStatus
from tests.compiler.sources import compiled
from tests.compiler.strategies import as_yaml, definitions

TEXTS = st.text(max_size=20) | st.just("half a surrogate pair: \udcff") | st.just("☃\n\0")
DIGESTS = st.binary(min_size=32, max_size=32).map(lambda digest: f"sha256:{digest.hex()}")
TIMES = st.datetimes(timezones=st.just(UTC))

IMAGES = st.builds(ResolvedImage, TEXTS, DIGESTS, TEXTS, TEXTS, st.lists(TEXTS, max_size=3).map(tuple))
RESULTS = st.builds(
    JobResult,
    stage=TEXTS,
    attempt=st.integers(1, 9),
    status=st.sampled_from(StageStatus),
    exit_code=st.none() | st.integers(0, 255),
    message=st.none() | TEXTS,
    started=TIMES,
    finished=TIMES,
    image=st.none() | IMAGES,
    made_image=st.none() | IMAGES,
    stdout=st.none() | st.builds(Stdout, st.integers(0, 2**50), st.none() | DIGESTS, st.none() | TEXTS, st.none() | TEXTS),
    volume=st.none() | st.builds(OwnVolume, TEXTS, st.booleans(), st.none() | DIGESTS, st.none() | TEXTS, st.none() | TEXTS),
    container=st.none() | TEXTS,
)
JOBS = st.builds(
    Job,
    run=st.builds(RunIdentity, TEXTS, TEXTS, TEXTS),
    owner=TEXTS,
    stage=definitions()
    .filter(bool)
    .flatmap(lambda definition: st.sampled_from(compiled(a=as_yaml(definition)).stages))
    .map(lambda one: replace(one, env={})),
    attempt=st.integers(1, 9),
    variables=st.dictionaries(
        TEXTS, st.builds(StageValue, TEXTS) | st.builds(HostVariable, TEXTS, st.booleans()) | st.just(WrittenText()), max_size=4
    ),
    inputs=st.dictionaries(TEXTS, RESULTS, max_size=2),
    image=st.none() | IMAGES,
    helper=st.none() | DIGESTS,
    mounts=st.lists(
        st.builds(ContainerMount, st.sampled_from(["volume", "host"]), TEXTS, TEXTS, st.booleans()), max_size=3
    ).map(tuple),
    origin=st.none() | TEXTS,
    context=st.none() | TEXTS,
    network=TEXTS,
    keeps_image=st.booleans(),
    aws=st.booleans(),
    secrets=st.lists(TEXTS, max_size=2).map(tuple),
    confinement=st.builds(
        Confinement, pids=st.integers(1, 4096), output=st.none() | st.integers(0), closed=st.sampled_from([(), METADATA])
    ),
)


@given(RESULTS)
def test_a_result_comes_back_from_its_json(result: JobResult) -> None:
    """The JSON of a result contains everything that is in it."""
    assert JobResult.from_json(result.to_json()) == result


@given(JOBS)
def test_a_job_comes_back_from_its_json(job: Job) -> None:
    """The JSON of a job contains everything that is in it."""
    assert Job.from_json(job.to_json()) == job


def test_a_job_holds_no_text_of_a_variable() -> None:
    """A job has the sources of its variables but not their texts, wherever they are written."""
    given = stage("a", image="busybox", run="x", env={"A": "t3xt", "B": StageValue("b"), "C": HostVariable("c", optional=True)})
    job = Job(run=RunIdentity("r", "p", "f"), owner="o", stage=replace(given, env={}), variables=variable_sources(given))

    assert "t3xt" not in job.to_json()
    assert job.variables == {"A": WrittenText(), "B": StageValue("b"), "C": HostVariable("c", optional=True)}


def test_a_job_refuses_texts_of_variables() -> None:
    """A job cannot be made of a stage that still has its variables."""
    given = stage("a", image="busybox", run="x", env={"A": "t3xt"})

    with pytest.raises(ValueError, match="texts of variables"):
        Job(run=RunIdentity("r", "p", "f"), owner="o", stage=given)


@given(RESULTS, st.sampled_from(["", "stdout", "volume"]))
def test_a_field_of_another_version_is_refused(result: JobResult, where: str) -> None:
    """A result with a field that this version does not know is refused, not read in part."""
    data = json.loads(result.to_json())
    changed = data[where] if where else data
    assume(changed is not None)
    changed["cached"] = True

    with pytest.raises(ValueError, match="cached"):
        JobResult.from_json(json.dumps(data))


@given(JOBS)
def test_a_key_of_a_stage_of_another_version_is_refused(job: Job) -> None:
    """A job whose stage has a key that this version does not know is refused, not run in part."""
    data = json.loads(job.to_json())
    data["stage"]["cached"] = True

    with pytest.raises(ValueError, match="not known"):
        Job.from_json(json.dumps(data))


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"stage": 1}'])
def test_what_is_no_job_is_refused(text: str) -> None:
    """A text in another format is a `ValueError`."""
    with pytest.raises(ValueError):  # noqa: PT011  of json or pydantic
        Job.from_json(text)
    with pytest.raises(ValueError):  # noqa: PT011  as above
        JobResult.from_json(text)
