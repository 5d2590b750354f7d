"""DK108: variables that a script uses and that nothing sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from dockercise_prefect.compiler.reading.names import WELL_KNOWN
from tests.compiler.sources import lint_codes, linted

PAGE = Path(__file__).resolve().parents[3] / "docs" / "lint" / "DK108.md"


def _stage(script: str, name: str = "s", more: str = "") -> str:
    indented = "".join(f"    {line}\n" for line in script.split("\n"))
    return f"{name}:\n  img: x:1\n{more}  run: |\n{indented}"


@pytest.mark.parametrize(
    "script",
    [
        "echo $TARGET",
        'echo "to ${TARGET}"',
        "echo ${TARGET%/*}",
        "cat <<E\n$TARGET\nE",
        "sh -c 'echo $TARGET'",
        "f() { echo $TARGET; }\nf",
        "echo $(ls $TARGET)",
        '[ "$TARGET" = prod ]',
        "[ -d $TARGET ]",
        "[[ $TARGET == prod ]]",
        "echo $target",
        "export TARGET\necho $TARGET",
    ],
)
def test_a_variable_that_nothing_sets(script: str) -> None:
    """A variable that is expanded and not set anywhere is found."""
    assert lint_codes(_stage(script)) == ["DK108"]


@pytest.mark.parametrize(
    "script",
    [
        "TARGET=x; echo $TARGET",
        "while true; do echo $TARGET; TARGET=x; done",
        "read -r TARGET; echo $TARGET",
        "for TARGET in a b; do echo $TARGET; done",
        "while getopts ab TARGET; do echo $TARGET; done",
        "export TARGET=x; echo $TARGET",
        "printf -v TARGET x; echo $TARGET",
        "(TARGET=x); echo $TARGET",
        "f() { TARGET=x; }\nf\necho $TARGET",
        "TARGET=x sh -c 'echo $TARGET'",
        "echo ${TARGET:-x}",
        "echo ${TARGET-}; echo $TARGET",
        ": ${TARGET:=x}; echo $TARGET",
        "echo ${TARGET:+x} ${TARGET:?must be set}",
        '[ -n "${TARGET:-}" ] && echo $TARGET',
        'if [ -z "$TARGET" ]; then exit 1; fi; echo $TARGET',
        'if [ "$TARGET" ]; then echo $TARGET; fi',
        'test ! "$TARGET" || echo $TARGET',
        "if [[ -n $TARGET ]]; then echo $TARGET; fi",
        "if [[ -v TARGET ]]; then echo $TARGET; fi",
        ". ./.env; echo $TARGET",
        "export $(cat .env); echo $TARGET",
        'eval "$(ssh-agent)"; echo $TARGET',
        'read "$name"; echo $TARGET; name=x',
        "echo $OUT $DOCKERCISE_STAGE $GRAPH_CI_RUN_ID",
        "echo $PATH $HOME $PWD $OLDPWD $HOSTNAME $USER $SHELL $TERM",
        "echo $LANG $LC_ALL $IFS $TMPDIR $SHLVL $PPID $UID $RANDOM $LINENO",
        "echo $1 $# $? $$ $! $@ $* $- $0",
        "echo '$TARGET' \\$TARGET # $TARGET",
        "cat <<'E'\n$TARGET\nE",
        "echo $TARGET # dockercise: ignore DK108 # the image sets it",
        "echo $TARGET # dockercise: ignore references",
        "n=$((TARGET + 1))",
        'if true; then echo "$TARGET"',
    ],
)
def test_variables_that_may_be_set(script: str) -> None:
    """A variable that the script sets, tests, gives a default or cannot be shown to be unset gives no finding."""
    assert "DK108" not in lint_codes(_stage(script))


@pytest.mark.parametrize(
    "env", ["  env: TARGET\n", "  env: TARGET?\n", "  env: {TARGET: x}\n", "  env: {TARGET: {stage: a}}\n"]
)
def test_env_declares(env: str) -> None:
    """Every kind of entry in `env` declares a variable."""
    assert lint_codes("a: {img: x:1, run: date}\n" + _stage("echo $TARGET", more=env)) == []


def test_env_of_meta_declares_for_all() -> None:
    """A variable of `meta.env` is declared in every stage."""
    assert lint_codes("meta: {env: TARGET}\n" + _stage("echo $TARGET")) == []


def test_each_variable_is_found_once_in_each_stage_at_its_first_use() -> None:
    """A finding is at the first use, and its hint says what can be done."""
    found = linted(_stage("date\necho $TARGET $OTHER $TARGET", "a") + _stage("echo ${TARGET}", "b"))

    assert [(each.message, each.place and (each.place.line, each.place.column)) for each in found] == [
        ("a: nothing sets `TARGET`", (5, 10)),
        ("a: nothing sets `OTHER`", (5, 18)),
        ("b: nothing sets `TARGET`", (9, 10)),
    ]
    assert found[0].hint is not None
    assert "`env: TARGET`" in found[0].hint
    assert "`${TARGET:-}`" in found[0].hint


@pytest.mark.parametrize("variable", ["VERSION", "VERSOIN", "A_B"])
def test_the_compiler_speaks_of_variables_of_stages(variable: str) -> None:
    """A stage's value, a slip of its name (DK046) and the value of several stages (DK042) are not findings of this rule."""
    stages = "version: {img: x:1, run: date}\na-b: {img: x:1, run: date}\na.b: {img: x:1, run: date}\n"

    assert lint_codes(stages + _stage(f"echo ${variable}")) == []


@pytest.mark.parametrize(
    ("meta", "own"),
    [("", "  implicit: false\n"), ("meta: {implicit: false}\n", ""), ("meta: {implicit: true}\n", "  implicit: false\n")],
)
@pytest.mark.parametrize("variable", ["VERSION", "VERSOIN"])
def test_where_nothing_is_inferred_a_stage_sets_nothing(meta: str, own: str, variable: str) -> None:
    """With `implicit: false`, a stage's variable must be declared."""
    text = f"{meta}version: {{img: x:1, run: date}}\n" + _stage(f"echo ${variable}", more=own)

    assert lint_codes(text) == ["DK108"]


def test_a_stage_has_no_value_of_its_own() -> None:
    """A stage's own variable is not set in it."""
    assert lint_codes(_stage("echo $VERSION", "version")) == ["DK108"]


def test_the_page_names_the_variables_of_images() -> None:
    """The page lists every variable that the rule expects of images."""
    page = PAGE.read_text()

    assert [name for name in sorted(WELL_KNOWN) if f"`{name}`" not in page] == []


def test_variables_of_git_need_no_declaration() -> None:
    """No rule objects to `$DOCKERCISE_BRANCH`, because the run sets it in the stages that use it."""
    assert lint_codes(_stage('echo "$DOCKERCISE_BRANCH"')) == []
