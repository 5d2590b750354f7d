"""What goes into containers, and what comes out of them."""
