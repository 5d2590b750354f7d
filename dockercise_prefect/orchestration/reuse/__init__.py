"""Reuse in a run: which stages need not run, what they left, and what others may reuse (docs/adr/0040)."""
