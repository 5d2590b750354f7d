"""Prefect flow `inferred-edges`: 6 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, code, stage

ROOT = Path(__file__).resolve().parent

version = stage(
    "version",
    image="busybox",
    run="echo 1.10",
    at="a.dockercise.yaml:2:1",
)

compile_ = stage(
    "compile",
    image="golang",
    env={
        "VERSION": version.value,
    },
    volumes=[code],
    run="""\
cd /code/app
go build -ldflags "-X main.version=${VERSION:-dev}" -o "$OUT/app"   # not $OTHER
""",
    at="a.dockercise.yaml:4:1",
)

test = stage(
    "test",
    image="busybox",
    env={
        "VERSION": version.value,
    },
    volumes=[compile_.volume],
    reads=[version],
    run="""\
/compile/app --check > "$OUT/report"
grep "$VERSION" out/version""",
    at="a.dockercise.yaml:10:1",
)

publish = stage(
    "publish",
    image="busybox",
    env={
        "NOTES": "none",
    },
    volumes=[test.volume, compile_.volume],
    run='tar -cf - "/test/report" /compile/app | upload --version=\'$VERSION\' --notes "$NOTES"\n',
    at="a.dockercise.yaml:16:1",
)

other = stage(
    "other",
    image="busybox",
    run='echo "not used"',
    at="a.dockercise.yaml:23:1",
)

notes = stage(
    "notes",
    image="busybox",
    run='echo "not used either"',
    at="a.dockercise.yaml:24:1",
)

pipeline = Pipeline(
    "inferred-edges",
    [version, compile_, test, publish, other, notes],
    digest="sha256:d0a60d9a49dbb6314eaab79d83d2782c90ee0529a8038ce123203e0bd4795aaa",
)


@flow(name="inferred-edges")
def inferred_edges(
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
    raise SystemExit(run_as_script(inferred_edges))
