"""What somebody may have meant by a name that is not known."""
