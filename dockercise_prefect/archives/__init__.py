"""Files as tar streams, and what is known of them: in bounded memory, whatever their number."""
