"""What the command line does with a stack: makes it, looks at it, wakes it, and takes it away."""
