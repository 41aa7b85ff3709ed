"""Models that score items for users: candidate sources, baselines and features, a file each."""
