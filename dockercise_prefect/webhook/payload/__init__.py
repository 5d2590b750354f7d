"""Turns the bytes that a host sends into a verified push. No side effects."""
