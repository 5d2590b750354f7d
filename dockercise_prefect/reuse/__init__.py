"""What an attempt is made from, the key that follows from it, and the reason why two keys differ (docs/adr/0040)."""
