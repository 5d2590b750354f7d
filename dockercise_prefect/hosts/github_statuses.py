"""Commit statuses on GitHub, and on GitHub Enterprise."""

from __future__ import annotations

from dataclasses import dataclass, field

from dockercise_prefect.errors import HostError, HostRefusedError, UsageError
from dockercise_prefect.hosts.statuses import CommitStatus, StatusLaterError, StatusRefusedError

_SITE, _API = "https://github.com", "https://api.github.com"


@dataclass(frozen=True, slots=True)
class GitHubStatuses:
    """Sends commit statuses to a GitHub.

    Attributes:
        site: the address of its pages.
        token: a token with the right “Commit statuses: read and write”.
    """

    site: str
    token: str = field(repr=False)

    def send(self, status: CommitStatus) -> None:
        """See `Statuses.send`."""
        from dockercise_prefect.hosts.github import GitHub  # noqa: PLC0415  PyGithub takes a second to import

        api = _API if self.site == _SITE else f"{self.site}/api/v3"
        # The hints hold what GitHub said, so they are not passed on.
        try:
            GitHub(self.token, api, "the Secret block").send(status)
        except (HostRefusedError, UsageError) as error:
            raise StatusRefusedError(error.message) from None
        except HostError as error:
            raise StatusLaterError(error.message) from None
