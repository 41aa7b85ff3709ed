"""Models that score items for users, one per file: candidate sources, baselines and features."""
