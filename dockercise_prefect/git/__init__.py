"""Asks git about a repository: its files, its changes, its commits."""
