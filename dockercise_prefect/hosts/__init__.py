"""The sites that repositories live on, GitHub, GitLab and Gitea: their calls, and the statuses of commits."""
