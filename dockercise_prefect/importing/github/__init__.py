"""GitHub Actions, and the workflows of Gitea and Forgejo."""

from dockercise_prefect.importing.github.workflow import read_github

__all__ = ["read_github"]
