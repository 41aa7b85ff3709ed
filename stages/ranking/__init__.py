"""How candidate lists are ranked, by features and trained models."""
