"""What the report says: numbers of the judged lists, of the ranker and of sample users."""
