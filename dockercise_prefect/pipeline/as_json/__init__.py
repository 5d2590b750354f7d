"""Converts a pipeline to JSON and back, and computes its digest."""
