"""Labels what runs make on an engine, and removes it."""
