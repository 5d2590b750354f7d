"""Files as tar streams, and data about them. The memory is bounded, whatever the number of files."""
