"""Repositories on other machines: their addresses, a mirror of each here, and the trees of their commits. Knows no Prefect."""
