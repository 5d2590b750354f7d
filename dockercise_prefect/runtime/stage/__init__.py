"""Runs one stage in a container: what the stage needs, and what its end means."""
