"""The stack: its template, the code of its door, and the first boot of its host."""
