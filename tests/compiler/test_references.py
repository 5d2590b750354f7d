"""Edges that nobody wrote: what scripts refer to in other stages."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from dockercise_prefect.compiler import compile_sources
from dockercise_prefect.pipeline import (
    CodeSnapshot,
    HostVariable,
    LiteralValue,
    Mount,
    Pipeline,
    Stage,
    StageValue,
    StageVolume,
)
from tests.compiler.sources import codes, compiled, findings, sources

OTHERS = "a: {img: x}\nb-2: {img: x}\n'☃': {img: x}\n"


def _stage(script: str, *, more: str = "", meta: str = "") -> Stage:
    """The last stage of a pipeline, with this script in a block."""
    body = "".join(f"    {line}\n" for line in script.split("\n"))
    return _last(compiled(f=f"{meta}{OTHERS}last:\n  img: x\n{more}  run: |\n{body}"))


def _last(pipeline: Pipeline) -> Stage:
    return pipeline.by_name["last"]


def _edges(stage: Stage) -> list[tuple[Any, ...]]:
    return [(edge.stage, edge.kind.value, edge.inferred, str(edge.place)) for edge in stage.depends_on]


def test_a_variable_that_a_script_uses_is_given() -> None:
    """`$A` in a script gives the stage the value of `a`, through an edge with the place of the reference."""
    stage = _stage("echo hi\nexport X=1; echo $A ${B_2:-none}")

    assert stage.env == {"A": StageValue("a"), "B_2": StageValue("b-2")}
    assert _edges(stage) == [
        ("a", "env", True, "f.dockercise.yaml:8:22"),
        ("b-2", "env", True, "f.dockercise.yaml:8:25"),
    ]


def test_a_path_below_a_volume_is_mounted() -> None:
    """A path below `/a/` mounts the volume of `a`; one below `/code/` mounts the code and makes no edge."""
    stage = _stage("cat /a/file --with=/☃/x > /code/y")

    assert stage.mounts == (
        Mount(StageVolume("a"), "/a"),
        Mount(StageVolume("☃"), "/☃"),
        Mount(CodeSnapshot(), "/code"),
    )
    assert _edges(stage) == [("a", "vol", True, "f.dockercise.yaml:7:9"), ("☃", "vol", True, "f.dockercise.yaml:7:24")]


def test_an_output_that_is_read_makes_an_edge() -> None:
    """`out/a` and `/out/a` make an edge and nothing else."""
    stage = _stage("cat out/a\ngrep x </out/b-2 ./out/☃")

    assert (stage.env, stage.mounts) == ({}, ())
    assert _edges(stage) == [
        ("a", "out", True, "f.dockercise.yaml:7:9"),
        ("b-2", "out", True, "f.dockercise.yaml:8:13"),
        ("☃", "out", True, "f.dockercise.yaml:8:22"),
    ]


@pytest.mark.parametrize(
    "script",
    [
        "echo '$A'",
        "A=1\necho $A",
        "read A\necho $A",
        "for A in 1; do echo $A; done",
        "cat <<'E'\n$A\nE",
        "# $A out/a /a/b",
        "echo $LAST /last/x out/last",
        "ls /nothing /nothing/x out/nothing",
        "echo $$A_ ${AB} \\$A",
        "cat x/out/a x/a/b http://a/b",
        "sed '/a/d' file",
    ],
)
def test_what_names_no_other_stage_infers_nothing(script: str) -> None:
    """Single quotes, comments, own variables of the script, its own volume and unknown names infer nothing."""
    stage = _stage(script)

    assert (stage.env, stage.mounts, stage.depends_on) == ({}, (), ())


def test_what_is_written_is_not_inferred_again() -> None:
    """If a written entry already does what a reference needs, nothing is inferred."""
    stage = _stage("cat out/a /a/x; echo $A", more="  env: a\n  vol: a\n")

    assert [edge[:3] for edge in _edges(stage)] == [("a", "env", False), ("a", "vol", False)]
    assert stage.mounts == (Mount(StageVolume("a"), "/a"),)


@pytest.mark.parametrize(
    ("more", "kinds"),
    [
        ("  after: a\n", ["after"]),
        ("  on: a\n  dir: /\n", ["on"]),
        ("  vol: a:/data\n", ["vol"]),
        ("  env: {X: {stage: a}}\n", ["env"]),
    ],
)
def test_any_written_edge_brings_the_output(more: str, kinds: list[str]) -> None:
    """A stage with a written edge finds the other stage's output in `/out`, so reading it infers nothing."""
    assert [edge.kind.value for edge in _stage("cat out/a", more=more).depends_on] == kinds


def test_variables_of_the_stage_win() -> None:
    """A variable that the stage sets itself, from any source, is not another stage's value."""
    stage = _stage("echo $A $B_2", more="  env: {A: mine, B_2: {stage: a}}\n")

    assert stage.env == {"A": LiteralValue("mine"), "B_2": StageValue("a")}


@pytest.mark.parametrize("vol", ["/host:/a", "volume:/a", "code:/a", "a:/a", "b-2:/a/file"])
def test_a_path_that_is_mounted_already(vol: str) -> None:
    """A path below one of the stage's own mounts names no volume."""
    stage = _stage("cat /a/file", more=f"  vol: '{vol}'\n")

    assert len(stage.mounts) == 1


def test_a_volume_mounted_elsewhere_does_not_count() -> None:
    """A volume that is mounted at another path is also mounted at its own path if the script names that."""
    stage = _stage("cat /a/file /data/file", more="  vol: a:/data\n")

    assert [mount.target for mount in stage.mounts] == ["/data", "/a"]
    assert [edge[:3] for edge in _edges(stage)] == [("a", "vol", False)]


def test_relative_outputs_need_the_usual_directory() -> None:
    """`out/a` is below `/out` only if the script begins in `/`; `/out/a` always is."""
    assert _stage("cat out/a", more="  dir: /work\n").depends_on == ()
    assert _stage("cat out/a", more="  on: b-2\n").needs == ("b-2",)
    assert _stage("cat /out/a", more="  dir: /work\n").needs == ("a",)


def test_implicit_false_turns_it_off() -> None:
    """With `meta.implicit: false` a script infers nothing."""
    assert _stage("echo $A; cat out/a /a/x", meta="meta: {implicit: false}\n").depends_on == ()


def test_a_script_in_a_list_knows_its_places() -> None:
    """Each item of a list is a separate text, and a reference has its place in its item."""
    stage = _last(compiled(f="a: {img: x}\nlast:\n  img: x\n  run:\n    - echo hi\n    - 'echo $A'\n    - |\n      cat /a/x\n"))

    assert [edge[3] for edge in _edges(stage)] == ["f.dockercise.yaml:6:13", "f.dockercise.yaml:8:11"]


def test_names_that_no_shell_takes_as_variables() -> None:
    """If the variable of a stage is taken, or is not a valid name, scripts do not use it: `$PATH` is the shell's."""
    stage = _last(compiled(f="path: {img: x}\n'2': {img: x}\nlast: {img: x, run: 'echo $PATH $2'}\n"))

    assert stage.depends_on == ()


def test_a_variable_of_two_stages_is_no_ones() -> None:
    """A variable that could be the value of two stages is a warning, with a hint how to choose one."""
    result = compile_sources(sources(f="a-b: {img: x}\na.b: {img: x}\nlast: {img: x, run: echo $A_B}\n"), "test")

    (warning,) = result.warnings
    assert str(warning) == (
        "f.dockercise.yaml:3:26: DK042 warning: last: `$A_B` could be the value of `a-b` or `a.b`\n"
        "  hint: choose one: `env: {A_B: {stage: a-b}}`"
    )
    assert _last(result.pipeline).depends_on == ()


def test_a_script_that_is_not_understood_is_said() -> None:
    """A script that does not fit the grammar is read as far as possible, with a warning."""
    text = "a: {img: x}\nlast:\n  img: x\n  run: |\n    if true; then\n    echo $A\n"
    result = compile_sources(sources(f=text), "test")

    assert _last(result.pipeline).env == {"A": StageValue("a")}
    assert [(str(warning.code), str(warning.place)) for warning in result.warnings] == [("DK041", "f.dockercise.yaml:4:8")]


@pytest.mark.parametrize("rest", ["echo hello\n" * 15_000, "$(" * 2000], ids=["long", "deep"])
def test_a_script_that_is_too_much_for_the_grammar_is_searched(rest: str) -> None:
    """Everything that looks like a reference counts, also in quotes, and a warning gives the reason."""
    script = textwrap.indent(f"echo '$A'\n{rest}", "    ")
    result = compile_sources(sources(f=f"a: {{img: x}}\nlast:\n  img: x\n  run: |\n{script}"), "test")

    assert _last(result.pipeline).env == {"A": StageValue("a")}
    (warning,) = result.warnings
    assert str(warning).startswith("f.dockercise.yaml:4:8: DK041 warning: last: the script is too long or too deeply nested")


def test_names_in_quotes_are_found() -> None:
    """A quoted or escaped name in a path is found and has a place."""
    stage = _last(
        compiled(f="token: {img: x}\nit's: {img: x}\nlast:\n  img: x\n  run: |\n    cat \"/to\"ken/x\n    cat out/it\\'s\n")
    )

    assert _edges(stage) == [
        ("token", "vol", True, "f.dockercise.yaml:6:10"),
        ("it's", "out", True, "f.dockercise.yaml:7:9"),
    ]


def test_a_script_that_names_nothing_is_not_judged() -> None:
    """A script that is not a shell script and names no stage gives no finding."""
    result = compile_sources(sources(f="a: {img: x}\nlast: {img: x, run: 'if ('}\n"), "test")

    assert result.warnings == ()


def test_a_cycle_names_the_references() -> None:
    """A cycle of inferred edges shows the source of each edge and how to turn it off."""
    (finding,) = findings(f="a: {img: x, run: cat /b/x}\nb: {img: x, run: echo $C}\nc: {img: x, run: cat out/a}\n")

    assert [str(related.message) for related in finding.related] == [
        "a mounts the volume of b, inferred from `/b`",
        "b uses the value of c, inferred from `$C`",
        "c reads the output of a, inferred from `out/a`",
    ]
    assert [str(related.place) for related in finding.related] == [
        f"f.dockercise.yaml:{place}" for place in ("1:22", "2:23", "3:22")
    ]
    assert finding.hint == (
        "remove one of these edges; to remove an inferred one, write `# dockercise: ignore references` on its line, "
        "or `implicit: false`"
    )


def test_what_meta_env_gives_is_not_inferred() -> None:
    """If `meta.env` gives the variable, its entry is the reason for the edge."""
    pipeline = compiled(f="meta: {env: [a, HOME]}\na: {img: x}\nlast: {img: x, run: echo $A $HOME}\nhome2: {img: x}\n")

    assert _edges(_last(pipeline)) == [("a", "env", False, "f.dockercise.yaml:1:14")]


def test_stages_that_meta_env_asks_for_name_each_other() -> None:
    """A stage that `meta.env` names gets no value through it, so its script's references are inferred, and those come first."""
    text = "meta: {env: [b]}\na: {img: x, run: echo $C}\nb: {img: x, run: echo $A $HOME}\nc: {img: x}\nlast: {img: x}\n"
    pipeline = compiled(f=text)

    assert {stage.name: dict(stage.env) for stage in pipeline} == {
        "c": {},
        "a": {"C": StageValue("c")},
        "b": {"A": StageValue("a")},
        "last": {"B": StageValue("b")},
    }


def test_the_seed_needs_fewer_words() -> None:
    """The seed's credential stages compile to the same without `after`, because their scripts show what they read."""
    written = compiled(f="assume-role: {img: x}\nkey: {img: x, after: assume-role, run: cat out/assume-role | jq -r .Key}\n")
    inferred = compiled(f="assume-role: {img: x}\nkey: {img: x, run: cat out/assume-role | jq -r .Key}\n")

    assert written.by_name["key"].needs == inferred.by_name["key"].needs == ("assume-role",)
    assert _edges(inferred.by_name["key"]) == [("assume-role", "out", True, "f.dockercise.yaml:2:24")]


def test_a_wrong_pipeline_is_judged_with_its_inferred_edges() -> None:
    """Findings of other kinds appear together with the references of scripts."""
    assert codes(f="a: {img: x, run: echo $B}\nb: {img: x, run: echo $A, vol: nothing}\n") == ["DK038", "DK031"]


def test_values_from_outside_are_still_asked_for() -> None:
    """A variable that is not a stage's is never inferred and must be written."""
    stage = _stage("echo $HOME $TOKEN", more="  env: TOKEN\n")

    assert stage.env == {"TOKEN": HostVariable("TOKEN")}


def _warnings(text: str) -> list[str]:
    return [str(warning) for warning in compile_sources(sources(f=text), "test").warnings]


def test_a_comment_silences_the_references_of_its_line() -> None:
    """`# dockercise: ignore references` hides the references of its line, and no others."""
    stage = _stage("echo $A /☃/x # dockercise: ignore references\necho $B_2 $A")

    assert [edge[:2] for edge in _edges(stage)] == [("b-2", "env"), ("a", "env")]
    assert _edges(stage)[1][3] == "f.dockercise.yaml:8:15"


@pytest.mark.parametrize("folder", ["/a", "/a/b", "/code/app"])
def test_a_working_directory_is_a_path(folder: str) -> None:
    """A `dir` below the volume of a stage, or below the code, mounts it; the edge has the place of `dir`."""
    stage = _stage("ls", more=f"  dir: {folder}\n")

    assert [mount.target for mount in stage.mounts] == ["/" + folder.split("/")[1]]
    assert _edges(stage) == ([] if "code" in folder else [("a", "vol", True, "f.dockercise.yaml:6:8")])


def test_a_working_directory_that_is_mounted_already() -> None:
    """A `dir` in one of the stage's own mounts, or in its own volume, infers nothing."""
    assert len(_stage("ls", more="  vol: '/host:/a'\n  dir: /a/b\n").mounts) == 1
    assert _stage("ls", more="  dir: /last/b\n").mounts == ()


@pytest.mark.parametrize(
    "script",
    ['echo "see /a there"', "cat > conf <<E\nroot /a/www;\nE", "mkdir /a && cp x /a/"],
)
def test_a_folder_that_is_named_and_not_mounted_is_said(script: str) -> None:
    """If a script names a stage's folder and nothing is inferred, a warning gives the place and the advice."""
    (warning,) = _warnings(OTHERS + "last:\n  img: x\n  run: |\n" + "".join(f"    {line}\n" for line in script.split("\n")))

    assert "DK044 warning: last: `run` names `/a`, but nothing is mounted there" in warning
    assert "write `vol: a`" in warning


def test_a_variable_behind_a_sourced_file_is_said() -> None:
    """After `. file`, a stage's variable is not inferred, and a warning reports it; an earlier use is inferred."""
    (warning,) = _warnings(OTHERS + "last: {img: x, run: 'echo $B_2; . ./env; echo $A $B_2'}\n")

    assert "DK045 warning: last: `$A` is not read as the value of `a`" in warning
    assert "f.dockercise.yaml:4:47" in warning


def test_a_stage_turns_it_off_for_itself() -> None:
    """`implicit: false` in a stage counts for that stage, and `implicit: true` wins over `meta`."""
    assert _stage("echo $A; cat /a/x", more="  implicit: false\n").depends_on == ()
    assert _stage("echo $A", more="  implicit: true\n", meta="meta: {implicit: false}\n").needs == ("a",)


def test_an_image_of_a_stage_is_no_inference() -> None:
    """`img: STAGE` means the stage even if nothing is inferred from scripts."""
    for text in ("meta: {implicit: false}\na: {img: x}\nlast: {img: a}\n", "a: {img: x}\nlast: {img: a, implicit: false}\n"):
        assert _last(compiled(f=text)).needs == ("a",)


def test_a_guess_that_closes_a_cycle_is_left_out() -> None:
    """An uncertain edge in a cycle is left out with its mount, and a warning reports it; the other edges stay."""
    result = compile_sources(sources(f="a: {img: x, run: proxy --prefix /last}\nlast: {img: x, run: echo $A}\n"), "test")

    assert result.pipeline.by_name["a"].mounts == ()
    assert result.pipeline.by_name["a"].depends_on == ()
    assert _last(result.pipeline).needs == ("a",)
    assert [(str(warning.code), str(warning.place)) for warning in result.warnings] == [("DK039", "f.dockercise.yaml:1:33")]


def test_a_cycle_of_what_is_surely_meant_is_an_error() -> None:
    """A cycle of variables and of files that a script certainly reads is an error, and no edge is left out."""
    assert codes(f="a: {img: x, run: cd /last}\nlast: {img: x, run: echo $A}\n") == ["DK038"]


@pytest.mark.parametrize("slip", ["VERSOIN", "VERSIO", "VERSIONN", "VERSIEN"])
def test_a_variable_that_is_nearly_a_stages_is_said(slip: str) -> None:
    """An unset variable that is one slip away from a stage's variable is a warning that names the stage's variable."""
    (warning,) = _warnings(f"version: {{img: x}}\nlast: {{img: x, run: 'echo ${slip}'}}\n")

    assert f"DK046 warning: last: nothing sets `{slip}`\n  hint: did you mean `VERSION`, the value of `version`?" in warning


@pytest.mark.parametrize("script", ["VERSIEN=1; echo $VERSIEN", "echo $VERSION2 $VERS", "echo '$VERSIEN'"])
def test_a_variable_that_is_set_or_another_is_no_slip(script: str) -> None:
    """A variable that the script sets, that differs by a digit or by much, or that is not used is not a slip."""
    assert _warnings(f'version: {{img: x}}\nlast: {{img: x, run: "{script}"}}\n') == []


def test_a_variable_from_outside_is_no_slip() -> None:
    """A variable that `env` gives is not a slip."""
    assert _warnings("version: {img: x}\nlast: {img: x, env: VERSIONS, run: echo $VERSIONS}\n") == []


def test_a_folder_of_the_code_that_is_mounted_is_enough() -> None:
    """If `code/app` is mounted, a path below `/code/app` mounts nothing more; another path of the code mounts all of it."""
    inside = _stage("cat /code/app/f", more="  vol: code/app\n")
    elsewhere = _stage("cat /code/app/f /code/application", more="  vol: code/app\n")

    assert inside.mounts == (Mount(CodeSnapshot("app"), "/code/app"),)
    assert elsewhere.mounts == (*inside.mounts, Mount(CodeSnapshot(), "/code"))


def test_a_variable_of_the_run_is_set_where_a_script_names_it() -> None:
    """`$DOCKERCISE_BRANCH` sets that variable, without an edge or a finding, unless the script sets it first or quotes it."""
    uses = "echo $DOCKERCISE_TAG ${DOCKERCISE_BRANCH:?} '$DOCKERCISE_COMMIT'; printenv DOCKERCISE_STATUS"
    stage = _stage(f"DOCKERCISE_TAG=mine\n{uses}")

    assert stage.env == {name: HostVariable(name, optional=True) for name in ("DOCKERCISE_BRANCH", "DOCKERCISE_STATUS")}
    assert stage.depends_on == ()
    near = "dockercise_branc: {img: x}\nb: {img: x, run: echo $DOCKERCISE_BRANCH}"
    assert compile_sources(sources(f=near), "f").warnings == ()


def test_a_variable_of_the_run_can_be_written() -> None:
    """In `env` it is written like a variable from outside; with `implicit: false` this is the only way to have it."""
    silent = _stage("echo $DOCKERCISE_TAG", more="  implicit: false\n")
    written = _stage("env", more="  implicit: false\n  env: [dockercise_tag, DOCKERCISE_EVENT?]\n")

    assert silent.env == {}
    assert written.env == {name: HostVariable(name, optional=True) for name in ("DOCKERCISE_TAG", "DOCKERCISE_EVENT")}
