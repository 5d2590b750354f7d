"""Finishes a run whose process has died: its clean-up stages, its record, its flow run (docs/adr/0039)."""
