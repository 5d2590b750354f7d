"""What a shell script says, by its grammar, without running it."""
