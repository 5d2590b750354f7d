"""The network of stages that may reach the outside: namespaces that are made in advance, and reused."""
