"""Analyses a shell script by its grammar, without running it."""
