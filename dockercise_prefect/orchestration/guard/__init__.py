"""A process or container that waits for the end of a run, to finish it if its process dies (docs/adr/0039)."""
