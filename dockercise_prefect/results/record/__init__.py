"""Writes the record of a run: on this machine first, to a bucket behind it."""
