"""A pipeline as a Prefect flow file that reads as if written by hand (LANGUAGE section 5)."""

from __future__ import annotations

from collections.abc import Sequence

from dockercise_prefect.emit.calls import WIDTH
from dockercise_prefect.emit.declarations import Declarations
from dockercise_prefect.emit.identifiers import module_name
from dockercise_prefect.emit.literals import inside_quotes, one_line
from dockercise_prefect.emit.parameters import descriptions, needs_literal, passed_on, signature
from dockercise_prefect.emit.request import Request
from dockercise_prefect.pipeline import Pipeline

_MODULE = '''\
"""Prefect flow {title}: {summary}.

Compiled by dockercise_prefect. Change the YAML and run `python -m dockercise_prefect compile`.
"""

from pathlib import Path{typing}

from prefect import flow

from dockercise_prefect.orchestration import RunSummary, run_as_script, run_pipeline
{imports}

ROOT = {root}

{declarations}


@flow(name={name})
def {function}(
    targets: list[str] | None = None,
    env: dict[str, str] | None = None,
    commit: str | None = None,
    results: str | None = None,
    resume: str | None = None,
{signature}) -> RunSummary:
    """Run the pipeline, or only the targets and what they need.{arguments}"""
    return run_pipeline(
        pipeline,
        root=ROOT,
        targets=targets,
        env=env,
        commit=commit,
        results=results,
        resume=resume,
{passed_on}    )


if __name__ == "__main__":
    raise SystemExit(run_as_script({function}))
'''


def flow_module(request: Request) -> str:
    """The module's text. It depends only on the pipeline and the place of its root, so the same input gives the same bytes."""
    pipeline = request.pipeline
    declarations = Declarations(pipeline)
    text = "\n\n".join([*(declarations.stage(stage) for stage in pipeline), declarations.pipeline()])
    folder = "Path(__file__).resolve().parent"
    return _MODULE.format(
        title=f"`{inside_quotes(pipeline.name)}`",
        summary=_summary(pipeline),
        imports=_import("dockercise_prefect.pipeline", declarations.imports()),
        root=folder if request.root == "." else f"{folder} / {one_line(request.root)}",
        declarations=text,
        name=one_line(pipeline.name),
        typing="\nfrom typing import Literal" if needs_literal(pipeline.parameters) else "",
        signature=signature(pipeline.parameters),
        arguments=descriptions(pipeline.parameters),
        passed_on=passed_on(pipeline.parameters),
        function=module_name(pipeline.name),
    )


def _import(module: str, names: Sequence[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return f"from {module} import (\n" + "".join(f"    {name},\n" for name in names) + ")"


def _summary(pipeline: Pipeline) -> str:
    files = {stage.place.path for stage in pipeline if stage.place}
    return f"{_counted(len(pipeline), 'stage')} from {_counted(len(files), 'file')}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
