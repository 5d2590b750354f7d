"""Copies of volumes, for stages with `on`."""
