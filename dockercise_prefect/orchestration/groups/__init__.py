"""Makes the members of groups from what stages have printed (`each`)."""
