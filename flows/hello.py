"""Prefect flow `hello`: 6 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, code, stage

ROOT = Path(__file__).resolve().parent / "hello"

greet = stage(
    "greet",
    image="busybox:latest",
    run="echo hello",
    at="hello.dockercise.yaml:8:1",
)

shout = stage(
    "shout",
    image="busybox:latest",
    env={
        "GREET": greet.value,
    },
    run='echo "$GREET" | tr a-z A-Z',
    at="hello.dockercise.yaml:12:1",
)

write = stage(
    "write",
    image="busybox:latest",
    env={
        "SHOUT": shout.value,
    },
    volumes=[code],
    run="""\
sed "s/GREETING/$SHOUT/" code/letter.txt > "$OUT/letter.txt"
cat "$OUT/letter.txt"
""",
    at="hello.dockercise.yaml:17:1",
)

sign = stage(
    "sign",
    image="busybox:latest",
    on=write,
    run="""\
echo "with kind regards," >> letter.txt
echo "the stage $DOCKERCISE_STAGE" >> letter.txt
tail -n 2 letter.txt
""",
    at="hello.dockercise.yaml:25:1",
)

check = stage(
    "check",
    image="busybox:latest",
    volumes=[write.volume, sign.volume],
    run="""\
lines=$(wc -l < write/letter.txt)
signed=$(wc -l < sign/letter.txt)
echo "$((signed - lines)) lines were added"
test "$signed" -gt "$lines"
""",
    at="hello.dockercise.yaml:33:1",
)

deliver = stage(
    "deliver",
    image="busybox:latest",
    after=[check],
    volumes=[sign.volume.at("/letterbox")],
    run="""\
echo "delivered:"
sed "s/^/  | /" letterbox/letter.txt
""",
    at="hello.dockercise.yaml:42:1",
)

pipeline = Pipeline(
    "hello",
    [greet, shout, write, sign, check, deliver],
    tags=["example"],
    digest="sha256:a88ae4078378d3761b9ffcc8160ed77e59e7fc754d9a051ebc5c60146aaf2260",
)


@flow(name="hello")
def hello(
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
    raise SystemExit(run_as_script(hello))
