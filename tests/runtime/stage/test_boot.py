"""The boot script, with real shells: everything that is sent arrives, and nothing runs without it."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dockercise_prefect.runtime.engine import ResolvedImage
from dockercise_prefect.runtime.stage.boot import LONGEST_ARGUMENT, LOST_INPUT, Launch, input_block, launch

IMAGE = ResolvedImage("i", "sha256:1", "sha256:1", "", ("/usr/bin/env", "-0"))
SHELLS = {name: path for name in ("dash", "busybox", "bash") if (path := shutil.which(name))}
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=200).map(str.encode)
NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{2,12}", fullmatch=True).map(lambda name: f"V_{name}")


@pytest.fixture(params=sorted(SHELLS))
def shell(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A shell under the name `sh`, since shells behave by the name they are called by."""
    link: Path = tmp_path_factory.mktemp("shell") / "sh"
    link.symlink_to(SHELLS[request.param])
    return str(link)


def boot(shell: str, start: Launch, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command of a container, with this shell in place of `/bin/sh`."""
    command = [shell if word == "/bin/sh" else word for word in start.command]
    return subprocess.run(
        command,
        input=start.stdin or b"",
        capture_output=True,
        check=False,
        timeout=120,
        env={"PATH": "/bin:/usr/bin"} | environment,
    )


def input_of(start: Launch) -> bytes:
    """What a boot reads."""
    assert start.stdin is not None
    return start.stdin


def variables_of(printed: bytes) -> dict[bytes, bytes]:
    """The variables that `env -0` printed."""
    return dict(entry.split(b"=", 1) for entry in printed.split(b"\0") if entry)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(variables=st.dictionaries(NAMES, TEXTS, max_size=4))
def test_any_text_arrives_exactly(shell: str, variables: Mapping[str, bytes]) -> None:
    """Any text except NUL arrives, byte for byte, as the variable as which it was sent."""
    start = launch("exec /usr/bin/env -0", IMAGE, variables)

    done = boot(shell, start)

    assert done.returncode == 0, done.stderr
    arrived = variables_of(done.stdout)
    assert {name: arrived[name.encode()] for name in variables} == dict(variables)


@pytest.mark.parametrize(
    "text",
    [
        b"'",
        b"''\"\"$(exit 9)`exit 9`\\",
        b"\n",
        b"\n\n",
        b"a\n",
        b"\\n\\",
        b" lead\t",
        b"$__dockercise_lf",
        b"exit 3\nexit 4",
        "☃é\x81\x88".encode(),
    ],
)
def test_what_a_shell_would_read_as_code_is_text(shell: str, text: bytes) -> None:
    """Quotes, substitutions, line feeds and the boot's own names are plain text in a value."""
    start = launch("exec /usr/bin/env -0", IMAGE, {"V": text})

    done = boot(shell, start)

    assert variables_of(done.stdout)[b"V"] == text


def test_nothing_of_the_boot_is_left_in_the_environment(shell: str) -> None:
    """The script sees its own variables and none of the boot's."""
    done = boot(shell, launch("exec /usr/bin/env -0", IMAGE, {"V": b"1"}))

    assert not [name for name in variables_of(done.stdout) if b"dockercise" in name]


def test_a_variable_that_is_there_already_is_left_alone(shell: str) -> None:
    """The boot uses no name that a stage could have given to one of its variables."""
    done = boot(shell, launch("exec /usr/bin/env -0", IMAGE, {"V": b"1"}), line="kept", n="kept", text="kept")

    arrived = variables_of(done.stdout)
    assert (arrived[b"line"], arrived[b"n"], arrived[b"text"]) == (b"kept", b"kept", b"kept")


@pytest.mark.parametrize("name", ["UID", "PPID", "OPTIND", "LINENO", "SHELLOPTS", "IFS", "PS4"])
def test_a_name_that_a_shell_guards_does_not_keep_the_script_from_running(shell: str, name: str) -> None:
    """If the shell protects a variable, the script only lacks that variable."""
    done = boot(shell, launch("printf '%s' \"$AFTER\"", IMAGE, {name: b"7", "AFTER": b"arrived"}))

    assert (done.returncode, done.stdout) == (0, b"arrived")


@pytest.mark.parametrize("sent", ["nothing", "half a line", "no marker"])
def test_a_script_does_not_run_without_its_variables(shell: str, sent: str) -> None:
    """If the input ends before the marker, the boot ends with 125 and nothing of the script has run."""
    start = launch("echo ran", IMAGE, {"A": b"1", "B": b"2"})
    whole = input_of(start)
    lines = whole.splitlines(keepends=True)
    block = {"nothing": b"", "half a line": whole[:20], "no marker": b"".join(lines[:-1])}[sent]

    done = boot(shell, Launch(start.command, block))

    assert (done.returncode, done.stdout) == (LOST_INPUT, b"")
    assert start.was_lost(done.returncode, done.stderr.decode().splitlines()[-1])


@pytest.mark.parametrize(
    "script", ["exit 125", "echo this stage did not receive its variables, so it did not run >&2; exit 125"]
)
def test_a_script_may_end_as_a_boot_that_lost_its_input(shell: str, script: str) -> None:
    """Exit code 125 of a script is the script's own, whatever it prints about its launch."""
    start = launch(script, IMAGE, {"A": b"1"})

    done = boot(shell, start)

    last = (done.stdout + done.stderr).decode().splitlines()[-1:] or [""]
    assert done.returncode == LOST_INPUT
    assert not start.was_lost(done.returncode, last[0])


def test_the_script_has_no_input(shell: str) -> None:
    """The stdin of the script is empty, whatever follows the marker."""
    start = launch("cat; echo end", IMAGE, {"A": b"1"})

    done = boot(shell, Launch(start.command, input_of(start) + b"not for the script\n"))

    assert done.stdout == b"end\n"


def test_the_script_runs_under_set_e(shell: str) -> None:
    """A command that fails ends the script with its code."""
    done = boot(shell, launch("(exit 7)\necho unreached", IMAGE, {}))

    assert (done.returncode, done.stdout) == (7, b"")


def test_a_script_without_values_needs_no_boot() -> None:
    """If there is nothing to pass, the script is started directly, without a standard input."""
    assert launch("true", IMAGE, {}) == Launch(("/bin/sh", "-e", "-c", "true"))


def test_the_images_own_command_gets_the_variables(shell: str) -> None:
    """Without a script, the image's own command runs with the variables."""
    done = boot(shell, launch(None, IMAGE, {"V": b"it's"}))

    assert variables_of(done.stdout)[b"V"] == b"it's"


def test_the_images_own_command_needs_no_shell_for_nothing() -> None:
    """Without a script and without values, the image's own command runs unchanged."""
    assert launch(None, IMAGE, {}) == Launch(IMAGE.command)


def test_a_value_of_many_lines_takes_linear_time(shell: str) -> None:
    """A value of line feeds only, as large as the kernel allows, arrives in time."""
    text = b"\n" * (LONGEST_ARGUMENT - len("V="))

    done = boot(shell, launch("exec /usr/bin/env -0", IMAGE, {"V": text}))

    assert variables_of(done.stdout)[b"V"] == text


def test_a_script_too_long_for_an_argument_is_a_file(shell: str, tmp_path: Path) -> None:
    """A longer script is not part of the command but a file, which also runs under `set -e`."""
    start = launch("# " + "x" * LONGEST_ARGUMENT + "\necho $V\n(exit 7)\necho unreached", IMAGE, {"V": b"here"})
    assert start.script is not None
    path, text = start.script
    (tmp_path / "script").write_bytes(text)
    command = tuple(str(tmp_path / "script") if word == path else word for word in start.command)

    done = boot(shell, Launch(command, start.stdin))

    assert (done.returncode, done.stdout) == (7, b"here\n")


def test_values_are_nowhere_in_the_command() -> None:
    """The command, which the engine stores, contains no value."""
    start = launch("echo $TOKEN", IMAGE, {"TOKEN": b"s3cret"})

    assert "s3cret" not in " ".join(start.command)
    assert b"s3cret" in input_of(start)


def test_each_launch_has_its_own_marker() -> None:
    """Nobody can guess the end of the input from an earlier run."""
    assert launch("x", IMAGE, {"V": b"1"}).stdin != launch("x", IMAGE, {"V": b"1"}).stdin


def test_the_block_is_one_line_a_variable() -> None:
    """However many lines a value has, it takes one line of the block."""
    assert input_block({"A": b"1\n2\n3"}, "m").count(os.linesep.encode()) == 2
