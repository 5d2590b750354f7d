"""From files to one checked document: what was written, with the place of every word, and nothing of what it means."""
