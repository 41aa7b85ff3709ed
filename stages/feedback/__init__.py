"""Columns of the log that few stages need, each read when it is asked for."""
