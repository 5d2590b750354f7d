"""The pages of the lint rules: their examples are the first tests of the rules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dockercise_prefect.compiler.lint import RULES
from dockercise_prefect.compiler.lint.images import WELL_KNOWN
from tests.compiler.sources import lint_codes

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "lint"
PAGES = {code.value: FOLDER / f"{code.value}.md" for code in RULES}
README = (FOLDER / "README.md").read_text()


def _examples(page: str) -> list[tuple[str, str]]:
    """The YAML blocks, each with its code."""
    return re.findall(r"^```yaml ?(\w*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("code", PAGES)
def test_examples_are_bad_and_good(code: str) -> None:
    """Each page has a bad example with exactly that one finding, and a good one with none."""
    (marked_bad, bad), (marked_good, good) = _examples(PAGES[code].read_text())

    assert (marked_bad, lint_codes(bad)) == (code, [code])
    assert (marked_good, lint_codes(good)) == ("", [])


@pytest.mark.parametrize("code", PAGES)
def test_each_page_tells_the_meaning_and_the_way_out(code: str) -> None:
    """The heading of a page is its code with its meaning, and the page shows how to switch the rule off."""
    page = PAGES[code].read_text()

    meaning = next(rule.meaning for rule in RULES if rule == code).removeprefix("lint: ")
    assert page.startswith(f"# {code}: {meaning}\n")
    assert f"`meta: {{lint: {{{code}: off}}}}`, or `# dockercise: ignore {code}`" in page


def test_the_list_has_every_rule() -> None:
    """The folder's README lists every rule with its page, and there are no other pages."""
    listed = re.findall(r"^\| \[(DK\d+)\]\(DK\d+\.md\) \|", README, re.MULTILINE)

    assert listed == list(PAGES)
    assert {path.stem for path in FOLDER.glob("*.md")} == {*PAGES, "README"}


@pytest.mark.parametrize("example", [text for _, text in _examples(README)])
def test_the_ways_to_switch_off_work(example: str) -> None:
    """The README's examples have no findings."""
    assert lint_codes(example) == []


def test_the_well_known_images_are_told() -> None:
    """The page of DK105 names the images that the rule counts as well known."""
    page = PAGES["DK105"].read_text()

    assert [name for name in WELL_KNOWN if f"`{name}`" not in page] == []
