"""Reads records of runs, and shows them."""
