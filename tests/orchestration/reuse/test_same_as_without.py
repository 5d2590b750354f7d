"""A run with reuse leaves what a run without it would have left, whatever was changed between the runs."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from dockercise_prefect.pipeline import Pipeline
from tests.compiler.sources import compiled
from tests.engines.scripted import BUSYBOX
from tests.orchestration.reuse.compared_runs import IN_MEMORY, run_with_reuse

NAMES = "abcde"
"""The stages. Each may need earlier ones."""

FILES = ("left/file", "right/file")
"""The files of the code."""

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "says": st.integers(0, 1),
    "ends": st.sampled_from([0, 0, 0, 0, 0, 0, 1]),
    "leaves": st.sampled_from([2, 2, 2, 2, 1, 0]),
    "text": st.integers(0, 1),
    "cache": st.sampled_from([True, True, True, False]),
    "code": st.sampled_from(["left", "right", ""]),
    "needs": st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["env", "vol", "on", "after"]), min_size=1, max_size=3),
}
"""What a stage can be like. Most of them leave a digest of all that they see."""

Version: TypeAlias = tuple[dict[str, dict[str, Any]], dict[str, int]]
"""A version of the repository: its stages, and its files."""


@st.composite
def histories(draw: st.DrawFn) -> list[Version]:
    """Versions of a repository. Each differs from the one before it in one thing: a file, or one key of a stage."""
    stages = {name: draw(st.fixed_dictionaries(VALUES)) for name in NAMES}
    files = {name: draw(st.integers(0, 1)) for name in FILES}
    history = [(stages, files)]
    for _ in range(draw(st.integers(1, 3))):
        edited = draw(st.sampled_from([*FILES, *NAMES]))
        if edited in FILES:
            files = {**files, edited: 1 - files[edited]}
        else:
            key = draw(st.sampled_from(sorted(VALUES)))
            stages = {**stages, edited: {**stages[edited], key: draw(VALUES[key])}}
        history.append((stages, files))
    return history


def pipeline_of(stages: dict[str, dict[str, Any]]) -> Pipeline:
    """The pipeline of some stages. What a stage cannot need is left out."""
    lines = [f"meta: {{name: p, defaults: {{img: '{BUSYBOX}'}}}}"]
    for index, name in enumerate(NAMES):
        stage = stages[name]
        needs = {needed: how for needed, how in sorted(stage["needs"].items()) if needed in NAMES[:index]}
        volumes = [needed for needed, how in needs.items() if how == "vol"]
        if stage["code"]:
            volumes.append(f"code/{stage['code']}:/source")
        on = next((needed for needed, how in needs.items() if how == "on"), None)
        env = ", ".join(f"{needed.upper()}: {needed}" for needed, how in needs.items() if how == "env")
        keys = [
            f"run: 'says{stage['says']} ends{stage['ends']} leaves{stage['leaves']}'",
            f"env: {{TEXT: '{stage['text']}'{', ' if env else ''}{env}}}",
            f"cache: {str(stage['cache']).lower()}",
            f"after: [{', '.join(needed for needed, how in needs.items() if how == 'after')}]",
            f"vol: [{', '.join(volumes)}]",
        ]
        if on is not None:
            keys.append(f"on: {on}")
        lines.append(f"{name}: {{{', '.join(keys)}}}")
    return compiled(a="\n".join(lines))


@given(histories())
@settings(max_examples=75)
def test_what_is_left_is_the_same_as_without_reuse(history: list[Version]) -> None:
    """Stage by stage: outcomes, outputs and volumes. And the same version once more reuses all that it can."""
    with TemporaryDirectory(dir=IN_MEMORY) as folder:
        root, shared = Path(folder) / "root", Path(folder) / "shared"
        for number, (stages, files) in enumerate(history):
            shutil.rmtree(root, ignore_errors=True)
            for name, text in files.items():
                (root / name).parent.mkdir(parents=True)
                (root / name).write_text(str(text))
            pipeline = pipeline_of(stages)
            run_ids = [f"20261130T0000{number}{again}Z-0000" for again in (0, 1)]

            alone = run_with_reuse(pipeline, root, Path(folder) / f"alone-{number}", run_ids[0])
            together = run_with_reuse(pipeline, root, shared, run_ids[0])
            again = run_with_reuse(pipeline, root, shared, run_ids[1])

            assert together.left == alone.left
            assert again.left == alone.left
            assert alone.reused == set()
            passed = {name for name, left in alone.left.items() if left.exit_code == 0}
            assert again.reused == {stage.name for stage in pipeline if stage.cache is not None} & passed
