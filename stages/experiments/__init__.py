"""Experiments: reads and compares results of revisions, and runs trials of settings."""
