"""The page on shells: the shell prints what the page shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Dockercise
from tests.support.pseudo_terminal import PseudoTerminal
from tests.test_user_pages import blocks

PAGE = (Path(__file__).resolve().parents[3] / "docs/shell.md").read_text()


@pytest.mark.docker
def test_the_shell_prints_what_the_page_shows(dockercise_run: Dockercise, environment: dict[str, str], tmp_path: Path) -> None:
    """The pipeline of the page fails as it says, and in the shell, each line that is typed gets the answer that it shows."""
    root = tmp_path / "shop"
    root.mkdir()
    (root / "shop.dockercise.yaml").write_text(blocks(PAGE, "yaml")[0])
    command, first, *rest = blocks(PAGE, "console")[0].splitlines()
    ran = dockercise_run("-C", root)
    run_id = ran.summary["run_id"]
    typed = re.split(r"^/ # ", "\n".join(rest) + "\n", flags=re.MULTILINE)[1:]
    shell = [sys.executable, "-m", "dockercise_prefect", *command.split()[2:]]

    with PseudoTerminal(shell, root, environment) as terminal:
        terminal.until(re.sub(r"\d{8}T\d{6}Z-\w{4}", run_id, first))
        for each in typed:
            line, _, answer = each.partition("\n")
            terminal.until("/ # ")
            terminal.press(f"{line}\n")
            if answer:
                terminal.until(answer.replace("\n", "\r\n"))
        status = terminal.end()
    (piped,) = blocks(PAGE, "sh")
    through = subprocess.run(
        ["sh", "-c", piped.replace("dockercise shell", f"{sys.executable} -m dockercise_prefect shell")],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert ran.stages["check"]["status"] == "failed"
    assert status == 0
    assert (through.stdout, through.returncode) == ("looking for a heading\n", 1)
