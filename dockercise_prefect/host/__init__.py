"""The Docker host of a stack in AWS: what is installed on it, and what it does."""
