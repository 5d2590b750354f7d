"""The archive for a small Debian system."""

from __future__ import annotations

import pytest

from scripts.console import SetUpError
from scripts.debootstrap import archive

TARGETS = """\
bookworm\tmain\thttp://mirror.example/debian/
bookworm\tcontrib\thttp://mirror.example/debian/
bookworm\tmain\thttp://mirror.example/debian/
bookworm-updates\tmain\thttp://mirror.example/debian/
bookworm-security\tmain\thttp://mirror.example/security/
bookworm\tmain\thttp://other.example/debian/
"""


def test_the_archive_is_the_first_that_apt_takes_the_release_from() -> None:
    """Its components are named once each; updates, security and other archives are left out."""
    assert archive(TARGETS, "bookworm") == (["main", "contrib"], "http://mirror.example/debian/")


def test_a_release_that_apt_does_not_know() -> None:
    """The message shows what to do."""
    with pytest.raises(SetUpError, match="apt-get update"):
        archive(TARGETS, "trixie")
