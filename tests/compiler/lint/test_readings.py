"""Rules about text that git and the shell read differently from what it looks like."""

from __future__ import annotations

import pytest

from tests.compiler.sources import lint_codes, linted


def _codes_of_script(script: str) -> list[str]:
    indented = "".join(f"    {line}\n" for line in script.split("\n"))
    return lint_codes(f"a:\n  img: x:1\n  run: |\n{indented}")


@pytest.mark.parametrize(
    "glob", ["./src/**", "../x", "a/./b", "a/../b", "{a,b}/**", "*.{js,ts}", " src", "! src", "#x", "/", "!x", "..", "src/.."]
)
def test_globs_that_never_match(glob: str) -> None:
    """DK110: a glob that no changed file can match is found at its place."""
    (found,) = linted(f"a:\n  img: x:1\n  triggers:\n    - '{glob}'\n")

    assert (found.code, found.place and found.place.line) == ("DK110", 4)


@pytest.mark.parametrize("glob", ["src/**", "/src", "*.md", ".github/**", "a.b/..c", "**/.x/*", "{a}", r"\#x", "x", "[.]x"])
def test_globs_that_may_match(glob: str) -> None:
    """DK110: dots in names, a single brace and everyday globs give no finding, and neither does `!` behind another glob."""
    assert lint_codes(f"a:\n  img: x:1\n  triggers: ['{glob}', '!docs/**']\n") == []


@pytest.mark.parametrize(
    "stage",
    [
        "{img: 'x:1', env: ['A=$HOME']}",
        "{img: 'x:1', env: {A: '${home:-x}'}}",
        "{img: 'x:1', dir: /app/$NAME}",
        "{build: {context: ., args: {V: $VERSION}}, run: x}",
    ],
)
def test_variables_that_stay_as_they_are(stage: str) -> None:
    """DK111: a variable in a value of `env`, a build argument or `dir` is found."""
    assert lint_codes(f"a: {stage}\n") == ["DK111"]


@pytest.mark.parametrize("text", ["pa$word", "$", "$$", "5$", "a$1", "{{x}}", "$(date)"])
def test_dollars_that_are_text(text: str) -> None:
    """DK111: a `$` that does not begin a variable is text."""
    assert lint_codes(f"a: {{img: 'x:1', env: {{A: '{text}'}}}}\n") == []


@pytest.mark.parametrize("script", ["echo $${VAR}", 'echo "$$VAR"', "cat <<E\n$${X}\nE", "é=1; echo $${VAR}"])
def test_a_dollar_that_is_doubled(script: str) -> None:
    """DK112: `$$` before a name is found if the shell expands it."""
    assert _codes_of_script(script) == ["DK112"]


@pytest.mark.parametrize("script", ["echo $$", "echo '$${VAR}'", "# $${VAR}", "cat <<'E'\n$${X}\nE", "echo $$-x $$.y"])
def test_the_id_of_the_process(script: str) -> None:
    """DK112: `$$` alone is the process id, and text that the shell does not expand is not our concern."""
    assert _codes_of_script(script) == []


@pytest.mark.parametrize("first", ["#!/usr/bin/env bash", "#!/bin/bash -e", "#!/bin/sh -x", "#! python3"])
def test_a_shebang_that_nobody_heeds(first: str) -> None:
    """DK113: a first line that requests another interpreter, or options, is found."""
    assert _codes_of_script(f"{first}\necho x") == ["DK113"]


@pytest.mark.parametrize("first", ["#!/bin/sh", "#!/bin/sh -e", "#!/usr/bin/env sh", "# comment", "echo '#!/bin/bash'"])
def test_a_shebang_that_says_what_happens(first: str) -> None:
    """DK113: a first line that names the shell that runs the script gives no finding."""
    assert _codes_of_script(f"{first}\necho x") == []


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("if true; then\n  echo x", "`if`"),
        ("echo before\nwhile true; do echo x", "loop"),
        ("for i in 1 2; do\n  echo $i", "loop"),
        ("case x in a) echo y;;", "`case`"),
        ('echo "abc\necho y', "quote"),
        ("echo 'abc\necho y", "quote"),
        ("cat <<EOF\nhello", "here-document"),
        ("cat <<EOF\nhello\n  EOF\necho", "here-document"),
        ("cat <<-EOF\nhello\n  EOF\necho", "here-document"),
        ("if true; then\n  cat <<EOF\n  x\n  EOF\nfi", "here-document"),
        ("echo $(date", "`(`"),
        ("echo `date", "backtick"),
        ("echo ${X", "`{`"),
    ],
)
def test_scripts_that_end_too_early(script: str, what: str) -> None:
    """DK114: an unclosed construct is named, whether or not the script names a stage."""
    indented = "".join(f"    {line}\n" for line in script.split("\n"))

    found = [finding for finding in linted(f"a:\n  img: x:1\n  run: |\n{indented}") if finding.code == "DK114"]

    assert len(found) == 1
    assert what in found[0].message


@pytest.mark.parametrize(
    "script",
    [
        "if true; then echo x; fi",
        "cat <<EOF\nhello\nEOF\necho",
        "cat <<-EOF\n\thello\n\tEOF\necho",
        "for i do echo; done",
        "cat <<'EOF' 2>&1 | x\nhello\nEOF",
        "cat <<A <<B\na\nA\nb\nB",
        "echo ${X:-a|b}",
        "[ a \\> b ]",
        "> f <<< x",
        "f() { echo; }\ng() ( echo )",
        "echo it\\'s",
        'echo "it\'s"',
        "case x in (a) echo;; b) echo; esac",
        'echo "$(echo "a b")" # don\'t',
        "n=$((1 << 2)); echo $n",
    ],
)
def test_scripts_that_are_whole(script: str) -> None:
    """DK114: a script that the shell understands gives no finding, even if the grammar does not understand it."""
    assert "DK114" not in _codes_of_script(script)


@pytest.mark.parametrize(
    "text",
    [
        "te\u200bst: {img: 'x:1'}\n",
        "a\u2013b: {img: 'x:1'}\n",
        "a: {img: 'x:1', env: {\u201cA\u201d: b}}\n",
        "a: {img: 'x:1', env: [A\u2011B=c]}\n",
    ],
)
def test_names_that_mislead(text: str) -> None:
    """DK115: a character without width or a typographic one is found in the name of a stage or a variable."""
    assert lint_codes(text) == ["DK115"]


@pytest.mark.parametrize("name", ["prüfen", "検査", "a-b_c.d", "тест", "é"])
def test_names_of_all_languages(name: str) -> None:
    """DK115: letters of all scripts give no finding."""
    assert lint_codes(f"{name}: {{img: 'x:1'}}\n") == []
