"""Decides which stages of a run start, and when."""
