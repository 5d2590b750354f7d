"""The names in a script, according to its grammar."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockercise_prefect.compiler.shell.mentions import LONGEST, mentions
from dockercise_prefect.compiler.shell.paths import mentioned

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
    "sh -c \"echo $A\"; sh -c 'echo $B'": {"A", "B"},
    'if [ -n "$A" ] && [[ $B == x ]]; then :; fi': {"A", "B"},
    "case $A in $B) echo $C;; esac": {"A", "B", "C"},
    "for i in $A; do echo $i; done": {"A"},
    "A=1 make $B": {"B"},
    "A=$B make": {"B"},
    "f() { echo $A; }; f": {"A"},
    "echo $1 $@ $? $$ ${1:-x}": set(),
    "echo $AB $A_B ${A}B": {"AB", "A_B", "A"},
    'echo "a $(echo "b $(echo "$A")")"': {"A"},
    "echo $'$A'": set(),
    "echo ${A[1]}": {"A"},
    "(echo $A) | (read x; echo $x $B)": {"A", "B"},
    "export A; export B=$C": {"A", "C"},
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
    "x=/a/b; y='/c'": ["x=/a/b", "y=/c"],
    "cat <<'EOF'\n/a/b\nEOF\n": ["/a/b\n"],
    "sed '/a/d' /b/c": ["/b/c"],
    "sed -n -e '/a/p' -e \"/b/p\" '/c/d e'": ["/c/d e"],
    "grep -q /a/b /c/d": ["/c/d"],
    'cat out/it\\\'s "out/\\$x" /a\\|b/x': ["out/it's", "out/$x", "/a|b/x"],
    'cat "/to"ken/x': ["/token/x"],
    "awk '/x/ {print}' '/a/b'": ["/x/ {print}", "/a/b"],
    'echo "$(cat /a/b)"': ["/a/b"],
    "cat < /a/b > '/c/d'": ["/a/b", "/c/d"],
}


@pytest.mark.parametrize(("script", "expected"), USES.items())
def test_variables_that_a_script_uses(script: str, expected: set[str]) -> None:
    """A variable is used if the shell inserts its value; not in single quotes, comments or quoted here-documents."""
    found = mentions(script)

    assert set(found.uses) == expected
    assert found.understood


@pytest.mark.parametrize(("script", "expected"), ASSIGNED.items())
def test_variables_that_a_script_sets(script: str, expected: set[str]) -> None:
    """A variable is the script's own if it assigns, reads, declares or unsets it; not if only one command gets it."""
    found = mentions(script)

    assert found.assigned == expected
    assert found.understood


@pytest.mark.parametrize(("script", "expected"), WORDS.items())
def test_words_of_a_script(script: str, expected: list[str]) -> None:
    """Words with a `/` have no quotes and have holes for expansions; comments and patterns of `sed` are left out."""
    assert [word.text for word in mentions(script).literals] == expected


@pytest.mark.parametrize(
    "script", ["echo é $A", "echo '☃' ${A}", "cat <<-EOF\n\té $A\n\tEOF\n", "echo $((1 + A))", "echo `echo \\$A`"]
)
def test_a_use_knows_where_it_stands(script: str) -> None:
    """A use has the position of its text, in characters, whatever is before it."""
    use = mentions(script).uses["A"]

    assert script[use.start :].startswith(use.text)


@pytest.mark.parametrize(
    "script", ["if [ $X; then /a/b $Y", "echo '$Z' $X \"$Y\n/a/b", "a ) /a/b $X $Y", "cat <<E\n$X $Y /a/b"]
)
def test_a_script_that_is_not_understood(script: str) -> None:
    """A script that does not fit the grammar is read as far as possible, and the result shows that."""
    found = mentions(script)

    assert not found.understood
    assert set(found.uses) == {"X", "Y"}


@pytest.mark.parametrize(
    "script", ["$(" * 5000 + "echo $A" + ")" * 5000, '"$(echo ' * 2000 + "$A" + ')"' * 2000, "echo $A " + "x" * (LONGEST + 1)]
)
def test_size_and_depth(script: str) -> None:
    """A script that is too deep or too long is searched as plain text, and the result shows that."""
    found = mentions(script)

    assert "A" in found.uses
    assert not found.understood


@pytest.mark.parametrize("between", ["\n", " "])
def test_a_script_of_any_length_is_searched(between: str) -> None:
    """A script that is too long for the grammar is searched completely, and every find has its correct place."""
    script = "".join(f"echo $A{number} /app/{number}{between}" for number in range(20_000))

    found = mentions(script)

    assert set(found.uses) == {f"A{number}" for number in range(20_000)}
    assert all(script.startswith(use.text, use.start) for use in found.uses.values())
    assert sum(len(list(mentioned(literal))) for literal in found.literals) == 20_000


@pytest.mark.parametrize("sign", ["&", "|&", "|", ";", "&&", "!"])
def test_signs_without_commands_nest_nothing(sign: str) -> None:
    """Thousands of signs in a row after one command are read and do not count as nesting."""
    found = mentions(f"echo $A {f'{sign} ' * 5000}\necho $B")

    assert found.uses.keys() == {"A", "B"}


@given(
    st.one_of(
        st.text(st.characters(codec="utf-8", exclude_characters="\0")),
        st.lists(
            st.sampled_from(
                [*"$(){}[]'\"`\\ \n#<>-=;|&AB/1", "<<-E\n", "$((", "EOF", "out/", "for ", "read ", "case ", "`", "eval "]
            )
        ).map("".join),
    )
)
def test_any_text_is_read(script: str) -> None:
    """Reading a script never raises an error, whatever is in it, and every path that it names has a place."""
    found = mentions(script)

    assert all(0 <= use.start <= len(script) for use in found.uses.values())
    assert all(
        0 <= literal.position(mention.start) <= len(script) for literal in found.literals for mention in mentioned(literal)
    )


@pytest.mark.parametrize(
    "piece", ["(A=", "$(( ", "${A:-", '"$(', "<<A ", "cd a\n", "(V=1; f)\n", "f() { f; }; f\n", "`", "/a/"]
)
def test_pieces_that_made_readers_slow(piece: str) -> None:
    """A script of thousands of pieces that require looking ahead or going back is read to its end."""
    found = mentions(piece * (LONGEST // 2 // len(piece)) + '"; echo $LAST')

    assert found.understood is False
