"""Sizes that take too long for every day: `make acceptance`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Dockercise

pytestmark = [pytest.mark.docker, pytest.mark.acceptance]


def test_a_thousand_stages(dockercise_run: Dockercise, tmp_path: Path) -> None:
    """A chain of 200 stages, and 800 stages next to it that each use its start, all pass with the expected values."""
    lines = ["s0: {img: busybox, run: echo 0}"]
    lines += [f"s{n}: {{img: busybox, env: s{n - 1}, run: 'echo $((S{n - 1} + 1))'}}" for n in range(1, 200)]
    lines += [f"w{n}: {{img: busybox, env: s0, run: 'test \"$S0\" = 0'}}" for n in range(800)]
    lines.append("last: {img: busybox, env: s199, run: 'test \"$S199\" = 199'}")
    (tmp_path / "many").mkdir()
    (tmp_path / "many/p.dockercise.yaml").write_text("\n".join(lines))

    said = dockercise_run("-C", tmp_path / "many")

    assert said.exit_status == 0, said.stderr[-2000:]
    assert len(said.stages) == 1001
    assert {entry["status"] for entry in said.stages.values()} == {"passed"}


def test_half_a_gigabyte_of_output(dockercise_run: Dockercise, tmp_path: Path) -> None:
    """512 MiB on stdout arrive unchanged at the consumer."""
    text = (
        "talk: {img: busybox, run: 'yes 0123456789abcde | head -c 536870912'}\n"
        "count: {img: busybox, after: talk, run: 'test $(wc -c < /out/talk) -eq 536870912 && md5sum < /out/talk'}\n"
        "again: {img: busybox, run: 'yes 0123456789abcde | head -c 536870912 | md5sum'}\n"
        'same: {img: busybox, env: [count, again], run: \'test "$COUNT" = "$AGAIN"\'}\n'
    )
    (tmp_path / "long").mkdir()
    (tmp_path / "long/p.dockercise.yaml").write_text(text)

    said = dockercise_run("-C", tmp_path / "long", "--quiet")

    assert said.exit_status == 0, said.stderr[-2000:]
