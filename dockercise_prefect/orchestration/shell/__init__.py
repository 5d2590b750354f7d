"""Opens a shell in a stage of a recorded run (docs/adr/0041)."""
