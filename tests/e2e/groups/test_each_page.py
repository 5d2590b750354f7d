"""The page on `each`: its example, on the real engine, in a user's shell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.environment import ROOT
from tests.e2e.conftest import Dockercise

pytestmark = pytest.mark.docker

PAGE = (ROOT / "docs/each.md").read_text()
(EXAMPLE,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
SHOWN, FAILED = re.findall(r"^```console\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def _lines(text: str) -> list[str]:
    """Lines of output in an order that does not depend on which member is faster, without times and widths."""
    plain = (re.sub(r"\d+\.\d s", "", line).split(" · results in ")[0] for line in text.splitlines())
    return sorted(" ".join(line.replace("│", " ").split()) for line in plain)


def _pipeline(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "p.dockercise.yaml").write_text(text)
    return folder


def test_the_example(dockercise_run: Dockercise, tmp_path: Path) -> None:
    """The example prints what the page shows, and the record has an entry for each member behind that of its group."""
    said = dockercise_run("-C", _pipeline(tmp_path / f"each-{tmp_path.name}", EXAMPLE))

    shown = set(_lines(SHOWN)) - {"$ dockercise run"}
    assert shown <= set(_lines(said.stderr))
    assert list(said.stages) == ["list", "test", "test(api)", "test(web)", "test(shop_cart)", "overview"]
    assert said.stages["test(shop_cart)"]["instance"] == {"of": "test", "key": "shop_cart"}
    assert said.exit_status == 0


def test_a_failing_member_and_a_resumed_run(dockercise_run: Dockercise, tmp_path: Path) -> None:
    """A failing member is told as on the page. A resumed run takes the members that passed, and runs the other one again."""
    folder = tmp_path / f"each-{tmp_path.name}"
    failing = EXAMPLE.replace('is fine" > $OUT/report\n', 'is fine" > $OUT/report\n    test "$EACH" != web\n')

    failed = dockercise_run("-C", _pipeline(folder, failing))
    tolerant = _pipeline(folder, failing.replace("  each: list\n", "  each: list\n  neverFail: true\n"))
    resumed = dockercise_run("-C", tolerant, "--resume", "last")

    assert set(_lines(FAILED)) <= set(_lines(failed.stderr))
    assert failed.exit_status == 1
    assert {name: stage["status"] for name, stage in resumed.stages.items()} == {
        "list": "cached",
        "test": "tolerated",
        "test(api)": "cached",
        "test(web)": "tolerated",
        "test(shop_cart)": "cached",
        "overview": "passed",
    }
