"""`lint`: findings for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.command import Command


def test_quiet_when_all_is_well(command: Command, tmp_path: Path) -> None:
    """A correct pipeline is status 0 and prints nothing."""
    (tmp_path / "a.dockercise.yaml").write_text("a: {img: x:1}\n")

    assert command("lint") == (0, "", "")


def test_findings_as_text(command: Command, tmp_path: Path) -> None:
    """Findings go to stderr with place, code and hint, and a line counts them: status 2."""
    (tmp_path / "a.dockercise.yaml").write_text("a: {img: x, volume: y}\n")
    (tmp_path / "b.dockercise.yaml").write_text("b: {img: x, after: c}\n")

    outcome = command("lint")

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == (
        "a.dockercise.yaml:1:13: DK021 a: unknown key `volume`\n  hint: here it is called `vol`\n"
        "b.dockercise.yaml:1:20: DK031 b comes after `c`, which is not a stage\n"
        "2 findings in 2 files\n"
    )


def test_findings_as_json(command: Command, tmp_path: Path) -> None:
    """`--format json` prints a list of objects on stdout, each with every field, and the status is the same."""
    (tmp_path / "a.dockercise.yaml").write_text("a: {img: x}\na: {img: y}\n")

    outcome = command("lint", "--format", "json")

    assert (outcome.status, outcome.err) == (2, "")
    assert json.loads(outcome.out) == [
        {
            "code": "DK010",
            "severity": "error",
            "message": "the stage `a` is defined twice",
            "path": "a.dockercise.yaml",
            "line": 2,
            "column": 1,
            "hint": "rename or remove one of them",
            "related": [{"message": "it is defined here first", "path": "a.dockercise.yaml", "line": 1, "column": 1}],
        }
    ]


def test_no_findings_as_json(command: Command, tmp_path: Path) -> None:
    """A correct pipeline gives an empty list."""
    (tmp_path / "a.dockercise.yaml").write_text("a: {img: x:1}\n")

    assert command("lint", "--format", "json") == (0, "[]\n", "")


def test_warnings_alone_are_no_failure(command: Command, tmp_path: Path) -> None:
    """Warnings are shown and the status is 0."""
    (tmp_path / "a.dockercise.yaml").write_text("a: {user: root}\n")

    outcome = command("lint")
    as_json = command("lint", "--format", "json")

    assert outcome.status == as_json.status == 0
    assert outcome.err.endswith("1 finding in 1 file\n")
    assert json.loads(as_json.out)[0]["severity"] == "warning"


def test_no_file_is_status_4(command: Command) -> None:
    """Without any file there is nothing to check: status 4."""
    outcome = command("lint")

    assert outcome.status == 4
    assert outcome.err.startswith("nothing to do: no *.dockercise.yaml below .\n")


def test_files_without_a_stage_are_fine(command: Command, tmp_path: Path) -> None:
    """A file that defines no stage is not an error."""
    (tmp_path / "a.dockercise.yaml").write_text("# later\n")

    assert command("lint").status == 0


def test_lint_rules_are_shown_by_lint_alone(command: Command, tmp_path: Path) -> None:
    """A finding of a lint rule is a warning of `lint`, status 0; `compile` does not show it."""
    (tmp_path / "a.dockercise.yaml").write_text("a: {img: x}\n")

    outcome = command("lint")
    compiling = command("compile")

    assert (outcome.status, outcome.out) == (0, "")
    assert outcome.err == (
        "a.dockercise.yaml:1:10: DK104 warning: a: the image `x` has no tag, so it can change from run to run\n"
        "  hint: name a version, `x:…`, or write `x:latest` if you mean that\n"
        "1 finding in 1 file\n"
    )
    assert (compiling.status, compiling.err) == (0, "")


def test_lint_rules_as_json(command: Command, tmp_path: Path) -> None:
    """`--format json` shows the findings of rules like all others, mixed with the compiler's warnings by place."""
    (tmp_path / "a.dockercise.yaml").write_text("a: {img: x}\nb: {user: root}\nc: {img: x}\n")

    outcome = command("lint", "--format", "json")

    shown = [(finding["code"], finding["severity"], finding["line"]) for finding in json.loads(outcome.out)]
    assert outcome.status == 0
    assert shown == [("DK104", "warning", 1), ("DK026", "warning", 2), ("DK104", "warning", 3)]


def test_errors_hide_lint_rules(command: Command, tmp_path: Path) -> None:
    """If a pipeline does not compile, only its errors are shown."""
    (tmp_path / "a.dockercise.yaml").write_text("a: {img: x}\nb: {img: x, after: c}\n")

    outcome = command("lint", "--format", "json")

    assert outcome.status == 2
    assert [finding["code"] for finding in json.loads(outcome.out)] == ["DK031"]


def test_meta_switches_rules_off(command: Command, tmp_path: Path) -> None:
    """`meta.lint`, merged over the files, switches rules off for the whole pipeline, and `on` leaves them on."""
    (tmp_path / "a.dockercise.yaml").write_text("meta: {lint: {DK104: off}}\na: {img: y}\n")
    (tmp_path / "b.dockercise.yaml").write_text("meta: {lint: {DK105: on}}\nb: {img: x:1}\nx: {img: y}\nc: {img: x}\n")

    outcome = command("lint", "--format", "json")

    assert [finding["code"] for finding in json.loads(outcome.out)] == ["DK105"]


def test_meta_switches_no_errors_off(command: Command, tmp_path: Path) -> None:
    """A code in `meta.lint` that is not a lint rule is an error with the reason, or with the rule that was probably meant."""
    (tmp_path / "a.dockercise.yaml").write_text("meta: {lint: {DK031: off, dk104: off}}\na: {img: x, after: b}\n")

    outcome = command("lint")

    assert outcome.status == 2
    assert outcome.err == (
        "a.dockercise.yaml:1:15: DK021 meta.lint: `DK031` is not a lint rule\n"
        "  hint: only lint rules, DK100 and later, can be switched off\n"
        "a.dockercise.yaml:1:27: DK021 meta.lint: there is no lint rule `dk104`\n"
        "  hint: did you mean `DK104`?\n"
        "a.dockercise.yaml:2:20: DK031 a comes after `b`, which is not a stage\n"
        "3 findings in 1 file\n"
    )


def test_a_comment_switches_a_rule_off(command: Command, tmp_path: Path) -> None:
    """A comment on the line of a finding removes that finding; findings on other lines stay."""
    (tmp_path / "a.dockercise.yaml").write_text("a: {img: x} # dockercise: ignore DK104\nb: {img: x}\n")

    outcome = command("lint", "--format", "json")

    assert [(finding["code"], finding["line"]) for finding in json.loads(outcome.out)] == [("DK104", 2)]


def test_a_wrong_comment_is_found(command: Command, tmp_path: Path) -> None:
    """In such a comment, a code that is not a lint rule is a warning, status 0; the correct codes next to it still count."""
    (tmp_path / "a.dockercise.yaml").write_text("a: {img: x} # dockercise: ignore DK1O7, DK104 DK021\n")

    outcome = command("lint")

    assert outcome.status == 0
    assert outcome.err == (
        "a.dockercise.yaml:1:34: DK100 warning: this comment ignores nothing: there is no lint rule `DK1O7`\n"
        "  hint: did you mean `DK107`?\n"
        "a.dockercise.yaml:1:47: DK100 warning: this comment ignores nothing: `DK021` is not a lint rule\n"
        "  hint: only lint rules, DK100 and later, can be switched off\n"
        "2 findings in 1 file\n"
    )


def test_a_flood_is_cut_short(command: Command, tmp_path: Path) -> None:
    """If a file has many findings, the first ones are shown and the rest are counted; other files and JSON stay complete."""
    (tmp_path / "a.dockercise.yaml").write_text("".join(f"s{number}: {{img: x, after: none}}\n" for number in range(1000)))
    (tmp_path / "b.dockercise.yaml").write_text("b: {img: x, after: c}\n")

    text = command("lint").err.splitlines()
    as_json = json.loads(command("lint", "--format", "json").out)

    assert len(text) == 53
    assert text[50] == "a.dockercise.yaml: 950 more findings; `dockercise lint --format json` prints them all"
    assert text[51].startswith("b.dockercise.yaml:1:20: DK031")
    assert text[52] == "1,001 findings in 2 files"
    assert len(as_json) == 1001


def test_findings_in_very_many_files_are_counted(command: Command, tmp_path: Path) -> None:
    """The first 200 of all findings are shown, and the rest are counted."""
    for number in range(300):
        (tmp_path / f"{number:03}.dockercise.yaml").write_text(f"a{number}: {{x: 1}}\n")

    lines = command("lint", str(tmp_path)).err.splitlines()

    assert len([line for line in lines if "DK021" in line]) == 200
    assert lines[-2:] == [
        "100 more findings in 100 files; `dockercise lint --format json` prints them all",
        "300 findings in 300 files",
    ]
