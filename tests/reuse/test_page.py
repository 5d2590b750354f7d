"""The page on reuse: its pipeline behaves as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dockercise_prefect.cli.run import run
from dockercise_prefect.pipeline.seen import seen_folders
from dockercise_prefect.reuse.stage_ingredients import WITHOUT_EFFECT
from tests.compiler.sources import codes, compiled
from tests.test_user_pages import blocks

PAGE = (Path(__file__).resolve().parents[2] / "docs/reuse.md").read_text()
(PIPELINE,) = blocks(PAGE, "yaml")


def test_the_pipeline_compiles_and_mounts_what_the_page_says() -> None:
    """`build` depends on the folder `src` alone, and only `deploy` has no `cache`."""
    pipeline = compiled(a=PIPELINE).by_name

    assert seen_folders(pipeline["build"]) == ["src"]
    assert [stage.name for stage in pipeline.values() if stage.cache is None] == ["deploy"]


@pytest.mark.parametrize("written", re.findall(r"^\| `(cache: [^`]+)` \|", PAGE, re.MULTILINE))
def test_every_way_to_write_it_compiles(written: str) -> None:
    """Each value in the table is accepted."""
    assert compiled(a=f"a: {{img: x, run: x, {written}}}").by_name["a"].cache is not None


@pytest.mark.parametrize(
    "keys", ["vol: '/data:/data'", "vol: 'name:/data'", "network: host", "noLog: true", "when: always", "build: code"]
)
def test_what_cannot_be_reused_is_an_error(keys: str) -> None:
    """Each kind of stage in the list is DK048."""
    image = "" if "build" in keys else "img: x, run: x, "

    assert codes(a=f"a: {{{image}cache: true, {keys}}}\nb: {{img: x, run: x, after: a}}") == ["DK048"]


def test_the_options_exist() -> None:
    """The page names options of `run`."""
    assert set(re.findall(r"dockercise run (--[a-z-]+)", PAGE)) <= {option for one in run.params for option in one.opts}


def test_what_does_not_count_is_what_the_code_leaves_out() -> None:
    """The keys that do not count are those that the code leaves out, besides the ones with a row of their own."""
    row = next(line for line in PAGE.splitlines() if line.startswith("| the script and all"))
    snake = {re.sub(r"([A-Z])", r"_\1", name).lower() for name in re.findall(r"`([a-zA-Z]+)`", row)}

    assert snake == WITHOUT_EFFECT - {"cache", "depends_on", "env", "image", "no_log"}
