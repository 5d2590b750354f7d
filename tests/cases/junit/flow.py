"""Prefect flow `shop`: 3 stages from 1 file.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
from dockercise_prefect.pipeline import Pipeline, code, stage

ROOT = Path(__file__).resolve().parent

unit = stage(
    "unit",
    image="python",
    volumes=[code],
    run='pytest --junitxml "$OUT/unit.xml" /code',
    junit=["*.xml"],
    at="ci.dockercise.yaml:6:1",
)

browser = stage(
    "browser",
    image="python",
    volumes=[code],
    run="/code/browser-tests",
    junit=["reports/", "!reports/old/**", "\\!odd.xml"],
    at="ci.dockercise.yaml:8:1",
)

lint = stage(
    "lint",
    image="python",
    volumes=[code],
    run="ruff check /code",
    at="ci.dockercise.yaml:11:1",
)

pipeline = Pipeline(
    "shop",
    [unit, browser, lint],
    digest="sha256:55300cc5363c846fbc8774d62b902fb7874ccc271eea0f56ae4dc3146cc8590a",
)


@flow(name="shop")
def shop(
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
    raise SystemExit(run_as_script(shop))
