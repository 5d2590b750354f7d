"""The services of an attempt: containers beside its own, from before it starts until it has ended (docs/adr/0057)."""
