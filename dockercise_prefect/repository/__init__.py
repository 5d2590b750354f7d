"""Repositories on other machines: their addresses, a local mirror of each, and the trees of commits. Does not use Prefect."""
