"""Prefect flow `each`: 5 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, code, each, stage

ROOT = Path(__file__).resolve().parent

list_ = stage(
    "list",
    image="busybox",
    env={
        "EACH": "of the pipeline",
    },
    volumes=[code],
    run="ls /code/tests",
    at="a.dockercise.yaml:3:1",
)

test = stage(
    "test",
    each=list_,
    image="busybox",
    volumes=[code],
    run='sh "/code/tests/$EACH"',
    at="a.dockercise.yaml:6:1",
)

slow = stage(
    "slow",
    each=each(list_, limit=2),
    image="busybox",
    after=[test],
    run='echo "$EACH"',
    cache=True,
    at="a.dockercise.yaml:10:1",
)

lines_of_members = stage(
    "lines-of-members",
    each=test,
    image="busybox",
    run='echo "$EACH"',
    at="a.dockercise.yaml:16:1",
)

report = stage(
    "report",
    image="busybox",
    only_if=[slow],
    env={
        "TEST": test.value,
        "EACH": "of the pipeline",
    },
    volumes=[slow.volume],
    reads=[test],
    run="""\
cat /out/test/* /slow/*/report.txt
echo "$TEST"
""",
    at="a.dockercise.yaml:20:1",
)

pipeline = Pipeline(
    "each",
    [list_, test, slow, lines_of_members, report],
    digest="sha256:7f49a470d335f450ec975e554113a5fcc48119c2e07c21dffd3eb58919ba395b",
)


@flow(name="each")
def each_(
    targets: list[str] | None = None,
    env: dict[str, str] | None = None,
    commit: str | None = None,
    results: str | None = None,
    resume: str | None = None,
) -> RunSummary:
    """Run the pipeline, or only the targets and what they need."""
    return run_pipeline(
        pipeline,
        root=ROOT,
        targets=targets,
        env=env,
        commit=commit,
        results=results,
        resume=resume,
    )


if __name__ == "__main__":
    raise SystemExit(run_as_script(each_))
