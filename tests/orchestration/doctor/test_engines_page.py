"""The page on engines: what it says about copies of volumes is what `dockercise doctor` shows."""

from __future__ import annotations

import re
from pathlib import Path

from dockercise_prefect.orchestration.doctor.engine import copies_check
from dockercise_prefect.runtime.copying.trials import Trial, Trials
from dockercise_prefect.runtime.docker.overlays import overlay_facts
from dockercise_prefect.runtime.overlay import OverlayFacts

PAGE = (Path(__file__).resolve().parents[3] / "docs/engines.md").read_text()


def test_the_lines_of_doctor(tmp_path: Path) -> None:
    """The lines on the page are those of an engine that can, and of one without root rights."""
    trials = Trials(tmp_path)
    trials.note("an engine", Trial(None))
    rootless = overlay_facts({"SecurityOptions": ["name=rootless"]})

    checks = [copies_check(OverlayFacts("an engine"), trials), copies_check(rootless, trials)]

    shown = re.findall(r"^    ✓ (engine copies)   (.*)$", PAGE, re.MULTILINE)
    assert shown == [(check.name, check.found) for check in checks]
