"""A push arrives: checked, kept on disk, answered, and turned into one flow run for each registration that it touches."""
