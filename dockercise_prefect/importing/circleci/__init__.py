"""CircleCI."""

from dockercise_prefect.importing.circleci.workflows import read_circleci

__all__ = ["read_circleci"]
