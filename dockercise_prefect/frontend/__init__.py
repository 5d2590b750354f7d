"""Reads files into one checked document: what was written, with the place of every word, but not what it means."""
