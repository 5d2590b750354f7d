"""The pipelines for the benchmark of the compiler have the properties that its table claims."""

from __future__ import annotations

import pytest
import yaml

from benchmarks.compile import LAYER, SHAPES, as_sources, gitlab_jobs, in_files
from dockercise_prefect.compiler import compile_sources


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("files", [1, 7, 500])
def test_pipelines_have_their_size(shape: str, files: int) -> None:
    """Each shape compiles, in one file or in many, to the requested number of stages."""
    sources = as_sources(SHAPES[shape](1000), files)

    compiled = compile_sources(sources, "bench")

    assert len(compiled.pipeline) == 1000
    assert compiled.warnings == ()
    assert len(sources) == min(files, compiled.files)


def test_shapes_are_what_they_are_called() -> None:
    """A chain has one path, wide stages are between a first and a last stage, and layers of diamonds join and split."""
    needs = {
        shape: [len(stage.needs) for stage in compile_sources(as_sources(make(100), 1), "bench").pipeline]
        for shape, make in SHAPES.items()
    }

    assert needs["chain"] == [0] + [1] * 99
    assert needs["wide"] == [0] + [1] * 98 + [98]
    assert needs["diamonds"] == [0] * LAYER + ([LAYER] * LAYER + [1] * LAYER) * 4 + [LAYER] * LAYER


def test_files_hold_all_text_in_order() -> None:
    """Distributing stages over files loses nothing and keeps their order."""
    stages = SHAPES["chain"](23)

    files = in_files(stages, 5)

    assert list(files) == sorted(files)
    assert "".join(files.values()) == "".join(stages)


def test_gitlab_gets_the_same_chain() -> None:
    """The file for gitlab-ci-local has the same number of jobs, and each needs the previous one."""
    jobs = yaml.safe_load(gitlab_jobs(50))

    assert [job.get("needs") for job in jobs.values()] == [None, *([f"s{n}"] for n in range(49))]
