"""What one stage needs to run in a container, and what its end means."""
