"""What stages with `cache` were made from and have left, for all runs that use the same place (docs/adr/0040)."""
