"""Models that are fitted by factorizing the matrix of positives."""
