"""Opens a shell in a stage of a recorded run, or as it would run now (docs/adr/0041)."""
