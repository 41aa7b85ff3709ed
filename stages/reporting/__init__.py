"""The report: its text, tables and pictures, and the HTML page."""
