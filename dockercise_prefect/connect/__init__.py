"""Connects a repository on GitHub with its deployments, and takes that back."""
