"""The git hosts GitHub, GitLab and Gitea: calls of their APIs, and commit statuses."""
