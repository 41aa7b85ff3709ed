"""Top-k lists and what they are worth: metrics, intervals and pictures."""
