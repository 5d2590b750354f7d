"""The code of a registered repository, and refusals before any of it is fetched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dockercise_prefect.errors import UsageError
from dockercise_prefect.orchestration.registrations.checkout import checked_out
from dockercise_prefect.orchestration.registrations.register import RegisterRequest, look
from dockercise_prefect.orchestration.registrations.registration import Registration
from dockercise_prefect.settings import read_settings


@pytest.mark.parametrize("extra", ["submodules", "lfs"])
@pytest.mark.parametrize("by", ["registration", "worker"])
def test_a_repository_that_is_not_trusted_names_nothing_else_to_fetch(extra: str, by: str, tmp_path: Path) -> None:
    """A registration or a worker that does not trust the repository refuses its submodules and LFS files."""
    registration = Registration(
        url="https://git.invalid/a/b",
        ref="main",
        untrusted=by == "registration",
        submodules=extra == "submodules",
        lfs=extra == "lfs",
    )
    settings = replace(read_settings(data=str(tmp_path)), untrusted=by == "worker")

    with pytest.raises(UsageError, match="choose what else is fetched"), checked_out(registration, "1" * 40, settings):
        pass


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    """The error for a mistyped folder names the folder, and is not a message of git."""
    request = RegisterRequest(registration=Registration(url=str(tmp_path / "shpo"), ref=None))

    with pytest.raises(UsageError, match=r"there is no folder .*/shpo"):
        look(request, read_settings(data=str(tmp_path)), lambda _text: None)
