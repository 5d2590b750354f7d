"""dockercise in an account of AWS: the stack, and the names and parameters that its parts share."""
