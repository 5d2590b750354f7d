"""Writes the record of a run: first on this machine, then to a bucket."""
