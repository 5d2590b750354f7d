"""Connects a repository on GitHub with its deployments, and disconnects it."""
