"""Which stages see files that have changed."""

from __future__ import annotations

import pytest

from dockercise_prefect.pipeline.touched import SeenFiles, is_in_one_of, written_folders
from tests.compiler.sources import compiled

TEXT = """\
meta: {defaults: {img: x}}
whole: {run: x, vol: code}
part: {run: x, vol: "code/src:/src"}
copy: {run: x, on: code}
also: {run: x, cache: {also: [Makefile, "tools/**"]}}
bound: {run: x, vol: "./data/in:/data:ro"}
consumer: {run: x, vol: part}
none: {run: x}
"""


@pytest.mark.parametrize(
    ("path", "stages"),
    [
        ("README.md", ["whole", "copy"]),
        ("src/main.go", ["whole", "part", "copy"]),
        ("src", ["whole", "part", "copy"]),
        ("srcs/main.go", ["whole", "copy"]),
        ("Makefile", ["whole", "copy", "also"]),
        ("tools/deep/tool", ["whole", "copy", "also"]),
        ("data/in/words", ["whole", "copy", "bound"]),
        ("data", ["whole", "copy", "bound"]),
    ],
)
def test_a_stage_is_touched_by_what_it_sees(path: str, stages: list[str]) -> None:
    """It sees what it mounts of the code or works on, files that it names, and folders that it mounts as they are."""
    seen = SeenFiles(compiled(a=TEXT))

    assert seen.stages([path]) == stages
    assert seen.among([path]) == [path]


def test_several_files_touch_what_any_of_them_touches() -> None:
    """Each stage is there once, in the pipeline's order."""
    seen = SeenFiles(compiled(a="a: {img: x, run: x, vol: 'code/b:/b'}\nb: {img: x, run: x, vol: 'code/a:/a'}\n"))

    assert seen.stages(["a/1", "b/1", "c"]) == ["a", "b"]
    assert seen.among(["c", "b/1", "a"]) == ["b/1", "a"]


def test_without_the_code_no_file_touches_anything() -> None:
    """A stage that mounts nothing of the code sees no file of it."""
    seen = SeenFiles(compiled(a="a: {img: x, run: x}\n"))

    assert seen.stages(["a"]) == []
    assert seen.among(["a", "b/c"]) == []


def test_a_build_is_touched_by_its_folder() -> None:
    """The folder that an image is built from counts, and no other one."""
    seen = SeenFiles(compiled(a="image: {build: app}\n"))

    assert seen.stages(["app/Dockerfile"]) == ["image"]
    assert seen.stages(["docs/page.md"]) == []


@pytest.mark.parametrize(
    ("volume", "folders"),
    [("./out:/made", {"out"}), ("./out:/made:ro", set()), (".:/all", {""}), ("/srv/x:/x", set()), ("code", set())],
)
def test_folders_that_stages_write_to_are_known(volume: str, folders: set[str]) -> None:
    """These are folders below the root that a stage mounts as they are, unless it may only read them."""
    assert written_folders(compiled(a=f"a: {{img: x, run: x, vol: '{volume}'}}\n")) == folders


@pytest.mark.parametrize(("path", "answer"), [("a/b", True), ("a", True), ("ab", False), ("b/c/d", True), ("b", False)])
def test_a_path_is_in_a_folder(path: str, answer: bool) -> None:
    """The folder itself is in it too, and everything is in the root."""
    assert is_in_one_of(path, {"a", "b/c"}) is answer
    assert is_in_one_of(path, {""})
    assert not is_in_one_of(path, ())
