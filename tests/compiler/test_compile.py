"""Promises of the compiler beyond the golden cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dockercise_prefect.compiler import compile_folder, compile_sources
from dockercise_prefect.errors import DefinitionError, NothingToDoError, Severity, UsageError
from dockercise_prefect.pipeline import (
    Build,
    CodeSnapshot,
    DependencyKind,
    HostVariable,
    ImageReference,
    Pipeline,
    StageImage,
    StageValue,
    digest_of,
)
from tests.compiler.sources import codes, compiled, findings, sources


def _write(root: Path, **files: str) -> None:
    for name, text in files.items():
        (root / f"{name}.dockercise.yaml").write_text(text)


def test_pipeline_is_called_like_its_folder(tmp_path: Path) -> None:
    """Without a `meta.name`, a pipeline has the name of the root folder, with characters that Prefect forbids replaced."""
    root = tmp_path / "a&b"
    root.mkdir()
    _write(root, a="s: {img: x}")

    assert compile_folder(root).pipeline.name == "a-b"
    assert compile_folder(root, name="other").pipeline.name == "other"


def test_meta_name_wins(tmp_path: Path) -> None:
    """`meta.name` is the pipeline's name, whatever name the caller gives."""
    _write(tmp_path, a="meta: {name: mine}\ns: {img: x}")

    assert compile_folder(tmp_path, name="other").pipeline.name == "mine"


def test_no_file_is_nothing_to_do(tmp_path: Path) -> None:
    """A folder without any file raises an error with exit status 4 whose text names the root."""
    with pytest.raises(NothingToDoError, match=r"nothing to do: no \*\.dockercise\.yaml below"):
        compile_folder(tmp_path)


def test_root_must_be_a_folder(tmp_path: Path) -> None:
    """A root that does not exist is a usage error."""
    with pytest.raises(UsageError, match="is not a folder"):
        compile_folder(tmp_path / "missing")


def test_files_without_a_stage_compile(tmp_path: Path) -> None:
    """Files that define nothing make a pipeline without stages."""
    _write(tmp_path, a="", b="meta: {tags: x}\n")

    compiled_folder = compile_folder(tmp_path)

    assert len(compiled_folder.pipeline) == 0
    assert compiled_folder.files == 2


def test_warnings_do_not_fail() -> None:
    """A warning comes with the pipeline and does not stop it."""
    result = compile_sources(sources(a="join: {user: root}\n"), "test")

    assert [finding.severity for finding in result.warnings] == [Severity.WARNING]


def test_warnings_are_shown_beside_errors() -> None:
    """When there are errors, the warnings are among the findings."""
    found = findings(a="join: {user: root}\nx: {run: ls}\n")

    assert [finding.severity.value for finding in found] == ["warning", "error"]


def test_findings_stand_in_order() -> None:
    """Findings are sorted by file, line and column, whatever step found them."""
    found = findings(b="one: {after: two}\ntwo: {after: one, runn: x}\n", a="z: {vol: nothing}\nout: {imgg: x}\n")

    places = [finding.place for finding in found if finding.place]
    assert len(places) == len(found) == 5
    assert places == sorted(places)


def test_a_broken_file_makes_no_false_findings() -> None:
    """If a file cannot be read, a name that it may define is not reported as unknown."""
    found = codes(a="build: {img: x\n", b="t: {img: x, after: build, on: build, vol: build, env: {A: {stage: build}}}\n")

    assert found == ["DK003"]


def test_an_unreadable_file_makes_no_false_findings(tmp_path: Path) -> None:
    """A file that is too big is one finding, and names that it may define are not reported as unknown."""
    _write(tmp_path, a="t: {after: build}\n", b="build: {}\n#" + "x" * (16 * 1024 * 1024))

    with pytest.raises(DefinitionError) as caught:
        compile_folder(tmp_path)

    assert [str(finding.code) for finding in caught.value.diagnostics] == ["DK005"]


def test_unknown_target_suggests() -> None:
    """A target that is not a stage is refused, and the error suggests the stage that was probably meant."""
    pipeline = compiled(a="build: {img: x}\n")

    with pytest.raises(
        DefinitionError, match=r"DK040 the target `biuld` is not a stage of test\n  hint: did you mean `build`\?"
    ):
        pipeline.only(["biuld"])


def test_target_brings_what_it_needs() -> None:
    """Targets are kept with everything that they need, in order, and nothing else is kept."""
    pipeline = compiled(a="a: {img: x}\nb: {img: x, after: a}\nc: {img: x, env: b}\nd: {img: x}\n")

    assert [stage.name for stage in pipeline.only(["c"])] == ["a", "b", "c"]


def test_name_and_places_leave_the_digest() -> None:
    """A pipeline with other lines and another name is the same pipeline; one with another script is not."""
    first = compiled(a="meta: {name: a}\ns: {img: x, run: ls}\n")
    moved = compiled(b="\n# moved\nmeta: {name: b}\n\ns:\n  run: ls\n  img: x\n")
    other = compiled(a="s: {img: x, run: ls -l}\n")

    assert first.digest == moved.digest
    assert first.digest != other.digest


def test_meta_env_leaves_out_what_has_to_come_first() -> None:
    """`meta.env` gives a stage's value to all containers except those of the stages that it names and their needs."""
    pipeline = compiled(
        a="meta: {env: [key, HOME]}\nrole: {img: x}\nkey: {img: x, after: role}\nuse: {img: x}\njoin: {after: use}\n"
    )

    given = {stage.name: dict(stage.env) for stage in pipeline}
    outside = {"HOME": HostVariable("HOME")}
    assert given == {"role": outside, "key": outside, "use": {"KEY": StageValue("key")} | outside, "join": {}}


def test_meta_env_edges_know_where_they_were_written() -> None:
    """An edge that `meta.env` makes has the place of the entry in `meta`."""
    pipeline = compiled(a="meta: {env: key}\nkey: {img: x}\nuse: {img: x}\n")

    (edge,) = pipeline.by_name["use"].depends_on

    assert str(edge.place) == "a.dockercise.yaml:1:13"


def test_default_image_that_is_a_stage() -> None:
    """If a default `img` names a stage, the stage itself runs in the image of that name, and the others in its result."""
    pipeline = compiled(a="meta: {defaults: {img: base}}\nbase: {}\na: {}\nb: {img: null, after: a}\n")

    images = {stage.name: stage.image for stage in pipeline}

    assert images == {"base": ImageReference("base"), "a": StageImage("base"), "b": None}


def test_any_name_of_a_stage_can_be_an_image() -> None:
    """`img` accepts the name of every stage, even one that is not valid for an image, in a stage and as a default."""
    named = compiled(a="getCode: {build: .}\n☃: {img: getCode}\nuse: {img: ☃}\n")
    default = compiled(a="meta: {defaults: {img: It's}}\nIt's: {img: x}\nuse: {run: ls}\n")

    assert [named.by_name[name].image for name in ("☃", "use")] == [StageImage("getCode"), StageImage("☃")]
    assert default.by_name["use"].image == StageImage("It's")


def test_what_is_neither_stage_nor_image() -> None:
    """Any other text must be a valid image, also if it is inherited; for a default it is reported once."""
    (own,) = findings(a="getCode: {build: .}\nuse: {img: GetCode}\n")
    (default,) = findings(a="meta: {defaults: {img: 'a b'}}\na: {}\nb: {}\n")

    assert (str(own.code), str(own.place)) == ("DK024", "a.dockercise.yaml:2:12")
    assert (str(default.code), str(default.place)) == ("DK024", "a.dockercise.yaml:1:24")


def test_order_of_triggers_counts_where_one_excludes() -> None:
    """`!x` excludes earlier matches, so its place counts; without a `!`, the order has no meaning."""

    def digest(triggers: str) -> str | None:
        return compiled(a=f"a: {{img: x, triggers: [{triggers}]}}\n").digest

    assert digest("'!x.txt', '*.txt'") != digest("'*.txt', '!x.txt'")
    assert digest("'a', 'b'") == digest("'b', 'a'")


def test_default_build_and_own_image() -> None:
    """A stage's own key wins over a default: its `img` over a default `build`, its `build` over a default `img`."""
    built = compiled(a="meta: {defaults: {build: .}}\na: {run: ls}\nb: {img: x}\n")
    named = compiled(a="meta: {defaults: {img: x}}\na: {run: ls}\nb: {build: .}\n")

    assert {stage.name: (stage.image, stage.build) for stage in built} == {
        "a": (None, Build(CodeSnapshot())),
        "b": (ImageReference("x"), None),
    }
    assert {stage.name: (stage.image, stage.build) for stage in named} == {
        "a": (ImageReference("x"), None),
        "b": (None, Build(CodeSnapshot())),
    }


def test_edge_to_an_image_counts_as_inferred() -> None:
    """`img: A` makes an edge with the place of `A`."""
    text = "base: {img: x}\nuse: {img: base}\n"

    (edge,) = compiled(a=text).by_name["use"].depends_on

    assert (edge.kind, edge.inferred, str(edge.place)) == (DependencyKind.IMG, True, "a.dockercise.yaml:2:12")


def test_inferred_or_written_is_the_same_pipeline() -> None:
    """The digest does not depend on whether an edge was written or inferred."""
    pipeline = compiled(a="base: {img: x}\nuse: {img: base}\n")
    use = pipeline.by_name["use"]
    written = replace(use, depends_on=tuple(replace(edge, inferred=False) for edge in use.depends_on))

    assert digest_of(Pipeline("test", [pipeline.by_name["base"], written])) == pipeline.digest


def test_many_wrong_names_stay_cheap() -> None:
    """A file full of wrong names is reported completely, but similar names are searched only as long as that is cheap."""
    text = "".join(f"stage-{index}: {{after: wrong-{index}}}\n" for index in range(2000))

    found = findings(a=text)

    assert len(found) == 2000


def test_messages_stay_on_one_line() -> None:
    """A key or name with control characters cannot break a message or affect a terminal."""
    found = findings(a='s: {"a\\nb\\e[1m": x, after: "x\\ny"}\n')

    assert [finding.message.isprintable() for finding in found] == [True, True]
    assert found[0].message == "s: unknown key `a\\nb\\x1b[1m`"


@pytest.mark.parametrize("stage", ["random", "optind", "histcmd", "seconds", "ps4", "bash-env", "lc-all", "hostname"])
def test_variables_of_shells_take_no_value_unasked(stage: str) -> None:
    """Variables that shells set or use are neither given by `env: STAGE` nor inferred, but are available by another name."""
    variable = stage.upper().replace("-", "_")

    assert codes(a=f"{stage}: {{img: x}}\nb: {{img: x, env: {stage}}}\n") == ["DK035"]
    assert compiled(a=f"{stage}: {{img: x}}\nb: {{img: x, run: echo ${variable}}}\n").by_name["b"].env == {}
    assert compiled(a=f"{stage}: {{img: x}}\nb: {{img: x, env: {{N: {{stage: {stage}}}}}}}\n").by_name["b"].needs == (stage,)
