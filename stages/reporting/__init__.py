"""The report: what it says, and the page it is written to."""
