"""Receives pushes: checks each, stores it on disk, answers, and starts one flow run for each registration that it touches."""
