"""GitLab CI."""

from dockercise_prefect.importing.gitlab.jobs import read_gitlab

__all__ = ["read_gitlab"]
