"""What `run` shows on a terminal, in a log, and with `--quiet`."""

import io
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from dockercise_prefect.cli.present import LivePresenter, PlainPresenter, Presenter, QuietPresenter, presenter_for
from dockercise_prefect.orchestration.run.events import (
    RunEnded,
    RunStarted,
    StageEnded,
    StageOutput,
    Waiting,
)
from dockercise_prefect.pipeline import Pipeline, Stage, stage
from dockercise_prefect.results.summary import RunSummary
from dockercise_prefect.status import RunStatus, StageStatus
from tests.cli.presented import (
    HELLO,
    PAGE,
    at,
    ended,
    hello_run,
    plain,
    show,
)


class Terminal(io.StringIO):
    """A stream that reports itself as a terminal."""

    def isatty(self) -> bool:
        return True


def test_plain_form_shows_each_stage_as_it_ends() -> None:
    """In a log, the outcome of a stage follows its output with its waits, and the last line shows why and where it failed."""
    shown = plain(hello_run())

    assert shown == (
        "hello · 6 stages · engine 20.10.24 (unix:///var/run/docker.sock) · 10 at once\n"
        "http://127.0.0.1:4200/runs/flow-run/0b99b510\n"
        "pulling bb:1\n"
        "greet     │ hello\n"
        "  ✓ greet       0.4 s\n"
        "shout     │ HELLO\n"
        "  ✓ shout       0.3 s   after greet (env)\n"
        "check     │ grep: no match\n"
        "  ✗ check       0.2 s   exit code 1\n"
        "  · publish             not started: check failed\n"
        "  ~ lint        0.9 s   exit code 3, tolerated (neverFail)\n"
        "  ✓ summarise   0.4 s   after greet (after, env), shout (env)\n"
        "failed in 1.9 s: check (exit code 1) · results in /home/me/results/hello/20261122T190312Z-7f3a\n"
    )


def test_quiet_form_shows_failures_and_the_last_line() -> None:
    """With --quiet, a failed stage shows everything known about it; besides, only the end of the run is shown."""
    stream = io.StringIO()

    show(QuietPresenter(stream), hello_run())

    assert stream.getvalue() == (
        "  ✗ check       0.2 s   exit code 1\n"
        "      grep: no match\n"
        "failed in 1.9 s: check (exit code 1) · results in /home/me/results/hello/20261122T190312Z-7f3a\n"
    )


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal with colours, 80 columns and 24 rows."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    return Terminal()


def screen(written: str) -> list[str]:
    """The content of a terminal after this output, with its scrolled lines, without colours; knows only rich's sequences."""
    rows = [""]
    row = 0
    for sequence, text in re.findall(r"(\x1b\[[0-9;?]*[A-Za-z]|[\r\n])|([^\x1b\r\n]+)", written):
        if text:
            rows[row] += text
        elif sequence == "\n":
            row += 1
            rows += [""] if row == len(rows) else []
        elif sequence == "\x1b[1A":
            row -= 1
        elif sequence == "\x1b[2K":
            rows[row] = ""
    return rows


def test_live_form_ends_with_the_table_below_all_output(terminal: Terminal) -> None:
    """On a terminal, the output scrolls by, and then the table of all stages follows it once, in the pipeline's order."""
    show(LivePresenter(terminal), hello_run())

    assert screen(terminal.getvalue()) == [
        "hello · 6 stages · engine 20.10.24 (unix:///var/run/docker.sock) · 10 at once",
        PAGE,
        "pulling bb:1",
        "greet     │ hello",
        "shout     │ HELLO",
        "check     │ grep: no match",
        "  ✓ greet       0.4 s",
        "  ✓ shout       0.3 s   after greet (env)",
        "  ✗ check       0.2 s   exit code 1",
        "  ~ lint        0.9 s   exit code 3, tolerated (neverFail)",
        "  · publish             not started: check failed",
        "  ✓ summarise   0.4 s   after greet (after, env), shout (env)",
        "failed in 1.9 s: check (exit code 1) · results in /home/me/results/hello/20261122T190312Z-7f3a",
        "",
    ]


def test_live_form_shows_what_is_waited_for_and_nothing_of_it_stays(terminal: Terminal) -> None:
    """Before the first line and after the last one a row shows what takes time; the next output replaces it."""
    presenter = LivePresenter(terminal)

    presenter(Waiting("Prefect to start"))
    before = screen(terminal.getvalue())
    for event in hello_run():
        presenter(event)
    presenter(Waiting("Prefect to record the end of the run"))
    after = screen(terminal.getvalue())
    presenter.close()

    assert before == ["waiting for Prefect to start"]
    assert after[-1] == "waiting for Prefect to record the end of the run"
    assert not [row for row in screen(terminal.getvalue()) if "waiting for" in row]


def test_live_form_colours_marks(terminal: Terminal) -> None:
    """On a terminal the mark of a failed stage is red, and is still a mark of its own."""
    show(LivePresenter(terminal), hello_run())

    assert "\x1b[31m  ✗ \x1b[0mcheck" in terminal.getvalue()


def test_no_color_is_honoured(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR set, neither our own lines nor the output of stages has colours."""
    monkeypatch.setenv("NO_COLOR", "1")
    coloured = StageOutput("greet", "stdout", "\x1b[31mred\x1b[0m")

    show(LivePresenter(terminal), [*hello_run()[:4], coloured, *hello_run()[5:]])

    assert not re.search(r"\x1b\[(?:3[0-7]|9[0-7])", terminal.getvalue())


def test_live_form_gives_the_terminal_back_when_the_run_breaks_off(terminal: Terminal) -> None:
    """If the live form is closed before the end of the run, it shows its remaining lines, and the cursor is visible again."""
    show(LivePresenter(terminal), hello_run()[:5])

    assert "greet     │ hello" in screen(terminal.getvalue())
    assert terminal.getvalue().rindex("\x1b[?25h") > terminal.getvalue().rindex("\x1b[?25l")


def test_live_form_restores_the_standard_streams(terminal: Terminal) -> None:
    """Output after the run goes to the same streams as before the run."""
    before = sys.stdout, sys.stderr

    show(LivePresenter(terminal), hello_run())

    assert (sys.stdout, sys.stderr) == before


def test_heavy_output_is_shown_whole_and_in_order(terminal: Terminal) -> None:
    """Thousands of lines between two drawings scroll by; none is lost and none is shown twice."""
    lines = [StageOutput("greet", "stdout", f"line {number}") for number in range(3000)]

    show(LivePresenter(terminal), [*hello_run()[:4], *lines, *hello_run()[5:]])

    assert re.findall(r"line (\d+)", terminal.getvalue()) == [str(number) for number in range(3000)]


def test_lines_of_stages_that_run_at_once_stay_whole() -> None:
    """Called from several threads, every line is written in one piece."""
    stream = io.StringIO()
    presenter = PlainPresenter(stream)

    def print_lines(name: str) -> None:
        for _ in range(200):
            presenter(StageOutput(name, "stdout", name * 50))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(print_lines, "abcdefgh"))

    assert sorted(stream.getvalue().splitlines()) == [f"{name} │ {name * 50}" for name in "abcdefgh" for _ in range(200)]


def test_an_error_of_ours_tells_all_it_knows() -> None:
    """A stage that failed because of an error of ours shows the whole message with its hint."""
    broken = ended(StageStatus.ERROR, 0.1, exit_code=None, message="there is no image nope:1\n  hint: is it spelt right?")

    shown = plain([*hello_run()[:2], StageEnded("greet", broken)])

    assert shown.splitlines()[2:] == ["  ! greet       0.1 s   there is no image nope:1", "        hint: is it spelt right?"]


def test_a_run_without_an_engine_is_still_announced() -> None:
    """If no engine answers, the page of the run is still shown, and the last line shows what went wrong."""
    error = RunSummary("r", "hello", RunStatus.ERROR, "no engine answers\nat all", at(0), at(0.1), flow_run_url=PAGE)

    shown = plain([RunStarted("r", HELLO, 10, PAGE), RunEnded(error)])

    assert shown == f"hello · 6 stages · 10 at once\n{PAGE}\nerror in 0.1 s: no engine answers\n"


def test_the_last_line_counts_what_it_cannot_name() -> None:
    """If many stages failed, the last line names three of them."""
    failing = {f"s{number}": ended(StageStatus.FAILED, 1, exit_code=1, message="exit code 1") for number in range(5)}

    shown = plain([RunEnded(RunSummary("r", "many", RunStatus.FAILED, stages=failing))])

    assert shown == "failed: s0 (exit code 1), s1 (exit code 1), s2 (exit code 1) and 2 more\n"


def test_wide_names_are_aligned_by_columns() -> None:
    """A name with characters that take two columns is padded by columns, not by characters."""
    pipeline = Pipeline("p", [stage("漢字", image="bb:1", run="…"), stage("☃abcd", image="bb:1", run="…")])

    shown = plain([RunStarted("r", pipeline, 1, None), StageOutput("漢字", "stdout", "a"), StageOutput("☃abcd", "stdout", "b")])

    assert shown == "漢字  │ a\n☃abcd │ b\n"


def test_a_very_long_name_is_shown_whole() -> None:
    """A name longer than the column is not cut, and does not make the column wider for the others."""
    long = "n" * 60
    pipeline = Pipeline("p", [stage(long, image="bb:1", run="…"), stage("b", image="bb:1", run="…")])

    shown = plain([RunStarted("r", pipeline, 1, None), StageOutput(long, "stdout", "a"), StageOutput("b", "stdout", "b")])

    assert shown == f"{long} │ a\n{'b':24} │ b\n"


@pytest.mark.parametrize(("term", "form"), [("xterm", LivePresenter), ("dumb", PlainPresenter), ("", PlainPresenter)])
def test_the_live_form_needs_a_terminal_that_can_move_its_cursor(
    term: str, form: type[Presenter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dumb terminal gets plain lines, like every stream that is not a terminal."""
    monkeypatch.setenv("TERM", term)

    chosen = presenter_for(Terminal())

    assert type(chosen) is form
    assert type(presenter_for(io.StringIO())) is PlainPresenter


@pytest.mark.parametrize(
    ("needed", "shown"),
    [
        ([], "  ✓ end   1.0 s"),
        (["a"], "  ✓ end   1.0 s   after a"),
        (["a", "b", "c", "d"], "  ✓ end   1.0 s   after a, b and 2 more"),
    ],
)
def test_a_stage_that_passed_says_what_it_waited_for(needed: list[str], shown: str) -> None:
    """The first two edges are named and the others counted; a plain `after` needs no kind."""
    before: list[Stage] = [stage(name, image="bb:1", run="…") for name in needed]
    pipeline = Pipeline("p", [*before, stage("end", image="bb:1", run="…", after=before)])

    last = plain([RunStarted("r", pipeline, 1, None), StageEnded("end", ended(StageStatus.PASSED, 1))])

    assert last == f"{shown}\n"
