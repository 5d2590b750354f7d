"""What a host sends: from bytes to a push that is believed. No effects."""
