"""Where the results of a run go. Never public."""
