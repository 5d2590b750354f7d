"""Deployments of repositories, and what starts their runs."""
