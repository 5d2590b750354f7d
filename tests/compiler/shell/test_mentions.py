"""What a script names, by its grammar."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dockercise_prefect.compiler.shell.mentions import LONGEST, mentions

USES = {
    "echo $A": {"A"},
    "echo ${A}": {"A"},
    'echo "${A}/x" ${B%%.*} ${#C} ${D:-x} ${E:-$F}': {"A", "B", "C", "D", "E", "F"},
    "echo '$A' \\$B \"\\$C\"": set(),
    "echo $A # $B": {"A"},
    "echo a#$A": {"A"},
    "x=$(cat <<EOF\n$A ${B} \\$C `echo $D` $(echo $E)\nEOF\n)": {"A", "B", "D", "E"},
    "cat <<'EOF'\n$A\nEOF\n": set(),
    'cat <<"EOF"\n$A\nEOF\n': set(),
    "cat <<\\EOF\n$A\nEOF\n": set(),
    "cat <<-EOF\n\t$A\n\t\\$B\n\tEOF\n": {"A"},
    "cat <<-'EOF'\n\t$A\n\tEOF\n": set(),
    'grep x <<< "$A"': {"A"},
    "echo $((A + 1)) $(($B * 2))": {"A", "B"},
    "[ $((A)) -gt 2 ]": {"A"},
    "echo `echo $A`": {"A"},
    "sh -c \"echo $A\"; sh -c 'echo $B'": {"A"},
    'if [ -n "$A" ] && [[ $B == x ]]; then :; fi': {"A", "B"},
    "case $A in $B) echo $C;; esac": {"A", "B", "C"},
    "for i in $A; do echo $i; done": {"A", "i"},
    "A=1 make $B": {"B"},
    "A=$B make": {"B"},
    "f() { echo $A; }; f": {"A"},
    "echo $1 $@ $? $$ ${1:-x}": set(),
    "echo $AB $A_B ${A}B": {"AB", "A_B", "A"},
    'echo "a $(echo "b $(echo "$A")")"': {"A"},
    "echo $'$A'": set(),
    "echo ${A[1]}": {"A"},
    "(echo $A) | (read x; echo $x $B)": {"A", "B", "x"},
    "export A; export B=$C": {"C"},
    "echo $A >$B 2>>$C": {"A", "B", "C"},
    'printf "%s\\n" "${A:?must be set}"': {"A"},
    "while [ $A -lt 3 ]; do :; done": {"A"},
    "$A --version": {"A"},
    'cat "$A"/$B/$C "x"/$D/e "y"/\\$E/f': {"A", "B", "C", "D"},
    "grep a$ b": set(),
    "": set(),
}

ASSIGNED = {
    "A=1": {"A"},
    "A=1 B=2": {"A", "B"},
    "A=1 make": set(),
    "export A=1": {"A"},
    "export A": set(),
    "readonly A=1": {"A"},
    "f() { local A; local B=1; }": {"A", "B"},
    "read A B": {"A", "B"},
    "while IFS=, read -r A B; do :; done": {"A", "B"},
    "for A in 1 2; do :; done": {"A"},
    ": ${A:=1} ${B=2} ${C:-3}": {"A", "B"},
    "unset A": {"A"},
    "echo $((A = 1)) $((B += 1)) $((C++)) $((--D)) $((-E))": {"A", "B", "C", "D"},
    "(( A = 2 )); let B=1": {"A", "B"},
    "getopts ab: A": {"A"},
    'printf -v A "%s" x': {"A"},
    "A[1]=x": {"A"},
    "[ A = B ]": set(),
    "A+=x": {"A"},
    "VERSION=${VERSION:-dev}": {"VERSION"},
    'export "A=$(git describe)"': {"A"},
    "export 'A=x' \"B=x\"": {"A", "B"},
    'read "A"; unset "B"; printf -v "C" x': {"A", "B", "C"},
    "command read A; builtin read -r B": {"A", "B"},
}

WORDS = {
    "cat /a/b 'x /c/d' \"/e $X f\"": ["/a/b", "x /c/d", "/e \0 f"],
    "cat '/a'/\"b c\"/${D}/e": ["/a/b c/\0/e"],
    "echo a/b # /b/c": ["a/b"],
    "x=/a/b; y='/c'": ["/a/b", "/c"],
    "cat <<'EOF'\n/a/b\nEOF\n": ["/a/b\n"],
    "sed '/a/d' /b/c": ["/b/c"],
    "sed -n -e '/a/p' -e \"/b/p\" '/c/d e'": ["/c/d e"],
    "grep -q /a/b /c/d": ["/c/d"],
    'cat out/it\\\'s "out/\\$x" /a\\|b/x': ["out/it's", "out/$x", "/a|b/x"],
    'cat "/to"ken/x': ["/token/x"],
    "awk '/x/ {print}' '/a/b'": ["/a/b"],
    'echo "$(cat /a/b)"': ["\0", "/a/b"],
    "cat < /a/b > '/c/d'": ["/a/b", "/c/d"],
}


@pytest.mark.parametrize(("script", "expected"), USES.items())
def test_variables_that_a_script_uses(script: str, expected: set[str]) -> None:
    """A variable is used where the shell would put its value; not in single quotes, comments or quoted here-documents."""
    found = mentions(script)

    assert set(found.uses) == expected
    assert found.understood


@pytest.mark.parametrize(("script", "expected"), ASSIGNED.items())
def test_variables_that_a_script_sets(script: str, expected: set[str]) -> None:
    """A variable is the script's own where it assigns, reads, declares or unsets it; not where one command alone gets it."""
    found = mentions(script)

    assert found.assigned == expected
    assert found.understood


@pytest.mark.parametrize(("script", "expected"), WORDS.items())
def test_words_of_a_script(script: str, expected: list[str]) -> None:
    """Words with a `/` come without quotes and with holes for expansions; comments and the patterns of `sed` are none."""
    assert [word.text for word in mentions(script).literals] == expected


@pytest.mark.parametrize("script", ["echo é $A", "echo '☃' ${A}", "cat <<-EOF\n\té $A\n\tEOF\n", "echo $((1 + A))"])
def test_a_use_knows_its_byte(script: str) -> None:
    """The byte of a use is where its text stands in the script's UTF-8, whatever stands before it."""
    use = mentions(script).uses["A"]

    assert script.encode()[use.start :].startswith(use.text.encode())


def test_characters_that_the_grammar_cannot_bear() -> None:
    """Characters beyond ASCII are parts of words, of no names, and crash nothing: this text ended the process when parsed."""
    hard = "\U0009f317\ua1ac{\U000de281\ud64e)& ;\U001033b7\U0004a131/=\u65aa\U000b8bf9\U00097716BA/R\U00051e2c#S"

    found = mentions('echo "$Aé" ${B}☃ é=$C; cat "/☃ü/x" /é/$D')

    assert [mentions(hard).understood for _ in range(200)] == [mentions(hard).understood] * 200
    assert set(found.uses) == {"A", "B", "C", "D"}
    assert [literal.text for literal in found.literals] == ["/☃ü/x", "/é/\0"]


@pytest.mark.parametrize("script", ["cat <<A <<B\n$X /a/b\nA\n$Y\nB\n", "if [ $X; then /a/b $Y", "Z=1; echo $X ${Y\n/a/b"])
def test_a_script_that_is_not_understood(script: str) -> None:
    """Where the grammar fails, what the text looks like is taken, and the finding says so."""
    found = mentions(script)

    assert not found.understood
    assert {"X", "Y"} <= set(found.uses)
    assert any("/a/b" in word.text for word in found.literals)
    assert ("Z" in found.assigned) == ("Z=1" in script)


@pytest.mark.parametrize(
    ("line", "assigned"),
    [
        ("docker run -e A=$A x", set()),
        ("make A=$A", set()),
        ("env A=$A x", set()),
        ("A=$A", set()),
        ('A="${A}"', set()),
        ("A=1", {"A"}),
        ("A=1 B=2", {"A", "B"}),
        ("A=1 make", set()),
        ('A=$(git describe --tags) ; B="x y"', {"A", "B"}),
        ("export A=1", {"A"}),
        ("x && A=1", {"A"}),
        ("if x; then A=1; fi", {"A"}),
        ("for A in 1; do x; done", {"A"}),
        ("read -r A B", {"r", "A", "B"}),
    ],
)
def test_assignments_in_a_text(line: str, assigned: set[str]) -> None:
    """Where the grammar fails, what looks like an assignment counts as one only where a command begins and ends with it."""
    found = mentions(f"cat <<A1 <<B1\nA1\nB1\n{line}\n")

    assert not found.understood
    assert found.assigned == assigned


@pytest.mark.parametrize(
    "script", ["$(" * 5000 + "echo $A" + ")" * 5000, '"$(echo ' * 2000 + "$A" + ')"' * 2000, "echo $A " + "x" * (LONGEST + 1)]
)
def test_size_and_depth(script: str) -> None:
    """Deep nesting overflows nothing, and a script that is too long to parse is looked through."""
    assert "A" in mentions(script).uses


@settings(deadline=None)
@given(
    st.one_of(
        st.text(st.characters(codec="utf-8", exclude_characters="\0")),
        st.lists(st.sampled_from([*"$(){}'\"`\\ \n#<>-=;|&AB/1", "<<-E\n", "$((", "EOF", "out/", "for ", "read "])).map(
            "".join
        ),
    )
)
def test_any_text_is_read(script: str) -> None:
    """Whatever a script holds, reading it raises nothing, and every position lies at what it is of."""
    found = mentions(script)

    data = script.encode()
    assert all(data[use.start :].startswith(use.text.encode()) for use in found.uses.values())
    assert all(len(word.text) == len(word.bytes) for word in found.literals)
